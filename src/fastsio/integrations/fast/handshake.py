"""
The request that uvicorn hands over when a client asks for a WebSocket, the ASGI scope made of it, and its acceptance.

Reads as much as is needed: uvicorn's HTTP parser has judged the request. What is unusual is not judged here but left to
uvicorn's own WebSocket protocol, which answers it as it always did.

Source: RFC 6455, section 4.2; ASGI specification, "WebSocket Connection Scope".
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha1
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

KEY_BYTES: Final = 16
#: The names that nearly every request has: one object each for all connections.
USUAL_NAMES: Final = {
    name: name
    for name in (
        b"accept-encoding",
        b"accept-language",
        b"cache-control",
        b"connection",
        b"cookie",
        b"host",
        b"origin",
        b"pragma",
        b"sec-websocket-extensions",
        b"sec-websocket-key",
        b"sec-websocket-version",
        b"upgrade",
        b"user-agent",
    )
}
#: A line of a header, as uvicorn writes it.
HEADER: Final = re.compile(rb"\n([^:\r\n]+):[ \t]*(.*?)[ \t]*(?=\r)")
OFFERED: Final = b"sec-websocket-protocol"
#: What is appended to a key to show that the server understood (RFC 6455, section 1.3).
GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@dataclass(frozen=True, slots=True)
class Handshake:
    """
    A request for a WebSocket.

    Attributes:
        path: As it was sent, without the query.
        query: As it was sent.
        key: ``Sec-WebSocket-Key``.
        headers: Name and value of all headers.
        offered: The values of ``Sec-WebSocket-Protocol``.
    """

    path: bytes
    query: bytes
    key: bytes
    headers: list[tuple[bytes, bytes]]
    offered: Sequence[bytes]


def read_handshake(request: bytes) -> Handshake | None:
    """
    Read a request as uvicorn writes it: one line for each header, names in lower case.

    Returns:
        None when there is anything unusual about it.
    """
    method, _, rest = request.partition(b"\r\n")[0].partition(b" ")
    target, _, _ = rest.rpartition(b" ")
    lines: list[tuple[bytes, bytes]] = HEADER.findall(request)
    headers = [(USUAL_NAMES.get(name, name), value) for name, value in lines]
    fields = dict(headers)
    key = fields.get(b"sec-websocket-key", b"")
    if method != b"GET" or not target.isascii() or fields.get(b"sec-websocket-version") != b"13" or not _is_key(key):
        return None
    names = [name for name, _ in headers] if len(fields) < len(headers) else ()
    if names.count(b"sec-websocket-key") > 1 or names.count(b"sec-websocket-version") > 1:
        return None
    path, _, query = target.partition(b"?")
    offered = [value for name, value in headers if name == OFFERED] if OFFERED in fields else ()
    return Handshake(path, query, key, headers, offered)


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
    digest = b64encode(sha1(key + GUID, usedforsecurity=False).digest())
    lines = [b"HTTP/1.1 101 Switching Protocols", *[b"%b: %b" % header for header in headers]]
    if subprotocol:
        lines.append(b"Sec-WebSocket-Protocol: " + subprotocol.encode("latin-1"))
    lines += [b"Connection: upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Accept: " + digest, b"", b""]
    return b"\r\n".join(lines)


def _is_key(key: bytes) -> bool:
    try:
        return len(b64decode(key, validate=True)) == KEY_BYTES
    except binascii.Error:
        return False
