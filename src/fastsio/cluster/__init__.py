"""
The messages that the nodes of a cluster send each other, and the decision which node carries out a call.

No I/O: the client managers send the messages. This module must not know servers or clients.
"""
