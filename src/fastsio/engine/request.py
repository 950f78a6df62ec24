"""
What a client asks for, read once from the environ; a request that cannot be meant raises its refusal.

Pure: knows query strings and methods, not sessions.

Source: Engine.IO protocol v4, "Transports"; the order of the checks is the JavaScript server's.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qsl

from fastsio.engine.http import Code
from fastsio.engine.websocket_handshake import asks_for_websocket
from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The revision every server speaks, and the one it may be allowed to speak besides.
PROTOCOLS: Final = ("4", "3")
#: Where the environ of a handshake says that the client speaks revision 3; those of revision 4 do not have it.
PROTOCOL_KEY: Final = "engineio.protocol"
#: ``EIO=4&transport=websocket`` is 25 characters.
SHORT_QUERY: Final = 32
#: Clients count their scripts from 0.
MAX_INDEX_DIGITS: Final = 9
#: More digits than any length of a body has.
MAX_LENGTH_DIGITS: Final = 18


class RequestRefused(Exception):  # noqa: N818 - says what happened to the request
    """
    The request gets an error response.

    Args:
        code: What was wrong.
        log: One line for the server's log, without anything the client sent.
    """

    def __init__(self, code: Code, log: str) -> None:
        super().__init__(log)
        self.code = code
        self.log = log


class BodyTooLarge(PacketError):  # noqa: N818 - says what happened
    """A body is larger than the server takes."""


class BodyTooSlow(PacketError):  # noqa: N818 - says what happened
    """A body has not come in time."""


class Request(NamedTuple):
    """
    A well-formed request to the endpoint.

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


def read_request(environ: dict[str, Any], transports: Iterable[str], *, allow_eio3: bool = False) -> Request:
    """
    Read and check the query of a request.

    Args:
        environ: As the driver made it.
        transports: The transports the server offers.
        allow_eio3: Whether it takes clients of Engine.IO 3.

    Raises:
        RequestRefused: The protocol has no such request.
    """
    text = environ.get("QUERY_STRING", "")
    read = _read_short if len(text) <= SHORT_QUERY else _read
    return read(text, environ["REQUEST_METHOD"], asks_for_websocket(environ), tuple(transports), allow_eio3)


def _read(text: str, method: str, is_websocket: bool, transports: tuple[str, ...], allow_eio3: bool) -> Request:
    # Of a parameter that is repeated the last value counts.
    query = dict(parse_qsl(text, keep_blank_values=True))
    transport = query.get("transport", "")
    if transport not in transports:
        raise RequestRefused(Code.UNKNOWN_TRANSPORT, "Invalid transport")
    sid = query.get("sid")
    protocol = _protocol(query.get("EIO"), sid, allow_eio3=allow_eio3)
    if method not in ("GET", "POST") or (method == "POST" and sid is None):
        raise RequestRefused(Code.BAD_HANDSHAKE_METHOD, "A method that is not supported")
    if is_websocket != (transport == "websocket"):
        raise RequestRefused(Code.BAD_REQUEST, "Transport and Upgrade header do not match")
    return Request(
        method=method,
        sid=sid,
        is_websocket=is_websocket,
        protocol=protocol,
        base64=bool(query.get("b64")),
        jsonp_index=_jsonp_index(query),
    )


#: Every client's WebSocket handshake has the same query; those with a session id or a timestamp are longer.
_read_short: Final = lru_cache(maxsize=64)(_read)


def content_length(environ: dict[str, Any]) -> int | None:
    """
    Return the length that a request declares for its body; None when it declares none.

    Raises:
        PacketError: It is no number.
    """
    declared = environ.get("CONTENT_LENGTH")
    if not declared:
        return None
    if not (declared.isascii() and declared.isdigit()):
        raise PacketError("a bad Content-Length")
    # Python refuses to read numbers of thousands of digits; this one is over every limit.
    return int(declared) if len(declared) <= MAX_LENGTH_DIGITS else sys.maxsize


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
