"""
The deadlines of all clients, on one background thread, which runs while there are any.

:mod:`fastsio.engine.deadlines` keeps them.
"""

from __future__ import annotations

import math
import threading
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic

from fastsio.engine.deadlines import Buckets, Member

if TYPE_CHECKING:
    from collections.abc import Callable


class Deadlines(Generic[Member]):
    """
    The one timer; any thread may set and clear.

    *on_due* is called in its thread with the members whose deadline has passed, and must not wait. *server* has the
    threads and events of its ``async_mode``.
    """

    def __init__(self, on_due: Callable[[list[Member]], None], server: Any) -> None:
        self._on_due = on_due
        self._server = server
        # Held for a few steps that never wait, so a plain lock serves greenlets too.
        self._lock = threading.Lock()
        self._members: Buckets[Member] = Buckets()
        #: Set to wake the thread, so that it computes its wait anew; None while there is no thread.
        self._wake: Any = None
        self._wakes_at = math.inf

    def set(self, member: Member, delay_s: float) -> None:
        """Give *member* a deadline *delay_s* seconds from now, in place of the one it had."""
        with self._lock:
            if member.timer_key:
                self._members.remove(member)
            self._members.put(member, delay_s, monotonic())
            starts = self._wake is None
            if starts:
                self._wake = self._server.create_event()
            wake = self._wake if member.timer_key < self._wakes_at else None
        if starts:
            self._start(member)
        elif wake is not None:
            wake.set()

    def _start(self, member: Member) -> None:
        """Start the thread; if that fails, no member has a deadline, and the next call of :meth:`set` tries again."""
        try:
            self._server.start_background_task(self._run)
        except BaseException:
            with self._lock:
                self._members.remove(member)
                self._wake = None
            raise

    def clear(self, member: Member) -> None:
        """Take back the deadline of *member*, if it has one."""
        with self._lock:
            self._members.remove(member)
            wake = None if any(self._members.buckets.values()) else self._wake
        if wake is not None:
            wake.set()

    def stop(self) -> list[Member]:
        """Forget all deadlines, and return the members that had one; the thread ends."""
        with self._lock:
            stopped = self._members.take_all()
            wake = self._wake
        if wake is not None:
            wake.set()
        return stopped

    def _run(self) -> None:
        """Wait for the first deadline, again and again, until no deadline is left."""
        while True:
            with self._lock:
                due = self._members.take_due(monotonic())
                self._members.drop_empty()
                keys = self._members.keys
                if not due and not keys:
                    self._wake, self._wakes_at = None, math.inf
                    return
                wake = self._wake
                self._wakes_at = keys[0] if keys else math.inf
                delay_s = 0.0 if due else max(self._wakes_at - monotonic(), 0.0)
            if not due:
                wake.wait(delay_s)
                wake.clear()
                continue
            try:
                self._on_due(due)
            except Exception:
                self._server.logger.exception("a deadline could not be served")
