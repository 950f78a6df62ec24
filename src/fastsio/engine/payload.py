"""
Polling payloads, both ways: packets joined by the record separator, binary as ``b`` and base64.

Source: Engine.IO protocol v4, "Packet encoding", "HTTP long-polling".
"""

from __future__ import annotations

import binascii
import json
import sys
from base64 import b64decode
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fastsio.engine.packet import WirePacket

SEPARATOR: Final = "\x1e"
#: python-engineio's clients lose all of a poll's packets if there are more.
CAREFUL_PACKETS: Final = 16
#: How the User-Agent of clients begins that read any number: browsers, Node.js, and Java's on Android.
CARELESS_CLIENTS: Final = ("Mozilla/", "node", "okhttp/")
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


def packets_per_poll(user_agent: str) -> int:
    """
    Return how many packets the answer to a poll may have.

    Args:
        user_agent: The request's ``User-Agent``. What is not known to read any number gets as many as all clients read;
            the rest comes with its next polls.
    """
    return sys.maxsize if user_agent.startswith(CARELESS_CLIENTS) else CAREFUL_PACKETS


def decode_payload(body: bytes) -> Iterator[str | bytes]:
    """
    Split a posted body into packets, one at a time: text with the type in front, bytes for a binary message.

    Args:
        body: The request's body.

    Raises:
        PacketError: The body is not UTF-8, or the next packet is malformed.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise PacketError("the body is not UTF-8") from error
    if text.startswith("d="):
        text = parse_qs(text).get("d", [""])[0]
    start = 0
    while (end := text.find(SEPARATOR, start)) >= 0:
        yield _decode_packet(text[start:end])
        start = end + 1
    yield _decode_packet(text[start:])


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
