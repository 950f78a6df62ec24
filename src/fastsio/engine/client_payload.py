"""
Polling payloads as a client reads and writes them.

Source: Engine.IO protocol v4, "Packet encoding", "HTTP long-polling"; the JavaScript client for what it sends at once.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import TYPE_CHECKING, Final

from fastsio.engine.payload import CAREFUL_PACKETS, SEPARATOR
from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from collections import deque

    from fastsio.engine.packet import WirePacket

#: Packets of one POST; python-engineio's servers drop a body that has more, as its clients do.
MAX_POSTED: Final = CAREFUL_PACKETS


def split_poll(body: bytes) -> list[str | bytes]:
    """
    Split the answer to a poll into packets: text with the type in front, bytes for a binary message.

    Raises:
        PacketError: The answer is not UTF-8, or a binary packet of it is malformed.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise PacketError("the answer to a poll is not UTF-8") from error
    return [_unpacked(packet) for packet in text.split(SEPARATOR)] if text else []


def _unpacked(packet: str) -> str | bytes:
    if packet[:1] != "b":
        return packet
    try:
        return b64decode(packet[1:], validate=True)
    except (binascii.Error, ValueError) as error:
        raise PacketError("a binary packet is not base64") from error


def next_post(waiting: deque[WirePacket], max_bytes: int) -> str:
    """
    Take what one POST may carry, in order, at least one packet.

    Args:
        waiting: What waits to be sent; not empty.
        max_bytes: The size of the body, unless one packet alone is larger.

    Returns:
        The body.
    """
    body = waiting.popleft().polling
    size = len(body.encode(errors="replace"))
    for _ in range(MAX_POSTED - 1):
        if not waiting:
            break
        # A packet's polling form is at most half as long again as its frame.
        size += len(SEPARATOR) + waiting[0].size * 3 // 2
        if size > max_bytes:
            break
        body += SEPARATOR + waiting.popleft().polling
    return body
