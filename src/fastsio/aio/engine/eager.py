"""
Run an awaitable to its first real wait without a task, and finish the rest in one.

A write to a WebSocket whose peer keeps up does not wait for anything, so a task for it would be nothing but a trip
through the event loop. Only a peer that lags costs a task. (Python 3.12 has eager tasks for this; they still cost the
task.) ``next()`` with a default steps without the StopIteration that ``coroutine.send()`` would raise::

    iterator = send(event).__await__()
    waited = next(iterator, DONE)
    if waited is not DONE:
        ...  # later, in a task: await Rest(iterator, waited)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from contextvars import Context

Result = TypeVar("Result")

DONE: Final = object()
_OVER: Final[Any] = iter(())


class Nothing:
    """An awaitable that is done at once; cheaper than a coroutine that returns at once."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, None]:
        over: Generator[Any, Any, None] = _OVER
        return over


NOTHING: Final = Nothing()


class Rest:
    """
    What is left of an awaitable that was stepped until it waited.

    Args:
        iterator: The awaitable's iterator, suspended.
        waited: What it yielded, a future or None; the loop gets it when this is awaited.
        context: The context it was stepped in, if that is not the one in which this is awaited.
    """

    __slots__ = ("_context", "_iterator", "_waited")

    def __init__(self, iterator: Generator[Any, Any, Any], waited: Any, context: Context | None = None) -> None:
        self._iterator = iterator
        self._waited = waited
        self._context = context

    def __await__(self) -> Generator[Any, Any, Any]:
        waited = self._waited
        try:
            while True:
                try:
                    yield waited
                except GeneratorExit:
                    # This is awaited no more. The garbage collector may have closed the awaitable before.
                    self._close()
                    raise
                except BaseException as error:  # noqa: BLE001 - what is thrown in belongs to the awaitable
                    waited = self._step(self._iterator.throw, error)
                else:
                    waited = self._step(next, self._iterator)
        except StopIteration as over:
            return over.value

    def _close(self) -> None:
        close: Callable[[], object] | None = getattr(self._iterator, "close", None)
        if close is not None:
            if self._context is None:
                close()
            else:
                self._context.run(close)

    def _step(self, function: Callable[[Any], Any], argument: Any) -> Any:
        return function(argument) if self._context is None else self._context.run(function, argument)


def begin_waiting(awaitable: Awaitable[None]) -> Rest | None:
    """Run an awaitable to its first real wait, and return what is left of it; None when it is over."""
    iterator: Any = awaitable.__await__()
    waited = next(iterator, DONE)
    return None if waited is DONE else Rest(iterator, waited)


def run_or_begin(awaitable: Awaitable[Result]) -> Result | Rest:
    """Run an awaitable to its first real wait; return its result, or what is left of it."""
    iterator: Any = awaitable.__await__()
    try:
        waited = next(iterator)
    except StopIteration as over:
        result: Result = over.value
        return result
    return Rest(iterator, waited)
