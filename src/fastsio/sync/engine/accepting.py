"""How a request becomes a WebSocket: over the socket of its connection, which the web server lends."""

from __future__ import annotations

import socket
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from fastsio.engine.websocket_handshake import accept_response
from fastsio.sync.engine.lent_sockets import lent_socket
from fastsio.sync.engine.socketlink import RECEIVE_BYTES, SocketLink

if TYPE_CHECKING:
    from collections.abc import Callable


def accept(server: Any, environ: dict[str, Any], serve: Callable[[SocketLink], None]) -> Any:
    """
    Accept a WebSocket, over a connection that the web server lends, and have its link served.

    Returns:
        What the application returns to the web server, which then writes nothing. Some must be told by an exception.
    """
    # Not with uWSGI's own framing: it loses empty messages, tells no binary from text, and has to be asked again and
    # again.
    with lent_socket(server, environ) as sock:
        with suppress(OSError):  # a UNIX socket has no such option
            # The system does not hold small messages back until larger ones are acknowledged.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = SocketLink(sock, server.max_http_buffer_size, server.max_control_frames, server.sleep)
        try:
            if "wsgi.websocket" not in environ:  # gevent-websocket has answered already
                sock.sendall(accept_response(environ))
            serve(link)
        finally:
            link.abort()
            with suppress(OSError):
                # What the peer sent after the end: the web server would read it as a request.
                while sock.recv(RECEIVE_BYTES):
                    pass
    return _response(environ)


def _response(environ: dict[str, Any]) -> list[bytes]:
    """Have the web server write no response, for the connection was a WebSocket and is over."""
    if "werkzeug.socket" in environ:
        raise ConnectionError("the connection was a WebSocket and is over")
    if "gunicorn.socket" in environ:
        raise StopIteration("the connection was a WebSocket and is over")
    if "eventlet.input" in environ:
        import_module("eventlet.wsgi").WSGI_LOCAL.already_handled = True
    return []
