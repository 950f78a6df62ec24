"""
The frames that a WebSocket server writes.

No extension is offered: compression costs more than it saves on short messages, and lets a small frame become a large
one. The JavaScript server leaves it off as well.

Source: RFC 6455, section 5.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastsio.engine.frame_reader import NORMAL_CLOSURE
from fastsio.engine.frames import BINARY, CLOSE, PONG, TEXT, frame
from fastsio.engine.packet import WirePacket

if TYPE_CHECKING:
    from collections.abc import Iterable


class ControlFrame(WirePacket):
    """
    A frame of WebSocket itself, which waits its turn among the packets.

    Args:
        head: The frame's kind.
        data: What it carries.
    """

    __slots__ = ("head",)

    def __init__(self, head: int, data: bytes) -> None:
        self.head = head
        self.data = data
        self.binary = True
        self.wire = data
        self._polling = self._frame = None
        self._eio3 = self
        self._size = len(data)


def close_frame(code: int) -> ControlFrame:
    """Begin or answer the closing handshake."""
    return ControlFrame(CLOSE, code.to_bytes(2))


CLOSE_FRAME: Final = close_frame(NORMAL_CLOSURE)


def pong_frame(data: bytes) -> ControlFrame:
    """Answer a ping frame of the peer, whose payload *data* is."""
    return ControlFrame(PONG, data)


def frames_of(packets: Iterable[WirePacket]) -> bytes:
    """Build the frames of packets, one after the other."""
    return b"".join([frame_of(packet) for packet in packets])


def frame_of(packet: WirePacket) -> bytes:
    """Build the frame of a packet."""
    wire = packet.wire
    if isinstance(wire, str):
        return frame(TEXT, wire.encode(errors="replace"))
    return frame(packet.head if isinstance(packet, ControlFrame) else BINARY, wire)
