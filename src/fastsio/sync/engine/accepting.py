"""
How a request becomes a WebSocket: over the connection's socket where the web server lends it, or by engineio's driver.

Source: what Werkzeug, Gunicorn, gevent, eventlet and uWSGI put into the environ.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any, TypeAlias

from fastsio.sync.engine.framing import accept_response
from fastsio.sync.engine.links import DriverLink
from fastsio.sync.engine.socketlink import SocketLink

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastsio.sync.engine.links import Link
    from fastsio.sync.engine.server import EngineServer

    Serve: TypeAlias = Callable[[Link], None]


class LentSocket:
    """
    The connection in the form eventlet's WebSocket asks for, when Gunicorn lends it.

    Args:
        sock: The connection.
    """

    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def get_socket(self) -> Any:
        """Return the connection."""
        return self._sock


def can_accept(server: EngineServer, environ: dict[str, Any]) -> bool:
    """
    Tell whether the web server at hand can serve WebSockets.

    Args:
        server: The Engine.IO server.
        environ: Of any request.
    """
    if server.async_mode == "gevent_uwsgi":
        return server.driver is not None
    return socket_of(environ) is not None


def is_handshake(server: EngineServer, environ: dict[str, Any]) -> bool:
    """Tell whether a request is a WebSocket handshake; drivers look themselves."""
    return _is_for_driver(server, environ) or accept_response(environ) is not None


def accept(server: EngineServer, environ: dict[str, Any], start_response: Any, serve: Serve) -> Any:
    """
    Accept a WebSocket and run it.

    Args:
        server: The Engine.IO server.
        environ: A request that :func:`can_accept` and :func:`is_handshake` hold for.
        start_response: Of the request.
        serve: What to do with the link.

    Returns:
        What the application returns to the web server, which then writes nothing. Some must be told by an exception.
    """
    if _is_for_driver(server, environ):
        return _accept_by_driver(server, environ, start_response, serve)
    sock = socket_of(environ)
    link = SocketLink(sock, server.max_http_buffer_size)
    try:
        sock.sendall(accept_response(environ))
        serve(link)
    finally:
        link.abort()
    if "werkzeug.socket" in environ:
        raise ConnectionError("the connection was a WebSocket and is over")
    if "gunicorn.socket" in environ:
        raise StopIteration("the connection was a WebSocket and is over")
    return []


def socket_of(environ: dict[str, Any]) -> Any:
    """Return the socket of a request's connection, or None where the web server does not lend it."""
    for key in ("werkzeug.socket", "gunicorn.socket"):
        if key in environ:
            return environ[key]
    if "eventlet.input" in environ:
        return environ["eventlet.input"].get_socket()
    # gevent: the body is read from a file made of the socket.
    reader = getattr(getattr(environ.get("wsgi.input"), "rfile", None), "raw", None)
    return getattr(reader, "_sock", None)


def _is_for_driver(server: EngineServer, environ: dict[str, Any]) -> bool:
    """gevent-websocket has accepted already what it hands on."""
    return server.async_mode in ("eventlet", "gevent_uwsgi") or "wsgi.websocket" in environ


def _accept_by_driver(server: EngineServer, environ: dict[str, Any], start_response: Any, serve: Serve) -> Any:
    sock = socket_of(environ)
    if server.async_mode == "eventlet":
        environ.setdefault("eventlet.input", LentSocket(sock))

    def run(websocket: Any) -> None:
        if sock is not None:
            serve(DriverLink(websocket, sock))
            return
        # uWSGI lends no more than the number of the connection.
        with socket.socket(fileno=os.dup(websocket._sock)) as duplicate:
            serve(DriverLink(websocket, duplicate))

    return server.driver(run, server)(environ, start_response)
