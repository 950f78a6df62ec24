"""
What stands before the payload in the text of a packet: type, attachment count, namespace, acknowledgement id.

Owns the grammar of the header and its limits; knows nothing of JSON. Slices and searches, no regular expression: this
runs for every packet but those that :mod:`.quick` reads.
Source: Socket.IO protocol v5, "Packet encoding".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from fastsio.exceptions import PacketError
from fastsio.protocol.packet_type import PACKET_TYPES, PacketType

if TYPE_CHECKING:
    from fastsio.protocol.limits import Limits

_BINARY_EVENT: Final = PacketType.BINARY_EVENT
_TYPES: Final[dict[str, PacketType]] = {str(number): packet_type for number, packet_type in enumerate(PACKET_TYPES)}
_TYPES_WITH_ID: Final = frozenset({PacketType.EVENT, PacketType.ACK, PacketType.BINARY_EVENT, PacketType.BINARY_ACK})
#: Digits of the highest attachment count and of the highest ack id that limits can allow.
_COUNT_DIGITS: Final = 7
_ID_DIGITS: Final = 16
#: What JSON allows before a value.
_WHITE_SPACE: Final = " \t\n\r"


#: Packet type, attachment count, namespace, acknowledgement id, and where the payload starts. A plain tuple: a named
#: one would cost a third of what reading the header does.
Header: TypeAlias = tuple[PacketType, int, str | None, int | None, int]


def read_header(text: str, limits: Limits) -> Header:
    """
    Read the header of a packet.

    Args:
        text: The packet's text.
        limits: How many attachments, how long a namespace and how high an id it may announce.

    Returns:
        The header. The namespace is None for the root when the text leaves it out, and has no query string.

    Raises:
        PacketError: The text does not follow the grammar, or passes a limit.
    """
    packet_type = _TYPES.get(text[:1])
    if packet_type is None:
        raise PacketError("unknown packet type")
    count, position = _read_count(text, limits) if packet_type >= _BINARY_EVENT else (0, 1)
    namespace = ack_id = None
    if text.startswith("/", position):
        namespace, position = _read_namespace(text, position, limits)
    if packet_type in _TYPES_WITH_ID:
        ack_id, position = _read_id(text, position, limits)
    return packet_type, count, namespace, ack_id, position


def _read_count(text: str, limits: Limits) -> tuple[int, int]:
    """Read the attachment count and the position after it."""
    end = text.find("-", 1, _COUNT_DIGITS + 2)
    digits = text[1:end] if end > 0 else ""
    if not (digits.isdecimal() and digits.isascii()):
        raise PacketError("a binary packet without a valid attachment count")
    count = int(digits)
    if count == 0:
        # Accepted by socket.io-parser before 4.2.7.
        raise PacketError("a binary packet without attachments")
    if count > limits.max_attachments:
        raise PacketError("too many attachments", limit=limits.max_attachments, value=count)
    return count, end + 1


def _read_namespace(text: str, start: int, limits: Limits) -> tuple[str, int]:
    """Read the namespace, which may end the packet, and the position after it."""
    end = text.find(",", start)
    if end < 0:
        end = len(text)
    query = text.find("?", start, end)
    name_end = end if query < 0 else query
    length = name_end - start
    if length > limits.max_namespace_length:
        raise PacketError("the namespace's name is too long", limit=limits.max_namespace_length, value=length)
    return text[start:name_end], end + 1


def _read_id(text: str, start: int, limits: Limits) -> tuple[int | None, int]:
    """Read the acknowledgement id, if there is one, and the position after it."""
    end = text.find("[", start)
    if end == start:
        return None, start
    digits = text[start:] if end < 0 else text[start:end].rstrip(_WHITE_SPACE)
    if not (digits.isdecimal() and digits.isascii()):
        return None, start
    if len(digits) > _ID_DIGITS or int(digits) > limits.max_ack_id:
        raise PacketError("the acknowledgement id is too large")
    return int(digits), start + len(digits)
