"""
How long senders wait for a client that is behind: one for which more packets wait than the high-water mark.

Times are arguments: seconds of any clock that never goes back.
"""

from __future__ import annotations

from typing import Any, Final

#: How often, within one timeout, a waiting caller checks whether the client reads a large packet. A client that has
#: read something since the last check has not paused.
CHECKS_PER_TIMEOUT: Final = 8
#: How many times the size of the buffer the packets of waiting callers may have, because many may call at once.
BUFFERS_FOR_WAITING: Final = 4
#: The seconds of its budget for pauses that a client regains in a second.
REGAINED_SHARE: Final = 0.1


class PauseBudget:
    """
    How long a client that reads in bursts may still delay callers that send to several clients.

    The pauses of the client use the budget up, even if it catches up between them; a tenth of the time that passes is
    added again. So a client delays others for one timeout, and a tenth of the time, in all. The budget is kept for as
    long as the client is connected. *timeout_s* is the ``slow_client_timeout`` of the server.
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
        """Add a pause that has ended."""
        self._used_s = min(self._used_at(now) + pause_s, self._timeout_s)
        self._as_of = now

    def _used_at(self, now: float) -> float:
        return max(0.0, self._used_s - max(0.0, now - self._as_of) * REGAINED_SHARE) if self._used_s else 0.0


class Congestion:
    """
    The state of a client from when more waits for it than the high-water mark until half of that is left.

    Attributes:
        is_given_up: True once callers no longer wait for this client.
        is_refused: True once packets for this client are refused until it has caught up.
        released: The future or event that callers wait for; None while no caller waits.
    """

    __slots__ = (
        "_pause_budget",
        "_progress_at",
        "_since",
        "_timeout_s",
        "_unsent",
        "is_given_up",
        "is_refused",
        "released",
    )

    def __init__(self, now: float, timeout_s: float, pause_budget: PauseBudget | None = None) -> None:
        self._since = self._progress_at = now
        self._timeout_s = timeout_s
        self._pause_budget = pause_budget or PauseBudget(timeout_s)
        self._unsent = 0
        self.is_given_up = self.is_refused = False
        self.released: Any = None

    def record_progress(self, now: float) -> None:
        """Record that the client has read something; this ends a pause."""
        pause_s = now - self._progress_at - self._grace_s
        if pause_s > 0:
            self._pause_budget.spend(now, pause_s)
        self._progress_at = now

    def check_progress(self, now: float, unsent: int) -> None:
        """Check whether the client reads a packet that takes long: fewer bytes of it are unsent than before."""
        if unsent < self._unsent:
            self.record_progress(now)
        self._unsent = unsent

    @property
    def _grace_s(self) -> float:
        """Return how long a client that reads may seem to read nothing."""
        return self._timeout_s / CHECKS_PER_TIMEOUT

    def next_check_s(self, left_s: float) -> float:
        """Return the seconds until the next :meth:`check_progress`; at most *left_s*, which a caller may still wait."""
        return min(left_s, self._grace_s)

    def left_s(self, now: float, *, is_shared: bool) -> float:
        """
        Return how many seconds a caller may still wait; zero or less ends the wait.

        With *is_shared*, the caller also sends to other clients: the timeout counts from the beginning of the
        congestion, and the :class:`PauseBudget` limits the pauses of the client. Otherwise the timeout counts from when
        the client last read something.
        """
        if not is_shared:
            return self._progress_at + self._timeout_s - now
        end_of_budget = self._progress_at + self._grace_s + self._pause_budget.left_s(self._progress_at)
        return min(self._since + self._timeout_s, end_of_budget) - now

    def is_stuck(self, now: float) -> bool:
        """Tell whether the client has read nothing for the whole timeout."""
        return now - self._progress_at >= self._timeout_s

    def may_exceed(self, now: float) -> bool:
        """
        Tell whether a caller that waits may add to a full buffer.

        Many may call at once, and each waits. No caller may once the client has been behind for the whole timeout, or
        has used up its :class:`PauseBudget`: callers that send to several clients then do not wait for it.
        """
        return not self.is_given_up and now - self._since < self._timeout_s and self._pause_budget.left_s(now) > 0


def buffers_for(congestion: Congestion | None, now: float, *, waits: bool) -> int:
    """Return how much may wait for a client, as a multiple of its buffer; *waits*: the caller waits afterwards."""
    may_exceed = waits and (congestion is None or congestion.may_exceed(now))
    return BUFFERS_FOR_WAITING if may_exceed else 1
