"""
What a test client says and hears, without I/O: Engine.IO and Socket.IO packets of a client, and what each answer means.

Source: Engine.IO protocol v4; Socket.IO protocol v5.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from fastsio.base.emit_args import answer, event_arguments
from fastsio.protocol import DEFAULT_CODEC, PacketType
from fastsio.protocol.decoder import ServerDecoder

if TYPE_CHECKING:
    from fastsio.protocol import Packet

OPEN: Final = "0"
CLOSE: Final = "1"
PING: Final = "2"
PONG: Final = "3"
MESSAGE: Final = "4"


@dataclass(frozen=True, slots=True)
class Received:
    """
    An event that the server has sent.

    Attributes:
        event: Its name.
        args: Its arguments.
        namespace: Where it came.
        ack_id: Set when the server waits for an acknowledgement.
    """

    event: str
    args: tuple[Any, ...]
    namespace: str = "/"
    ack_id: int | None = field(default=None, compare=False)

    @property
    def data(self) -> Any:
        """None, the one argument, or a tuple of several."""
        return answer(self.args)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server has let the client into a namespace."""

    namespace: str
    sid: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The server has kept the client out of a namespace."""

    namespace: str
    data: Any


@dataclass(frozen=True, slots=True)
class Left:
    """The server has put the client out of a namespace."""

    namespace: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The server has acknowledged an event of the client."""

    namespace: str
    ack_id: int
    args: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """The Engine.IO connection is open."""

    handshake: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pinged:
    """The server asks whether the client is there."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The server has closed the Engine.IO connection."""


Happening = Received | Accepted | Refused | Left | Acknowledged | Opened | Pinged | Closed


class Conversation:
    """
    Encodes what a client says, and reads what it hears.

    Args:
        packet_class: The class of the server's packets.
    """

    def __init__(self, packet_class: type[Packet]) -> None:
        self._packet_class = packet_class
        self._decoder = ServerDecoder(packet_class)
        self._ack_ids: Final = count(1)

    def connect(self, namespace: str, auth: Any) -> list[str | bytes]:
        """Return the frames that ask to be let into a namespace."""
        return self._frames(self._packet_class(PacketType.CONNECT, auth, namespace))

    def disconnect(self, namespace: str) -> list[str | bytes]:
        """Return the frames that leave a namespace."""
        return self._frames(self._packet_class(PacketType.DISCONNECT, None, namespace))

    def emit(self, event: str, data: Any, namespace: str) -> list[str | bytes]:
        """Return the frames of an event that nobody acknowledges."""
        return self._event(event, data, namespace, None)

    def call(self, event: str, data: Any, namespace: str) -> tuple[int, list[str | bytes]]:
        """Return the id and the frames of an event that is to be acknowledged."""
        ack_id = next(self._ack_ids)
        return ack_id, self._event(event, data, namespace, ack_id)

    def acknowledge(self, received: Received, values: tuple[Any, ...]) -> list[str | bytes]:
        """Return the frames that answer an event of the server."""
        return self._frames(self._packet_class(PacketType.ACK, list(values), received.namespace, received.ack_id))

    def hear(self, frame: str | bytes) -> Happening | None:
        """
        Read a frame of the server's.

        Args:
            frame: Text with its Engine.IO type in front, or the bytes of a binary message.

        Returns:
            What it says; None when its attachments are still to come, or it says nothing.

        Raises:
            PacketError: The server broke the protocol.
        """
        if isinstance(frame, bytes):
            return self._heard(frame)
        match frame[:1]:
            case "0":
                return Opened(DEFAULT_CODEC.loads(frame[1:]))
            case "1":
                return Closed()
            case "2":
                return Pinged()
            case "4":
                return self._heard(frame[1:])
            case _:  # pong and noop
                return None

    def _heard(self, data: str | bytes) -> Happening | None:
        packet = self._decoder.feed(data)
        return None if packet is None else _meaning(packet)

    def _event(self, event: str, data: Any, namespace: str, ack_id: int | None) -> list[str | bytes]:
        return self._frames(self._packet_class(PacketType.EVENT, [event, *event_arguments(data)], namespace, ack_id))

    def _frames(self, packet: Packet) -> list[str | bytes]:
        encoded = packet.encode()
        frames = encoded if isinstance(encoded, list) else [encoded]
        return [MESSAGE + frame if isinstance(frame, str) else bytes(frame) for frame in frames]


def _meaning(packet: Packet) -> Happening:
    namespace = packet.namespace or "/"
    match packet.packet_type:
        case PacketType.CONNECT:
            return Accepted(namespace, packet.data["sid"])
        case PacketType.CONNECT_ERROR:
            return Refused(namespace, packet.data)
        case PacketType.DISCONNECT:
            return Left(namespace)
        case PacketType.ACK | PacketType.BINARY_ACK:
            return Acknowledged(namespace, packet.id or 0, tuple(packet.data))
        case _:
            event, *args = packet.data
            return Received(event, tuple(args), namespace, packet.id)
