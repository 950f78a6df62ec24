"""
One object, such as a connection, for each event loop, or for all threads of a process: opened when first needed.

That of an event loop is closed when its loop ends.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, Lock, get_running_loop, run_coroutine_threadsafe
from contextlib import suppress
from threading import Lock as ThreadLock
from typing import TYPE_CHECKING, Generic, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

OwnedT = TypeVar("OwnedT")


class _Slot(Generic[OwnedT]):
    """The object of one loop; None before it is opened and after it is closed."""

    #: Closes the slot when its loop ends.
    guard: AsyncGenerator[None, None]

    def __init__(self) -> None:
        self.owned: OwnedT | None = None
        self.is_closed = False
        self.opening = Lock()


class PerLoop(Generic[OwnedT]):
    """
    One object for each event loop, shared by its tasks.

    Some programs emit from several threads with a loop each, or from one ``asyncio.run()`` after the other.

    Args:
        make: Makes or opens an object, on the loop that it is for.
        close: Closes an object; its errors are ignored.
        is_open: Returns whether an object can still be used; one that cannot is closed and replaced.
    """

    def __init__(
        self,
        make: Callable[[], Awaitable[OwnedT]],
        close: Callable[[OwnedT], Awaitable[object]],
        is_open: Callable[[OwnedT], bool] = lambda _owned: True,
    ) -> None:
        self._make = make
        self._close = close
        self._is_open = is_open
        self._slots: WeakKeyDictionary[AbstractEventLoop, _Slot[OwnedT]] = WeakKeyDictionary()

    def __bool__(self) -> bool:
        """Whether any loop that is not closed has an object."""
        return any(slot.owned is not None and not loop.is_closed() for loop, slot in list(self._slots.items()))

    @property
    def current(self) -> OwnedT | None:
        """An object of any loop that can be used; None if no loop has one."""
        owned = [slot.owned for slot in list(self._slots.values())]
        return next((each for each in owned if each is not None and self._is_open(each)), None)

    async def get(self) -> OwnedT:
        """Return the object of the running loop, which the first caller opens; others wait for that."""
        loop = get_running_loop()
        slot = self._slots.get(loop)
        if slot is None:
            slot = self._slots[loop] = _Slot()
            slot.guard = self._guard(slot)
            # asyncio.run() closes the async generators that were started on its loop; asgiref's async_to_sync() too.
            await anext(slot.guard)
        if slot.owned is not None and self._is_open(slot.owned):
            return slot.owned
        async with slot.opening:
            if slot.owned is None or not self._is_open(slot.owned):
                await self._empty(slot)
                slot.owned = await self._make()
            if slot.is_closed:
                await self._empty(slot)
                raise ConnectionError("the connection was closed while it was being opened")
            return slot.owned

    async def drop(self) -> None:
        """Close the objects of all loops."""
        running = get_running_loop()
        for loop, slot in list(self._slots.items()):
            self._slots.pop(loop, None)
            if loop is running:
                await slot.guard.aclose()
            elif loop.is_running():
                run_coroutine_threadsafe(_finish(slot.guard), loop)

    async def _guard(self, slot: _Slot[OwnedT]) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            slot.is_closed = True
            loop = get_running_loop()
            if self._slots.get(loop) is slot:
                del self._slots[loop]
            await self._empty(slot)

    async def _empty(self, slot: _Slot[OwnedT]) -> None:
        """Close the object of a slot, if it has one; one that fails to close counts as closed."""
        owned, slot.owned = slot.owned, None
        if owned is not None:
            with suppress(Exception):
                await self._close(owned)


async def _finish(guard: AsyncGenerator[None, None]) -> None:
    await guard.aclose()


class PerProcess(Generic[OwnedT]):
    """One object that threads share. It is for threads what :class:`PerLoop` is for tasks."""

    def __init__(self, make: Callable[[], OwnedT], close: Callable[[OwnedT], object]) -> None:
        self._make = make
        self._close = close
        self._opening = ThreadLock()
        self._owned: OwnedT | None = None

    @property
    def current(self) -> OwnedT | None:
        """The object; None while it is not open."""
        return self._owned

    def get(self) -> OwnedT:
        """Return the object; the first caller opens it, and others wait for that."""
        with self._opening:
            if self._owned is None:
                self._owned = self._make()
            return self._owned

    def drop(self) -> None:
        """Close the object; the next caller opens another one."""
        with self._opening:
            owned, self._owned = self._owned, None
        if owned is not None:
            self._close(owned)
