"""
The request for a WebSocket, the ASGI scope made of it, and its acceptance.

Reads a request as a client sends it or as uvicorn passes it on, and only one that all HTTP parsers of uvicorn read the
same way. Any unusual request is left to uvicorn.

Source: RFC 9112, sections 3 and 5; RFC 6455, section 4.2; ASGI specification, "WebSocket Connection Scope".
"""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote

from fastsio.engine.header_cache import SHARED_NAMES, SharedHeaders
from fastsio.engine.websocket_handshake import accept_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Header = tuple[bytes, bytes]

KEY_BYTES: Final = 16
#: The names that nearly every request has: one object each for all connections.
USUAL_NAMES: Final = {name: name for name in (*SHARED_NAMES, b"cookie", b"sec-websocket-key")}
#: A request that has one of them is not a plain one.
UNPLAIN_NAMES: Final = frozenset({b"content-length", b"expect", b"proxy-connection", b"transfer-encoding"})
#: What decides about a WebSocket has to be there once.
SINGLE_NAMES: Final = (b"host", b"upgrade", b"connection", b"sec-websocket-version", b"sec-websocket-key")
#: The first line, without fragments and absolute targets. Nothing here goes back over what it has read.
REQUEST_LINE: Final = re.compile(rb"GET (/[!-\"$->@-~]*+)(?:\?([!-\"$-~]*+))? HTTP/1\.1")
#: A line of a header: a token, and no control characters. White space at the end is kept by httptools and not by h11.
HEADER_LINE: Final = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]++):[ \t]*+((?:[^\x00-\x08\x0a-\x1f\x7f]*+(?<![ \t]))?+)"
)
#: Options of a connection, which uvicorn splits by commas.
CONNECTION: Final = re.compile(rb"(?:[ \t]*+[0-9A-Za-z\-]++[ \t]*+(?:,|\Z))++")
#: What proxies add about their client.
FORWARDED: Final = frozenset(
    {b"forwarded", *[b"x-forwarded-" + name for name in (b"for", b"host", b"port", b"prefix", b"proto")]}
)
OFFERED: Final = b"sec-websocket-protocol"


class Handshake(NamedTuple):
    """
    A request for a WebSocket.

    Attributes:
        path: As it was sent, without the query.
        query: As it was sent.
        key: ``Sec-WebSocket-Key``.
        headers: Name in lower case and value of all headers. The list is this request's own.
        offered: The values of ``Sec-WebSocket-Protocol``.
        is_forwarded: Whether there is a header in which a proxy names its client.
    """

    path: bytes
    query: bytes
    key: bytes
    headers: list[Header]
    offered: Sequence[bytes]
    is_forwarded: bool


class Lines(SharedHeaders[bytes, "Header"]):
    """
    Reads lines of headers, and remembers those that many clients send alike.

    Looking up any other line raises ValueError if it has no name and value beyond doubt, or a name of
    ``UNPLAIN_NAMES``.
    """

    def __missing__(self, line: bytes) -> Header:
        """Read a line that is not remembered."""
        found = HEADER_LINE.fullmatch(line)
        name = found[1].lower() if found is not None else b""
        if found is None or name in UNPLAIN_NAMES:
            raise ValueError("not a header of a plain request")
        header = USUAL_NAMES.get(name, name), found[2]
        self.remember(line, header, name, len(line))
        return header


LINES: Final = Lines()


def read_handshake(request: bytes) -> Handshake | None:
    """
    Read a request, be it as a client sends it or as uvicorn writes it.

    Args:
        request: All of it, and nothing after the empty line.

    Returns:
        None when there is anything unusual about it.
    """
    head, end, rest = request.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    target = REQUEST_LINE.fullmatch(first)
    if target is None or rest or not end:
        return None
    try:
        headers = list(map(LINES.__getitem__, lines))
    except ValueError:
        return None
    fields = dict(headers)
    if not _asks_for_websocket(fields) or (len(fields) < len(headers) and _repeats(headers)):
        return None
    offered = [value for name, value in headers if name == OFFERED] if OFFERED in fields else ()
    is_forwarded = not FORWARDED.isdisjoint(fields)
    return Handshake(target[1], target[2] or b"", fields[b"sec-websocket-key"], headers, offered, is_forwarded)


def _asks_for_websocket(fields: dict[bytes, bytes]) -> bool:
    return (
        b"host" in fields
        and fields.get(b"sec-websocket-version") == b"13"
        and fields.get(b"upgrade", b"").lower() == b"websocket"
        and _is_upgrade(fields.get(b"connection", b""))
        and _is_key(fields.get(b"sec-websocket-key", b""))
    )


def _is_upgrade(connection: bytes) -> bool:
    options = connection.lower()
    return options == b"upgrade" or (
        CONNECTION.fullmatch(options) is not None and b"upgrade" in [option.strip() for option in options.split(b",")]
    )


def _is_key(key: bytes) -> bool:
    try:
        return len(binascii.a2b_base64(key, strict_mode=True)) == KEY_BYTES
    except binascii.Error:
        return False


def _repeats(headers: list[Header]) -> bool:
    """Tell whether something is said twice that has to be said once."""
    names = [name for name, _ in headers]
    return any(names.count(name) > 1 for name in SINGLE_NAMES)


def make_scope(
    handshake: Handshake,
    *,
    scheme: str,
    client: tuple[str, int] | None,
    server: tuple[str, int | None] | None,
    root_path: str,
    asgi_version: str,
    state: dict[str, Any],
) -> dict[str, Any]:
    """
    Build the scope, equal to that of uvicorn's own protocol.

    Args:
        handshake: The request.
        scheme: ``ws`` or ``wss``.
        client: Who asks.
        server: Where the request arrived.
        root_path: uvicorn's option.
        asgi_version: Version of ASGI that the application speaks.
        state: What the lifespan left; copied.
    """
    offered = b",".join(handshake.offered).decode("latin-1")
    return {
        "type": "websocket",
        "asgi": {"version": asgi_version, "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": scheme,
        "server": server,
        "client": client,
        "root_path": root_path,
        "path": root_path + unquote(handshake.path.decode("ascii")),
        "raw_path": root_path.encode("ascii") + handshake.path,
        "query_string": handshake.query,
        "headers": handshake.headers,
        "subprotocols": [token.strip() for token in offered.split(",")] if offered else [],
        "state": state.copy(),
        "extensions": {"websocket.http.response": {}},
    }


def acceptance(key: bytes, headers: Iterable[tuple[bytes, bytes]], subprotocol: str | None) -> bytes:
    """
    Build the response that makes a connection a WebSocket.

    Args:
        key: ``Sec-WebSocket-Key``.
        headers: Further headers.
        subprotocol: The one that was chosen among those offered.
    """
    lines = [b"HTTP/1.1 101 Switching Protocols", *[b"%b: %b" % header for header in headers]]
    if subprotocol:
        lines.append(b"Sec-WebSocket-Protocol: " + subprotocol.encode("latin-1"))
    lines += [b"Connection: upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Accept: " + accept_key(key), b"", b""]
    return b"\r\n".join(lines)
