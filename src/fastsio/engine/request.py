"""
The request of a client, read once from the environ; an invalid request raises its refusal.

It reads query strings and methods, but does not look sessions up.

Source: Engine.IO protocol v4, "Transports"; the order of the checks is the JavaScript server's.
"""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qsl

from fastsio.engine.http import Code
from fastsio.engine.websocket_handshake import asks_for_websocket
from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The revision that every server speaks, and the one that ``allow_eio3`` adds.
PROTOCOLS: Final = ("4", "3")
#: The key in the environ of a handshake of revision 3; handshakes of revision 4 do not have it.
PROTOCOL_KEY: Final = "engineio.protocol"
#: Shorter queries are cached with what was read of them; ``EIO=4&transport=websocket`` has 25 characters.
SHORT_QUERY: Final = 32
#: The query of nearly every request for a session that polls: what it names has no escapes, and is named once.
SESSION_QUERY: Final = re.compile(rb"EIO=4&transport=polling(?:&t=[\w.-]*)?&sid=([\w.-]+)")
#: The same as text, of both transports, and that of a request for a session to be begun.
PLAIN_QUERY: Final = re.compile(r"EIO=4&transport=(polling|websocket)(?:&t=[\w.-]*)?(?:&sid=([\w.-]+))?", re.ASCII)
SESSION_METHODS: Final = ("GET", "POST")
#: Clients count their scripts from 0.
MAX_INDEX_DIGITS: Final = 9
#: More digits than any length of a body has.
MAX_LENGTH_DIGITS: Final = 18


class RequestRefused(Exception):  # noqa: N818 - says what happened to the request
    """The request gets an error response; *log* is a line for the server's log, without anything the client sent."""

    def __init__(self, code: Code, log: str) -> None:
        super().__init__(log)
        self.code = code
        self.log = log


class BodyTooLarge(PacketError):  # noqa: N818 - says what happened
    """A body is larger than the server accepts."""


class BodyTooSlow(PacketError):  # noqa: N818 - says what happened
    """A body has not arrived in time."""


class BodyCutOff(PacketError):  # noqa: N818 - says what happened
    """The connection of the request was lost before the whole body had come."""


class Request(NamedTuple):
    """
    A well-formed request for Engine.IO.

    Attributes:
        method: GET or POST.
        sid: The session it belongs to; None asks for a new one.
        is_websocket: True for a WebSocket handshake.
        protocol: The revision of Engine.IO, 4 or 3; None when a request for a session leaves it out.
        base64: True for an Engine.IO 3 client that reads no binary on this transport.
        jsonp_index: The ``j`` of a JSONP client.
    """

    method: str
    sid: str | None
    is_websocket: bool
    protocol: int | None
    base64: bool = False
    jsonp_index: int | None = None


def sid_of_query(query: bytes) -> str | None:
    """Return the id of the session in a query that has nothing else to read but Engine.IO 4 and polling, else None."""
    plain = SESSION_QUERY.fullmatch(query)
    return None if plain is None else plain[1].decode("ascii")


def read_request(environ: dict[str, Any], transports: Iterable[str], *, allow_eio3: bool = False) -> Request:
    """Read and check the query of a request; raise RequestRefused if it is not valid in the protocol."""
    text, method = environ.get("QUERY_STRING", ""), environ["REQUEST_METHOD"]
    is_websocket = asks_for_websocket(environ)
    if len(text) <= SHORT_QUERY:
        return _read_short(text, method, is_websocket, tuple(transports), allow_eio3)
    plain = PLAIN_QUERY.fullmatch(text)
    if plain is not None and method in SESSION_METHODS:
        transport, sid = plain.groups()
        is_allowed = sid is not None or method == "GET"
        if transport in transports and is_websocket == (transport == "websocket") and is_allowed:
            return Request(method, sid, is_websocket, 4)
    return _read(text, method, is_websocket, tuple(transports), allow_eio3)


def _read(text: str, method: str, is_websocket: bool, transports: tuple[str, ...], allow_eio3: bool) -> Request:
    # If a parameter is repeated, its last value counts.
    query = dict(parse_qsl(text, keep_blank_values=True))
    transport = query.get("transport", "")
    if transport not in transports:
        raise RequestRefused(Code.UNKNOWN_TRANSPORT, "Invalid transport")
    sid = query.get("sid")
    protocol = _protocol(query.get("EIO"), sid, allow_eio3=allow_eio3)
    if method not in SESSION_METHODS or (method == "POST" and sid is None):
        raise RequestRefused(Code.BAD_HANDSHAKE_METHOD, "A method that is not supported")
    if is_websocket != (transport == "websocket"):
        raise RequestRefused(Code.BAD_REQUEST, "Transport and Upgrade header do not match")
    return Request(method, sid, is_websocket, protocol, base64=bool(query.get("b64")), jsonp_index=_jsonp_index(query))


#: Every client's WebSocket handshake has the same query; those with a session id or a timestamp are longer.
_read_short: Final = lru_cache(maxsize=64)(_read)


def content_length(environ: dict[str, Any]) -> int | None:
    """Return the length that a request declares for its body, or None; raise PacketError if that is not a number."""
    declared = environ.get("CONTENT_LENGTH")
    if not declared:
        return None
    if not (declared.isascii() and declared.isdigit()):
        raise PacketError("a bad Content-Length")
    # Python refuses to read numbers of thousands of digits; this one is over every limit.
    return int(declared) if len(declared) <= MAX_LENGTH_DIGITS else sys.maxsize


def bytes_to_read(environ: dict[str, Any], limit: int, *, has_end: bool = True) -> int:
    """
    Return how many bytes of a body are to be read: as many as it has, or one more than the limit if it does not say.

    Without *has_end*, the end of a body that declares no length cannot be noticed, and there is nothing to read.

    Raises:
        PacketError: The length is larger than the limit, or no number.
    """
    declared = content_length(environ)
    if declared is None:
        return limit + 1 if has_end else 0
    if declared > limit:
        raise BodyTooLarge("a body over the size limit", limit=limit, value=declared)
    return declared


def check_body(body: bytes | bytearray, limit: int) -> bytes:
    """Return a body that was read; raise BodyTooLarge if it is larger than the limit."""
    if len(body) > limit:
        raise BodyTooLarge("a body over the size limit", limit=limit, value=len(body))
    return bytes(body)


def _protocol(version: str | None, sid: str | None, *, allow_eio3: bool) -> int | None:
    """
    Read the revision of the protocol.

    A request for a session may leave it out, and so may a handshake where revision 3 is allowed: its clients need not
    say what they speak.
    """
    if version is None and sid is not None:
        return None
    if version is None and allow_eio3:
        return 3
    if version is None or version not in (PROTOCOLS if allow_eio3 else PROTOCOLS[:1]):
        raise RequestRefused(
            Code.UNSUPPORTED_PROTOCOL_VERSION,
            "The client is using an unsupported version of the Socket.IO or Engine.IO protocols",
        )
    return int(version)


def _jsonp_index(query: dict[str, str]) -> int | None:
    index = query.get("j")
    if index is None:
        return None
    if not (index.isascii() and index.isdigit() and len(index) <= MAX_INDEX_DIGITS):
        raise RequestRefused(Code.BAD_REQUEST, "Invalid JSONP index number")
    return int(index)
