"""
The socket of a request's connection, which the web servers lend in different ways.

Source: what Werkzeug, Gunicorn, gevent, eventlet and uWSGI put into the environ; wsgiref and others read the body from
a file made of the socket.
"""

from __future__ import annotations

import _socket
import os
import socket
from contextlib import AbstractContextManager, nullcontext, suppress
from importlib import import_module
from typing import Any, Final

#: How uWSGI is told to do TLS itself, in the workers.
UWSGI_TLS_OPTION: Final = "https-socket"
#: How many objects may stand between the body of a request and the socket it comes from.
MAX_WRAPPERS: Final = 4


def lends(server: Any, environ: dict[str, Any]) -> bool:
    """Tell whether the web server lends the connections of its requests to what serves a WebSocket."""
    if server.async_mode == "gevent_uwsgi":
        # Where uWSGI does TLS itself, that hides behind the connection's number.
        return UWSGI_TLS_OPTION not in import_module("uwsgi").opt
    return _lent_socket(environ) is not None


def lent_socket(server: Any, environ: dict[str, Any]) -> AbstractContextManager[Any]:
    """Return the socket of a request's connection, for a ``with`` statement; None where the web server lends none."""
    if server.async_mode != "gevent_uwsgi":
        return nullcontext(_lent_socket(environ))
    if not lends(server, environ):
        return nullcontext()
    # uWSGI lends the number of the connection: a socket made of it is to be closed.
    made: AbstractContextManager[Any] = import_module("gevent.socket").socket(
        fileno=os.dup(import_module("uwsgi").connection_fd())
    )
    return made


def _lent_socket(environ: dict[str, Any]) -> Any:
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


def socket_under(environ: dict[str, Any]) -> Any:
    """Return the socket that the body of a request is read from; None where it cannot be found."""
    body = environ["wsgi.input"]
    for _ in range(MAX_WRAPPERS):
        sock = getattr(body, "_sock", None)
        if sock is not None:
            return sock
        body = getattr(body, "rfile", None) or getattr(body, "raw", None)
    return None


def system_socket(sock: Any) -> _socket.socket | None:
    """
    Return the system's socket that a socket, with TLS or without, is or is made of; None where it cannot be found.

    What TLS adds to the methods of the result must be left out: call those of ``_socket.socket``.
    """
    for candidate in (sock, getattr(sock, "_sock", None), getattr(sock, "fd", None)):
        if isinstance(candidate, _socket.socket):
            return candidate
    return None


def stop_reading(sock: Any) -> None:
    """
    Close the reading end of a socket, one that :func:`system_socket` takes: reading finds its end, now and later.

    What is written to it still goes out; not with TLS, though, which takes the end for a failure.
    """
    found = system_socket(sock)
    if found is not None:
        with suppress(OSError):
            # The method of a socket that does TLS would forget the encryption of what is still written.
            _socket.socket.shutdown(found, socket.SHUT_RD)
