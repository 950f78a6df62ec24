"""
What travels over the bus as MessagePack, for clusters that chose it; python-socketio reads JSON only.

Needs the extra ``msgpack``, which a cluster that keeps to JSON does without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastsio._extras import optional, require
from fastsio.exceptions import MissingExtraError
from fastsio.protocol.plain import to_plain

if TYPE_CHECKING:
    from collections.abc import Callable

_package: Final[Any] = optional("msgpack")

#: The first byte of a map. No JSON text in UTF-8 begins with one of these.
_MAP_STARTS: Final = frozenset((*range(0x80, 0x90), 0xDE, 0xDF))


def is_map(raw: bytes) -> bool:
    """Whether something begins as a map of MessagePack does."""
    return bool(raw) and raw[0] in _MAP_STARTS


def check_installed() -> None:
    """
    Make sure that MessagePack can be written.

    Raises:
        MissingExtraError: msgpack is not installed.
    """
    require("msgpack", "msgpack")


def dumps(value: Any, convert: Callable[[Any], Any] = to_plain) -> bytes:
    """
    Write a value, once :func:`check_installed` has passed; bytes stay bytes.

    Args:
        value: The value.
        convert: Makes what MessagePack has of anything else: by default of models and dates, as in JSON.

    Raises:
        TypeError: Something has no form in JSON, and none here.
        ValueError: An integer has more than 64 bits, a text a lone surrogate, or the value is nested too deeply.
    """
    try:
        encoded: bytes = _package.packb(value, default=convert)
    except OverflowError as error:
        raise ValueError("an integer has more than 64 bits, which MessagePack cannot write") from error
    return encoded


def loads(raw: bytes) -> Any:
    """
    Read a value.

    Raises:
        ValueError: It is no MessagePack, or msgpack is not installed.
    """
    if _package is None:
        raise ValueError(str(MissingExtraError("msgpack", "msgpack")))
    try:
        return _package.unpackb(raw, strict_map_key=False)
    except (TypeError, ValueError) as error:  # TypeError: the key of a map is a list
        raise ValueError(f"{type(error).__name__}: {error}") from error
