from __future__ import annotations

from fastsio.protocol.packet_type import PACKET_NAMES, PACKET_TYPES, RESERVED_EVENTS, PacketType


def test_the_types_have_the_digits_of_the_protocol():
    """C-37: they are integers, and have names. Source: Socket.IO protocol v5, "Packet types"."""
    assert {packet_type.name: packet_type.value for packet_type in PacketType} == {
        "CONNECT": 0,
        "DISCONNECT": 1,
        "EVENT": 2,
        "ACK": 3,
        "CONNECT_ERROR": 4,
        "BINARY_EVENT": 5,
        "BINARY_ACK": 6,
    }


def test_types_and_names_are_found_by_their_digit():
    """Position in the tables is the digit on the wire."""
    assert [PACKET_TYPES[number] for number in range(7)] == list(PacketType)
    assert PACKET_NAMES[5] == "BINARY_EVENT"


def test_the_reserved_events_are_those_of_the_javascript_parser():
    """Source: socket.io-parser 4.2.7."""
    assert {
        "connect",
        "connect_error",
        "disconnect",
        "disconnecting",
        "newListener",
        "removeListener",
    } == RESERVED_EVENTS
