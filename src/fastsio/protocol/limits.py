"""
What a peer may ask of the decoder, in numbers.

Owns the bounds, their defaults and their validation; enforcing them is the decoder's part.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

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
            web servers take of a URL.

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
