"""
Which master of a Redis Cluster has which channel.

Source: the Redis Cluster specification, "Key distribution model" and "MOVED Redirection". Must not know connections.
"""

from __future__ import annotations

import re
from binascii import crc_hqx
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Host and port of a master. A cluster that cannot name the host leaves it empty: it is the one that was asked.
Address = tuple[str, int]

SLOTS: Final = 16384
#: An error that says where a slot is; packages leave the code out if they have a class for it.
_MOVED: Final = re.compile(r"(?:MOVED )?(\d+) (\S*):(\d+)")


def slot_of(channel: bytes) -> int:
    """Return the slot of a channel: of what stands between its first braces, if anything does."""
    start = channel.find(b"{")
    end = channel.find(b"}", start + 1)
    if start >= 0 and end > start + 1:
        channel = channel[start + 1 : end]
    return crc_hqx(channel, 0) % SLOTS


class SlotTable:
    """
    Which master of a Redis Cluster has which slot; a server that is not a cluster has all of them.

    Args:
        ranges: First slot, last slot and master.
        is_cluster: False for a server by itself, which has every slot and no address but that of the URL.

    Attributes:
        is_stale: Whether a master could not be used, so that it is time to ask anew who has which slot.
    """

    def __init__(self, ranges: Sequence[tuple[int, int, Address]] = (), *, is_cluster: bool = True) -> None:
        self.is_stale = False
        self._is_cluster = is_cluster
        self._owners: dict[int, Address] = {
            slot: address for first, last, address in ranges for slot in range(first, last + 1)
        }

    @classmethod
    def from_reply(cls, reply: Sequence[Any]) -> SlotTable:
        """
        Read what CLUSTER SLOTS answers.

        Args:
            reply: First slot, last slot, the master and its replicas, many times.
        """
        return cls([(first, last, (_text(master[0]), int(master[1]))) for first, last, master, *_ in reply])

    @property
    def masters(self) -> set[Address]:
        """The masters that have slots."""
        return set(self._owners.values())

    def owner_of(self, channel: bytes) -> Address | None:
        """
        Return the master that has a channel; None for a server by itself.

        Raises:
            ConnectionError: No master has its slot.
        """
        if not self._is_cluster:
            return None
        slot = slot_of(channel)
        if slot not in self._owners:
            raise ConnectionError(f"no master of the cluster has slot {slot}")
        return self._owners[slot]

    def move(self, slot: int, address: Address) -> None:
        """Store the new master of a slot."""
        self._owners[slot] = address


def moved(error: str) -> tuple[int, Address] | None:
    """Return the slot and the master that a MOVED error names; None for any other error."""
    match = _MOVED.fullmatch(error)
    return None if match is None else (int(match[1]), (match[2], int(match[3])))


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode()
    # "?" is a host that the cluster does not know.
    return "" if value in (None, "?") else str(value)
