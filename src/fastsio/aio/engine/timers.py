"""
The deadlines of all clients, on one timer of the event loop; :mod:`fastsio.engine.deadlines` keeps them.

The clock is the system's, because uvloop's own stands still during a turn of the loop. The time of the timer is kept
here, because the handle of uvloop's ``call_later()`` does not have it if that time has almost come.
"""

from __future__ import annotations

from asyncio import get_running_loop
from heapq import heappush
from time import monotonic
from typing import TYPE_CHECKING

from fastsio.engine.deadlines import NEVER, RESOLUTION_S, SHORTEST_SLICE_S, SLICES, Buckets, Member

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, TimerHandle
    from collections.abc import Callable


class Deadlines(Buckets[Member]):
    """The one timer; *on_due* is called from the loop with the members whose deadline has passed."""

    def __init__(self, on_due: Callable[[list[Member]], None]) -> None:
        super().__init__()
        self._on_due = on_due
        self._handle: TimerHandle | None = None
        #: The key of the bucket that the loop's timer is set for.
        self._armed_key = NEVER
        self._loop: AbstractEventLoop | None = None

    def set(self, member: Member, delay_s: float) -> None:
        """Give *member* a deadline *delay_s* seconds from now, in place of the one it had."""
        loop = get_running_loop()
        if loop is not self._loop:
            # A server may outlive the loop that it was first used on.
            self.stop()
            self._loop = loop
        if member.timer_key:
            self.remove(member)
        # As put() does, without the call: each new client comes here twice.
        slice_s = max(delay_s / SLICES, SHORTEST_SLICE_S)
        key = member.timer_key = ((monotonic() + delay_s) // slice_s + 1.0) * slice_s
        bucket = self.buckets.get(key)
        if bucket is None:
            self.buckets[key] = {member}
            heappush(self.keys, key)
            self._arm()
        else:
            bucket.add(member)

    clear = Buckets.remove

    def stop(self) -> None:
        """Forget all deadlines."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self.take_all()

    def _arm(self) -> None:
        """Have the loop call at the first bucket's time."""
        self.drop_empty()
        keys = self.keys
        if self._handle is not None:
            if keys and self._armed_key == keys[0]:
                return
            self._handle.cancel()
            self._handle = None
        if keys and self._loop is not None:
            self._armed_key = keys[0]
            self._handle = self._loop.call_later(max(keys[0] - monotonic(), RESOLUTION_S), self._fire)

    def _fire(self) -> None:
        self._handle = None
        due = self.take_due(monotonic())
        self._arm()
        if due:
            self._on_due(due)
