"""
Whether the frames of a WebSocket's client are masked, for frameworks that do not look.

Pure: reads the heads of frames in what arrives, in whatever pieces, and nothing of their payloads.

Source: RFC 6455, section 5.1: "The server MUST close the connection upon receiving a frame that is not masked."
"""

from __future__ import annotations

from typing import Final

MASKED: Final = 0x80
KEY_BYTES: Final = 4
#: The first two bytes of a frame say how it goes on.
START_BYTES: Final = 2
#: Length in the second byte -> bytes of the length that follows.
LONG: Final = {126: 2, 127: 8}


class MaskCheck:
    """Follows the frames of one client."""

    __slots__ = ("_head", "_skip")

    def __init__(self) -> None:
        self._head = b""
        self._skip = 0

    def feed(self, data: bytes) -> int | None:
        """
        Take what has arrived.

        Args:
            data: The next bytes of the connection.

        Returns:
            None, or how many of the bytes are of frames before the first that is not masked.
        """
        position = 0
        while position < len(data):
            if self._skip:
                step = min(self._skip, len(data) - position)
                self._skip -= step
                position += step
                continue
            start = max(0, position - len(self._head))
            head = self._head + data[position : position + self._missing()]
            position += len(head) - len(self._head)
            self._head = head
            if len(head) >= START_BYTES and not head[1] & MASKED:
                return start
            if not self._missing():
                self._skip = _length(head) + KEY_BYTES
                self._head = b""
        return None

    def _missing(self) -> int:
        head = self._head
        if len(head) < START_BYTES:
            return START_BYTES - len(head)
        return START_BYTES + LONG.get(head[1] & ~MASKED, 0) - len(head)


def _length(head: bytes) -> int:
    short = head[1] & ~MASKED
    return int.from_bytes(head[START_BYTES:]) if short in LONG else short
