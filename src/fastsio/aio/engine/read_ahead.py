"""
Reading ahead while an earlier event is handled, so that the end of a connection is noticed while a handler waits.

This module knows no protocol: the caller gives a function that decides which events are kept.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

#: How long an event is handled before more is read. Most handlers are done by then, and need no task.
AHEAD_AFTER_S: Final = 0.1
#: How long a handler that was cancelled is waited for.
CANCEL_S: Final = 1.0
#: How many events, and how many bytes of them, are read ahead.
MAX_EVENTS: Final = 64
MAX_BYTES_AHEAD: Final = 1_048_576


class ReadAhead:
    """
    The events that arrive on a connection while an earlier one is handled for longer than *after_s*.

    *keep* is called with each event that is read ahead and returns whether it is to be kept; it must not wait, and what
    it raises is raised when the turn of the event comes.
    """

    __slots__ = ("_after_s", "_events", "_is_needed", "_keep", "_receive", "_size", "_task", "_waiter")

    def __init__(
        self,
        receive: Callable[[], Awaitable[dict[str, Any]]],
        keep: Callable[[dict[str, Any]], bool],
        after_s: float = AHEAD_AFTER_S,
    ) -> None:
        self._after_s = after_s
        self._receive = receive
        self._keep = keep
        # Not a deque, which takes ten times the memory while it is empty; there are never many.
        self._events: list[dict[str, Any] | Exception] = []
        self._size = 0
        self._is_needed = False
        self._task: asyncio.Task[None] | None = None
        self._waiter: asyncio.Future[None] | None = None

    async def next(self) -> dict[str, Any]:
        """Return the next event, in order; raise what receiving raised."""
        while not self._events:
            if self._task is None:
                return await self._receive()
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        event = self._events.pop(0)
        if isinstance(event, Exception):
            raise event
        self._size -= _size_of(event)
        return event

    async def wait_for(self, handling: Awaitable[Any]) -> None:
        """Wait for the handler of an event, and read ahead if that takes longer than *after_s*."""
        self._is_needed = True
        timer = asyncio.get_running_loop().call_later(self._after_s, self._start)
        try:
            await handling
        finally:
            timer.cancel()
            self._is_needed = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing is read ahead, and nothing that was read waits: this object may be dropped."""
        return self._task is None and not self._events

    @property
    def is_full(self) -> bool:
        """Whether nothing more is read ahead."""
        return len(self._events) >= MAX_EVENTS or self._size >= MAX_BYTES_AHEAD

    @property
    def error(self) -> Exception | None:
        """The error that :meth:`next` will raise after the events that were read ahead; None without one."""
        last = self._events[-1] if self._events else None
        return last if isinstance(last, Exception) else None

    def stop(self) -> None:
        """Read no more."""
        if self._task is not None:
            self._task.cancel()

    def _start(self) -> None:
        if self._task is None and not self.is_full and not (self._events and _is_end(self._events[-1])):
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            while self._is_needed and not self.is_full:
                try:
                    event = await self._receive()
                    if not self._keep(event):
                        continue
                except Exception as error:  # noqa: BLE001 - it is raised where the event would have been returned
                    self._events.append(error)
                    break
                self._events.append(event)
                self._size += _size_of(event)
                self._wake()
                if _is_end(event):
                    break
        finally:
            self._task = None
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _is_end(event: dict[str, Any] | Exception) -> bool:
    return isinstance(event, Exception) or str(event.get("type")).endswith(".disconnect")


def _size_of(event: dict[str, Any]) -> int:
    return len(event.get("text") or event.get("bytes") or "")
