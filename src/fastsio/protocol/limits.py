"""
What a peer may ask of the decoder: numbers, the fields of a packet, and how deeply values are nested.

This module owns the bounds, their defaults and validation; the checks of a packet's fields, for encodings whose grammar
leaves them open; and the measuring of depth, without recursion, of JSON text before it is parsed and of values that a
codec has made. It knows no encoding.
Source: python-socketio lets deeply nested text run into RecursionError; a decoder must refuse it before parsing.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, fields
from itertools import accumulate
from math import isfinite
from typing import Any, Final

from fastsio.exceptions import PacketError
from fastsio.protocol.packet_type import PACKET_TYPES, PacketType

#: Integers above this are not exact in JavaScript.
MAX_SAFE_INTEGER: Final = 2**53 - 1

#: The readers behind the decoder recurse; deeper than this they could meet the interpreter's own limit.
_DEEPEST: Final = 512

#: What each limit may be: lowest and highest value.
_ALLOWED: Final[dict[str, tuple[int, int]]] = {
    "max_attachments": (0, 9_999_999),
    "max_binary_bytes": (0, MAX_SAFE_INTEGER),
    "max_json_depth": (1, _DEEPEST),
    "max_ack_id": (0, MAX_SAFE_INTEGER),
    "max_event_length": (1, MAX_SAFE_INTEGER),
    "max_namespace_length": (1, MAX_SAFE_INTEGER),
    "max_query_length": (0, MAX_SAFE_INTEGER),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    The bounds a decoder enforces on what a peer sends.

    Args:
        max_attachments: Binary attachments of one packet. 10, as socket.io-parser since 4.2.6 (CVE-2026-33151).
        max_binary_bytes: Bytes of all attachments of one packet together. 1,000,000, as Engine.IO's message size.
        max_json_depth: Arrays and objects inside each other. 64, half of what other strict parsers accept.
        max_ack_id: Highest acknowledgement id. 2**53 - 1, the highest exact integer in JavaScript.
        max_event_length: Characters of an event's name. 256.
        max_namespace_length: Characters of a namespace's name, without its query string. 256.
        max_query_length: Characters of the query that a client of protocol 3 or 4 joins a namespace with. 8,192, as
            many as web servers accept in a URL.

    Raises:
        ValueError: A limit is not an integer, or out of its range.

    Source: CVE-2020-36049, CVE-2026-33151 and CVE-2026-48804, which are about decoders without these bounds.
    """

    max_attachments: int = 10
    max_binary_bytes: int = 1_000_000
    max_json_depth: int = 64
    max_ack_id: int = MAX_SAFE_INTEGER
    max_event_length: int = 256
    max_namespace_length: int = 256
    max_query_length: int = 8192

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            lowest, highest = _ALLOWED[field.name]
            if type(value) is not int or not lowest <= value <= highest:
                raise ValueError(f"{field.name} is {value!r}; it must be an integer from {lowest} to {highest}")


#: The limits of a decoder that was not given any.
DEFAULT_LIMITS: Final = Limits()
#: Those of a decoder that reads what this process has written.
UNLIMITED: Final = Limits(**{name: highest for name, (_, highest) in _ALLOWED.items()})


def check_packet_type(value: Any, *, highest: PacketType = PacketType.BINARY_ACK) -> PacketType:
    """Return a decoded packet type; raise PacketError if the encoding, whose last type is *highest*, has no such."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= highest:
        raise PacketError("unknown packet type")
    return PACKET_TYPES[value]


def check_namespace(value: Any, limits: Limits) -> str:
    """Return a decoded namespace without its query; raise PacketError if it is no text, has no slash or is too long."""
    if not isinstance(value, str):
        raise PacketError("the namespace is no text")
    if not value.startswith("/"):
        raise PacketError("the namespace does not begin with a slash")
    name = value.partition("?")[0]
    if len(name) > limits.max_namespace_length:
        raise PacketError("the namespace's name is too long", limit=limits.max_namespace_length, value=len(name))
    return name


def check_ack_id(value: Any, limits: Limits) -> int | None:
    """Return a decoded acknowledgement id, None for no id; raise PacketError if it is no whole number, or too large."""
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


#: Braces become square brackets, and all other characters are removed.
_ARRAYS: Final = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")
#: An opening bracket becomes 1, a closing one 255, which is -1 as a signed byte.
_SIGNS: Final = bytes.maketrans(b"[]", b"\x01\xff")
#: How often innermost brackets are taken away before they are counted one by one. Most payloads are not deeper, and
#: taking away is many times faster than counting; more rounds would be slower for those that are.
_ROUNDS: Final = 6


def check_text_depth(text: str, max_depth: int) -> None:
    """Refuse JSON text, valid or not, that is nested too deeply, before anything parses it: raise PacketError."""
    # Text with fewer opening brackets than that cannot be deeper; counting them costs far less than finding strings.
    if len(text) <= max_depth or text.count("[") + text.count("{") <= max_depth:
        return
    depth = text_depth(text)
    if depth > max_depth:
        raise PacketError("the payload is nested too deeply", limit=max_depth, value=depth)


def text_depth(text: str) -> int:
    """
    Measure the nesting of JSON text; brackets inside strings do not count.

    The depth of valid text is exact. That of other text is at least the depth that a parser reaches before the first
    mistake.
    """
    if "\\" in text:
        # Escaped backslashes are removed first: a backslash that still stands before a quote then escapes the quote.
        text = text.replace("\\\\", "").replace('\\"', "")
    outside_strings = "".join(text.split('"')[::2])
    brackets = outside_strings.encode("utf-8", "replace").translate(_ARRAYS, _NO_BRACKETS)
    depth = 0
    while depth < _ROUNDS and b"[]" in brackets:
        brackets = brackets.replace(b"[]", b"")
        depth += 1
    return depth + max(accumulate(array("b", brackets.translate(_SIGNS)), initial=0))


def check_value_depth(value: Any, max_depth: int) -> None:
    """Refuse a decoded tree of dicts and lists that is nested too deeply: raise PacketError."""
    level = [value]
    depth = 0
    while level := [item for item in level if isinstance(item, (dict, list))]:
        depth += 1
        if depth > max_depth:
            raise PacketError("the payload is nested too deeply", limit=max_depth, value=depth)
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
