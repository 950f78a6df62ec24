"""
Polling payloads, both ways: packets joined by the record separator, binary as ``b`` and base64.

Source: Engine.IO protocol v4, "Packet encoding", "HTTP long-polling".
"""

from __future__ import annotations

import binascii
import json
from base64 import b64decode
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fastsio.engine.packet import WirePacket

SEPARATOR: Final = "\x1e"
#: Open, upgrade and noop mean nothing to a session that is open; the JavaScript server ignores them too.
IGNORED: Final = frozenset("056")
#: The packet types a client may post: close, pong, message, and those that are ignored. A ping comes from the server.
CLIENT_TYPES: Final = frozenset("134") | IGNORED


def encode_payload(packets: Iterable[WirePacket], jsonp_index: int | None = None) -> bytes:
    """
    Join packets to the body of a poll's response.

    Args:
        packets: In the order of delivery.
        jsonp_index: The ``j`` of the query, when the client polls by script tag.
    """
    text = SEPARATOR.join([packet.polling for packet in packets])
    if jsonp_index is not None:
        text = f"___eio[{jsonp_index}]({json.dumps(text)});"
    return text.encode(errors="replace")


def decode_payload(body: bytes, max_packets: int) -> list[str | bytes]:
    """
    Split a posted body into packets: text with the type in front, bytes for a binary message.

    Args:
        body: The request's body.
        max_packets: How many packets one body may hold.

    Raises:
        PacketError: The body is not UTF-8, holds too many packets, or a packet of it is malformed.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise PacketError("the body is not UTF-8") from error
    if text.startswith("d="):
        text = parse_qs(text).get("d", [""])[0]
    count = text.count(SEPARATOR) + 1
    if count > max_packets:
        raise PacketError("too many packets in one payload", limit=max_packets, value=count)
    return [_decode_packet(packet) for packet in text.split(SEPARATOR)]


def _decode_packet(text: str) -> str | bytes:
    kind = text[:1]
    if kind == "b":
        return decode_base64(text[1:])
    if kind not in CLIENT_TYPES or not kind:
        raise PacketError("a packet of unknown type" if kind else "an empty packet")
    return text


def decode_base64(text: str) -> bytes:
    """
    Read what stands for binary in a packet of text.

    Raises:
        PacketError: It is not base64.
    """
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise PacketError("a binary packet is not base64") from error
