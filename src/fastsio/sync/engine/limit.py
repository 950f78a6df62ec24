"""A time limit for a wait that cannot be interrupted, such as a thread's read of a socket."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Self

from fastsio.engine.deadlines import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable


class Limit:
    """
    A ``with`` statement whose wait is cut off when its time is up, or when its result is no longer needed.

    *cut* wakes the thread that waits, and must not wait.

    Attributes:
        is_cut: True once it was cut off before its end.
        is_late: True when that was because the time was up.
    """

    __slots__ = ("_cut", "_deadlines", "_is_done", "_lock", "_most_s", "is_cut", "is_late", "timer_key")

    def __init__(self, deadlines: Any, most_s: float, cut: Callable[[], object]) -> None:
        self.timer_key = NEVER
        self.is_cut = self.is_late = False
        self._deadlines = deadlines
        self._most_s = most_s
        self._cut = cut
        self._is_done = False
        # Held for a few steps that never wait, so a plain lock serves greenlets too.
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Start the time."""
        self._deadlines.set(self, self._most_s)
        return self

    def __exit__(self, *_raised: object) -> None:
        """Stop the time; nothing is cut off any more."""
        with self._lock:
            self._is_done = True
        self._deadlines.clear(self)

    def cut_off(self, *, is_late: bool = False) -> None:
        """Cut off the wait, unless it is over."""
        with self._lock:
            if self._is_done or self.is_cut:
                return
            # Before the thread that waits finds the end, and asks why.
            self.is_cut, self.is_late = True, is_late
            self._cut()

    on_shutdown = cut_off

    def on_deadline(self) -> None:
        """Cut off the wait, which has taken too long."""
        self.cut_off(is_late=True)
