"""
The deadlines of many members, in slices of time. The engine of each half has a timer for them.

Members whose deadlines fall into the same slice share a bucket. A slice is a fraction of the delay, so a deadline is
met at most that fraction late and never early. With the millisecond to which event loops round what they wait for,
that is at most 1 % of the delay, or 2 ms where those are more. A member is any object with a ``timer_key``. Times are
arguments: seconds of a clock that never goes back.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Final, Generic, Protocol, TypeVar

#: A slice is this part of the delay.
SLICES: Final = 256
#: A deadline of this part of a delay is met before the whole delay is over.
PUNCTUAL: Final = 1 - 1 / SLICES
#: No slice is shorter.
SHORTEST_SLICE_S: Final = 0.0005
#: Event loops round what they wait for to milliseconds.
RESOLUTION_S: Final = 0.001
NEVER: Final = 0.0


class Timed(Protocol):
    """An object that can have a deadline; it keeps the key of its bucket, ``NEVER`` without a deadline."""

    timer_key: float

    def __hash__(self) -> int: ...


Member = TypeVar("Member", bound=Timed)


class Buckets(Generic[Member]):
    """
    The members that have a deadline.

    Attributes:
        buckets: Those of each slice by its end, which is its key.
        keys: The keys as a heap; a bucket stays when it is emptied, until its time comes.
    """

    def __init__(self) -> None:
        self.buckets: dict[float, set[Member]] = {}
        self.keys: list[float] = []

    def put(self, member: Member, delay_s: float, now: float) -> bool:
        """Set the deadline of a member that has none, *delay_s* seconds from now; return whether its bucket is new."""
        slice_s = max(delay_s / SLICES, SHORTEST_SLICE_S)
        key = member.timer_key = ((now + delay_s) // slice_s + 1.0) * slice_s
        if key in self.buckets:
            self.buckets[key].add(member)
            return False
        self.buckets[key] = {member}
        heappush(self.keys, key)
        return True

    def remove(self, member: Member) -> None:
        """Remove the deadline of a member, if it has one."""
        bucket = self.buckets.get(member.timer_key)
        if bucket is not None:
            bucket.discard(member)
        member.timer_key = NEVER

    def drop_empty(self) -> None:
        """Remove the first buckets if they are empty, so that no timer waits for them."""
        keys = self.keys
        while keys and not self.buckets[keys[0]]:
            del self.buckets[heappop(keys)]

    def take_due(self, now: float) -> list[Member]:
        """Remove and return the members whose deadline has passed."""
        due: list[Member] = []
        while self.keys and self.keys[0] <= now:
            due += self.buckets.pop(heappop(self.keys))
        for member in due:
            member.timer_key = NEVER
        return due

    def take_all(self) -> list[Member]:
        """Remove and return all members."""
        taken = [member for bucket in self.buckets.values() for member in bucket]
        for member in taken:
            member.timer_key = NEVER
        self.buckets.clear()
        self.keys.clear()
        return taken
