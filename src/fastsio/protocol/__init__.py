"""
The Socket.IO protocol without I/O: packets, limits, decoder, acknowledgements and the lifecycle of a namespace.

No module here reads a clock, a socket or a random number: functions take what has happened as arguments and return
what follows from it.
"""

from __future__ import annotations

from fastsio.protocol.acks import PendingAcks
from fastsio.protocol.decoder import Decoder, wire_bytes
from fastsio.protocol.dialect import CURRENT, LEGACY, Dialect
from fastsio.protocol.jsoncodec import DEFAULT_CODEC, BinaryInPayload, JSONCodec, OrjsonCodec, StdlibCodec, adapt
from fastsio.protocol.lifecycle import TRANSITIONS, VERDICTS, Happening, NamespaceState, Verdict, advance, on_packet
from fastsio.protocol.limits import DEFAULT_LIMITS, Limits
from fastsio.protocol.packet import Packet
from fastsio.protocol.packet_type import PACKET_NAMES, PACKET_TYPES, RESERVED_EVENTS, PacketType
from fastsio.protocol.quick import ack_writer, binary_ack_writer, binary_event_reader, connect_writer, event_reader

__all__ = [
    "CURRENT",
    "DEFAULT_CODEC",
    "DEFAULT_LIMITS",
    "LEGACY",
    "PACKET_NAMES",
    "PACKET_TYPES",
    "RESERVED_EVENTS",
    "TRANSITIONS",
    "VERDICTS",
    "BinaryInPayload",
    "Decoder",
    "Dialect",
    "Happening",
    "JSONCodec",
    "Limits",
    "NamespaceState",
    "OrjsonCodec",
    "Packet",
    "PacketType",
    "PendingAcks",
    "StdlibCodec",
    "Verdict",
    "ack_writer",
    "adapt",
    "advance",
    "binary_ack_writer",
    "binary_event_reader",
    "connect_writer",
    "event_reader",
    "on_packet",
    "wire_bytes",
]
