"""
The checks of a packet's fields that every encoding needs whose grammar does not make them.

Owns what a type, a namespace and an acknowledgement id may be once decoded; knows no encoding.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from fastsio.exceptions import PacketError
from fastsio.protocol.packet_type import PACKET_TYPES, PacketType

if TYPE_CHECKING:
    from fastsio.protocol.limits import Limits


def check_packet_type(value: Any, *, highest: PacketType = PacketType.BINARY_ACK) -> PacketType:
    """
    Check a decoded packet type.

    Args:
        value: What the peer sent.
        highest: The last type the encoding has.

    Returns:
        The type.

    Raises:
        PacketError: The protocol has no such type.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= highest:
        raise PacketError("unknown packet type")
    return PACKET_TYPES[value]


def check_namespace(value: Any, limits: Limits) -> str:
    """
    Check a decoded namespace.

    Args:
        value: What the peer sent.
        limits: How long it may be.

    Returns:
        Its name without a query string.

    Raises:
        PacketError: It is no text, does not begin with a slash as that of a packet in JSON does, or is too long.
    """
    if not isinstance(value, str):
        raise PacketError("the namespace is no text")
    if not value.startswith("/"):
        raise PacketError("the namespace does not begin with a slash")
    name = value.partition("?")[0]
    if len(name) > limits.max_namespace_length:
        raise PacketError("the namespace's name is too long", limit=limits.max_namespace_length, value=len(name))
    return name


def check_ack_id(value: Any, limits: Limits) -> int | None:
    """
    Check a decoded acknowledgement id.

    Args:
        value: What the peer sent; None for no id.
        limits: How high it may be.

    Returns:
        The id.

    Raises:
        PacketError: It is no whole number, or too large.
    """
    if value is None:
        return None
    if type(value) is not int or value < 0:
        raise PacketError("the acknowledgement id is no whole number")
    if value > limits.max_ack_id:
        raise PacketError("the acknowledgement id is too large", limit=limits.max_ack_id, value=value)
    return value


def is_number(value: Any) -> bool:
    """Tell whether a value is a number that JSON has; events may have numbers for names."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)
