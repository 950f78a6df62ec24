"""
Polling payloads, both ways: packets joined by the record separator, binary as ``b`` and base64.

Source: Engine.IO protocol v4, "Packet encoding", "HTTP long-polling"; the JavaScript client for what a client sends at
once.
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
    from collections import deque
    from collections.abc import Iterable, Iterator

    from fastsio.engine.packet import WirePacket

SEPARATOR: Final = "\x1e"
#: python-engineio's clients drop all packets of a poll if there are more.
SAFE_PACKETS_PER_POLL: Final = 16
#: Packets of one POST; python-engineio's servers drop a body that has more, as its clients do.
MAX_POSTED: Final = SAFE_PACKETS_PER_POLL
#: How the User-Agent of clients that read any number begins: browsers, Node.js, and Java on Android.
UNLIMITED_CLIENTS: Final = ("Mozilla/", "node", "okhttp/")
#: Open, upgrade and noop have no meaning for an open session; the JavaScript server ignores them too.
IGNORED: Final = frozenset("056")
#: The packet types a client may post: close, pong, message, and those that are ignored. A ping comes from the server.
CLIENT_TYPES: Final = frozenset("134") | IGNORED


def encode_payload(packets: Iterable[WirePacket], jsonp_index: int | None = None) -> bytes:
    """Join packets to the body of a poll's response; *jsonp_index* is the ``j`` of a client that polls by script."""
    text = SEPARATOR.join([packet.polling for packet in packets])
    if jsonp_index is not None:
        text = f"___eio[{jsonp_index}]({json.dumps(text)});"
    return text.encode(errors="replace")


def packets_per_poll(user_agent: str) -> int:
    """Return how many packets the answer to a poll may have: for an unknown client as many as all clients read."""
    return sys.maxsize if user_agent.startswith(UNLIMITED_CLIENTS) else SAFE_PACKETS_PER_POLL


def reads_close(user_agent: str) -> bool:
    """
    Tell whether a client that polls connects again after a close packet of the server.

    Args:
        user_agent: The request's ``User-Agent``. Python clients stay away after such a packet, and connect again after
            an error; an unknown client gets the error, which all clients take for a broken connection.
    """
    return user_agent.startswith(UNLIMITED_CLIENTS)


def decode_payload(body: bytes) -> Iterator[str | bytes]:
    """
    Split a posted body into packets, one at a time: text with the type in front, bytes for a binary message.

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
    """Decode the binary message in a packet of text; raise PacketError if it is not base64."""
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise PacketError("a binary packet is not base64") from error


# As a client reads and writes them.


def split_poll(body: bytes) -> list[str | bytes]:
    """Split the answer to a poll into packets: text with its type, bytes for binary; PacketError if malformed."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise PacketError("the answer to a poll is not UTF-8") from error
    packets = text.split(SEPARATOR) if text else ()
    return [decode_base64(packet[1:]) if packet[:1] == "b" else packet for packet in packets]


def next_post(waiting: deque[WirePacket], max_bytes: int) -> str:
    """Take the packets of one POST, in order, and return its body; only one packet alone may exceed *max_bytes*."""
    packet = waiting.popleft()
    body, size = packet.polling, _polling_size(packet)
    for _ in range(MAX_POSTED - 1):
        if not waiting:
            break
        size += len(SEPARATOR) + _polling_size(waiting[0])
        if size > max_bytes:
            break
        body += SEPARATOR + waiting.popleft().polling
    return body


def _polling_size(packet: WirePacket) -> int:
    """Return how many bytes a packet has in a payload."""
    return len(packet.polling) if packet.binary else packet.size
