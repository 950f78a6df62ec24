"""
Several servers as one: the messages they send each other, and which call is done where.

Pure decisions, without I/O; how messages travel is the client managers' part. Must not know servers or clients.
"""
