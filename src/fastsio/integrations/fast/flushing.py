"""
One write for all that is queued for a client in one turn of the event loop.

Knows what can be flushed, not what it writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    import asyncio


class Flushable(Protocol):
    """What has something to write."""

    def flush(self) -> None:
        """Write it."""


class Flusher:
    """
    Flushes, once a turn, everything that asked for it.

    Args:
        loop: The event loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._call_soon = loop.call_soon
        self._waiting: list[Flushable] = []

    def add(self, flushable: Flushable) -> None:
        """Flush *flushable* when what runs now, and is ready to run, has run."""
        if not self._waiting:
            self._call_soon(self._flush)
        self._waiting.append(flushable)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for flushable in waiting:
            flushable.flush()


_flushers: WeakKeyDictionary[asyncio.AbstractEventLoop, Flusher] = WeakKeyDictionary()


def flusher_of(loop: asyncio.AbstractEventLoop) -> Flusher:
    """Return the flusher of an event loop."""
    flusher = _flushers.get(loop)
    if flusher is None:
        flusher = _flushers[loop] = Flusher(loop)
    return flusher
