"""Closing what dependencies opened: every one of them, in reverse order, whatever one of them does."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

#: An entered context manager of either colour.
Manager: TypeAlias = AbstractContextManager[Any, Any] | AbstractAsyncContextManager[Any, Any]


def unwind(managers: Iterable[Manager], exc: BaseException | None = None) -> None:
    """
    Leave synchronous managers, the last entered first.

    Unlike in an exit stack, a manager that swallows the exception does not hide it from the others: the event has
    failed for all of them (a transaction must not be committed because a logger below it was content).

    Args:
        managers: In the order they were entered.
        exc: What to throw into them.

    Raises:
        BaseException: The last exception that a manager raised of its own accord.
    """
    failure: BaseException | None = None
    for manager in reversed(list(managers)):
        try:
            _leave(manager, failure or exc)
        except BaseException as error:  # noqa: BLE001 - the others must be closed first; raised again below
            failure = _own(error, exc, failure)
    if failure is not None:
        raise failure


async def unwind_async(managers: Iterable[Manager], exc: BaseException | None = None) -> None:
    """Leave managers of both colours as :func:`unwind` does."""
    failure: BaseException | None = None
    for manager in reversed(list(managers)):
        try:
            if isinstance(manager, AbstractAsyncContextManager):
                await manager.__aexit__(*_triple(failure or exc))
            else:
                _leave(manager, failure or exc)
        except BaseException as error:  # noqa: BLE001 - the others must be closed first; raised again below
            failure = _own(error, exc, failure)
    if failure is not None:
        raise failure


def _leave(manager: Any, exc: BaseException | None) -> None:
    manager.__exit__(*_triple(exc))


def _triple(exc: BaseException | None) -> tuple[Any, Any, Any]:
    return (None, None, None) if exc is None else (type(exc), exc, exc.__traceback__)


def _own(error: BaseException, thrown: BaseException | None, failure: BaseException | None) -> BaseException | None:
    """Tell a failure of a dependency from the thrown exception, which most of them let through."""
    return failure if error is thrown else error
