"""
The error object that a client gets when its event has failed, and which exception becomes which type of error.

This module knows exceptions and the error object, and must not know packets, clients or servers.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fastsio.exceptions import EventError, ValidationFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fastsio.injection import Endpoint

#: HTTP status of a FastAPI or Starlette HTTPException -> error type. Others below 500 are a ``bad_request``.
STATUS_TYPES: Final = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    422: "validation_error",
    429: "rate_limited",
}

INTERNAL_MESSAGE: Final = "The server could not process the event."
REFUSED_MESSAGE: Final = "The request was refused."

#: The first status of an HTTPException that is a defect rather than an answer.
_SERVER_ERROR: Final = 500
#: Close codes of the application's own: 4403 is the status 403.
_STATUS_CODES: Final = range(4000, 5000)
#: Close codes of RFC 6455 that are about the client's message -> error type; any other one is a defect.
_CLOSE_TYPES: Final = {
    1003: "bad_request",
    1007: "validation_error",
    1008: "forbidden",
    1009: "bad_request",
    1013: "rate_limited",
}
#: Error type -> the close code of a WebSocket that could not connect because of it.
_CLOSE_CODES: Final = {"unauthorized": 4401, "forbidden": 4403, "not_found": 4404, "rate_limited": 4429}


@dataclass(frozen=True, slots=True)
class Failure:
    """
    The error object.

    Args:
        type: validation_error, unauthorized, forbidden, not_found, rate_limited, conflict, bad_request or internal.
        event: The event that failed.
        msg: One sentence for people.
        detail: For validation errors a list of ``{loc, msg, type}``, for rate_limited ``{"retry_after": seconds}``.
    """

    type: str
    event: str
    msg: str
    detail: Any = None

    def as_dict(self) -> dict[str, Any]:
        """Return the object as the client reads it."""
        return {"type": self.type, "event": self.event, "msg": self.msg, "detail": self.detail}


def describe(exc: BaseException, event: str) -> Failure:
    """Return the error object for *exc*; an unexpected exception is ``internal``, without its own text."""
    match exc:
        case ValidationFailed():
            return Failure("validation_error", event, "The data is not valid.", exc.detail)
        case EventError():
            return Failure(exc.type, event, exc.msg, exc.detail)
        case PermissionError():
            return Failure("forbidden", event, _permission_text(exc))
    described = _describe_websocket(exc, event) if is_websocket_exception(exc) else _describe_http(exc, event)
    return described or Failure("internal", event, INTERNAL_MESSAGE)


def is_expected(exc: BaseException) -> bool:
    """Whether *exc* is an answer to the client rather than a defect of the application."""
    return describe(exc, "").type != "internal"


def _permission_text(exc: PermissionError) -> str:
    # The operating system's PermissionError has an error number and names files, which clients must not read.
    if exc.errno is not None or not exc.args:
        return "Not allowed."
    return str(exc)


def _describe_http(exc: BaseException, event: str) -> Failure | None:
    """Describe an HTTPException of FastAPI or Starlette."""
    status = _status_of(exc)
    if status is None:
        return None
    detail: Any = getattr(exc, "detail", None)
    msg = detail if isinstance(detail, str) else REFUSED_MESSAGE
    return Failure(STATUS_TYPES.get(status, "bad_request"), event, msg, None if isinstance(detail, str) else detail)


def _status_of(exc: BaseException) -> int | None:
    """
    Return the status below 500 of an HTTPException, recognised by its attributes; None for any other exception.

    Errors of HTTP clients have a status too, but no ``detail``: they are defects, and their texts are not for clients.
    """
    status = getattr(exc, "status_code", None)
    is_answer = isinstance(status, int) and status < _SERVER_ERROR and hasattr(exc, "detail")
    return status if is_answer else None


def is_websocket_exception(exc: BaseException) -> bool:
    """Tell whether *exc* is a WebSocketException of FastAPI or Starlette, without importing either."""
    module = sys.modules.get("starlette.exceptions")
    return module is not None and isinstance(exc, module.WebSocketException)


def _describe_websocket(exc: Any, event: str) -> Failure | None:
    """Describe a WebSocketException: its reason is written for the client."""
    code = exc.code
    if code in _STATUS_CODES:
        status = code - _STATUS_CODES.start
        kind = None if status >= _SERVER_ERROR else STATUS_TYPES.get(status, "bad_request")
    else:
        kind = _CLOSE_TYPES.get(code)
    return None if kind is None else Failure(kind, event, exc.reason or REFUSED_MESSAGE)


def close_code_of(exc: BaseException) -> int | None:
    """Return the close code for a WebSocket that could not connect because of *exc*; None if it implies no code."""
    if is_websocket_exception(exc):
        code: int = exc.code  # type: ignore[attr-defined] # Starlette's exception has one
        return code
    status = _status_of(exc)
    if status is not None:
        return _STATUS_CODES.start + status
    return _CLOSE_CODES.get(describe(exc, "").type)


def find_exception_handler(
    exc: BaseException, scopes: Iterable[Mapping[type[BaseException], Endpoint]]
) -> Endpoint | None:
    """Return the exception handler of the nearest class in the MRO of *exc*, inner scopes before outer ones."""
    for endpoints in scopes:
        for cls in type(exc).__mro__:
            if cls in endpoints:
                return endpoints[cls]
    return None
