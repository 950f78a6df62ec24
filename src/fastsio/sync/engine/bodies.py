"""
Reading the body of a POST, within a time and a size.

A thread that reads cannot be interrupted. So when the time is up, the reading end of the connection is closed, which is
the end of the body to the web server; the answer still goes out, unless the web server does TLS. Where a web server
does not show the socket, only it can end the body.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Self

from fastsio.engine.deadlines import NEVER
from fastsio.engine.request import BodyTooLarge, BodyTooSlow, content_length
from fastsio.exceptions import PacketError
from fastsio.sync.engine.lent_sockets import lent_socket, socket_under, stop_reading, uwsgi_lends, uwsgi_socket

if TYPE_CHECKING:
    from types import TracebackType

    from fastsio.sync.engine.session import Session


class BodyReading:
    """
    The time in which a thread reads a body; used in a ``with`` statement.

    Args:
        server: The server, for its ``body_timeout``.
        environ: Of the request.

    Attributes:
        is_cut: True once the body was cut off before it was read.
        is_late: True when that was because the time was up.
    """

    def __init__(self, server: Any, environ: dict[str, Any]) -> None:
        self.timer_key = NEVER
        self.is_cut = self.is_late = False
        self._server = server
        self._environ = environ
        self._own: Any = None
        self._socket: Any = None
        self._is_done = False
        # Held for a few steps that never wait, so a plain lock serves greenlets too.
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Begin."""
        if self._server.async_mode == "gevent_uwsgi":
            self._own = self._socket = uwsgi_socket() if uwsgi_lends() else None
        else:
            self._socket = lent_socket(self._environ) or socket_under(self._environ["wsgi.input"])
        self._server.deadlines.set(self, self._server.body_timeout)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let the connection live on, unless the body was cut off."""
        with self._lock:
            self._is_done = True
        self._server.deadlines.clear(self)
        if self._own is not None:
            self._own.close()

    def cut_off(self) -> None:
        """End the body, which nobody wants any more, unless it was read."""
        self._cut(is_late=False)

    def on_deadline(self) -> None:
        """End the body, which has taken too long, unless it was read."""
        self._cut(is_late=True)

    on_shutdown = cut_off

    def _cut(self, *, is_late: bool) -> None:
        with self._lock:
            if self._is_done or self.is_cut:
                return
            # Before the thread that reads finds the end, and asks why.
            self.is_cut, self.is_late = True, is_late
            if self._socket is not None:
                stop_reading(self._socket)


def read_body(session: Session, environ: dict[str, Any]) -> bytes:
    """
    Read the whole body, unless the session ends meanwhile.

    Raises:
        PacketError: It is too large, was cut off or takes too long, or the session is over.
    """
    server = session.server
    with BodyReading(server, environ) as reading:
        session.body = reading
        try:
            if session.closed:
                reading.cut_off()
            return _read_within(environ, server.max_http_buffer_size, reading)
        finally:
            session.body = None


def _read_within(environ: dict[str, Any], limit: int, reading: BodyReading) -> bytes:
    """Read the whole body, or one byte more than the limit of one that does not declare its length."""
    # PEP 3333: without a length there is nothing to read, unless the server marks the end of chunked bodies.
    declared = content_length(environ)
    if declared is None and not environ.get("wsgi.input_terminated"):
        declared = 0
    if declared is not None and declared > limit:
        raise BodyTooLarge("a body over the size limit", limit=limit, value=declared)
    length = limit + 1 if declared is None else declared
    try:
        body = _read(environ["wsgi.input"], length)
    except OSError as error:
        raise _cut_off(reading) from error
    if reading.is_cut or (declared is not None and len(body) < length):
        raise _cut_off(reading)
    if len(body) > limit:
        raise BodyTooLarge("a body over the size limit", limit=limit, value=len(body))
    return body


def _read(stream: Any, length: int) -> bytes:
    body = bytearray()
    while len(body) < length and (chunk := stream.read(length - len(body))):
        body += chunk
    return bytes(body)


def _cut_off(reading: BodyReading) -> PacketError:
    return BodyTooSlow("a body that took too long") if reading.is_late else PacketError("a body that was cut off")
