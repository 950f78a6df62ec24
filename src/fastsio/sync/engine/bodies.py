"""
Reading the body of a POST, within a time and a size.

When the time is up, the reading end of the connection is closed, which is the end of the body to the web server; the
answer still goes out, unless the web server does TLS. Where a web server does not show the socket, only it can end the
body.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from fastsio.engine.request import BodyCutOff, BodyTooSlow, bytes_to_read, check_body
from fastsio.sync.engine.lent_sockets import lent_socket, socket_under, stop_reading
from fastsio.sync.engine.limit import Limit

if TYPE_CHECKING:
    from fastsio.sync.engine.session import Session


def read_body(session: Session, environ: dict[str, Any]) -> bytes:
    """
    Read the whole body, unless the session ends meanwhile.

    Raises:
        PacketError: It is too large, was cut off or takes too long, or the session is over.
    """
    server = session.server
    with (
        lent_socket(server, environ) as lent,
        Limit(server.deadlines, server.body_timeout, partial(stop_reading, lent or socket_under(environ))) as reading,
    ):
        session.body = reading
        try:
            if session.closed:
                reading.cut_off()
            return _read(environ, server.max_http_buffer_size, reading)
        finally:
            session.body = None


def _read(environ: dict[str, Any], limit: int, reading: Limit) -> bytes:
    # PEP 3333: without a length there is nothing to read, unless the server marks the end of chunked bodies.
    length = bytes_to_read(environ, limit, has_end=bool(environ.get("wsgi.input_terminated")))
    body = bytearray()
    error = None
    try:
        while len(body) < length and (chunk := environ["wsgi.input"].read(length - len(body))):
            body += chunk
    except OSError as raised:
        error = raised
    if reading.is_late:
        raise BodyTooSlow("a body that took too long") from error
    if error is not None or reading.is_cut or (environ.get("CONTENT_LENGTH") and len(body) < length):
        raise BodyCutOff("a body that was cut off") from error
    return check_body(body, limit)
