"""
What channels and groups may be called, and which names :func:`safe_group_name` makes of anything else.

A name of :func:`channel_of_node` says which process reads it; every other channel may be read by any process.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from json import dumps
from typing import Final
from zlib import crc32

#: Characters that a name stays under.
MAX_LENGTH: Final = 100
_NAME: Final = re.compile(rf"[A-Za-z0-9_.-]{{1,{MAX_LENGTH - 1}}}")
_PART: Final = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]+")
#: Between the parts of a name, and before a hash: no part contains either.
_SEPARATOR: Final = ".."
_HASHED: Final = "..."
_SLUG_LENGTH: Final = 48
_HASH_BYTES: Final = 20
#: A node's id: the letter says that it is one.
NODE_LENGTH: Final = 17
_NODE: Final = re.compile(r"n[0-9a-f]{16}")


def require_channel_name(name: object) -> None:
    """Raise TypeError unless *name* can be a channel's."""
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise TypeError(_complaint("channel", name, "take one from new_channel()"))


def require_group_name(name: object) -> None:
    """Raise TypeError unless *name* can be a group's."""
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise TypeError(_complaint("group", name, "make one with safe_group_name(...)"))


def safe_group_name(*parts: object) -> str:
    """
    Make a group's name of anything.

    Args:
        parts: What identifies the group, turned into text. Different parts give different names: ``("a|b",)`` and
            ``("a", "b")`` are two groups.

    Returns:
        One valid part unchanged; several joined by ``..``; otherwise what is legible of them and a hash.

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
    """
    Make the name of a channel that one process reads.

    Args:
        prefix: What it begins with.
        node: The process: the letter n and 16 hexadecimal digits.
        unique: What tells the channels of the process apart; without a period.

    Raises:
        TypeError: The prefix is too long, or has characters that names do not have.
    """
    name = f"{prefix.rstrip('.')}.{node}.{unique}"
    require_channel_name(name)
    return name


def node_of(channel: str) -> str | None:
    """Return the process that reads a channel, or None if any may."""
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
