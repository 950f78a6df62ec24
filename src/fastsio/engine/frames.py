"""
The frames of a WebSocket: those that a server writes, and whether those of a client are masked.

Source: RFC 6455, sections 5.1 and 5.2: what a server writes is not masked, and it "MUST close the connection upon
receiving a frame that is not masked".
"""

from __future__ import annotations

from typing import Final

FIN: Final = 0x80
TEXT: Final = FIN | 0x1
BINARY: Final = FIN | 0x2
CLOSE: Final = FIN | 0x8
PONG: Final = FIN | 0xA
#: Lengths up to here are written in the second byte itself, these two announce 16 and 64 bits of length.
SHORT: Final = 125
LENGTH_16: Final = 126
LENGTH_64: Final = 127
MASKED: Final = 0x80
KEY_BYTES: Final = 4
#: The size of the first part of a frame, which tells the size of the rest.
START_BYTES: Final = 2
#: Length in the second byte -> bytes of the length that follows.
LONG: Final = {LENGTH_16: 2, LENGTH_64: 8}
#: Nearly every frame is short; their heads are looked up.
SHORT_HEADS: Final = {
    head: [bytes((head, length)) for length in range(SHORT + 1)] for head in (TEXT, BINARY, CLOSE, PONG)
}


def frame(head: int, payload: bytes) -> bytes:
    """Build a frame; *head* is ``TEXT``, ``BINARY``, ``CLOSE`` or ``PONG``."""
    length = len(payload)
    if length <= SHORT:
        return SHORT_HEADS[head][length] + payload
    if length < 1 << 16:
        return bytes((head, LENGTH_16)) + length.to_bytes(2) + payload
    return bytes((head, LENGTH_64)) + length.to_bytes(8) + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """Build a close frame with a code of section 7.4; a reason that is too long for a control frame is cut off."""
    text = reason.encode(errors="replace")[: SHORT - 2]
    return frame(CLOSE, code.to_bytes(2) + text.decode(errors="ignore").encode())


class MaskCheck:
    """
    Checks the frames of one client, for frameworks that do not check whether frames are masked.

    It reads the heads of the frames in the bytes that arrive, in pieces of any size, and skips their payloads.
    """

    __slots__ = ("_head", "_skip")

    def __init__(self) -> None:
        self._head = b""
        self._skip = 0

    def feed(self, data: bytes) -> int | None:
        """Take the next bytes; return None, or how many of them are of frames before the first that is not masked."""
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
