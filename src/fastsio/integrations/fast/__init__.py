"""
The parts of the fast transport, :mod:`fastsio.integrations.uvicorn`.

``pre_http`` reads a new connection before uvicorn does. ``plain_request`` and ``asgi_exchange`` serve long-polling;
``handshake`` and ``connection`` accept a WebSocket, ``light_frames`` and ``framing`` read its frames, and ``websocket``
writes them. ``app_lookup`` and ``site`` find the application. No module interprets messages.
"""
