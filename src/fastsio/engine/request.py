"""
What a client asks for, read once from the environ; a request that cannot be meant raises its refusal.

Pure: knows query strings and methods, not sessions.

Source: Engine.IO protocol v4, "Transports"; the order of the checks is the JavaScript server's.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qs

from fastsio.engine.http import Code

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

#: The revision every server speaks, and the one it may be allowed to speak besides.
PROTOCOLS: Final = ("4", "3")
#: Where the environ of a handshake says that the client speaks revision 3; those of revision 4 do not have it.
PROTOCOL_KEY: Final = "engineio.protocol"
#: ``EIO=4&transport=websocket`` is 25 characters.
SHORT_QUERY: Final = 32


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


def read_request(environ: dict[str, Any], transports: Container[str], *, allow_eio3: bool = False) -> Request:
    """
    Read and check the query of a request.

    Args:
        environ: As the driver made it.
        transports: The transports the server offers.
        allow_eio3: Whether it takes clients of Engine.IO 3.

    Raises:
        RequestRefused: The request is none this protocol has.
    """
    query = _parse_query(environ.get("QUERY_STRING", ""))
    transport = query.get("transport", [""])[0]
    if transport not in transports:
        raise RequestRefused(Code.UNKNOWN_TRANSPORT, "Invalid transport")
    sid = query["sid"][0] if "sid" in query else None
    protocol = _protocol(query, sid, PROTOCOLS if allow_eio3 else PROTOCOLS[:1])
    method = environ["REQUEST_METHOD"]
    if method not in ("GET", "POST") or (method == "POST" and sid is None):
        raise RequestRefused(Code.BAD_HANDSHAKE_METHOD, f"Method {method} not supported")
    is_websocket = environ.get("HTTP_UPGRADE", "").lower() == "websocket"
    if is_websocket != (transport == "websocket"):
        raise RequestRefused(Code.BAD_REQUEST, "Transport and Upgrade header do not match")
    return Request(
        method=method,
        sid=sid,
        is_websocket=is_websocket,
        protocol=protocol,
        base64=bool(query.get("b64", [""])[0]),
        jsonp_index=_jsonp_index(query),
    )


def _parse_query(text: str) -> dict[str, list[str]]:
    # Every client's WebSocket handshake has the same query; those with a session id or a timestamp are longer.
    return _parse_short_query(text) if len(text) <= SHORT_QUERY else parse_qs(text, keep_blank_values=True)


@lru_cache(maxsize=64)
def _parse_short_query(text: str) -> dict[str, list[str]]:
    return parse_qs(text, keep_blank_values=True)


def _protocol(query: dict[str, list[str]], sid: str | None, allowed: Sequence[str]) -> int | None:
    """Read the revision of the protocol; a request for a session may leave it out."""
    versions = query.get("EIO")
    if versions is None and sid is not None:
        return None
    if versions is None or len(versions) != 1 or versions[0] not in allowed:
        raise RequestRefused(
            Code.UNSUPPORTED_PROTOCOL_VERSION,
            "The client is using an unsupported version of the Socket.IO or Engine.IO protocols",
        )
    return int(versions[0])


def _jsonp_index(query: dict[str, list[str]]) -> int | None:
    if "j" not in query:
        return None
    index = query["j"][0]
    if not (index.isascii() and index.isdigit()):
        raise RequestRefused(Code.BAD_REQUEST, "Invalid JSONP index number")
    return int(index)
