"""
Which call this node carries out, which other nodes do, and which all do; which messages of the bus are for this node.

Only the node that a client is connected to knows the client, and sids are unique. So a call for a client of this node
stays here, a call for any other sid goes to the other nodes, and a call for a room goes to all. This module must not
know how messages travel.
"""

from __future__ import annotations

from collections import OrderedDict
from enum import Flag
from typing import TYPE_CHECKING, Any

from fastsio.cluster.messages import ANSWERS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable


class Reach(Flag):
    """The nodes that carry out a call."""

    NOWHERE = 0
    HERE = 1
    ELSEWHERE = 2
    EVERYWHERE = 3


def reach_of_emit(
    rooms: Collection[Hashable],
    *,
    is_client_here: Callable[[Hashable], bool],
    has_server: bool,
    ignore_queue: bool,
) -> Reach:
    """
    Return the nodes that send an event to their clients.

    *rooms* is ``(None,)`` for all clients, and empty for none; *is_client_here* returns whether a room is the sid of a
    client of this node. A program that only writes to the bus has no server; *ignore_queue* means this node's clients
    only.
    """
    here = Reach.HERE if has_server else Reach.NOWHERE
    if not rooms:
        return Reach.NOWHERE
    if ignore_queue or all(map(is_client_here, rooms)):
        return here
    return here | Reach.ELSEWHERE


def askable_room(rooms: Collection[Hashable]) -> Hashable:
    """
    Return the room whose client is to acknowledge an event.

    A callback takes one acknowledgement, from a client of any node.

    Raises:
        ValueError: There is more than one room, or all clients are meant.
    """
    room = next(iter(rooms))
    if len(rooms) > 1 or room is None:
        raise ValueError("Cannot use callback without a room set: give the sid of one client")
    return room


def is_for_us(message: dict[str, Any], host_id: str) -> bool:
    """
    Tell whether a message of the bus, not yet known to be valid, is for this node.

    An answer is for the node that has asked. Any other message is for all nodes except its sender, which has carried it
    out already.
    """
    is_answer = message.get("method") in ANSWERS
    return (message.get("host_id") == host_id) is is_answer


class Recent:
    """
    The last ids that were added; the oldest are forgotten first.

    Args:
        most: How many are remembered. Copies of one message arrive close together, so a small number is enough.
    """

    __slots__ = ("_ids", "_most")

    def __init__(self, most: int) -> None:
        self._ids: OrderedDict[object, None] = OrderedDict()
        self._most = most

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, item: object) -> bool:
        return item in self._ids

    def add(self, item: object) -> None:
        """Add an id."""
        ids = self._ids
        ids[item] = None
        if len(ids) > self._most:
            ids.popitem(last=False)

    def forget(self, item: object) -> None:
        """Remove an id, if it is remembered."""
        self._ids.pop(item, None)

    def is_known(self, message_id: object) -> bool:
        """Return whether an id was added before, and add it. False for None, the id of a message without one."""
        if message_id is None:
            return False
        if message_id in self._ids:
            return True
        self.add(message_id)
        return False
