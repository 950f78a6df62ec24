"""
Deadlines of all clients on one background thread, which runs while there is any.

Clients whose deadlines fall into the same slice of time share a bucket. A slice is a fraction of the delay, so a
deadline is met at most that fraction late and never early. Knows members with a ``timer_key``, not what they time.
"""

from __future__ import annotations

import math
import threading
from heapq import heappop, heappush
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from fastsio.engine.session import NEVER, SLICES

if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger


class Timed(Protocol):
    """What can have a deadline: it carries the key of its bucket, ``NEVER`` while it has none."""

    timer_key: float

    def __hash__(self) -> int: ...


class Background(Protocol):
    """The threads and events of the server's kind."""

    logger: Logger

    def start_background_task(self, target: Callable[..., Any], *args: Any) -> Any:
        """Run a function in a thread."""

    def create_event(self) -> Any:
        """Make an event."""


Member = TypeVar("Member", bound=Timed)


class Deadlines(Generic[Member]):
    """
    The one timer; any thread may set and clear.

    Args:
        on_due: Called in the timer's thread with the members whose deadline has passed; must not wait.
        background: Where the thread comes from.
    """

    def __init__(self, on_due: Callable[[list[Member]], None], background: Background) -> None:
        self._on_due = on_due
        self._background = background
        # Held for a few steps that never wait, so a plain lock serves greenlets too.
        self._lock = threading.Lock()
        self._buckets: dict[float, set[Member]] = {}
        self._keys: list[float] = []
        self._count = 0
        #: Set to have the thread look anew; None while there is no thread.
        self._wake: Any = None
        self._wakes_at = math.inf

    def set(self, member: Member, delay_s: float) -> None:
        """Give *member* a deadline *delay_s* seconds from now, in place of the one it had."""
        slice_s = max(delay_s / SLICES, 0.001)
        key = math.ceil((monotonic() + delay_s) / slice_s) * slice_s
        with self._lock:
            self._remove(member)
            self._add(member, key)
            starts = self._wake is None
            if starts:
                self._wake = self._background.create_event()
            wake = self._wake if key < self._wakes_at else None
        if starts:
            self._start(member)
        elif wake is not None:
            wake.set()

    def _start(self, member: Member) -> None:
        """Start the thread; without one nobody has a deadline, and the next who sets one tries again."""
        try:
            self._background.start_background_task(self._run)
        except BaseException:
            with self._lock:
                self._remove(member)
                self._wake = None
            raise

    def clear(self, member: Member) -> None:
        """Take back the deadline of *member*, if it has one."""
        with self._lock:
            self._remove(member)
            wake = self._wake if not self._count else None
        if wake is not None:
            wake.set()

    def stop(self) -> list[Member]:
        """Forget all deadlines, and return who had one; the thread ends."""
        with self._lock:
            stopped = [member for bucket in self._buckets.values() for member in bucket]
            for member in stopped:
                member.timer_key = NEVER
            self._buckets.clear()
            self._keys.clear()
            self._count = 0
            wake = self._wake
        if wake is not None:
            wake.set()
        return stopped

    def _add(self, member: Member, key: float) -> None:
        bucket = self._buckets.get(key)
        if bucket is None:
            self._buckets[key] = {member}
            heappush(self._keys, key)
        else:
            bucket.add(member)
        member.timer_key = key
        self._count += 1

    def _remove(self, member: Member) -> None:
        bucket = self._buckets.get(member.timer_key)
        if bucket is not None and member in bucket:
            bucket.discard(member)
            self._count -= 1
        member.timer_key = NEVER

    def _run(self) -> None:
        """Wait for the first deadline, again and again, until no deadline is left."""
        while True:
            with self._lock:
                due = self._take_due()
                if not due and not self._count:
                    self._buckets.clear()
                    self._keys.clear()
                    self._wake, self._wakes_at = None, math.inf
                    return
                wake = self._wake
                self._wakes_at = self._keys[0] if self._keys else math.inf
                delay_s = 0.0 if due else max(self._wakes_at - monotonic(), 0.0)
            if due:
                self._serve(due)
            else:
                wake.wait(delay_s)
                wake.clear()

    def _take_due(self) -> list[Member]:
        """Take the members that are due; buckets emptied meanwhile are dropped, not waited for."""
        now = monotonic()
        due: list[Member] = []
        while self._keys and (self._keys[0] <= now or not self._buckets[self._keys[0]]):
            for member in self._buckets.pop(heappop(self._keys)):
                member.timer_key = NEVER
                due.append(member)
        self._count -= len(due)
        return due

    def _serve(self, due: list[Member]) -> None:
        try:
            self._on_due(due)
        except Exception:
            self._background.logger.exception("a deadline could not be served")
