"""Which connections of a drained server end when; must not know clocks nor chance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")
#: The least seconds between two looks which connections are due: of many, several end together.
LEAST_STEP_S: Final = 0.05
#: The most: the caller may find that all clients have left.
MOST_STEP_S: Final = 0.25


class DrainSchedule(Generic[T]):
    """
    Spreads the ends of connections, in their order, evenly over *seconds* from *begin_s* on, by the caller's clock.

    Raises:
        ValueError: *seconds* is not a number from 0 on, or is infinite.
    """

    def __init__(self, connections: Iterable[T], seconds: float, begin_s: float) -> None:
        is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
        if not (is_number and 0 <= seconds < math.inf):
            raise ValueError(f"a drain of {seconds!r} seconds is not possible; give a number, 0 or more")
        self._waiting = list(connections)[::-1]
        self._count = len(self._waiting)
        self._seconds = seconds
        self._begin_s = begin_s

    @property
    def is_over(self) -> bool:
        """Whether every connection was due."""
        return not self._waiting

    def due(self, now_s: float) -> list[T]:
        """Return the connections that are to end now, and were not returned before."""
        elapsed_s = now_s - self._begin_s
        count = self._count if elapsed_s >= self._seconds else int(self._count * elapsed_s / self._seconds)
        late = count - (self._count - len(self._waiting))
        return [self._waiting.pop() for _ in range(late)]

    def next_look_s(self, now_s: float) -> float:
        """Return after how many seconds the caller is to look again."""
        done = self._count - len(self._waiting)
        due_s = self._begin_s + self._seconds * (done + 1) / self._count if self._waiting else now_s
        return min(max(due_s - now_s, LEAST_STEP_S), MOST_STEP_S, self._seconds)
