"""
Deadlines of all clients on one loop timer.

Clients whose deadlines fall into the same slice of time share a bucket. A slice is a fraction of the delay, so a
deadline is met at most that fraction late and never early. Knows members with a ``timer_key``, not what they time.

The clock is the system's: uvloop's own stands still during a turn of the loop, and what its ``call_at()`` returns for a
time that has almost come does not know the time.
"""

from __future__ import annotations

import asyncio
from heapq import heappop, heappush
from time import monotonic
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from fastsio.engine.session import NEVER, SLICES

if TYPE_CHECKING:
    from collections.abc import Callable

#: Loops round times to milliseconds; no slice is shorter, and nothing is waited for less long.
RESOLUTION_S: Final = 0.001


class Timed(Protocol):
    """What can have a deadline: it carries the key of its bucket, ``NEVER`` while it has none."""

    timer_key: float

    def __hash__(self) -> int: ...


Member = TypeVar("Member", bound=Timed)


class Deadlines(Generic[Member]):
    """
    The one timer.

    Args:
        on_due: Called from the loop with the members whose deadline has passed.
    """

    def __init__(self, on_due: Callable[[list[Member]], None]) -> None:
        self._on_due = on_due
        self._buckets: dict[float, set[Member]] = {}
        self._keys: list[float] = []
        self._handle: asyncio.TimerHandle | None = None
        #: The key of the bucket that the loop's timer is set for.
        self._armed_key = NEVER
        self._loop: asyncio.AbstractEventLoop | None = None

    def set(self, member: Member, delay_s: float) -> None:
        """Give *member* a deadline *delay_s* seconds from now, in place of the one it had."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._reset(loop)
        if member.timer_key:
            self.clear(member)
        slice_s = max(delay_s / SLICES, RESOLUTION_S)
        key = ((monotonic() + delay_s) // slice_s + 1.0) * slice_s
        bucket = self._buckets.get(key)
        member.timer_key = key
        if bucket is None:
            self._buckets[key] = {member}
            heappush(self._keys, key)
            self._arm()
        else:
            bucket.add(member)

    def clear(self, member: Member) -> None:
        """Take back the deadline of *member*, if it has one."""
        bucket = self._buckets.get(member.timer_key)
        if bucket is not None:
            bucket.discard(member)
        member.timer_key = NEVER

    def stop(self) -> None:
        """Forget all deadlines."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        for bucket in self._buckets.values():
            for member in bucket:
                member.timer_key = NEVER
        self._buckets.clear()
        self._keys.clear()

    def _reset(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin anew on another loop: a server may outlive the one it was first used on."""
        self.stop()
        self._loop = loop

    def _arm(self) -> None:
        """Have the loop call at the first bucket's time; buckets emptied meanwhile are dropped, not waited for."""
        keys = self._keys
        while keys and not self._buckets[keys[0]] and len(keys) > 1:
            del self._buckets[heappop(keys)]
        if self._handle is not None:
            if self._armed_key == keys[0]:
                return
            self._handle.cancel()
        if self._loop is not None:
            self._armed_key = keys[0]
            self._handle = self._loop.call_later(max(keys[0] - monotonic(), RESOLUTION_S), self._fire)

    def _fire(self) -> None:
        self._handle = None
        now = monotonic()
        due: list[Member] = []
        while self._keys and self._keys[0] <= now:
            for member in self._buckets.pop(heappop(self._keys)):
                member.timer_key = NEVER
                due.append(member)
        if self._keys:
            self._arm()
        if due:
            self._on_due(due)
