"""
Who was let into which room of a room class, and which users that makes present.

Only what happened through a room class is kept here; :mod:`rooms` has the rooms themselves. Threads may share a table.

**Hooks in pairs.** ``on_join`` and ``on_leave`` run in pairs and in this order, although a client may leave while the
former runs, or before it. So a membership goes through stages, and whoever takes the step to leaving runs what is due::

    NEW --arrive--> ARRIVING --settle--> PRESENT --depart--> GONE     the one that departs runs on_leave
     |                  |--depart--> LEAVING --settle--> GONE         the one that settles does
     |--depart--> GONE                                                nobody does: on_join has not run either
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable
    from contextlib import AbstractContextManager

    from fastsio.state.room_names import NamedRoom

    Place = tuple[str, Hashable]


class Stage(Enum):
    """How far a membership has come."""

    NEW = auto()
    ARRIVING = auto()
    PRESENT = auto()
    LEAVING = auto()
    GONE = auto()


@dataclass(slots=True, eq=False)
class Member:
    """
    One client in one room.

    Args:
        client: The client.
        room: The room.
        hooks: What the room's class wants to be told.
        args: The payload it joined with.
        user: Who it is, if the class says so: one user may have several clients.
        stage: How far it has come.
    """

    client: Any
    room: NamedRoom
    hooks: Any
    args: tuple[Any, ...]
    user: str | None = None
    stage: Stage = Stage.NEW

    @property
    def place(self) -> Place:
        """The namespace and name of the room."""
        return self.client.namespace, self.room.name

    @property
    def has_gone(self) -> bool:
        """Whether it has been removed."""
        return self.stage in (Stage.LEAVING, Stage.GONE)

    @property
    def person(self) -> Hashable:
        """What makes two members one presence."""
        return ("user", self.user) if self.user is not None else ("sid", self.client.sid)


@dataclass(frozen=True, slots=True)
class Presence:
    """
    What the coming or going of a member means to a room.

    Args:
        changed: Whether its user was not there before, or is not there any more.
        count: How many users are there now.
    """

    changed: bool
    count: int


class MemberTable:
    """
    The members of all rooms.

    Args:
        lock: Held while the table is read or changed, by threads.
    """

    def __init__(self, lock: AbstractContextManager[Any]) -> None:
        self._lock = lock
        self._rooms: dict[Place, dict[str, Member]] = {}
        self._joined: dict[tuple[str, str], dict[Hashable, Member]] = {}
        self._present: dict[Place, dict[Hashable, int]] = {}

    def add(self, member: Member) -> Member:
        """Add a member; of a client that is in the room already, the one it is, with the new payload."""
        client = member.client
        with self._lock:
            known = self._rooms.get(member.place, {}).get(client.sid)
            if known is not None:
                known.args = member.args
                return known
            self._rooms.setdefault(member.place, {})[client.sid] = member
            self._joined.setdefault((client.namespace, client.sid), {})[member.room.name] = member
            return member

    def remove(self, namespace: str, room: Hashable, sids: Iterable[str]) -> list[Member]:
        """Take clients out of a room; return those that were in it."""
        with self._lock:
            return [member for sid in sids if (member := self._pop(namespace, room, sid)) is not None]

    def remove_client(self, namespace: str, sid: str) -> list[Member]:
        """Take a client out of all rooms of a namespace."""
        with self._lock:
            rooms = list(self._joined.get((namespace, sid), ()))
            return [member for room in rooms if (member := self._pop(namespace, room, sid)) is not None]

    def _pop(self, namespace: str, room: Hashable, sid: str) -> Member | None:
        members = self._rooms.get((namespace, room))
        member = None if members is None else members.pop(sid, None)
        if members is None or member is None:
            return None
        if not members:
            del self._rooms[namespace, room]
        joined = self._joined[namespace, sid]
        del joined[room]
        if not joined:
            del self._joined[namespace, sid]
        return member

    def members(self, namespace: str, room: Hashable) -> dict[str, Member]:
        """Return the members of a room by their sids."""
        with self._lock:
            return dict(self._rooms.get((namespace, room), ()))

    @property
    def is_empty(self) -> bool:
        """Whether there is no member and nobody is counted."""
        with self._lock:
            return not (self._rooms or self._joined or self._present)

    # Stages

    def arrive(self, member: Member) -> Presence | None:
        """Begin to announce a member; None if it has gone already."""
        with self._lock:
            if member.stage is not Stage.NEW:
                return None
            member.stage = Stage.ARRIVING
            people = self._present.setdefault(member.place, {})
            people[member.person] = people.get(member.person, 0) + 1
            return Presence(people[member.person] == 1, len(people))

    def settle(self, member: Member) -> bool:
        """Say that a member has been announced; whether it has gone meanwhile, and that is to be announced now."""
        with self._lock:
            has_gone = member.stage is Stage.LEAVING
            member.stage = Stage.GONE if has_gone else Stage.PRESENT
            return has_gone

    def depart(self, member: Member) -> bool:
        """Say that a member has been removed; whether that is to be announced now."""
        with self._lock:
            was = member.stage
            member.stage = Stage.LEAVING if was is Stage.ARRIVING else Stage.GONE
            return was is Stage.PRESENT

    def vanish(self, member: Member) -> Presence:
        """Stop counting a member that was announced."""
        with self._lock:
            people = self._present[member.place]
            people[member.person] -= 1
            is_last = not people[member.person]
            if is_last:
                del people[member.person]
            if not people:
                del self._present[member.place]
            return Presence(is_last, len(people))
