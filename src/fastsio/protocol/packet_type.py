"""
The packet types of the Socket.IO protocol and the event names it reserves.

It is a module of its own because nearly all of :mod:`fastsio.protocol` imports it. Source: Socket.IO protocol v5.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class PacketType(IntEnum):
    """The digit a packet starts with."""

    CONNECT = 0
    DISCONNECT = 1
    EVENT = 2
    ACK = 3
    CONNECT_ERROR = 4
    BINARY_EVENT = 5
    BINARY_ACK = 6


#: The types in the order of their digits: ``PACKET_TYPES[2] is PacketType.EVENT``, faster than ``PacketType(2)``.
PACKET_TYPES: Final[tuple[PacketType, ...]] = tuple(PacketType)

#: The names of the types in the order of their digits.
PACKET_NAMES: Final[list[str]] = [packet_type.name for packet_type in PACKET_TYPES]

#: Names that a peer may not give to an event: the server or the client uses them for events of its own.
#: Source: socket.io-parser 4.2.7, RESERVED_EVENTS.
RESERVED_EVENTS: Final[frozenset[str]] = frozenset(
    {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
)

#: Names that a client may not give to an event: a server's handler for ``"*"`` is the one for all other events.
FORBIDDEN_EVENTS: Final[frozenset[str]] = RESERVED_EVENTS | {"*"}
