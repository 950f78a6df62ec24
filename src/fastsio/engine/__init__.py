"""
Engine.IO without I/O: packets, payloads, requests, responses, options, the states of sessions.

The engines of both halves, ``aio/engine`` and ``sync/engine``, use it; they own timers and sockets.
"""
