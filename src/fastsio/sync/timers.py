"""
Deadlines of all clients, watched by one thread while there are any.

By hand; the interface is that of ``fastsio.aio.engine.timers``. Knows members with a ``timer_key``, not what they time.
"""

from __future__ import annotations

import threading
import time
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

NEVER: Final = 0.0


class Deadlines:
    """
    The one timer.

    Args:
        on_due: Called, from the watching thread, with the members whose deadline has passed.
        eio: The Engine.IO server: starts the thread and makes its event, of the kind its ``async_mode`` has.
    """

    def __init__(self, on_due: Callable[[list[Any]], None], eio: Any) -> None:
        self._on_due = on_due
        self._eio = eio
        self._lock = threading.Lock()
        self._numbers = count()
        # One that was taken back stays until its time comes; its member's ``timer_key`` is another by then.
        self._waiting: list[tuple[float, int, Any]] = []
        self._changed: Any = None

    def set(self, member: Any, delay_s: float) -> None:
        """Give *member* a deadline *delay_s* seconds from now, in place of the one it had."""
        due = time.monotonic() + delay_s
        with self._lock:
            member.timer_key = due
            heappush(self._waiting, (due, next(self._numbers), member))
            is_next = self._waiting[0][0] == due
            changed = self._changed
            if changed is None:
                self._changed = self._eio.create_event()
        if changed is None:
            self._eio.start_background_task(self._watch)
        elif is_next:
            changed.set()

    def clear(self, member: Any) -> None:
        """Take back the deadline of *member*, if it has one."""
        with self._lock:
            member.timer_key = NEVER

    def stop(self) -> None:
        """Forget all deadlines."""
        with self._lock:
            for _, _, member in self._waiting:
                member.timer_key = NEVER
            self._waiting.clear()
            changed = self._changed
        if changed is not None:
            changed.set()

    def _watch(self) -> None:
        """Wait for one deadline after the other; the thread ends with the last."""
        while True:
            with self._lock:
                due = self._take_due()
                if not due and not self._waiting:
                    self._changed = None
                    return
                changed = self._changed
                delay_s = self._waiting[0][0] - time.monotonic() if self._waiting else 0.0
            if due:
                self._on_due(due)
            elif delay_s > 0:
                changed.wait(delay_s)
                changed.clear()

    def _take_due(self) -> list[Any]:
        due: list[Any] = []
        now = time.monotonic()
        while self._waiting:
            when, _, member = self._waiting[0]
            if member.timer_key == when and when > now:
                break
            heappop(self._waiting)
            if member.timer_key == when:
                member.timer_key = NEVER
                due.append(member)
        return due
