"""
How often a server says what clients do wrong: once a minute for each kind of it.

Pure: the time is an argument. A kind is a word of the server's, never anything that a client sent.
"""

from __future__ import annotations

from typing import Final

INTERVAL_S: Final = 60.0


class Reports:
    """Remembers when each kind of mistake was last reported."""

    __slots__ = ("_kinds",)

    def __init__(self) -> None:
        self._kinds: dict[str, tuple[float, int]] = {}

    def due(self, kind: str, now: float) -> tuple[bool, int] | None:
        """
        Count a mistake, and say whether to report it.

        Args:
            kind: What was wrong.
            now: Seconds of a clock that never goes back.

        Returns:
            Whether it is the first of its kind, and how many were not reported since the last that was; None when this
            one is not to be reported either.
        """
        last = self._kinds.get(kind)
        if last is None:
            self._kinds[kind] = (now, 0)
            return True, 0
        reported_at, skipped = last
        if now - reported_at < INTERVAL_S:
            self._kinds[kind] = (reported_at, skipped + 1)
            return None
        self._kinds[kind] = (now, 0)
        return False, skipped
