"""
Run a coroutine to its first real wait without a task, and finish the rest in one.

A write to a WebSocket whose peer keeps up does not wait for anything, so a task for it would be nothing but a trip
through the event loop. Only a peer that lags costs a task. (Python 3.12 has eager tasks for this; they still cost the
task.)
"""

from __future__ import annotations

from types import CoroutineType
from typing import Any, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine, Generator


class Rest:
    """
    What is left of a coroutine that was stepped until it waited.

    Args:
        coroutine: The coroutine, suspended.
        waited: What it yielded, a future or None; the loop gets it when this is awaited.
    """

    __slots__ = ("_coroutine", "_waited")

    def __init__(self, coroutine: Coroutine[Any, Any, None], waited: Any) -> None:
        self._coroutine = coroutine
        self._waited = waited

    def __await__(self) -> Generator[Any, Any, None]:
        coroutine = self._coroutine
        waited = self._waited
        try:
            while True:
                try:
                    value = yield waited
                except BaseException as error:  # noqa: BLE001 - what is thrown in belongs to the coroutine
                    waited = coroutine.throw(error)
                else:
                    waited = coroutine.send(value)
        except StopIteration:
            return


def step(awaitable: Awaitable[None]) -> Rest | None:
    """
    Run *awaitable* up to its first wait.

    Returns:
        None when it finished without one, else what remains to be awaited.

    Raises:
        Exception: Whatever the awaitable raised.
    """
    coroutine: Any = awaitable if type(awaitable) is CoroutineType else _as_coroutine(awaitable)
    try:
        waited = coroutine.send(None)
    except StopIteration:
        return None
    return Rest(coroutine, waited)


async def _as_coroutine(awaitable: Awaitable[None]) -> None:
    await awaitable
