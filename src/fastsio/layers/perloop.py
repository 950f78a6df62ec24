"""Something that belongs to an event loop: made when a loop first asks, closed when it ends."""

from __future__ import annotations

from asyncio import AbstractEventLoop, get_running_loop, run_coroutine_threadsafe
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

OwnedT = TypeVar("OwnedT")


class PerLoop(Generic[OwnedT]):
    """
    One object an event loop.

    Args:
        make: Makes one; it does no I/O.
        close: Gives its resources back.
    """

    def __init__(self, make: Callable[[], OwnedT], close: Callable[[OwnedT], Awaitable[None]]) -> None:
        self._make = make
        self._close = close
        self._owned: WeakKeyDictionary[AbstractEventLoop, tuple[OwnedT, AsyncGenerator[None, None]]] = (
            WeakKeyDictionary()
        )

    def __bool__(self) -> bool:
        """Whether any loop that is not closed has one."""
        return any(not loop.is_closed() for loop in self._owned)

    async def get(self) -> OwnedT:
        """Return the one of the running loop."""
        loop = get_running_loop()
        there = self._owned.get(loop)
        if there is not None:
            return there[0]
        owned = self._make()
        guard = self._guard(owned)
        self._owned[loop] = (owned, guard)
        # asyncio.run() closes the generators that were begun on its loop, and so does asgiref's async_to_sync().
        await anext(guard)
        return owned

    async def drop(self) -> None:
        """Close those of all loops."""
        running = get_running_loop()
        for loop, (_, guard) in list(self._owned.items()):
            self._owned.pop(loop, None)
            if loop is running:
                await guard.aclose()
            elif loop.is_running():
                run_coroutine_threadsafe(_finish(guard), loop)

    async def _guard(self, owned: OwnedT) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            with suppress(Exception):  # what fails to close is as good as closed
                await self._close(owned)


async def _finish(guard: AsyncGenerator[None, None]) -> None:
    await guard.aclose()
