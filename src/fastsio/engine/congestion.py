"""
How long others wait for a client that is behind: one for which more waits than the high-water mark.

Knows neither transports nor clocks. Times are seconds of any clock that never goes back.
"""

from __future__ import annotations

from typing import Any, Final

#: Who waits looks this often, in the time of one timeout, whether a large packet is being read. A client that has read
#: something since the last look has made no pause.
LOOKS: Final = 8
#: How many times the buffer callers may fill that wait, for many may call at once.
BUFFERS_OF_WAITING: Final = 4
#: Which part of the time that passes a client is given back for pauses.
RECOVERY: Final = 0.1


class PauseBudget:
    """
    How long those who send to several clients may yet be held up by one that reads in bursts.

    The pauses of the client use it up, however often it catches up between them, and time gives it back: altogether a
    client holds up others for one timeout, and a tenth of the time that passes. Kept for as long as the client is
    connected.

    Args:
        timeout_s: The ``slow_client_timeout`` of the server.
    """

    __slots__ = ("_as_of", "_timeout_s", "_used_s")

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._used_s = 0.0
        self._as_of = 0.0

    def left_s(self, now: float) -> float:
        """Return how many seconds of pauses are left."""
        return self._timeout_s - self._used_at(now)

    def spend(self, now: float, pause_s: float) -> None:
        """Count a pause that is over."""
        self._used_s = min(self._used_at(now) + pause_s, self._timeout_s)
        self._as_of = now

    def _used_at(self, now: float) -> float:
        return max(0.0, self._used_s - max(0.0, now - self._as_of) * RECOVERY) if self._used_s else 0.0


class Congestion:
    """
    The time from when more waits for a client than the high-water mark until half of that is left.

    Args:
        now: When it begins.
        timeout_s: The ``slow_client_timeout`` of the server.
        pause_budget: That of the client; None begins with all of it.

    Attributes:
        is_given_up: True once nobody waits for this client any more.
        is_refused: True once packets for this client are refused until it has caught up.
        released: What a shell wakes those with who wait; None while nobody does.
    """

    __slots__ = (
        "_moved_at",
        "_pause_budget",
        "_since",
        "_timeout_s",
        "_unsent",
        "is_given_up",
        "is_refused",
        "released",
    )

    def __init__(self, now: float, timeout_s: float, pause_budget: PauseBudget | None = None) -> None:
        self._since = self._moved_at = now
        self._timeout_s = timeout_s
        self._pause_budget = pause_budget or PauseBudget(timeout_s)
        self._unsent = 0
        self.is_given_up = self.is_refused = False
        self.released: Any = None

    def move(self, now: float) -> None:
        """Record that the client has read something: a pause, if it was one, is over."""
        pause_s = now - self._moved_at - self._grace_s
        if pause_s > 0:
            self._pause_budget.spend(now, pause_s)
        self._moved_at = now

    def look(self, now: float, unsent: int) -> None:
        """
        Find out whether the client reads a packet that takes long.

        Args:
            now: The time.
            unsent: Bytes of what is being written that the network has not taken yet; less than before is progress.
        """
        if unsent < self._unsent:
            self.move(now)
        self._unsent = unsent

    @property
    def _grace_s(self) -> float:
        """How long a client that reads may be seen to read nothing."""
        return self._timeout_s / LOOKS

    def next_look_s(self, left_s: float) -> float:
        """Return how many of the seconds that one may still wait pass until the next :meth:`look`."""
        return min(left_s, self._grace_s)

    def left_s(self, now: float, *, is_shared: bool) -> float:
        """
        Return how many seconds one may still wait; zero or less ends the wait.

        Args:
            now: The time.
            is_shared: Whether there are other recipients. They are not kept waiting by one that reads, but slowly:
                the time counts from the beginning then, else from when the client last read something. Nor by one that
                pauses again and again, beyond what is left of its :class:`PauseBudget`.
        """
        if not is_shared:
            return self._moved_at + self._timeout_s - now
        end_of_budget = self._moved_at + self._grace_s + self._pause_budget.left_s(self._moved_at)
        return min(self._since + self._timeout_s, end_of_budget) - now

    def is_stuck(self, now: float) -> bool:
        """Tell whether the client has read nothing for the whole timeout."""
        return now - self._moved_at >= self._timeout_s

    def may_exceed(self, now: float) -> bool:
        """
        Tell whether a caller that waits may add to a full buffer.

        Many may call at once, and each waits. That ends when the client has been behind for the whole timeout, or has
        used up its :class:`PauseBudget`, so that those who send to several do not wait for it.
        """
        return not self.is_given_up and now - self._since < self._timeout_s and self._pause_budget.left_s(now) > 0


def buffers_for(congestion: Congestion | None, now: float, *, waits: bool) -> int:
    """
    Return how many times its buffer may wait for a client.

    Args:
        congestion: That of the client, if it is behind.
        now: The time.
        waits: Whether the caller waits afterwards.
    """
    may_exceed = waits and (congestion is None or congestion.may_exceed(now))
    return BUFFERS_OF_WAITING if may_exceed else 1
