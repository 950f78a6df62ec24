"""
The commands that store sessions in Redis, and delete them there.

A node recognizes the values that it has stored itself by their digests, and does not touch those of other nodes. This
module must not know how commands are sent.
"""

from __future__ import annotations

from hashlib import sha1
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

#: Replaces a value whose SHA-1 is among the arguments from the third one on; an empty argument stands for no value. The
#: first argument is the new value, the second the milliseconds until it expires. Redis may run the script twice.
REPLACE: Final = """
local old = redis.call('GET', KEYS[1])
local is_known = old == ARGV[1]
local digest = old and redis.sha1hex(old) or ''
for number = 3, #ARGV do is_known = is_known or ARGV[number] == digest end
if not is_known then return 0 end
if ARGV[2] == '' then redis.call('SET', KEYS[1], ARGV[1], 'KEEPTTL')
else redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return 1
"""
#: Deletes a value whose SHA-1 is among the arguments.
REMOVE: Final = """
local old = redis.call('GET', KEYS[1])
local digest = old and redis.sha1hex(old)
for number = 1, #ARGV do if ARGV[number] == digest then redis.call('DEL', KEYS[1]) end end
return 1
"""
#: Deletes a value if it is still the one that is the argument; returns how many values were deleted.
TAKE: Final = "return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0"
#: The digest that stands for no value.
NOTHING: Final = ""


def digest(value: bytes) -> str:
    """Return the SHA-1 of a value as Redis writes it."""
    return sha1(value, usedforsecurity=False).hexdigest()


class SessionValues:
    """
    Makes the commands, and keeps the lists of digests of the values that this node may have stored.

    The keys begin with *prefix*; *guard* guards the lists against other threads.
    """

    def __init__(self, prefix: str, guard: AbstractContextManager[Any]) -> None:
        self._prefix = prefix
        self._guard = guard

    def read(self, pid: str) -> tuple[Any, ...]:
        """Return the command whose answer is the value of a session."""
        return "GET", self._prefix + pid

    def store(self, stored: list[str], pid: str, value: bytes, expires_ms: int | str, *also: str) -> tuple[Any, ...]:
        """
        Return the command that stores a session unless another node has stored it since.

        Its digest goes into *stored*, the digests of the values that this node may have stored; *also* are digests of
        further values that may be replaced. Threads may send two such commands in either order, so the digest before
        the last one is kept as well. If *expires_ms* is empty, the time of the old value stays.
        """
        with self._guard:
            known, stored[:] = tuple(stored), (digest(value), *(stored[:1] or [NOTHING]))
        if not known:
            return "SET", self._prefix + pid, value, "PX", expires_ms
        return "EVAL", REPLACE, 1, self._prefix + pid, value, expires_ms, *known, *also

    def forget_older(self, stored: list[str], command: tuple[Any, ...]) -> None:
        """Drop the digests of the values that a command of :meth:`store` has replaced."""
        value = command[2] if command[0] == "SET" else command[4]
        with self._guard:
            if (latest := digest(value)) in stored:
                del stored[stored.index(latest) + 1 :]

    def recognize(self, stored: list[str], value: bytes) -> None:
        """Add the digest of a value that this node has stored."""
        with self._guard:
            stored.append(digest(value))

    def take(self, pid: str, value: bytes) -> tuple[Any, ...]:
        """Return the command that deletes a session if its value is this one."""
        return "EVAL", TAKE, 1, self._prefix + pid, value

    def remove(self, pid: str, stored: Sequence[str]) -> tuple[Any, ...]:
        """Return the command that deletes a session, if its value has one of these digests; without digests, any."""
        return ("EVAL", REMOVE, 1, self._prefix + pid, *stored) if stored else ("DEL", self._prefix + pid)
