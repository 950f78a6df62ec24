"""
The handshake of a WebSocket: the request, its ASGI scope, and the response.

This module reads a request as a client sends it or as uvicorn passes it on, and only one that all HTTP parsers of
uvicorn read the same way. Any unusual request is left to uvicorn.

Source: RFC 9112, sections 3 and 5; RFC 6455, section 4.2; ASGI specification, "WebSocket Connection Scope".
"""

from __future__ import annotations

import binascii
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote

from fastsio.aio.engine.frameworks.environ import add_headers
from fastsio.engine.header_cache import MAX_SHARED_BYTES, SHARED_NAMES, USUAL_QUERIES, SharedHeaders
from fastsio.engine.websocket_handshake import accept_key

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable, Sequence

    Header = tuple[bytes, bytes]

KEY_BYTES: Final = 16
KEY_NAME: Final = b"sec-websocket-key"
#: How clients write the line of the key, from the end of the line before, and where in it the key begins and ends.
KEY_LINE: Final = b"\r\nSec-WebSocket-Key: "
KEY_AT: Final = len(KEY_LINE)
KEY_LINE_BYTES: Final = KEY_AT + 24
#: The end of the headers.
END: Final = b"\r\n\r\n"
END_BYTES: Final = len(END)
#: Headers of more bytes are not kept, nor those of more requests, so that a client cannot fill the memory.
MAX_KEPT_BYTES: Final = 2048
MAX_KEPT: Final = 1024
#: The names of headers that nearly every request has; all connections share one object for each.
USUAL_NAMES: Final = {name: name for name in (*SHARED_NAMES, b"cookie", KEY_NAME)}
#: The same for the queries.
SAME_QUERY: Final = {query: query for query in USUAL_QUERIES}
#: A request with one of these headers is not a plain request.
UNPLAIN_NAMES: Final = frozenset({b"content-length", b"expect", b"proxy-connection", b"transfer-encoding"})
#: The headers of the handshake, each of which must occur once.
SINGLE_NAMES: Final = (b"host", b"upgrade", b"connection", b"sec-websocket-version", KEY_NAME)
#: The first line, without fragments and absolute targets. The pattern never backtracks.
REQUEST_LINE: Final = re.compile(rb"GET (/[!-\"$->@-~]*+)(?:\?([!-\"$-~]*+))? HTTP/1\.1")
#: A line of a header: a token, and no control characters. White space at the end is kept by httptools and not by h11.
HEADER_LINE: Final = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]++):[ \t]*+((?:[^\x00-\x08\x0a-\x1f\x7f]*+(?<![ \t]))?+)"
)
#: Options of a connection, which uvicorn splits by commas.
CONNECTION: Final = re.compile(rb"(?:[ \t]*+[0-9A-Za-z\-]++[ \t]*+(?:,|\Z))++")
#: The headers with which proxies name their client.
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
        items: The headers but the key as an environ has them, shared with other requests; None if they are not known.
    """

    path: bytes
    query: bytes
    key: bytes
    headers: list[Header]
    offered: Sequence[bytes]
    is_forwarded: bool
    items: dict[str, str] | None = None


class Lines(SharedHeaders[bytes, "Header"]):
    """
    Reads lines of headers, and keeps those that many clients send alike.

    Looking up a line raises ValueError if its name and value are not certain, or its name is one of
    ``UNPLAIN_NAMES``.
    """

    def __missing__(self, line: bytes) -> Header:
        """Read a line that is not kept."""
        found = HEADER_LINE.fullmatch(line)
        name = found[1].lower() if found is not None else b""
        if found is None or name in UNPLAIN_NAMES:
            raise ValueError("not a header of a plain request")
        header = USUAL_NAMES.get(name, name), found[2]
        self.remember(line, header, name, len(line))
        return header


LINES: Final = Lines()


class Head(NamedTuple):
    """The headers that many clients send alike, all but the key, in order; and the same as an environ has them."""

    headers: list[Header]
    items: dict[str, str]


class Heads(dict[bytes, Head]):
    """The headers of handshakes that were read, by their bytes without the line of the key."""

    def remember(self, block: bytes, headers: list[Header]) -> None:
        """Remember the headers of a handshake if others may send the same."""
        headers = [header for header in headers if header[0] != KEY_NAME]
        if len(block) > MAX_KEPT_BYTES or not SHARED_NAMES.issuperset([name for name, _ in headers]):
            return
        if len(self) >= MAX_KEPT:
            self.clear()
        head = self[block] = Head(headers, {})
        add_headers(head.items, headers)


HEADS: Final = Heads()


def read_handshake(request: bytes) -> Handshake | None:
    """Read a whole request as a client sends it, or as uvicorn writes it; None if anything about it is unusual."""
    line_end = request.find(b"\r\n")
    target = REQUEST_LINE.fullmatch(request, 0, line_end)
    if target is None or request.find(END) != len(request) - END_BYTES:
        return None
    path, query = target.groups(b"")
    query = SAME_QUERY.get(query, query)
    at = request.find(KEY_LINE, line_end)
    if at < 0 or not request.startswith(b"\r\n", at + KEY_LINE_BYTES):
        return _read(path, query, request[line_end + 2 : -END_BYTES])
    block = request[line_end:at] + request[at + KEY_LINE_BYTES :]
    head = HEADS.get(block)
    if head is None:
        handshake = _read(path, query, request[line_end + 2 : -END_BYTES])
        if handshake is not None:
            HEADS.remember(block, handshake.headers)
        return handshake
    key = request[at + KEY_AT : at + KEY_LINE_BYTES]
    if not _is_key(key):
        return None
    headers = head.headers.copy()
    headers.insert(request.count(b"\r\n", line_end, at), (KEY_NAME, key))
    return Handshake(path, query, key, headers, (), False, head.items)


def _read(path: bytes, query: bytes, block: bytes) -> Handshake | None:
    """Read the headers of a request line by line."""
    try:
        headers = list(map(LINES.__getitem__, block.split(b"\r\n")))
    except ValueError:
        return None
    fields = dict(headers)
    if not _asks_for_websocket(fields) or (len(fields) < len(headers) and _repeats(headers)):
        return None
    offered = [value for name, value in headers if name == OFFERED] if OFFERED in fields else ()
    is_forwarded = not FORWARDED.isdisjoint(fields)
    return Handshake(path, query, fields[KEY_NAME], headers, offered, is_forwarded)


def _asks_for_websocket(fields: dict[bytes, bytes]) -> bool:
    return (
        b"host" in fields
        and fields.get(b"sec-websocket-version") == b"13"
        and fields.get(b"upgrade", b"").lower() == b"websocket"
        and _is_upgrade(fields.get(b"connection", b""))
        and _is_key(fields.get(KEY_NAME, b""))
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
    """Return whether a header that must occur once occurs twice."""
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
    """Build the scope, equal to that of uvicorn's own protocol; *state* is that of the lifespan, and is copied."""
    offered = b",".join(handshake.offered).decode("latin-1")
    read_path = _read_path if len(handshake.path) <= MAX_SHARED_BYTES else _read_path.__wrapped__
    path, raw_path = read_path(root_path, handshake.path)
    return {
        "type": "websocket",
        "asgi": {"version": asgi_version, "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": scheme,
        "server": server,
        "client": client,
        "root_path": root_path,
        "path": path,
        "raw_path": raw_path,
        "query_string": handshake.query,
        "headers": handshake.headers,
        "subprotocols": [token.strip() for token in offered.split(",")] if offered else [],
        "state": state.copy(),
        "extensions": {"websocket.http.response": {}},
    }


@lru_cache(maxsize=64)
def _read_path(root_path: str, path: bytes) -> tuple[str, bytes]:
    """Return the path of a scope and its raw path; all connections to an application share them."""
    return root_path + unquote(path.decode("ascii")), root_path.encode("ascii") + path


def client_of(transport: asyncio.Transport) -> tuple[str, int] | None:
    """Return the client of a scope as uvicorn does, from what the transport knows without asking the socket again."""
    try:
        name = transport.get_extra_info("peername")
    except OSError:  # uvloop's, when the client has left
        return None
    return (str(name[0]), int(name[1])) if isinstance(name, tuple) else None


def server_of(transport: asyncio.Transport) -> tuple[str, int | None] | None:
    """Return the server of a scope likewise; that of a UNIX socket is its path."""
    name = transport.get_extra_info("sockname")
    if isinstance(name, tuple):
        return _shared_address(name)
    return (name, None) if isinstance(name, str) else None


@lru_cache(maxsize=64)
def _shared_address(name: tuple[Any, ...]) -> tuple[str, int]:
    return str(name[0]), int(name[1])


def acceptance(key: bytes, headers: Iterable[tuple[bytes, bytes]], subprotocol: str | None) -> bytes:
    """Build the response that makes a connection a WebSocket; *key* is the request's ``Sec-WebSocket-Key``."""
    chosen = b"" if not subprotocol else b"Sec-WebSocket-Protocol: %b\r\n" % subprotocol.encode("latin-1")
    return b"%b%bConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %b\r\n\r\n" % (
        _begin_acceptance(tuple(headers)),
        chosen,
        accept_key(key),
    )


@lru_cache(maxsize=64)
def _begin_acceptance(headers: tuple[Header, ...]) -> bytes:
    """Build the first lines, which are the same for all connections of a second."""
    lines = [b"HTTP/1.1 101 Switching Protocols", *[b"%b: %b" % header for header in headers], b""]
    return b"\r\n".join(lines)
