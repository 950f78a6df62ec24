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

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Generator

DONE: Final = object()


class Rest:
    """
    What is left of an awaitable that was stepped until it waited.

    Args:
        iterator: The awaitable's iterator, suspended.
        waited: What it yielded, a future or None; the loop gets it when this is awaited.
    """

    __slots__ = ("_iterator", "_waited")

    def __init__(self, iterator: Generator[Any, Any, None], waited: Any) -> None:
        self._iterator = iterator
        self._waited = waited

    def __await__(self) -> Generator[Any, Any, None]:
        iterator = self._iterator
        waited = self._waited
        try:
            while True:
                try:
                    yield waited
                except BaseException as error:  # noqa: BLE001 - what is thrown in belongs to the awaitable
                    waited = iterator.throw(error)
                else:
                    waited = next(iterator)
        except StopIteration:
            return
