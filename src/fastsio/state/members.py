"""
The members of the rooms of room classes, and which users are present in them.

Only clients that joined through a room class are members; :mod:`rooms` has all rooms and their clients. Threads may
share a table.

**Hooks in pairs.** ``on_join`` and ``on_leave`` run in pairs and in this order, although a client may leave while the
former runs, or before it. So a membership goes through stages, and the caller of the last step runs ``on_leave``, if
``on_join`` has run::

    NEW --arrive--> ARRIVING --mark_present--> PRESENT --depart--> GONE     the caller of depart runs on_leave
     |                  |--depart--> LEAVING --mark_present--> GONE         the caller of mark_present runs it
     |--depart--> GONE                                                      it is not run, because on_join was not

**Joins under way.** The hooks of a join may take long. If its client is taken out of the room meanwhile, or the room is
to be checked again, the join must notice. So each join is in the table from its begin, as a :class:`Join`, and a call
that takes a client out of a room ends the joins of the client that began before. Moments are numbers in the order in
which requests arrived: a slow leave does not undo a join that was asked for after it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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
class Join:
    """
    A join under way, and what has happened to its client since it began.

    Args:
        client: The client.
        moment: When it began.

    Attributes:
        room: The room, once it is known.
        ended: Name of a room that the client was taken out of since -> whether the client itself asked for that.
        must_ask: Whether ``can_join`` has to be called again.
        arrival: The client's arrival in a room with a history; None for another room.
    """

    client: Any
    moment: int
    room: Hashable = None
    ended: dict[Hashable, bool] = field(default_factory=dict)
    must_ask: bool = False
    arrival: Any = None


class JoinVerdict(Enum):
    """Why a join that ``can_join`` has allowed does not make a member."""

    #: The client left the room since the join began.
    LEFT = auto()
    #: The client was taken out of the room since.
    TAKEN_OUT = auto()
    #: The room was rechecked since: ``can_join`` has to be called again, because its answer may have changed.
    ASK_AGAIN = auto()


@dataclass(slots=True, eq=False)
class Member:
    """
    One client in one room.

    Args:
        client: The client.
        room: The room.
        hooks: The hooks of the room's class.
        args: The payload it joined with.
        user: The result of ``presence_key``, or None: one user may have several clients.
        stage: The stage of the membership.
        since: The moment of the client's last join.
        entered: The number of the room's newest event when the client entered; None if the room has no history.
    """

    client: Any
    room: NamedRoom
    hooks: Any
    args: tuple[Any, ...]
    user: str | None = None
    stage: Stage = Stage.NEW
    since: int = 0
    entered: int | None = None

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
        """The key that members have in common if they are one user: the user, or the sid without one."""
        return ("user", self.user) if self.user is not None else ("sid", self.client.sid)


@dataclass(frozen=True, slots=True)
class Presence:
    """How the users in a room change: whether the member's user has come or gone, and how many there are now."""

    changed: bool
    count: int


class MemberTable:
    """The members of all rooms; *lock* is reentrant, for servers for threads."""

    def __init__(self, lock: AbstractContextManager[Any]) -> None:
        self._lock = lock
        self._rooms: dict[Place, dict[str, Member]] = {}
        self._joined: dict[tuple[str, str], dict[Hashable, Member]] = {}
        self._present: dict[Place, dict[Hashable, int]] = {}
        self._joins: dict[tuple[str, str], set[Join]] = {}
        self._asked: dict[Place, set[Join]] = {}
        self._last_moment = 0
        #: Namespace and sid of the clients that are lost, and may come back.
        self._away: set[tuple[str, str]] = set()

    # Joins under way

    def moment(self) -> int:
        """Return the number of this moment: of two requests, the one that arrived later has the higher one."""
        with self._lock:
            self._last_moment += 1
            return self._last_moment

    def begin(self, client: Any) -> Join:
        """Add and return the join of a client that asks to join a room, not known yet; :meth:`end` removes it."""
        with self._lock:
            join = Join(client, self.moment())
            self._joins.setdefault((client.namespace, client.sid), set()).add(join)
            self._asked.setdefault((client.namespace, None), set()).add(join)
            return join

    def place(self, join: Join, room: Hashable) -> None:
        """Record the room of a join; :meth:`unplace` takes that back."""
        with self._lock:
            self.unplace(join)
            join.room = room
            join.ended = {name: by_client for name, by_client in join.ended.items() if name == room}
            self._asked.setdefault((join.client.namespace, room), set()).add(join)

    def unplace(self, join: Join) -> None:
        """Stop noticing what happens to the room of a join."""
        with self._lock:
            _discard(self._asked, (join.client.namespace, join.room), join)

    def end(self, join: Join) -> None:
        """Remove a join, whether it has succeeded or not."""
        with self._lock:
            self.unplace(join)
            _discard(self._joins, (join.client.namespace, join.client.sid), join)

    def is_awaited(self, namespace: str, room: Hashable) -> bool:
        """Whether a join of a room is under way."""
        return (namespace, room) in self._asked

    def cancel_joins(self, namespace: str, room: Hashable) -> None:
        """End the joins of a room that are under way."""
        with self._lock:
            for asked in (room, None):
                for join in self._asked.get((namespace, asked), ()):
                    join.ended[room] = False

    # Members

    def add(self, member: Member, join: Join) -> Member | JoinVerdict:
        """
        Add a member, unless its client was taken out of the room or the room was rechecked since the join began.

        Returns the member, or the reason for not adding it. For a client that is a member already, that member, with
        the new payload.
        """
        client, room = member.client, member.room.name
        with self._lock:
            if room in join.ended:
                return JoinVerdict.LEFT if join.ended[room] else JoinVerdict.TAKEN_OUT
            if join.must_ask:
                join.must_ask = False
                return JoinVerdict.ASK_AGAIN
            known = self._rooms.get(member.place, {}).get(client.sid)
            if known is not None:
                known.args, known.since = member.args, max(known.since, join.moment)
                return known
            member.since = join.moment
            self._rooms.setdefault(member.place, {})[client.sid] = member
            self._joined.setdefault((client.namespace, client.sid), {})[room] = member
            return member

    def remove(
        self,
        namespace: str,
        room: Hashable,
        sids: Iterable[str],
        *,
        until: int | None = None,
        by_client: bool = False,
    ) -> list[Member]:
        """
        Take clients out of a room, and end their joins of it that are under way; return the members that were removed.

        Joins that began after the moment *until* are not undone. *by_client* is whether the client itself asked for it.
        """
        removed = []
        with self._lock:
            for sid in sids:
                for join in self._joins.get((namespace, sid), ()):
                    # Other rooms are not recorded: clients may leave any number of them.
                    if join.room in (None, room) and (until is None or join.moment <= until):
                        join.ended[room] = by_client
                member = self._rooms.get((namespace, room), {}).get(sid)
                if member is not None and (until is None or member.since <= until):
                    self._pop(namespace, room, sid)
                    removed.append(member)
        return removed

    def remove_all(self, namespace: str, room: Hashable) -> list[Member]:
        """Remove all members of a room, and end all joins of it that are under way; return the members."""
        with self._lock:
            self.cancel_joins(namespace, room)
            return self.remove(namespace, room, self.members(namespace, room))

    def remove_client(self, namespace: str, sid: str) -> list[Member]:
        """Remove a client from all rooms of a namespace; return the members that it was."""
        with self._lock:
            self._away.discard((namespace, sid))
            rooms = list(self._joined.get((namespace, sid), ()))
            return [member for room in rooms for member in self.remove(namespace, room, (sid,))]

    def joins_of(self, client: Any) -> dict[Hashable, tuple[Any, ...]]:
        """Return the rooms of a client, each with the payload that it joined with."""
        with self._lock:
            joined = self._joined.get((client.namespace, client.sid), {})
            return {room: member.args for room, member in joined.items() if not member.has_gone}

    def keep_away(self, client: Any) -> None:
        """Keep a client that has lost its connection a member of its rooms, for it may come back."""
        self._away.add((client.namespace, client.sid))

    def is_away(self, namespace: str, sid: str) -> bool:
        """Whether a client has lost its connection, and may come back."""
        return (namespace, sid) in self._away

    def give_back(self, client: Any) -> None:
        """Make a client, which has the sid of one that was lost, the member that the other was."""
        with self._lock:
            for member in self._joined.get((client.namespace, client.sid), {}).values():
                member.client = client
            self._away.discard((client.namespace, client.sid))

    def recheck(self, namespace: str, room: Hashable) -> dict[str, Member]:
        """Let ``can_join`` be called again for the joins of a room that are under way; return the members by sid."""
        with self._lock:
            for join in self._asked.get((namespace, room), ()):
                join.must_ask = True
            return self.members(namespace, room)

    def _pop(self, namespace: str, room: Hashable, sid: str) -> None:
        members = self._rooms[namespace, room]
        del members[sid]
        if not members:
            del self._rooms[namespace, room]
        joined = self._joined[namespace, sid]
        del joined[room]
        if not joined:
            del self._joined[namespace, sid]

    def members(self, namespace: str, room: Hashable) -> dict[str, Member]:
        """Return the members of a room by their sids."""
        with self._lock:
            return dict(self._rooms.get((namespace, room), ()))

    @property
    def is_empty(self) -> bool:
        """Whether there is no member, no join under way, no user counted as present, and no client away."""
        with self._lock:
            return not (self._rooms or self._joined or self._present or self._joins or self._asked or self._away)

    # Stages

    def arrive(self, member: Member) -> Presence | None:
        """
        Mark a member as arriving: its ``on_join`` runs next.

        Returns how that changes the users that are present, or None if the member has been removed already.
        """
        with self._lock:
            if member.stage is not Stage.NEW:
                return None
            member.stage = Stage.ARRIVING
            people = self._present.setdefault(member.place, {})
            people[member.person] = people.get(member.person, 0) + 1
            return Presence(people[member.person] == 1, len(people))

    def mark_present(self, member: Member) -> bool:
        """
        Mark a member whose ``on_join`` has run as present, or as gone if it has been removed meanwhile.

        Returns whether it has been removed: then the caller runs ``on_leave`` now.
        """
        with self._lock:
            has_gone = member.stage is Stage.LEAVING
            member.stage = Stage.GONE if has_gone else Stage.PRESENT
            return has_gone

    def depart(self, member: Member) -> bool:
        """
        Mark a member as removed; return whether the caller runs ``on_leave`` now.

        While ``on_join`` runs, the caller of :meth:`mark_present` runs it instead.
        """
        with self._lock:
            was = member.stage
            member.stage = Stage.LEAVING if was is Stage.ARRIVING else Stage.GONE
            return was is Stage.PRESENT

    def departed(self, members: Iterable[Member]) -> list[Member]:
        """Mark members as removed; return those for which the caller runs ``on_leave`` now."""
        return [member for member in members if self.depart(member)]

    def stop_counting(self, member: Member) -> Presence:
        """Stop counting the user of a member that has arrived; return how that changes the users that are present."""
        with self._lock:
            people = self._present[member.place]
            people[member.person] -= 1
            is_last = not people[member.person]
            if is_last:
                del people[member.person]
            if not people:
                del self._present[member.place]
            return Presence(is_last, len(people))


def _discard(joins: dict[Any, set[Join]], key: Any, join: Join) -> None:
    """Remove a join from the set at *key*, and the set itself if it is empty then."""
    found = joins.get(key)
    if found is not None:
        found.discard(join)
        if not found:
            del joins[key]
