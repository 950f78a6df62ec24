"""
How often a client may send WebSocket frames that carry no message.

Must not know clocks: the time is asked of a function that is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOW_S: Final = 1.0


class TooManyFrames(PacketError):  # noqa: N818 - says what happened
    """The client sent frames that carry no message at a rate that no use needs."""

    def __init__(self) -> None:
        super().__init__("more pings, pongs and empty fragments in a second than max_control_frames")


class FrameRate:
    """
    Counts the pings, pongs and empty fragments of one WebSocket.

    Args:
        most: How many are allowed in a second.
        clock: Returns the time in seconds.
    """

    __slots__ = ("_begin_s", "_clock", "_most", "_spare")

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self._most = self._spare = most
        self._clock = clock
        self._begin_s = clock()

    def is_exceeded(self) -> bool:
        """Count a frame; tell whether it is one too many. The clock is asked when *most* have been counted."""
        self._spare -= 1
        if self._spare >= 0:
            return False
        now = self._clock()
        is_exceeded = now - self._begin_s < WINDOW_S
        self._begin_s = now
        self._spare = self._most - 1
        return is_exceeded
