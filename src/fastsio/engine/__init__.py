"""
What Engine.IO is, without I/O: packets, payloads, requests, responses, options.

Shared by the transports of both shells (``aio/engine``, ``sync/engine``), which own sessions, timers and sockets.
"""
