"""
Reads the frames of a client in its revision of Engine.IO, and limits those that carry no message.

This module reads no clock: a function that returns the time is an argument.

Source: Engine.IO protocol v4, "Packet encoding"; for v3 see :mod:`fastsio.engine.eio3`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from fastsio.engine import eio3
from fastsio.engine.payload import IGNORED, decode_base64
from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from collections.abc import Callable

#: The first characters of text frames that are messages, in base64 or not.
MESSAGES: Final = ("4", "b")
NORMAL_CLOSURE: Final = 1000
GOING_AWAY: Final = 1001
PROTOCOL_ERROR: Final = 1002
POLICY_VIOLATION: Final = 1008
MESSAGE_TOO_BIG: Final = 1009
#: Seconds in which frames without a message are counted.
WINDOW_S: Final = 1.0


class Session(Protocol):
    """The members of a session that reading uses."""

    server: Any

    def on_heartbeat(self) -> None:
        """Handle a ping or pong."""


class LinkLost(Exception):  # noqa: N818 - says what happened
    """The peer closed the WebSocket; ``code`` is the close code that it sent, 1000 if it sent none."""

    def __init__(self, code: int = NORMAL_CLOSURE) -> None:
        super().__init__()
        self.code = code


class ClientLeft(Exception):  # noqa: N818 - says what happened
    """The client sent a close packet."""


class TooManyFrames(PacketError):  # noqa: N818 - says what happened
    """The client sends too many frames that carry no message."""

    def __init__(self) -> None:
        super().__init__("more pings, pongs and empty fragments in a second than max_control_frames")


class FrameRate:
    """Counts the pings, pongs and empty fragments of one WebSocket, of which *most* are allowed in a second."""

    __slots__ = ("_begin_s", "_clock", "_most", "_spare")

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self._most = self._spare = most
        self._clock = clock
        self._begin_s = clock()

    def is_exceeded(self) -> bool:
        """Count a frame; return whether there are too many. The clock is read when *most* have been counted."""
        self._spare -= 1
        if self._spare >= 0:
            return False
        now = self._clock()
        is_exceeded = now - self._begin_s < WINDOW_S
        self._begin_s = now
        self._spare = self._most - 1
        return is_exceeded


class BadFrame(PacketError):  # noqa: N818 - says what happened
    """A frame breaks the rules of WebSocket itself; ``code`` is the close code for the WebSocket."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def closing_code(error: PacketError) -> int:
    """Return the close code for a client that broke the protocol or a limit (RFC 6455, section 7.4.1)."""
    if isinstance(error, BadFrame):
        return error.code
    if isinstance(error, TooManyFrames):
        return POLICY_VIOLATION
    return NORMAL_CLOSURE if error.limit is None else MESSAGE_TOO_BIG


def _binary(frame: bytes, limit: int) -> bytes:
    check_size(len(frame), limit)
    return frame


def _text(socket: Session, frame: str) -> str | bytes | None:
    """Read a text frame: return its message, or None for a packet of Engine.IO itself."""
    kind = frame[:1]
    if kind in MESSAGES:
        check_size(len(frame.encode(errors="replace")), socket.server.max_http_buffer_size)
        # Clients that cannot send binary frames, or are told not to (forceBase64), write binary as polling does.
        return frame[1:] if kind == "4" else decode_base64(frame[1:])
    if kind == "3":
        socket.on_heartbeat()
        return None
    if kind == "1":
        raise ClientLeft
    if kind in IGNORED:
        return None
    raise PacketError("a frame of unknown type" if kind else "an empty frame")


def _eio3_binary(frame: bytes, limit: int) -> bytes:
    return eio3.decode_binary(_binary(frame, limit))


def _eio3_text(socket: Session, frame: str) -> str | bytes | None:
    """Do what :func:`_text` does, for a client of Engine.IO 3, which sends pings and may send binary as base64."""
    check_size(len(frame.encode(errors="replace")), socket.server.max_http_buffer_size)
    packet = eio3.decode_packet(frame)
    if isinstance(packet, bytes):
        return packet
    if packet[0] == "4":
        return packet[1:]
    if packet[0] == "1":
        raise ClientLeft
    if packet[0] not in IGNORED:
        socket.on_heartbeat()
    return None


def check_size(size: int, limit: int) -> None:
    """Raise PacketError if a frame is larger than *limit*."""
    if size > limit:
        raise PacketError("a frame over the size limit", limit=limit, value=size)


#: How text and binary frames are read, by revision of Engine.IO.
READERS: Final = {3: (_eio3_text, _eio3_binary), 4: (_text, _binary)}
