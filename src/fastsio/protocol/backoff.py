"""
How long to wait before the next attempt: longer after each one, up to a bound, with a random part.

The random number is an argument, so a test knows which delay it gets.
"""

from __future__ import annotations


class Backoff:
    """Delays between attempts: each twice as long as the one before, up to *most_s*; jitter makes them vary."""

    __slots__ = ("_current_s", "_first_s", "_jitter_s", "_most_s", "attempts")

    def __init__(self, first_s: float, most_s: float, *, jitter_s: float = 0.0) -> None:
        self._first_s = self._current_s = first_s
        self._most_s = most_s
        self._jitter_s = jitter_s
        #: How many delays were handed out since the last success.
        self.attempts = 0

    def next(self, chance: float) -> float:
        """Return the seconds to wait before the next attempt; *chance* is a random number from 0 to 1."""
        delay_s = min(self._current_s, self._most_s)
        self._current_s = min(2 * self._current_s, self._most_s)
        self.attempts += 1
        return max(0.0, delay_s + self._jitter_s * (2 * chance - 1))

    def reset(self) -> None:
        """Begin anew after a success."""
        self._current_s = self._first_s
        self.attempts = 0
