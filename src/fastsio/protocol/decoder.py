"""
Make packets of the messages of a client's connection, one at a time, within limits.

This module owns the order of text and attachments and the shape of each packet type's payload, and knows neither who
the client is nor which namespaces it has joined. After an error the decoder waits for no attachments any more: the
caller closes the connection.
Source: Socket.IO protocol v5, "Packet encoding"; socket.io-parser 4.2.7 for what it refuses.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

from fastsio.exceptions import PacketError
from fastsio.protocol.limits import DEFAULT_LIMITS, Limits
from fastsio.protocol.packet import Packet
from fastsio.protocol.packet_type import FORBIDDEN_EVENTS, RESERVED_EVENTS, PacketType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


#: Raises PacketError if the payload of a packet is not one that its type may have.
_Check: TypeAlias = "Callable[[Packet, Limits], None]"


def _check_connect(packet: Packet, _limits: Limits) -> None:
    # The protocol allows an object or no payload; python-socketio's clients send text too.
    if packet.data is not None and not isinstance(packet.data, (dict, str)):
        raise PacketError("the payload of CONNECT is neither object nor text")


def _check_disconnect(packet: Packet, _limits: Limits) -> None:
    if packet.data is not None:
        raise PacketError("DISCONNECT has a payload")


def _check_event(packet: Packet, limits: Limits) -> None:
    _check_event_named(packet, limits, FORBIDDEN_EVENTS)


def _check_event_of_server(packet: Packet, limits: Limits) -> None:
    _check_event_named(packet, limits, RESERVED_EVENTS)


def _check_event_named(packet: Packet, limits: Limits, forbidden: frozenset[str]) -> None:
    data = packet.data
    if type(data) is not list or not data:
        raise PacketError("the payload of an event is no array with a name")
    name: Any = data[0]
    if type(name) is str:
        if name in forbidden:
            raise PacketError("the event's name is reserved")
        if len(name) > limits.max_event_length:
            raise PacketError("the event's name is too long", limit=limits.max_event_length, value=len(name))
    elif type(name) is not int and (type(name) is not float or not isfinite(name)):
        raise PacketError("the event's name is neither text nor a number")


def _check_ack(packet: Packet, _limits: Limits) -> None:
    if packet.id is None:
        raise PacketError("an acknowledgement without an id")
    if not isinstance(packet.data, list):
        raise PacketError("the payload of an acknowledgement is no array")


def _check_connect_error(_packet: Packet, _limits: Limits) -> None:
    raise PacketError("CONNECT_ERROR from a client")


def _check_acceptance(packet: Packet, _limits: Limits) -> None:
    # Servers of protocol 4 send no payload.
    data = packet.data
    if data is not None and not (isinstance(data, dict) and isinstance(data.get("sid", ""), str)):
        raise PacketError("the payload of CONNECT is no object with a sid")


def _check_nothing(_packet: Packet, _limits: Limits) -> None:
    """Accept any payload."""


#: The check of each packet type's payload.
_FROM_CLIENT: Final[Mapping[int, _Check]] = {
    PacketType.CONNECT: _check_connect,
    PacketType.DISCONNECT: _check_disconnect,
    PacketType.EVENT: _check_event,
    PacketType.ACK: _check_ack,
    PacketType.CONNECT_ERROR: _check_connect_error,
    PacketType.BINARY_EVENT: _check_event,
    PacketType.BINARY_ACK: _check_ack,
}

#: Refusals are objects by protocol 5 and text by protocol 4; python-socketio sends reasons with DISCONNECT.
_FROM_SERVER: Final[Mapping[int, _Check]] = {
    **_FROM_CLIENT,
    PacketType.CONNECT: _check_acceptance,
    PacketType.DISCONNECT: _check_nothing,
    PacketType.CONNECT_ERROR: _check_nothing,
    PacketType.EVENT: _check_event_of_server,
    PacketType.BINARY_EVENT: _check_event_of_server,
}


def wire_bytes(frame: str | bytes) -> int:
    """Return how many bytes a frame has on the wire."""
    if isinstance(frame, bytes) or frame.isascii():
        return len(frame)
    return len(frame.encode(errors="replace"))


class Decoder:
    """
    Reads the frames of one client, within limits.

    Attributes:
        packet_bytes: Size of the packet that :meth:`feed` has returned last, attachments included.
        pending_packet: The packet that waits for attachments: its head may be judged before they arrive
            (CVE-2026-48804).
    """

    __slots__ = ("_limits", "_packet_class", "_pending_bytes", "packet_bytes", "pending_packet")

    _shapes: ClassVar[Mapping[int, _Check]] = _FROM_CLIENT

    def __init__(self, packet_class: type[Packet] = Packet, limits: Limits = DEFAULT_LIMITS) -> None:
        self._packet_class = packet_class
        self._limits = limits
        self.pending_packet: Packet | None = None
        self.packet_bytes = self._pending_bytes = 0

    @property
    def pending(self) -> bool:
        """Whether a packet waits for attachments."""
        return self.pending_packet is not None

    def reset(self) -> None:
        """Forget a packet that waits for attachments."""
        self.pending_packet = None
        self._pending_bytes = 0

    def expect(self, packet: Packet, size: int) -> None:
        """Wait for the attachments of a packet whose text of *size* bytes was read already."""
        self.pending_packet = packet
        self.packet_bytes = size

    def feed(self, frame: str | bytes) -> Packet | None:
        """
        Take the next Engine.IO message; return the packet that it completes, or None while attachments are missing.

        The packet's ``namespace`` is None for the root, and its type stays BINARY_EVENT or BINARY_ACK if it had
        attachments, as in python-socketio.

        Raises:
            PacketError: The client broke the protocol or a limit; close its connection.
        """
        if self.pending_packet is not None:
            return self._feed_attachment(self.pending_packet, frame)
        self.packet_bytes = wire_bytes(frame)
        packet = self._packet_class.parse(frame, self._limits)
        self._shapes[packet.packet_type](packet, self._limits)
        if not packet.attachment_count:
            return packet
        self.pending_packet = packet
        return None

    def _feed_attachment(self, packet: Packet, frame: str | bytes) -> Packet | None:
        """Take a frame while attachments are missing."""
        size = self._pending_bytes + len(frame)
        self.reset()
        if isinstance(frame, str):
            raise PacketError("text while attachments are missing")
        if size > self._limits.max_binary_bytes:
            raise PacketError("the attachments are too large", limit=self._limits.max_binary_bytes, value=size)
        self.packet_bytes += len(frame)
        if packet.add_attachment(frame):
            return packet
        self.pending_packet = packet
        self._pending_bytes = size
        return None


class ServerDecoder(Decoder):
    """Reads the frames of a server, for a client."""

    __slots__ = ()

    _shapes = _FROM_SERVER
