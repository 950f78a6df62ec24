"""
How a request becomes a WebSocket: over the socket of its connection, which the web servers lend in different ways.

Source: what Werkzeug, Gunicorn, gevent, eventlet and uWSGI put into the environ.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from fastsio.sync.engine.framing import accept_response
from fastsio.sync.engine.socketlink import RECEIVE_BYTES, SocketLink

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastsio.sync.engine.links import Link
    from fastsio.sync.engine.server import EngineServer

#: How uWSGI is told to do TLS itself, in the workers.
UWSGI_TLS_OPTION: Final = "https-socket"


def can_accept(server: EngineServer, environ: dict[str, Any]) -> bool:
    """
    Tell whether the web server at hand can serve WebSockets.

    Args:
        server: The Engine.IO server.
        environ: Of any request.
    """
    if server.async_mode == "gevent_uwsgi":
        # Its TLS hides behind the number of the connection, which is all that uWSGI lends.
        return UWSGI_TLS_OPTION not in import_module("uwsgi").opt
    return _socket_of(environ) is not None


def accept(server: EngineServer, environ: dict[str, Any], serve: Callable[[Link], None]) -> Any:
    """
    Accept a WebSocket and run it.

    Args:
        server: The Engine.IO server.
        environ: A request that :func:`can_accept` holds for and that is a handshake.
        serve: What to do with the link.

    Returns:
        What the application returns to the web server, which then writes nothing. Some must be told by an exception.
    """
    if server.async_mode == "gevent_uwsgi":
        with _socket_of_uwsgi() as sock:
            _run(sock, server, environ, serve)
    else:
        _run(_socket_of(environ), server, environ, serve)
    return _response(environ)


def _run(sock: Any, server: EngineServer, environ: dict[str, Any], serve: Callable[[Link], None]) -> None:
    _send_at_once(sock)
    link = SocketLink(sock, server.max_http_buffer_size, server.max_control_frames, server.sleep)
    try:
        if "wsgi.websocket" not in environ:  # gevent-websocket has answered already
            sock.sendall(accept_response(environ))
        serve(link)
    finally:
        link.abort()
        _discard(sock)


def _discard(sock: Any) -> None:
    """Take off the connection what the peer sent after the end, which the web server would read as a request."""
    with suppress(OSError):
        while sock.recv(RECEIVE_BYTES):
            pass


def _socket_of(environ: dict[str, Any]) -> Any:
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


def _socket_of_uwsgi() -> Any:
    """
    Make a socket of the connection's number, which is what uWSGI lends.

    uWSGI's own framing loses empty messages, tells no binary from text, and has to be asked again and again.
    """
    return import_module("gevent.socket").socket(fileno=os.dup(import_module("uwsgi").connection_fd()))


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
