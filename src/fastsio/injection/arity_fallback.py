"""
Handlers behind a wrapper that takes ``(sid, *args)``: how many arguments they take shows when they are called.

Flask-SocketIO registers such wrappers around handlers that may or may not take ``auth`` or ``reason``.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from fastsio.injection.signature import innermost_of, signature_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, TracebackType


def with_fallback(called: Callable[..., Any], handler: Callable[..., Any], *, is_coroutine: bool) -> Callable[..., Any]:
    """
    Return a function that does it once more without the last argument, if that was one too many.

    A TypeError out of the innermost function itself is its own: that has run, and never runs twice.

    Args:
        called: What to call.
        handler: The wrapper: the same, or what that calls.
        is_coroutine: Whether *called* is a coroutine function.
    """
    code: CodeType | None = getattr(innermost_of(handler), "__code__", None)

    def call(*args: Any) -> Any:
        try:
            return called(*args)
        except TypeError as error:
            if _has_run(code, error.__traceback__):
                raise
        return called(*args[:-1])

    async def call_coroutine(*args: Any) -> Any:
        try:
            return await called(*args)
        except TypeError as error:
            if _has_run(code, error.__traceback__):
                raise
        return await called(*args[:-1])

    wrapper: Any = wraps(handler)(call_coroutine if is_coroutine else call)
    # Its own, and not that of the function that does the work.
    wrapper.__signature__ = signature_of(handler)
    return wrapper  # type: ignore[no-any-return] # one of the two above


def _has_run(code: CodeType | None, traceback: TracebackType | None) -> bool:
    while traceback is not None:
        if traceback.tb_frame.f_code is code:
            return True
        traceback = traceback.tb_next
    return code is None
