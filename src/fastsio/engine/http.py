"""
The HTTP responses of Engine.IO, as values. Other modules decide which one a request gets.

Source: Engine.IO protocol v4, "HTTP long-polling"; the codes are those of the JavaScript server.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypedDict

from fastsio.engine import eio3
from fastsio.engine.payload import encode_payload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from fastsio.engine.packet import WirePacket


#: Content codings that bodies may be compressed with.
CODINGS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gzip": partial(gzip.compress, mtime=0),
    "deflate": zlib.compress,
}

#: The key of the cookie's name in the option ``cookie``, and the name of a cookie without it.
COOKIE_NAME: Final = "name"
DEFAULT_COOKIE_NAME: Final = "io"
_ZERO_WEIGHT: Final = re.compile(r"\s*q=0(\.0{0,3})?\s*")
#: Seconds after which a client may try again that was refused because the server shuts down.
RETRY_AFTER_S: Final = 5
#: Scripts need not read the cookie, and its id gives access to the session.
COOKIE_DEFAULTS: Final[dict[str, Any]] = {"path": "/", "HttpOnly": True, "SameSite": "Lax"}


class Response(TypedDict):
    """A response in the form python-engineio's drivers take."""

    status: str
    headers: list[tuple[str, str]]
    response: bytes


class Code(IntEnum):
    """Why a request is refused, in the body's ``code``."""

    UNKNOWN_TRANSPORT = 0
    UNKNOWN_SID = 1
    BAD_HANDSHAKE_METHOD = 2
    BAD_REQUEST = 3
    FORBIDDEN = 4
    UNSUPPORTED_PROTOCOL_VERSION = 5


MESSAGES: Final = {
    Code.UNKNOWN_TRANSPORT: "Transport unknown",
    Code.UNKNOWN_SID: "Session ID unknown",
    Code.BAD_HANDSHAKE_METHOD: "Bad handshake method",
    Code.BAD_REQUEST: "Bad request",
    Code.FORBIDDEN: "Forbidden",
    Code.UNSUPPORTED_PROTOCOL_VERSION: "Unsupported protocol version",
}


def refusal(code: Code, message: str | None = None, *, status: str = "400 Bad Request") -> Response:
    """Build the answer to a request that cannot be served."""
    body = json.dumps({"code": int(code), "message": message or MESSAGES[code]}, separators=(",", ":"))
    return {"status": status, "headers": [("Content-Type", "application/json")], "response": body.encode()}


def origin_refused(origin: str) -> Response:
    """Build the answer to a request from an origin that the server does not accept."""
    return refusal(Code.FORBIDDEN, f"{origin} is not an accepted origin.")


def too_large() -> Response:
    """Build the answer to a body over the limit."""
    return refusal(Code.BAD_REQUEST, "Payload too large", status="413 Payload Too Large")


def too_slow(*headers: tuple[str, str]) -> Response:
    """Build the answer to a body that has not come in time; *headers* go with it."""
    response = refusal(Code.BAD_REQUEST, "The body took too long", status="408 Request Timeout")
    response["headers"] += headers
    return response


def unavailable() -> Response:
    """
    Build the answer to a new client while the server shuts down.

    It has no body: python-engineio's asyncio client would read one after it has closed its connection, and that error
    ends its attempts to reconnect.
    """
    headers = [("Content-Type", "text/plain"), ("Retry-After", str(RETRY_AFTER_S))]
    return {"status": "503 Service Unavailable", "headers": headers, "response": b""}


def unauthorized(detail: Any) -> Response:
    """Build the answer to a handshake the application refused; *detail* is what its handler returned."""
    body = json.dumps(detail or "Unauthorized")
    return {"status": "401 Unauthorized", "headers": [("Content-Type", "application/json")], "response": body.encode()}


def accepted(body: bytes = b"ok") -> Response:
    """Build the answer to a POST that was accepted, or to a preflight."""
    return {"status": "200 OK", "headers": [("Content-Type", "text/plain")], "response": body}


def payload(
    packets: Iterable[WirePacket], *, jsonp_index: int | None = None, headers: Iterable[tuple[str, str]] = ()
) -> Response:
    """Build the answer to a poll."""
    kind = "text/plain" if jsonp_index is None else "text/javascript"
    return {
        "status": "200 OK",
        "headers": [*headers, ("Content-Type", f"{kind}; charset=UTF-8")],
        "response": encode_payload(packets, jsonp_index),
    }


def eio3_payload(
    packets: Sequence[WirePacket],
    *,
    base64: bool,
    jsonp_index: int | None = None,
    headers: Iterable[tuple[str, str]] = (),
) -> Response:
    """Build the answer to the poll of an Engine.IO 3 client, which reads text only with *base64*."""
    kind = "text/plain; charset=UTF-8"
    if jsonp_index is not None:
        kind = "text/javascript; charset=UTF-8"
        body = f"___eio[{jsonp_index}]({json.dumps(eio3.encode_text(packets))});".encode()
    elif base64 or eio3.fits_text(packets):
        body = eio3.encode_text(packets).encode(errors="replace")
    else:
        kind = "application/octet-stream"
        body = eio3.encode_bytes(packets)
    return {"status": "200 OK", "headers": [*headers, ("Content-Type", kind)], "response": body}


def compress(
    response: Response, accept_encoding: str, methods: dict[str, Callable[[bytes], bytes]], threshold: int
) -> None:
    """
    Compress a response of at least *threshold* bytes in place, by the first coding of the header that *methods* has.

    Source: RFC 9110, sections 8.4.1 and 12.4.2: names in any case; a weight of zero is a refusal.
    """
    if len(response["response"]) < threshold:
        return
    for item in accept_encoding.lower().split(","):
        name, _, weight = item.partition(";")
        encoding = name.strip()
        if encoding in methods and not _ZERO_WEIGHT.fullmatch(weight):
            response["response"] = methods[encoding](response["response"])
            response["headers"].append(("Content-Encoding", encoding))
            return


def sid_cookie(sid: str, option: str | dict[str, Any]) -> str:
    """
    Build the value of ``Set-Cookie`` with the session's id, by which load balancers distinguish sessions.

    *option* is the cookie's name, or its name and attributes. Those that it does not have are the defaults; one that is
    False or None is left out, one that is True has no value, and a callable returns the value.

    Source: RFC 6265, section 4.1; the defaults are the JavaScript server's, the form of the option python-engineio's.
    """
    attributes = {COOKIE_NAME: option} if isinstance(option, str) else option
    given = {key.lower() for key in attributes}
    defaults = {key: value for key, value in COOKIE_DEFAULTS.items() if key.lower() not in given}
    parts = [f"{attributes.get(COOKIE_NAME, DEFAULT_COOKIE_NAME)}={sid}"]
    for key, value in {**attributes, **defaults}.items():
        if key != COOKIE_NAME:
            parts += _attribute(key, value() if callable(value) else value)
    return "; ".join(parts)


def _attribute(key: str, value: Any) -> list[str]:
    if value is False or value is None:
        return []
    return [key if value is True else f"{key}={value}"]
