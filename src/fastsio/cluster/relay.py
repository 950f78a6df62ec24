"""
Which call is done here, which elsewhere, and which in both places; which messages of the bus are taken.

What is known of a client is known where it is connected, and a sid is nobody else's name. So a call about a client of
this server stays here, a call about any other sid is somebody else's to do, and rooms may have members everywhere.
Must not know how messages travel.
"""

from __future__ import annotations

from enum import Flag
from typing import TYPE_CHECKING, Any

from fastsio.cluster.messages import ANSWERS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable


class Reach(Flag):
    """Where something is done."""

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
    Say where an event is to be sent from.

    Args:
        rooms: The rooms it goes to; ``(None,)`` is everybody, none at all is nobody.
        is_client_here: Tells whether a room is that of one client of this server.
        has_server: False for a program that only writes to the bus.
        ignore_queue: Whether only this server's clients are meant.
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

    One callback waits for one answer, wherever it comes from.

    Raises:
        ValueError: There is more than one room, or everybody is meant.
    """
    room = next(iter(rooms))
    if len(rooms) > 1 or room is None:
        raise ValueError("Cannot use callback without a room set: give the sid of one client")
    return room


def is_for_us(message: dict[str, Any], host_id: str) -> bool:
    """
    Tell whether a message of the bus concerns this server.

    Answers are for the server that asked. All else is for everybody but its sender, who has done it already.

    Args:
        message: The JSON object, not yet known to be valid.
        host_id: The name of this server on the bus.
    """
    is_answer = message.get("method") in ANSWERS
    return (message.get("host_id") == host_id) is is_answer


class Recent:
    """
    The last ids that were noted; the oldest are forgotten first.

    Args:
        most: How many are remembered. Copies of one message come close together, so a small number does.
    """

    __slots__ = ("_ids", "_most")

    def __init__(self, most: int) -> None:
        self._ids: dict[object, None] = {}
        self._most = most

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, item: object) -> bool:
        return item in self._ids

    def note(self, item: object) -> None:
        """Remember an id."""
        ids = self._ids
        ids[item] = None
        if len(ids) > self._most:
            del ids[next(iter(ids))]

    def forget(self, item: object) -> None:
        """Forget an id, if it is remembered."""
        self._ids.pop(item, None)

    def is_known(self, message_id: object) -> bool:
        """Whether a message with this id has come before; from now on it has. One without an id, None, never has."""
        if message_id is None:
            return False
        if message_id in self._ids:
            return True
        self.note(message_id)
        return False
