"""What is decided when a connection to a broker breaks or is back; who listens waits, and must not decide."""

from __future__ import annotations

from random import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastsio.protocol.backoff import Backoff


class Reconnection:
    """
    The state of a connection that is made again and again.

    A loss is reported once, however many attempts fail after it, and so is its end.

    Args:
        backoff: How long to wait between attempts.
        on_lost: Called with the reason when the connection has been lost or cannot be made.
        on_back: Called when it is there again.

    Attributes:
        is_up: Whether messages arrive at present.
        is_stopping: Whether there shall be no more attempts.
    """

    def __init__(self, backoff: Backoff, on_lost: Callable[[str], object], on_back: Callable[[], object]) -> None:
        self.is_up = False
        self.is_stopping = False
        self._backoff = backoff
        self._on_lost = on_lost
        self._on_back = on_back
        self._has_lost = False

    def confirm(self) -> None:
        """Store that messages arrive."""
        self.is_up = not self.is_stopping
        self._backoff.reset()
        if self._has_lost:
            self._has_lost = False
            self._on_back()

    def lose(self, why: str) -> float:
        """
        Store that an attempt has ended.

        Args:
            why: What ended it, for the report.

        Returns:
            Seconds to wait before the next attempt; 0 if there shall be none.
        """
        self.is_up = False
        if self.is_stopping:
            return 0.0
        if not self._has_lost:
            self._has_lost = True
            self._on_lost(why)
        return self._backoff.next(random())  # noqa: S311 - jitter

    def stop(self) -> None:
        """Make no more attempts."""
        self.is_stopping, self.is_up = True, False
