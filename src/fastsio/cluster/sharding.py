"""
Which channels of a sharded bus a message goes to, and which a node listens to.

Every room has a channel, so that a node hears of the rooms it has clients in and of no others. What concerns everybody,
or a client wherever it is, goes to one channel that all nodes have; answers go to the channel of the node that asked.
The room that each client has for itself has no channel: a subscription for every client would cost more than the
messages for single clients of other nodes do. That such a room is meant is told from its name, which every node does
alike.
Plain functions; must not know Redis.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fastsio.cluster.messages import ANSWERS, ROOM_TYPES

if TYPE_CHECKING:
    from collections.abc import Hashable

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
