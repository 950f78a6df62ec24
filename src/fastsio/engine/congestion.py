"""
How long others wait for a client that is behind: one for which more waits than the high-water mark.

Knows neither transports nor clocks. Times are seconds of any clock that never goes back.
"""

from __future__ import annotations

from typing import Any, Final

#: Who waits looks this often, in the time of one timeout, whether a large packet is being read.
LOOKS: Final = 4
#: How many times the buffer callers may fill that wait, for many may call at once.
BUFFERS_OF_WAITING: Final = 4


class Congestion:
    """
    The time from when more waits for a client than the high-water mark until half of that is left.

    Args:
        now: When it begins.
        timeout_s: The ``slow_client_timeout`` of the server.

    Attributes:
        is_given_up: True once nobody waits for this client any more.
        is_refused: True once packets for this client are refused until it has caught up.
        released: What a shell wakes those with who wait; None while nobody does.
    """

    __slots__ = ("_moved_at", "_since", "_timeout_s", "_unsent", "is_given_up", "is_refused", "released")

    def __init__(self, now: float, timeout_s: float) -> None:
        self._since = self._moved_at = now
        self._timeout_s = timeout_s
        self._unsent = 0
        self.is_given_up = self.is_refused = False
        self.released: Any = None

    def move(self, now: float) -> None:
        """Record that the client has read something."""
        self._moved_at = now

    def look(self, now: float, unsent: int) -> None:
        """
        Find out whether the client reads a packet that takes long.

        Args:
            now: The time.
            unsent: Bytes of what is being written that the network has not taken yet; less than before is progress.
        """
        if unsent < self._unsent:
            self._moved_at = now
        self._unsent = unsent

    def next_look_s(self, left_s: float) -> float:
        """Return how many of the seconds that one may still wait pass until the next :meth:`look`."""
        return min(left_s, self._timeout_s / LOOKS)

    def left_s(self, now: float, *, is_shared: bool) -> float:
        """
        Return how many seconds one may still wait; zero or less ends the wait.

        Args:
            now: The time.
            is_shared: Whether there are other recipients. They are not kept waiting by one that reads, but slowly:
                the time counts from the beginning then, else from when the client last read something.
        """
        return (self._since if is_shared else self._moved_at) + self._timeout_s - now

    def is_stuck(self, now: float) -> bool:
        """Tell whether the client has read nothing for the whole timeout."""
        return now - self._moved_at >= self._timeout_s

    def may_exceed(self, now: float) -> bool:
        """
        Tell whether a caller that waits may add to a full buffer.

        Many may call at once, and each waits. That ends when the client has been behind for the whole timeout.
        """
        return not self.is_given_up and now - self._since < self._timeout_s


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
