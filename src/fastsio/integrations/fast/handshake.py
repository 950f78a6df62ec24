"""
The request that uvicorn hands over when a client asks for a WebSocket, and the ASGI scope made of it.

Reads as much as is needed: uvicorn's HTTP parser has judged the request. What is unusual is not judged here but left to
uvicorn's own WebSocket protocol, which answers it as it always did.

Source: RFC 6455, section 4.2; ASGI specification, "WebSocket Connection Scope".
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

KEY_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Handshake:
    """
    A request for a WebSocket.

    Attributes:
        path: As it was sent, without the query.
        query: As it was sent.
        key: ``Sec-WebSocket-Key``.
        headers: Name and value of all headers.
    """

    path: bytes
    query: bytes
    key: bytes
    headers: list[tuple[bytes, bytes]]


def read_handshake(request: bytes) -> Handshake | None:
    """
    Read a request as uvicorn writes it: one line for each header, names in lower case.

    Returns:
        None when there is anything unusual about it.
    """
    lines = request.removesuffix(b"\r\n\r\n").split(b"\r\n")
    method, _, rest = lines[0].partition(b" ")
    target, _, _ = rest.rpartition(b" ")
    headers = [(name, value.strip(b" \t")) for name, _, value in (line.partition(b":") for line in lines[1:])]
    versions = _values(headers, b"sec-websocket-version")
    keys = _values(headers, b"sec-websocket-key")
    if method != b"GET" or not target.isascii() or versions != [b"13"] or len(keys) != 1 or not _is_key(keys[0]):
        return None
    path, _, query = target.partition(b"?")
    return Handshake(path, query, keys[0], headers)


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
    offered = _values(handshake.headers, b"sec-websocket-protocol")
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
        "subprotocols": [token.strip() for line in offered for token in line.decode("latin-1").split(",")],
        "state": state.copy(),
        "extensions": {"websocket.http.response": {}},
    }


def _values(headers: list[tuple[bytes, bytes]], wanted: bytes) -> list[bytes]:
    return [value for name, value in headers if name.lower() == wanted]


def _is_key(key: bytes) -> bool:
    try:
        return len(b64decode(key, validate=True)) == KEY_BYTES
    except binascii.Error:
        return False
