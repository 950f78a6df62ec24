"""
How many events a client may send in a window of time.

Pure counting: the time is an argument.
"""

from __future__ import annotations

from collections import OrderedDict, deque


class RateWindow:
    """
    A sliding window for each client.

    Args:
        max_requests: Events that a client may send in any window.
        window_s: The window's length in seconds.

    Raises:
        ValueError: One of them is not a positive number.
    """

    def __init__(self, max_requests: int, window_s: float) -> None:
        if max_requests < 1 or window_s <= 0:
            raise ValueError(f"max_requests={max_requests!r}, window={window_s!r}: both must be positive")
        self._max_requests = max_requests
        self._window_s = window_s
        self._taken: OrderedDict[str, deque[float]] = OrderedDict()

    def take(self, client: str, now_s: float) -> float:
        """
        Count an event of *client* at *now_s*, unless it is one too many.

        Returns:
            0.0 when it counts, else the seconds until the next one will.
        """
        taken = self._taken.setdefault(client, deque(maxlen=self._max_requests))
        if len(taken) == self._max_requests and now_s - taken[0] < self._window_s:
            return self._window_s - (now_s - taken[0])
        taken.append(now_s)
        self._taken.move_to_end(client)
        self._forget_idle(now_s)
        return 0.0

    def _forget_idle(self, now_s: float) -> None:
        """Drop clients whose last event is out of the window; the longest silent come first."""
        while True:
            client, taken = next(iter(self._taken.items()))
            if now_s - taken[-1] < self._window_s:
                return
            del self._taken[client]

    def __len__(self) -> int:
        return len(self._taken)
