"""
Binary in a payload: take the bytes out of it, put them back in.

Owns placeholders and their order; knows neither packets nor frames.
Source: Socket.IO protocol v5, "Packet encoding", BINARY_EVENT; socket.io-parser's ``binary.ts`` for the order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.exceptions import PacketError
from fastsio.protocol.plain import BINARY_TYPES, SCALAR_TYPES, contains_binary, is_container, to_plain

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["deconstruct", "has_binary", "reconstruct"]

has_binary = contains_binary


def deconstruct(data: Any) -> tuple[Any, list[bytes]]:
    """
    Take the attachments out of a payload, depth first, in the order of lists and of keys.

    Args:
        data: The payload.

    Returns:
        The payload with a placeholder for each bytes-like value, and these values in order.

    Raises:
        ValueError: The payload contains itself, or is nested too deeply.
    """
    attachments: list[bytes] = []
    try:
        return _take_out(data, attachments), attachments
    except RecursionError as error:
        raise ValueError("the payload is nested too deeply") from error


def _take_out(value: Any, attachments: list[bytes]) -> Any:
    if type(value) in SCALAR_TYPES:
        return value
    if isinstance(value, BINARY_TYPES):
        attachments.append(value if isinstance(value, bytes) else bytes(value))
        return {"_placeholder": True, "num": len(attachments) - 1}
    if isinstance(value, dict):
        return {key: _take_out(item, attachments) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_take_out(item, attachments) for item in value]
    # What has no bytes in it is left to the codec, which may be the application's own.
    if (is_container(value) or isinstance(value, (set, frozenset))) and contains_binary(value):
        return _take_out(to_plain(value), attachments)
    return value


def reconstruct(tree: Any, attachments: Sequence[bytes]) -> Any:
    """
    Put attachments in the places of their placeholders.

    Args:
        tree: The decoded JSON of a binary packet.
        attachments: The binary frames that followed it.

    Returns:
        The payload. Dicts and lists of *tree* may be reused.

    Raises:
        PacketError: A placeholder names no attachment, or an attachment has no placeholder.

    Source: CVE-2022-2421 and CVE-2023-32695, for the checks.
    """
    unused = set(range(len(attachments)))
    payload = _put_in(tree, attachments, unused)
    if unused:
        raise PacketError(f"attachment {min(unused)} has no placeholder")
    return payload


def _put_in(value: Any, attachments: Sequence[bytes], unused: set[int]) -> Any:
    if isinstance(value, list):
        return [_put_in(item, attachments, unused) for item in value]
    if not isinstance(value, dict):
        return value
    # Anything but true makes it a dict of the application's, as in JavaScript.
    if value.get("_placeholder") is not True:
        return {key: _put_in(item, attachments, unused) for key, item in value.items()}
    number = value.get("num")
    if type(number) is not int or not 0 <= number < len(attachments):
        raise PacketError("a placeholder names no attachment")
    unused.discard(number)
    return attachments[number]
