"""
The frames that a WebSocket server writes; they are not masked.

Source: RFC 6455, section 5.2.
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
#: Nearly every frame is short; their heads are looked up.
SHORT_HEADS: Final = {
    head: [bytes((head, length)) for length in range(SHORT + 1)] for head in (TEXT, BINARY, CLOSE, PONG)
}


def frame(head: int, payload: bytes) -> bytes:
    """
    Build a frame.

    Args:
        head: ``TEXT``, ``BINARY``, ``CLOSE`` or ``PONG``.
        payload: What the frame carries.
    """
    length = len(payload)
    if length <= SHORT:
        return SHORT_HEADS[head][length] + payload
    if length < 1 << 16:
        return bytes((head, LENGTH_16)) + length.to_bytes(2) + payload
    return bytes((head, LENGTH_64)) + length.to_bytes(8) + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """
    Build a close frame.

    Args:
        code: Why, one of the codes of section 7.4.
        reason: The same for people; what is too long for a control frame is cut off.
    """
    text = reason.encode(errors="replace")[: SHORT - 2]
    return frame(CLOSE, code.to_bytes(2) + text.decode(errors="ignore").encode())
