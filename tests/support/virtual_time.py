"""
A clock that passes when all wait: what a test says about time holds on any machine, and waiting takes no time.

``pytest.mark.virtual_time`` runs a test, or a module of them, on :class:`VirtualLoop`. It is for what happens in memory in one
loop: work of threads, sockets and other processes takes no virtual time.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import sys
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Seconds that a turn of the loop takes; without them a timer that is due in less than its clock can tell would be set for ever.
TURN_S = 1e-6


class Clock:
    """
    The time of all virtual loops.

    Attributes:
        now_s: Seconds.
    """

    now_s = 1000.0

    @classmethod
    def read(cls) -> float:
        """Return the time, as ``time.monotonic()`` does."""
        return cls.now_s


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop of asyncio that lets the clock go on where it would wait."""

    def __init__(self) -> None:
        super().__init__(_Selector())

    def time(self) -> float:
        """Return the time of the clock."""
        return Clock.now_s


class _Selector(selectors.DefaultSelector):
    """Returns what is there, and else lets time pass: whole milliseconds, as asyncio's selector waits."""

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:  # a thread may end it
            return super().select(None)
        events = super().select(0)
        Clock.now_s += TURN_S
        if not events and timeout > 0:
            Clock.now_s += math.ceil(timeout * 1000) / 1000
        return events


@contextmanager
def clocks_replaced(module: Any) -> Iterator[None]:
    """Let fastsio, and a module of tests, read the virtual clock for the length of the block."""
    spaces: list[Any] = [module]
    for name, each in list(sys.modules.items()):
        if name.partition(".")[0] == "fastsio":
            spaces += [each, *(one for one in vars(each).values() if isinstance(one, type))]
    undo: list[Callable[[], None]] = []
    try:
        for space in spaces:
            for name, value in list(vars(space).items()):
                replacement = _replacement_of(value)
                if replacement is not None:
                    undo.append(lambda space=space, name=name, value=value: setattr(space, name, value))  # type: ignore[misc]
                    setattr(space, name, replacement)
        yield
    finally:
        for restore in reversed(undo):
            restore()


def _replacement_of(value: Any) -> Any:
    if value is monotonic:
        return Clock.read
    if isinstance(value, staticmethod) and value.__func__ is monotonic:
        return staticmethod(Clock.read)
    return None
