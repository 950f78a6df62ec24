"""How a request becomes a WebSocket: over the socket of its connection, which the web server lends."""

from __future__ import annotations

import socket
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from fastsio.engine.websocket_handshake import accept_response
from fastsio.sync.engine.lent_sockets import lent_socket, uwsgi_lends, uwsgi_socket
from fastsio.sync.engine.socketlink import RECEIVE_BYTES, SocketLink

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastsio.sync.engine.links import Link


def can_accept(server: Any, environ: dict[str, Any]) -> bool:
    """
    Tell whether the web server at hand can serve WebSockets.

    Args:
        server: The Engine.IO server.
        environ: Of any request.
    """
    if server.async_mode == "gevent_uwsgi":
        return uwsgi_lends()
    return lent_socket(environ) is not None


def accept(server: Any, environ: dict[str, Any], serve: Callable[[Link], None]) -> Any:
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
        # uWSGI's own framing loses empty messages, tells no binary from text, and has to be asked again and again.
        with uwsgi_socket() as sock:
            _run(sock, server, environ, serve)
    else:
        _run(lent_socket(environ), server, environ, serve)
    return _response(environ)


def _run(sock: Any, server: Any, environ: dict[str, Any], serve: Callable[[Link], None]) -> None:
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
