"""
The channels of a sharded bus: those that a message goes to or a node listens to, and the masters that have them.

Every room has a channel, so that a node gets only messages for the rooms that it has clients in. A message for all
clients, or for a client on any node, goes to one channel that all nodes listen to; an answer goes to the channel of the
node that has asked. The room named like a client's sid has no channel: a subscription for each client would cost more
than the messages that a node gets for clients of other nodes. All nodes recognise such a room by the form of its name.
This module must not know connections.

Source of the slots: the Redis Cluster specification, "Key distribution model" and "MOVED Redirection".
"""

from __future__ import annotations

import re
from binascii import crc_hqx
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fastsio.cluster.messages import ANSWERS, ROOM_TYPES

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

#: Host and port of a master. An empty host is that of the node which has sent the address.
Address = tuple[str, int]

SLOTS: Final = 16384
#: An error that names the master of a slot; packages that have a class for it leave out the word MOVED.
_MOVED: Final = re.compile(r"(?:MOVED )?(\d+) (\S*):(\d+)")


def slot_of(channel: bytes) -> int:
    """Return the slot of a channel: that of the text between its first braces, if there is any."""
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
        is_cluster: False for a server that is not a cluster: it has every slot, and its address is the URL's.

    Attributes:
        is_stale: Whether a master could not be used, so that the table has to be read again.
    """

    def __init__(self, ranges: Sequence[tuple[int, int, Address]] = (), *, is_cluster: bool = True) -> None:
        self.is_stale = False
        self._is_cluster = is_cluster
        self._owners: dict[int, Address] = {
            slot: address for first, last, address in ranges for slot in range(first, last + 1)
        }

    @classmethod
    def from_reply(cls, reply: Sequence[Any]) -> SlotTable:
        """Return the table for a reply to CLUSTER SLOTS: first slot, last slot, master and replicas of ranges."""
        return cls([(first, last, (_text(master[0]), int(master[1]))) for first, last, master, *_ in reply])

    @property
    def masters(self) -> set[Address]:
        """The masters that have slots."""
        return set(self._owners.values())

    def owner_of(self, channel: bytes) -> Address | None:
        """
        Return the master that has a channel; None for a server that is not a cluster.

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


#: How many channels a message for several rooms is published to at most; for more, the channel of all nodes is used.
MOST_COPIES: Final = 8
#: The form of sids. A room with such a name has no channel of its own.
_SID: Final = re.compile(r"[A-Za-z0-9_-]{20}")
#: The methods that are for the clients in a room.
_FOR_ROOMS: Final = frozenset({"emit", "close_room", "room_members", "recheck"})


@dataclass(frozen=True, slots=True)
class ShardChannels:
    """The channels of one cluster of servers, whose names begin with *prefix*."""

    prefix: str

    @property
    def of_all_nodes(self) -> bytes:
        """The channel that every node listens to."""
        return f"{self.prefix}:all".encode()

    def of_node(self, host_id: str) -> bytes:
        """Return the channel that one node listens to."""
        return f"{self.prefix}:node:{host_id}".encode()

    def of_room(self, namespace: str, room: Hashable) -> bytes:
        """
        Return the channel of a room; that of all nodes if the room has no channel of its own.

        Args:
            namespace: The namespace. It has no comma in it, which ends it on the wire.
            room: The room; None is all clients. A room whose name cannot be sent to other nodes has no channel of its
                own.
        """
        if not isinstance(room, ROOM_TYPES) or (isinstance(room, str) and _SID.fullmatch(room)):
            return self.of_all_nodes
        if isinstance(room, str):
            kind, name = "room", str.__str__(room)
        else:
            kind, name = "number", _number(room)
        # Without "surrogatepass" a lone surrogate could not be encoded.
        return f"{self.prefix}:{kind}:{namespace},{name}".encode(errors="surrogatepass")

    def of_message(self, message: dict[str, Any]) -> tuple[bytes, ...]:
        """Return the channels that a message goes to; a node that gets several copies handles only the first."""
        method = message["method"]
        if method in ANSWERS and message["host_id"] is not None:
            return (self.of_node(message["host_id"]),)
        if method not in _FOR_ROOMS:
            return (self.of_all_nodes,)
        rooms = message["room"] if isinstance(message["room"], list) else [message["room"]]
        channels = dict.fromkeys(self.of_room(message["namespace"], room) for room in rooms)
        if self.of_all_nodes in channels or len(channels) > MOST_COPIES:
            return (self.of_all_nodes,)
        return tuple(channels)


def _number(room: Any) -> str:
    """Return a number as text, the same for all that name one room, such as 1, 1.0 and True."""
    return repr(int(room)) if isinstance(room, int) or room.is_integer() else repr(float(room))
