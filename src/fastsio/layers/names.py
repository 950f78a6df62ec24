"""
The names of channels and groups: which are valid, and how :func:`safe_group_name` makes valid ones.

A name of :func:`channel_of_node` has in it the process that reads the channel; any other channel may be read by any
process.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from json import dumps
from typing import Final
from zlib import crc32

#: A name has fewer characters than this.
MAX_LENGTH: Final = 100
_NAME: Final = re.compile(rf"[A-Za-z0-9_.-]{{1,{MAX_LENGTH - 1}}}")
_PART: Final = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]+")
#: These stand between the parts of a name and before a hash; no part contains them.
_SEPARATOR: Final = ".."
_HASHED: Final = "..."
_SLUG_LENGTH: Final = 48
_HASH_BYTES: Final = 20
#: The length of a node's id, which is the letter n and 16 digits.
NODE_LENGTH: Final = 17
_NODE: Final = re.compile(r"n[0-9a-f]{16}")


def require_channel_name(name: object) -> None:
    """Raise TypeError if *name* is not valid for a channel."""
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise TypeError(_complaint("channel", name, "take one from new_channel()"))


def require_group_name(name: object) -> None:
    """Raise TypeError if *name* is not valid for a group."""
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise TypeError(_complaint("group", name, "make one with safe_group_name(...)"))


def safe_group_name(*parts: object) -> str:
    """
    Return the name of a group that any values identify.

    Args:
        parts: The values, which are converted to text. Different parts give different names: ``("a|b",)`` and
            ``("a", "b")`` are two groups.

    Returns:
        One valid part unchanged; several valid parts joined by ``..``; otherwise their valid characters and a hash.

    Raises:
        TypeError: There is no part.
    """
    texts = [str(part) for part in parts]
    if not texts:
        raise TypeError("safe_group_name() takes at least one part")
    name = _SEPARATOR.join(texts)
    if len(name) < MAX_LENGTH and all(_PART.fullmatch(text) for text in texts):
        return name
    digest = blake2b(dumps(texts).encode(), digest_size=_HASH_BYTES).hexdigest()
    return f"{_UNSAFE.sub('-', name)[:_SLUG_LENGTH]}{_HASHED}{digest}"


def channel_of_node(prefix: str, node: str, unique: str) -> str:
    """Return the name of a channel that one process reads, or raise TypeError; *unique* has no period in it."""
    name = f"{prefix.rstrip('.')}.{node}.{unique}"
    require_channel_name(name)
    return name


def node_of(channel: str) -> str | None:
    """Return the id of the process that reads a channel, or None if any process may."""
    end = channel.rfind(".")
    node = channel[max(end - NODE_LENGTH, 0) : max(end, 0)]
    if _NODE.fullmatch(node) is None or channel[end - NODE_LENGTH - 1 : end - NODE_LENGTH] != ".":
        return None
    return node


def shard_of(key: str, count: int) -> int:
    """Return which of several servers has a key: the same in every process, for senders and for readers."""
    return (crc32(key.encode()) * count) >> 32


def _complaint(kind: str, name: object, cure: str) -> str:
    return (
        f"a {kind}'s name is a str of ASCII letters, digits, '_', '-' and '.', from 1 to {MAX_LENGTH - 1} characters; "
        f"got {name!r:.120}; {cure}"
    )
