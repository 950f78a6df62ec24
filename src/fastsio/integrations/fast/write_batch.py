"""
What the connections of an event loop share: one write for all that a client gets in a turn, and a place to read to.

Knows what can be flushed, not what it writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol
from weakref import WeakKeyDictionary, ref

if TYPE_CHECKING:
    import asyncio

#: What is read at a time of a connection that says little.
SCRATCH_BYTES: Final = 2048


class Flushable(Protocol):
    """What has something to write."""

    def flush(self) -> None:
        """Write it."""


class Flusher:
    """
    Flushes, once a turn, everything that asked for it.

    Args:
        loop: The event loop.

    Attributes:
        scratch: Where a connection without a buffer of its own reads to; it is the next one's when a read is over.
        turn: Stands for the turn of the loop that has begun; None before anything of it was written.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # A strong reference would keep loops, and what waited on them, in the table below for good.
        self._loop = ref(loop)
        self._waiting: list[Flushable] = []
        self.scratch = memoryview(bytearray(SCRATCH_BYTES))
        self.turn: object = None

    def begin(self) -> object:
        """Begin a turn, which lasts until what runs now, and is ready to run, has run."""
        loop = self._loop()
        if loop is not None:
            loop.call_soon(self._flush)
        self.turn = object()
        return self.turn

    def add(self, flushable: Flushable) -> None:
        """Flush *flushable* at the end of the turn."""
        if self.turn is None:
            self.begin()
        self._waiting.append(flushable)

    def _flush(self) -> None:
        waiting, self._waiting, self.turn = self._waiting, [], None
        for flushable in waiting:
            flushable.flush()


_flushers: WeakKeyDictionary[asyncio.AbstractEventLoop, Flusher] = WeakKeyDictionary()


def flusher_of(loop: asyncio.AbstractEventLoop) -> Flusher:
    """Return the flusher of an event loop."""
    flusher = _flushers.get(loop)
    if flusher is None:
        flusher = _flushers[loop] = Flusher(loop)
    return flusher
