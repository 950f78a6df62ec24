"""
The one error vocabulary: what a client reads when its event failed.

Knows exceptions and the error object; must not know packets, clients or servers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fastsio.exceptions import EventError, ValidationFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

#: HTTP status of a FastAPI or Starlette HTTPException -> error type.
STATUS_TYPES: Final = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    422: "validation_error",
    429: "rate_limited",
}

INTERNAL_MESSAGE: Final = "The server could not process the event."


@dataclass(frozen=True, slots=True)
class Failure:
    """
    The error object.

    Args:
        type: validation_error, unauthorized, forbidden, not_found, rate_limited or internal.
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
    """Say what *exc* means to the client that sent *event*; anything unexpected is ``internal``, its text unsaid."""
    match exc:
        case ValidationFailed():
            return Failure("validation_error", event, "The data is not valid.", exc.detail)
        case EventError():
            return Failure(exc.type, event, exc.msg, exc.detail)
        case PermissionError():
            return Failure("forbidden", event, _permission_text(exc))
    return _describe_http(exc, event) or Failure("internal", event, INTERNAL_MESSAGE)


def is_expected(exc: BaseException) -> bool:
    """Whether *exc* is an answer to the client rather than a defect of the application."""
    return describe(exc, "").type != "internal"


def _permission_text(exc: PermissionError) -> str:
    # The operating system's PermissionError has an error number and names files; its text stays here.
    if exc.errno is not None or not exc.args:
        return "Not allowed."
    return str(exc)


def _describe_http(exc: BaseException, event: str) -> Failure | None:
    """Describe an HTTPException of FastAPI or Starlette, recognised by its shape."""
    status = getattr(exc, "status_code", None)
    if not isinstance(status, int) or status not in STATUS_TYPES:
        return None
    detail = getattr(exc, "detail", None)
    msg = detail if isinstance(detail, str) else "The request was refused."
    return Failure(STATUS_TYPES[status], event, msg, None if isinstance(detail, str) else detail)


def find_exception_handler(
    exc: BaseException, scopes: Iterable[Mapping[type[BaseException], Callable[..., Any]]]
) -> Callable[..., Any] | None:
    """Return the handler of the nearest class in the MRO of *exc*, inner scopes before outer ones."""
    for handlers in scopes:
        for cls in type(exc).__mro__:
            if cls in handlers:
                return handlers[cls]
    return None
