"""
The request handler of a server for Tornado.

It is a module of its own so that it can be imported without Tornado, which :mod:`.tornado_handler` imports.
"""

from __future__ import annotations

from typing import Any

from fastsio._extras import require
from fastsio.base.server import require_server, use_mode


def get_tornado_handler(socketio_server: Any) -> Any:
    """
    Make the request handler of a server, for the rules of a ``tornado.web.Application``.

    Origins are checked by the server's ``cors_allowed_origins``, not by Tornado; ``xsrf_cookies`` and
    ``cross_origin_protection`` of the application do not apply to this handler.

    Args:
        socketio_server: The :class:`AsyncServer`.

    Returns:
        A class derived from ``tornado.websocket.WebSocketHandler``; derive from it to add, say, ``prepare()``.

    Raises:
        SetupError: The server was made for another framework, or is used with one already.
        MissingExtraError: Tornado is not installed.
    """
    base = require("fastsio.integrations.tornado_handler", "tornado").EngineHandler
    require_server(socketio_server, "get_tornado_handler()", asynchronous=True)
    use_mode(socketio_server, "tornado")
    return type("SocketIOHandler", (base,), {"engine": socketio_server.eio})
