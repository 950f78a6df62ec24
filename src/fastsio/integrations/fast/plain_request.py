"""
A quick parser of plain requests of long-polling: one regular expression, and one look-up for the headers.

A request is plain if all HTTP parsers of uvicorn read it the same way, and if it is usual: GET without a body or POST
with a length, HTTP/1.1, a connection that is kept alive. Any other request is left to uvicorn.

The headers of a client are the same in every request, except for the length of the body. So they are parsed once, and
found by their bytes after that.

Source: RFC 9112, sections 3 and 5; Engine.IO protocol v4, "HTTP long-polling".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fastsio.aio.engine.frameworks.environ import add_headers
from fastsio.integrations.fast.handshake import FORWARDED, LINES

if TYPE_CHECKING:
    from fastsio.integrations.fast.handshake import Header

#: The first line of a request for Engine.IO 4 by polling: method, path and query, and in the query the session's id and
#: the transport. A request that writes them otherwise is not plain; other parameters may be anything.
FIRST_LINE: Final = re.compile(
    rb"(GET|POST) (/[!-\"$->@-~]*+)\?"
    rb"((?:(?:sid=([\w.~\-]+)|EIO=4|transport=(polling)|(?!(?:sid|EIO|transport|j|b64)=)[\w.~\-]++=[!-\"$-%'-~]*+)"
    rb"(?:&|(?= )))++) HTTP/1\.1\r\n"
)
GET: Final = b"GET"
#: The end of the headers.
END: Final = b"\r\n\r\n"
#: The usual header of a body's length, from the end of the line before. A request with a longer number is not plain.
LENGTH: Final = re.compile(rb"\n[Cc]ontent-[Ll]ength: ([0-9]{1,9})\r\n")
#: Requests with one of these headers are not plain: they ask for an upgrade, or are a preflight of CORS.
_SPECIAL: Final = frozenset({b"upgrade", b"access-control-request-headers", b"access-control-request-method"})
#: Requests that repeat one of these headers are not plain.
_SINGLE: Final = (b"host", b"origin", b"connection", b"content-type", b"user-agent", b"accept-encoding")
#: The bytes of the longest headers that are kept, and how many headers are: a client cannot fill the memory.
MAX_KEPT_BYTES: Final = 2048
MAX_KEPT: Final = 1024
#: The parsed form of headers that are not plain; it is kept as well.
_UNPLAIN: Final = None


class Fields:
    """
    The headers of plain requests.

    Attributes:
        client: The address and port that a trusted proxy names as its client; None without such a proxy.
        environ: The headers as a WSGI environ has them. All requests with these headers share it: it must not change.
        headers: Pairs of name in lower case and value, in order, without the length of a body.
        is_binary: Whether the content type is ``application/octet-stream``.
        is_forwarded: Whether a header is one in which a proxy names its client.
        route: The :class:`.site.Route` of the last request with these headers; None before the first.
    """

    __slots__ = ("client", "environ", "headers", "is_binary", "is_forwarded", "route")

    def __init__(self, headers: list[Header], names: set[bytes]) -> None:
        self.headers = headers
        self.environ: dict[str, Any] = {"REQUEST_METHOD": "GET"}
        add_headers(self.environ, headers)
        content_type: str = self.environ.get("CONTENT_TYPE", "")
        self.is_binary = content_type.partition(";")[0].strip().lower() == "application/octet-stream"
        self.is_forwarded = not FORWARDED.isdisjoint(names)
        self.client: tuple[str, int] | None = None
        self.route: Any = None


class PlainRequest(NamedTuple):
    """
    A plain request of long-polling.

    Attributes:
        method: ``b"GET"`` or ``b"POST"``.
        path: The path as it was sent, with its escapes and without the query.
        query: The query as it was sent.
        sid: The engine sid in the query; None if the client asks for a new session.
        fields: The headers.
        body: The whole body; empty for a GET.
    """

    method: bytes
    path: bytes
    query: bytes
    sid: bytes | None
    fields: Fields
    body: bytes


class Blocks(dict[bytes, "Fields | None"]):
    """Bytes of headers -> the parsed headers; None if they are not plain. Looking up unknown headers parses them."""

    def __missing__(self, block: bytes) -> Fields | None:
        """Parse headers that are not kept."""
        fields = _read(block)
        if len(block) <= MAX_KEPT_BYTES:
            if len(self) >= MAX_KEPT:
                self.clear()
            self[block] = fields
        return fields


def read_request(data: bytes, blocks: Blocks) -> PlainRequest | None:
    """Parse a request; None unless *data* is exactly one whole plain request. *blocks* are the headers known before."""
    found = FIRST_LINE.match(data)
    if found is None:
        return None
    method, path, query, sid, transport = found.groups()
    block, body = data[found.end() :], b""
    if method != GET:
        parts = _split_body(data, found.end())
        if parts is None:
            return None
        block, body = parts
    fields = blocks[block]
    if fields is None or transport is None:
        return None
    return PlainRequest(method, path, query, sid, fields, body)


def _split_body(data: bytes, start: int) -> tuple[bytes, bytes] | None:
    """
    Split a POST, whose headers begin at *start*, into these without the length of the body, and the body.

    Returns None unless the length is written in the usual way and is that of the body.
    """
    end = data.find(END, start)
    found = LENGTH.search(data, start - 1, end + 2) if end >= 0 else None
    body = end + len(END)
    if found is None or body + int(found[1]) != len(data):
        return None
    return data[start : found.start() + 1] + data[found.end() : body], data[body:]


def _read(block: bytes) -> Fields | None:
    lines = block.split(b"\r\n")
    if lines[-2:] != [b"", b""]:
        return _UNPLAIN
    try:
        headers = [LINES[line] for line in lines[:-2]]
    except ValueError:
        return _UNPLAIN
    names = [name for name, _ in headers]
    known = set(names)
    connection = [value for name, value in headers if name == b"connection"]
    if (
        b"host" not in known
        or not known.isdisjoint(_SPECIAL)
        or any(names.count(name) > 1 for name in _SINGLE)
        or (connection and connection[0].lower() != b"keep-alive")
    ):
        return _UNPLAIN
    return Fields(headers, known)
