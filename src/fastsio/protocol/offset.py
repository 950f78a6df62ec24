"""
Offsets: the texts by which a client that was lost says which event it has had last.

A server that recovers connections adds one to each event that it keeps, as a last argument, and nothing says that it is
one. Clients know it by its form.

Source: socket.io-adapter 2.5.9 and redis-streams-adapter 0.3.1.
"""

from __future__ import annotations

import re
from typing import Final

#: A longer text is no offset: it would be sent with each CONNECT, whose size servers limit.
MAX_OFFSET_CHARS: Final = 256
#: How far the time in an offset may be from the client's clock: a text that only looks like an offset is nearly always
#: further away, and a clock nearly never.
TOLERANCE_S: Final = 7 * 86_400
#: The offsets of fastsio's own server: the position of an event. No text that people or programs write looks like it.
_POSITION: Final = re.compile(r"~([0-9]{1,18})~", re.ASCII)
#: Those of the JavaScript server in memory: milliseconds in a base 64 of its own, and a number if two are equal.
_IN_MEMORY: Final = re.compile(r"([0-9A-Za-z_-]{7})(?:\.[0-9A-Za-z_-]+)?", re.ASCII)
_DIGITS: Final = {
    digit: value for value, digit in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_")
}
#: The ids of entries in a Redis Stream: milliseconds and a number.
_IN_STREAM: Final = re.compile(r"([0-9]{13})-[0-9]+", re.ASCII)


def write_offset(position: int) -> str:
    """Return the offset of an event of fastsio's server."""
    return f"~{position}~"


def read_offset(text: str) -> int | None:
    """Return the position of an event of fastsio's server, None if *text* is no offset of it."""
    match = _POSITION.fullmatch(text)
    return None if match is None else int(match[1])


def is_offset(text: str, now_s: float) -> bool:
    """
    Tell whether the last argument of an event is an offset of a known form; *now_s* is seconds since 1970.

    Those of the JavaScript server have the time of the event in them, which has to be near the client's.
    """
    if len(text) > MAX_OFFSET_CHARS:
        return False
    if _POSITION.fullmatch(text) is not None:
        return True
    if (match := _IN_STREAM.fullmatch(text)) is not None:
        at_ms = int(match[1])
    elif (match := _IN_MEMORY.fullmatch(text)) is not None:
        at_ms = 0
        for digit in match[1]:
            at_ms = 64 * at_ms + _DIGITS[digit]
    else:
        return False
    return abs(at_ms / 1000 - now_s) < TOLERANCE_S
