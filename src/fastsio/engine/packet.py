"""
Outgoing Engine.IO packets; each is encoded once for all clients that get it.

Incoming packets are read in :mod:`.payload` and :mod:`.frame_reader`, without making objects of them.
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any, Final

from fastsio.base.emit_args import unwritable
from fastsio.engine import frames
from fastsio.engine.frames import BINARY, TEXT, frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastsio.protocol import Packet

OPEN: Final = 0
CLOSE: Final = 1
PING: Final = 2
PONG: Final = 3
MESSAGE: Final = 4
UPGRADE: Final = 5
NOOP: Final = 6


class WirePacket:
    """
    The base of packets: the text or bytes that are sent, and their size.

    Attributes:
        data: The payload as given.
        binary: True when ``wire`` is bytes.
        wire: The WebSocket frame: text with the packet type in front, or the bytes of a binary message.
    """

    __slots__ = ("_eio3", "_frame", "_polling", "_size", "binary", "data", "wire")

    packet_type: int
    data: Any
    binary: bool
    wire: str | bytes
    _frame: bytes | None
    _polling: str | None
    _size: int
    #: Set on binary messages only.
    _eio3: WirePacket | None

    @property
    def size(self) -> int:
        """The bytes this packet occupies on a WebSocket, without framing."""
        size = self._size
        if size < 0:
            wire = self.wire
            size = self._size = len(wire.encode(errors="replace")) if isinstance(wire, str) else len(wire)
        return size

    def encode(self, b64: bool = False) -> str | bytes:
        """Return the packet as it is written; with *b64* as in a polling payload, which is text."""
        return self.polling if b64 else self.wire

    @property
    def polling(self) -> str:
        """The packet's form in a polling payload."""
        text = self._polling
        if text is None:
            wire = self.wire
            text = self._polling = wire if isinstance(wire, str) else "b" + b64encode(wire).decode("ascii")
        return text

    @property
    def frame(self) -> bytes:
        """The bytes of the whole frame, for transports that write them as they are."""
        if self._frame is None:
            wire = self.wire
            self._frame = (
                frame(BINARY, wire) if isinstance(wire, bytes) else frame(TEXT, wire.encode("utf-8", "replace"))
            )
        return self._frame

    @property
    def eio3(self) -> WirePacket:
        """The packet as Engine.IO 3 clients get it: the same, unless it is binary."""
        wire = self.wire
        if isinstance(wire, str):
            return self
        packet = self._eio3
        if packet is None:
            packet = self._eio3 = Eio3BinaryPacket(wire)
        return packet

    @property
    def text(self) -> WirePacket:
        """The packet in a frame of text, which it is unless it is binary."""
        return self


class MessagePacket(WirePacket):
    """A message for a client; bytes-likes are copied, so the caller may reuse its buffer."""

    __slots__ = ()

    packet_type = MESSAGE

    def __init__(self, data: str | bytes | bytearray | memoryview) -> None:
        self.data = data
        self._polling = self._frame = None
        if isinstance(data, str):
            self.binary = False
            self.wire = "4" + data
            self._size = -1
        else:
            self.binary = True
            self.wire = bytes(data)
            self._size = len(self.wire)
            self._eio3 = None

    @property
    def text(self) -> WirePacket:
        """The packet in a frame of text, for a client that reads no binary."""
        return TextPacket(self) if self.binary else self


class Eio3BinaryPacket(WirePacket):
    """A binary message for an Engine.IO 3 client, which reads the packet type in front of binary messages too."""

    __slots__ = ("_text",)

    packet_type = MESSAGE
    data: bytes
    _text: WirePacket | None

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.binary = True
        self.wire = bytes([MESSAGE]) + data
        self._size = len(self.wire)
        self._polling = self._frame = self._text = None
        self._eio3 = self

    @property
    def polling(self) -> str:
        """The packet's form in a payload of text."""
        text = self._polling
        if text is None:
            text = self._polling = "b4" + b64encode(self.data).decode("ascii")
        return text

    @property
    def text(self) -> WirePacket:
        """The packet in a frame of text, for a client that reads no binary."""
        packet = self._text
        if packet is None:
            packet = self._text = TextPacket(self)
        return packet


class TextPacket(WirePacket):
    """A binary message in a frame of text; *packet* is the message as other clients get it."""

    __slots__ = ()

    packet_type = MESSAGE

    def __init__(self, packet: WirePacket) -> None:
        self.data = packet.data
        self.binary = False
        self.wire = packet.polling
        self._size = len(self.wire)
        self._polling = self._frame = None


class ControlPacket(WirePacket):
    """A packet of Engine.IO itself, and text after its type; the limits of a client's buffer do not apply to it."""

    __slots__ = ("packet_type",)

    def __init__(self, packet_type: int, data: str = "") -> None:
        self.packet_type = packet_type
        self.data = data
        self.binary = False
        self.wire = f"{packet_type}{data}"
        self._polling = self._frame = None
        self._size = -1


class ControlFrame(WirePacket):
    """A control frame of WebSocket, of the kind *head*, which is sent in order with the packets of a session."""

    __slots__ = ()

    def __init__(self, head: int, data: bytes) -> None:
        self.data = self.wire = data
        self.binary = True
        self._polling = None
        self._frame = frame(head, data)
        self._eio3 = self
        self._size = len(data)


def closing_frame(code: int) -> ControlFrame:
    """Return the frame that begins or answers the closing handshake."""
    return ControlFrame(frames.CLOSE, code.to_bytes(2))


def pong_frame(data: bytes) -> ControlFrame:
    """Return the answer to a ping frame of the peer with the payload *data*."""
    return ControlFrame(frames.PONG, data)


def join_frames(packets: Sequence[WirePacket]) -> bytes:
    """Return the frames of packets as one object; the frame of a single packet is the same object each time."""
    return packets[0].frame if len(packets) == 1 else b"".join([packet.frame for packet in packets])


CLOSE_PACKET: Final = ControlPacket(CLOSE)
#: The last packet of a polling session when the server shuts down; not every client gets it.
SHUTDOWN_PACKET: Final = ControlPacket(CLOSE)
PING_PACKET: Final = ControlPacket(PING)
PONG_PACKET: Final = ControlPacket(PONG)
NOOP_PACKET: Final = ControlPacket(NOOP)


def message_of(data: Any) -> MessagePacket:
    """Build a message from what ``send()`` takes: text and bytes as they are, None as empty text, others as JSON."""
    if isinstance(data, (str, bytes, bytearray, memoryview)):
        return MessagePacket(data)
    if data is None:
        return MessagePacket("")
    return MessagePacket(json.dumps(data, separators=(",", ":")))


def frames_of(packet: Packet) -> list[MessagePacket]:
    """Encode a Socket.IO packet into messages, its text first and its attachments after it."""
    try:
        encoded = packet.encode()
    except TypeError as error:
        raise unwritable(packet, error) from error
    if isinstance(encoded, list):
        return [MessagePacket(frame) for frame in encoded]
    return [MessagePacket(encoded)]


def packet_of(packet: Any) -> WirePacket:
    """Return a packet of fastsio as it is, and for one of ``engineio.packet.Packet`` a packet of what it encodes to."""
    if isinstance(packet, WirePacket):
        return packet
    if packet.packet_type == MESSAGE:
        return message_of(packet.data)
    return ControlPacket(packet.packet_type, str(packet.encode())[1:])
