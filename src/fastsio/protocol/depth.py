"""
How deeply arrays and objects are nested, found without recursion.

Owns the measuring, of JSON text before it is parsed and of values a codec has made; knows no packet.
Source: python-socketio lets deeply nested text run into RecursionError; a decoder must refuse it before parsing.
"""

from __future__ import annotations

from array import array
from itertools import accumulate
from typing import Any, Final

from fastsio.exceptions import PacketError

#: Objects become arrays, and all but brackets goes.
_ARRAYS: Final = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")
#: An opening bracket becomes 1, a closing one 255, which is -1 as a signed byte.
_SIGNS: Final = bytes.maketrans(b"[]", b"\x01\xff")
#: How often innermost brackets are taken away before they are counted one by one. Most payloads are not deeper, and
#: taking away is many times faster than counting; more rounds would be slower for those that are.
_ROUNDS: Final = 6


def check_text_depth(text: str, max_depth: int) -> None:
    """
    Refuse JSON text that is nested too deeply, before anything parses it.

    Args:
        text: The JSON text, not yet known to be valid.
        max_depth: The deepest nesting allowed.

    Raises:
        PacketError: The text is nested more deeply than *max_depth*.
    """
    # Text with fewer opening brackets than that cannot be deeper; counting them costs far less than finding strings.
    if len(text) <= max_depth or text.count("[") + text.count("{") <= max_depth:
        return
    depth = text_depth(text)
    if depth > max_depth:
        raise PacketError("the payload is nested too deeply", limit=max_depth, value=depth)


def text_depth(text: str) -> int:
    """
    Measure the nesting of JSON text; brackets inside strings do not count.

    The depth of valid text is exact. That of other text is at least what a parser meets before the first mistake.
    """
    if "\\" in text:
        # Escaped backslashes go first, so that the quotes that remain escaped are those after an odd number of them.
        text = text.replace("\\\\", "").replace('\\"', "")
    outside_strings = "".join(text.split('"')[::2])
    brackets = outside_strings.encode("utf-8", "replace").translate(_ARRAYS, _NO_BRACKETS)
    depth = 0
    while depth < _ROUNDS and b"[]" in brackets:
        brackets = brackets.replace(b"[]", b"")
        depth += 1
    return depth + max(accumulate(array("b", brackets.translate(_SIGNS)), initial=0))


def check_value_depth(value: Any, max_depth: int) -> None:
    """
    Refuse a decoded value that is nested too deeply.

    Args:
        value: A tree of dicts and lists.
        max_depth: The deepest nesting allowed.

    Raises:
        PacketError: The value is nested more deeply than *max_depth*.
    """
    level = [value]
    depth = 0
    while level := [item for item in level if isinstance(item, (dict, list))]:
        depth += 1
        if depth > max_depth:
            raise PacketError("the payload is nested too deeply", limit=max_depth, value=depth)
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
