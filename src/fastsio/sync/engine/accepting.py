"""
How a request becomes a WebSocket: over the connection's socket where the web server lends it, or by engineio's driver.

Source: what Werkzeug, Gunicorn, gevent, eventlet and uWSGI put into the environ.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

from fastsio.sync.engine.framing import accept_response
from fastsio.sync.engine.links import DriverLink
from fastsio.sync.engine.socketlink import SocketLink

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastsio.sync.engine.links import Link
    from fastsio.sync.engine.server import EngineServer

    Serve: TypeAlias = Callable[[Link], None]


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
    """Tell whether a request is a WebSocket handshake; uWSGI looks itself."""
    return server.async_mode == "gevent_uwsgi" or accept_response(environ) is not None


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
    if server.async_mode == "gevent_uwsgi":
        return _accept_by_driver(server, environ, start_response, serve)
    sock = socket_of(environ)
    _send_at_once(sock)
    link = SocketLink(sock, server.max_http_buffer_size, server.sleep)
    try:
        if "wsgi.websocket" not in environ:  # gevent-websocket has answered already
            sock.sendall(accept_response(environ))
        serve(link)
    finally:
        link.abort()
    return _response(environ)


def socket_of(environ: dict[str, Any]) -> Any:
    """Return the socket of a request's connection, or None where the web server does not lend it."""
    for key in ("werkzeug.socket", "gunicorn.socket"):
        if key in environ:
            return environ[key]
    if "eventlet.input" in environ:
        return environ["eventlet.input"].get_socket()
    if not environ.get("SERVER_SOFTWARE", "").startswith("gevent"):
        return None
    # gevent reads the body, if there may be one through another object, from a file made of the socket.
    body = environ["wsgi.input"]
    file = getattr(body, "rfile", body)
    return getattr(getattr(file, "raw", None), "_sock", None)


def _send_at_once(sock: Any) -> None:
    """Have the system not hold small messages back until larger ones are acknowledged."""
    with suppress(OSError):  # a UNIX socket does not
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _response(environ: dict[str, Any]) -> list[bytes]:
    """Have the web server write no response, for the connection was a WebSocket and is over."""
    if "werkzeug.socket" in environ:
        raise ConnectionError("the connection was a WebSocket and is over")
    if "gunicorn.socket" in environ:
        raise StopIteration("the connection was a WebSocket and is over")
    if "eventlet.input" in environ:
        import_module("eventlet.wsgi").WSGI_LOCAL.already_handled = True
    return []


def _accept_by_driver(server: EngineServer, environ: dict[str, Any], start_response: Any, serve: Serve) -> Any:
    def run(websocket: Any) -> None:
        # uWSGI lends no more than the number of the connection.
        with socket.socket(fileno=os.dup(websocket._sock)) as sock:
            serve(DriverLink(websocket, sock))

    return server.driver(run, server)(environ, start_response)
