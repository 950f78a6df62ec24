"""
Which channels of a sharded bus a message goes to, which a node listens to, and which master of a cluster has them.

Every room has a channel, so that a node hears of the rooms it has clients in and of no others. What concerns everybody,
or a client wherever it is, goes to one channel that all nodes have; answers go to the channel of the node that asked.
The room that each client has for itself has no channel: a subscription for every client would cost more than the
messages for single clients of other nodes do. That such a room is meant is told from its name, which every node does
alike.
Source of the slots: the Redis Cluster specification, "Key distribution model" and "MOVED Redirection". Must not know
connections.
"""

from __future__ import annotations

import re
from binascii import crc_hqx
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fastsio.cluster.messages import ANSWERS, ROOM_TYPES

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

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


#: Channels that a message for several rooms goes to, each; one for more rooms goes to everybody.
MOST_COPIES: Final = 8
#: What sids look like. A room that is called so shares the channel of everybody.
_SID: Final = re.compile(r"[A-Za-z0-9_-]{20}")
#: The methods that are for who is in a room.
_FOR_ROOMS: Final = frozenset({"emit", "close_room", "room_members", "recheck"})


@dataclass(frozen=True, slots=True)
class ShardChannels:
    """
    The channels of one cluster of servers.

    Args:
        prefix: What all of them begin with.
    """

    prefix: str

    @property
    def of_everybody(self) -> bytes:
        """The channel that every node listens to."""
        return f"{self.prefix}:all".encode()

    def of_node(self, host_id: str) -> bytes:
        """Return the channel that one node listens to."""
        return f"{self.prefix}:node:{host_id}".encode()

    def of_room(self, namespace: str, room: Hashable) -> bytes:
        """
        Return the channel of a room; that of everybody if it has none of its own.

        Args:
            namespace: The namespace. No client can be in one with a comma, which ends it on the wire.
            room: The room; None is everybody. Rooms that cannot be named to other nodes have no channel of their own.
        """
        if not isinstance(room, ROOM_TYPES) or (isinstance(room, str) and _SID.fullmatch(room)):
            return self.of_everybody
        if isinstance(room, str):
            kind, name = "room", str.__str__(room)
        else:
            kind, name = "number", _number(room)
        # A lone surrogate has no form in UTF-8 but this one.
        return f"{self.prefix}:{kind}:{namespace},{name}".encode(errors="surrogatepass")

    def of_message(self, message: dict[str, Any]) -> tuple[bytes, ...]:
        """
        Return the channels that a message goes to: of more than one the nodes take the first copy only.

        Args:
            message: As it is written.
        """
        method = message["method"]
        if method in ANSWERS and message["host_id"] is not None:
            return (self.of_node(message["host_id"]),)
        if method not in _FOR_ROOMS:
            return (self.of_everybody,)
        rooms = message["room"] if isinstance(message["room"], list) else [message["room"]]
        channels = dict.fromkeys(self.of_room(message["namespace"], room) for room in rooms)
        if self.of_everybody in channels or len(channels) > MOST_COPIES:
            return (self.of_everybody,)
        return tuple(channels)


def _number(room: Any) -> str:
    """Write a number so that those which are the same room are written alike: 1, 1.0 and True are."""
    return repr(int(room)) if isinstance(room, int) or room.is_integer() else repr(float(room))
