"""
Values that last as long as a connection, and closing what dependencies opened.

A value of a connection is resolved by the first event that needs it and closed after the last. What was opened is
closed in reverse order, every one of them, whatever one of them does. Knows neither asyncio nor threads: how a value
of a connection is opened and closed is a matter of the shell, which extends :class:`ConnectionScope`.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from fastsio.injection.calls import Opener
    from fastsio.injection.context import Context
    from fastsio.injection.handshake import Handshake


class ConnectionScope:
    """
    The connection-scoped values of one client in one namespace.

    A value that has to be closed is opened and closed by the same task, or thread, and in the same context, so that
    what it holds may belong to either: a task group of anyio, a context variable. It is closed when the connection
    has ended and every event that was given it is over.
    """

    __slots__ = ("handshake",)

    def __init__(self) -> None:
        self.handshake: Handshake | None = None

    if TYPE_CHECKING:  # each shell has one of the two halves

        async def resolve(self, context: Context, key: Hashable, opener: Opener, *, awaits: bool, opens: bool) -> Any:
            """
            Return the value of *key*, making it if no event has done so.

            Events that ask at the same time wait for the first. If that one fails, the next one tries.

            Args:
                context: The event that asks. It keeps the value open until it is closed.
                key: What identifies the dependency.
                opener: Makes the value.
                awaits: Whether what the opener returns is to be awaited.
                opens: Whether the value may have to be closed.
            """

        async def aclose(self) -> None:
            """
            End the scope: close every value, the last opened first, when no event uses one any more.

            Raises:
                BaseException: What a dependency raised while it was closed, after all have been closed.
            """

        def resolve_sync(self, context: Context, key: Hashable, opener: Opener, *, opens: bool) -> Any:
            """Do what :meth:`resolve` does, for threads."""

        def close(self) -> None:
            """Do what :meth:`aclose` does, for threads."""


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
