"""
What a server keeps for clients that come back: the latest events, and the sessions of lost clients.

A client that has lost its connection comes back with the secret id of its session (``pid``) and the offset of the last
event that it has seen. :class:`PacketLog` has the events after that offset, :class:`SavedSessions` the session. Both
drop the oldest first. Neither knows clocks, packets or servers: times are arguments, frames are opaque.

An offset is the position of an event in the log. Positions can be compared, and each is greater than the one before.
"""

from __future__ import annotations

import sys
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from fastsio.protocol.offset import read_offset, write_offset
from fastsio.types import Source

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence

    #: An event that a client has missed: the rooms that it was sent to, and its name with its arguments.
    Missed = tuple[tuple[Hashable, ...], list[Any]]

#: About how many bytes an event in the log takes in memory, without its frames.
ENTRY_BYTES: Final = 400
#: About how many bytes a room with events in the log takes, and each sid that an event was not sent to.
ROOM_BYTES: Final = 1000
SKIP_BYTES: Final = 60
#: About how many bytes a room takes of which all events were dropped: the log keeps the position of the last one.
QUIET_ROOM_BYTES: Final = 350


class CountedPositions:
    """The positions of a process that counts its events, and how they are written as offsets."""

    start: ClassVar[int] = 0
    write = staticmethod(write_offset)
    read = staticmethod(read_offset)


class Received(NamedTuple):
    """
    The place of an event that this process has received from the log of all nodes.

    Args:
        position: The position in that log.
        without: The rooms whose clients do not get the event.
        is_kept: Whether a client that misses the event gets it when it comes back.
    """

    position: Any
    without: Collection[Hashable] = ()
    is_kept: bool = True


@dataclass(slots=True, eq=False)
class Entry:
    """
    An event that was sent.

    Args:
        position: Its place in the log.
        namespace: The namespace.
        rooms: The rooms that it was sent to; None among them is the whole namespace.
        skip: The sids that it was not sent to.
        frames: The encoded frames; None until they are made from the arguments.
        size: The size of the frames in bytes.
        time: When it was sent, in seconds.
        without: The rooms whose clients it was not sent to.
        arguments: The name of the event and its arguments, while there are no frames.
        sent_to: The rooms that it was sent to on the node from which its one client has come; None if *rooms* has them.
    """

    position: Any
    namespace: str
    rooms: tuple[Hashable, ...]
    skip: Collection[str]
    frames: Sequence[Any] | None
    size: int
    time: float
    without: Collection[Hashable] = ()
    arguments: list[Any] | None = None
    sent_to: tuple[Hashable, ...] | None = None

    def is_for(self, session: SavedSession) -> bool:
        """Return whether the event is for a client that is in one of its rooms: neither skipped nor excluded."""
        return session.sid not in self.skip and not (
            self.without and (session.sid in self.without or any(room in self.without for room in session.rooms))
        )


class Dropped(NamedTuple):
    """
    What the log knows of the events of a room that it has dropped.

    Args:
        position: The position of the last one.
        skip: The one client that it was not sent to; None if there was no such client, or several.
        before: The position of the last one that was sent to that client; None for none.
    """

    position: Any
    skip: str | None
    before: Any

    def was_missed(self, sid: str, after: Any) -> bool:
        """Return whether a dropped event of the room was sent to a client after a position."""
        position = self.before if sid == self.skip else self.position
        return position is not None and position > after


class PacketLog:
    """
    The latest events, in their order.

    For each room the log also keeps the position of the last event that it has dropped. So a client of quiet rooms can
    come back even if many events of other rooms were dropped since its last one.

    Args:
        max_packets: How many events are kept.
        max_bytes: How many bytes the events may take: their frames and :data:`ENTRY_BYTES` for each, :data:`ROOM_BYTES`
            for each room that they were sent to, :data:`SKIP_BYTES` for each sid that one was not sent to. The
            positions for rooms without events may take another quarter of that.
        max_age_s: How long an event is kept, in seconds.
        start: The position before the first event.

    Attributes:
        entries: The events, the oldest first.
        dropped: Namespace and room -> the last dropped event.
        complete_after: All events after this position are in the log.
        known_after: The position after which the log has each event, or the last dropped one of its rooms.
        last: The position of the newest event.
        size: How many bytes the events take.
    """

    def __init__(self, max_packets: int, max_bytes: int, max_age_s: float, start: Any = 0) -> None:
        self._max_packets, self._max_bytes, self._max_age_s = max_packets, max_bytes, max_age_s
        self.entries: deque[Entry] = deque()
        #: Namespace and room -> the events that were sent to it.
        self._by_room: dict[tuple[str, Hashable], deque[Entry]] = {}
        #: The room whose last event is the oldest comes first.
        self.dropped: OrderedDict[tuple[str, Hashable], Dropped] = OrderedDict()
        self._max_quiet_rooms = max_bytes // 4 // QUIET_ROOM_BYTES
        self.known_after = self.complete_after = self.last = start
        self.size = 0

    @classmethod
    def of(
        cls,
        entries: Iterable[Entry],
        dropped: Mapping[tuple[str, Hashable], Dropped],
        *,
        complete_after: Any,
        known_after: Any,
        last: Any,
    ) -> PacketLog:
        """Return a log with the contents of another one, without limits."""
        log = cls(sys.maxsize, sys.maxsize, inf, known_after)
        for entry in entries:
            log.append(entry)
        log.dropped.update(dropped)
        log.complete_after, log.last = complete_after, last
        return log

    def __len__(self) -> int:
        return len(self.entries)

    def restart(self, position: Any) -> None:
        """Drop all events; the log then has the events after *position*."""
        self.entries.clear()
        self._by_room.clear()
        self.dropped.clear()
        self.known_after = self.complete_after = self.last = position
        self.size = 0

    def append(self, entry: Entry) -> None:
        """Add the newest event, and drop the oldest ones beyond the limits."""
        self.entries.append(entry)
        self.last = entry.position
        self.size += entry.size + ENTRY_BYTES + SKIP_BYTES * len(entry.skip)
        for room in entry.rooms:
            key = entry.namespace, room
            entries = self._by_room.get(key)
            if entries is None:
                entries = self._by_room[key] = deque()
                self.size += ROOM_BYTES
            entries.append(entry)
        while len(self.entries) > self._max_packets or self.size > self._max_bytes:
            self._drop_oldest()

    def drop_old(self, now: float) -> None:
        """Drop the events that are older than the maximum age."""
        while self.entries and self.entries[0].time + self._max_age_s <= now:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        entry = self.entries.popleft()
        self.complete_after = entry.position
        self.size -= entry.size + ENTRY_BYTES + SKIP_BYTES * len(entry.skip)
        skip = next(iter(entry.skip)) if len(entry.skip) == 1 else None
        for room in entry.rooms:
            key = entry.namespace, room
            entries = self._by_room[key]
            entries.popleft()
            if not entries:
                del self._by_room[key]
                self.size -= ROOM_BYTES
            known = self.dropped.pop(key, None)
            before = None
            if known is not None:
                before = known.before if skip is not None and known.skip == skip else known.position
            self.dropped[key] = Dropped(entry.position, skip, before)
        while len(self.dropped) > self._max_quiet_rooms:
            _, oldest = self.dropped.popitem(last=False)
            self.known_after = oldest.position

    def has_missed_dropped(self, session: SavedSession, after: Any) -> bool:
        """Tell whether a client may have missed an event after a position that is not in the log any more."""
        if after >= self.complete_after:
            return False
        if after < self.known_after:
            return True
        for key, start in _starts(session, after):
            dropped = self.dropped.get(key)
            if dropped is not None and dropped.was_missed(session.sid, start):
                return True
        return False

    def missed(self, session: SavedSession, after: Any) -> list[Entry]:
        """
        Return the events that were sent to a client after a position, in their order.

        Of a room, those that were sent after the client has entered it.
        """
        found: dict[Any, Entry] = {}
        for key, start in _starts(session, after):
            for entry in reversed(self._by_room.get(key, ())):
                if entry.position <= start:
                    break
                if entry.is_for(session):
                    found[entry.position] = entry
        return [found[position] for position in sorted(found)]


def _starts(session: SavedSession, after: Any) -> Iterator[tuple[tuple[str, Hashable], Any]]:
    """Yield the rooms that a client is in, and for each the position after which its events are for the client."""
    yield (session.namespace, None), max(after, session.since)
    yield (session.namespace, session.sid), max(after, session.since)
    for room, entered in session.rooms.items():
        yield (session.namespace, room), after if entered is None else max(after, entered)


def in_batches(
    entries: Iterable[Entry],
    max_packets: int,
    max_bytes: int,
    first_packets: float = inf,
    first_bytes: float = inf,
) -> list[list[Any]]:
    """Return the frames of events in batches, none of which fills a buffer; the first one may have lower limits."""
    batches: list[list[Any]] = []
    most, most_bytes = min(first_packets, max_packets), min(first_bytes, max_bytes)
    batch: list[Any] = []
    size = 0
    for entry in entries:
        frames = entry.frames or ()
        if batch and (len(batch) + len(frames) > most or size + entry.size > most_bytes):
            batches.append(batch)
            batch, size = [], 0
            most, most_bytes = max_packets, max_bytes
        batch += frames
        size += entry.size
    return [*batches, batch] if batch else batches


class Recovered:
    """
    The recovered session of a client that comes back, for parameters of connect handlers.

    The object is true if the session was found. The client then gets its sid, its rooms, its session data and the
    events that it has missed, unless the connect handler refuses it. For every other client the object is false, and
    empty.

    Attributes:
        sid: The sid that the client had before, and has again.
        rooms: The rooms of the client, without the one named like its sid.
        session: The session data of the client: the dict that ``get_session()`` returns.
    """

    __slots__ = ("_is_true", "rooms", "session", "sid")
    __fastsio_source__ = Source.RECOVERED

    def __init__(self, sid: str = "", rooms: Iterable[Any] = (), session: dict[str, Any] | None = None) -> None:
        self._is_true = bool(sid)
        self.sid = sid
        self.rooms: tuple[Any, ...] = tuple(rooms)
        self.session = {} if session is None else session

    def __bool__(self) -> bool:
        return self._is_true

    def __repr__(self) -> str:
        return f"Recovered({self.sid!r}, rooms={self.rooms!r})" if self else "Recovered()"


#: The object for connect handlers of clients that have not recovered a session.
NOT_RECOVERED: Final = Recovered()


class ClientRecovery:
    """
    The recovery state of a connected client, from which its session is made when it is lost.

    Args:
        pid: The secret id of the client's session.
        since: The position in the log at which the client connected first.
        restored: The session that the client has come back to; None for a new client, and once it is let in.
        missed: The events that the client has missed.
        members: The memberships in rooms of room classes that ended while it was away, and that it joins again.
        seen: For a client whose session is of an earlier process: the position, in the log of that process, of the last
            missed event that the client was sent; 0 if there was no such event. None for all other clients.
        joined: For a client that was on another node: the names of the rooms that it joins again, each with the payload
            with which it had joined.
        foreign_offset: The offset with which the client has come from another process, and comes back if it has not
            received any event of this process. None for a client of this process alone, or without an offset.
        recovered: The object that its connect handler gets.
        is_kept: Whether its session was kept when it was lost.
        is_over: Whether its session must not be kept when it is lost, because the server has disconnected it.
        stored: The digests of values that the store of all nodes may have for its session; empty if it has no value.
        held_upto: The position of the last event that was sent to it, or waits for it, before it is let in.
    """

    # Not a dataclass, because payloads may contain dataclasses, and the pid is secret.
    __slots__ = (
        "foreign_offset",
        "held_upto",
        "is_kept",
        "is_over",
        "joined",
        "members",
        "missed",
        "pid",
        "recovered",
        "restored",
        "seen",
        "since",
        "stored",
    )

    def __init__(self, pid: str, since: Any) -> None:
        self.pid = pid
        self.since = self.held_upto = since
        self.restored: SavedSession | None = None
        self.missed: list[Entry] = []
        self.members: list[Any] = []
        self.joined: Mapping[Hashable, tuple[Any, ...]] = {}
        self.recovered: Recovered | None = None
        self.seen: Any = None
        self.foreign_offset: str | None = None
        self.is_kept = self.is_over = False
        self.stored: list[str] = []

    def take_missed(self, rooms: Collection[Hashable]) -> list[Entry]:
        """
        Return the events that the client has missed, and clear what is restored only once.

        Args:
            rooms: The present rooms of the client. Events that were sent to none of them are left out.
        """
        missed, self.missed, self.members, self.joined, self.restored = self.missed, [], [], {}, None
        return [entry for entry in missed if any(room in rooms for room in entry.sent_to or entry.rooms)]


@dataclass(slots=True, eq=False)
class SavedSession:
    """
    The session of a lost client, until the client comes back or the session expires.

    Args:
        pid: The secret id with which the client asks for the session.
        sid: The sid of the client.
        namespace: The namespace.
        rooms: Room -> the position in the log at which the client entered it; None if that is not known.
        data: The session data of the application.
        since: The position at which the client connected first.
        until: The time at which the session expires, in seconds.
        is_claimed: Whether its client is coming back at present.
        is_over: Whether the session has ended, so that its client cannot come back.
        is_present: Whether the client still counts as a member of the rooms of room classes.
        members: The memberships in rooms of room classes that have ended because the client was away for long.
        departure: The event that is set when ``on_leave`` has run for *members*; None while the client is present.
        joined: The rooms of room classes of the client, each with the payload with which it has joined; only where
            sessions leave the process.
        stored: As :attr:`ClientRecovery.stored`; the same list.
        seen: As :attr:`ClientRecovery.seen`.
        foreign_offset: As :attr:`ClientRecovery.foreign_offset`.
        log: The name of the log to which its positions belong, if that is the log of an earlier process.
        as_of: The position up to which the session has what other nodes did to its client; only with a log that all
            nodes share.
        timer_key: Used by the timer that ends the session.
    """

    pid: str
    sid: str
    namespace: str
    rooms: dict[Hashable, Any]
    data: dict[str, Any]
    since: Any
    until: float = 0.0
    is_claimed: bool = False
    is_over: bool = False
    is_present: bool = True
    members: list[Any] = field(default_factory=list)
    departure: Any = None
    joined: Mapping[Hashable, tuple[Any, ...]] = field(default_factory=dict)
    stored: list[str] = field(default_factory=list)
    seen: Any = None
    foreign_offset: str | None = None
    log: str = ""
    as_of: Any = None
    timer_key: float = 0.0


class Found(NamedTuple):
    """
    The session that a client comes back to.

    Args:
        session: The session.
        after: The position after which the client has missed events.
        upto: The position up to which *older* has these events; None if *older* is not used.
        older: The missed events that the log of this process does not have.
        digest: The digest of the value that the store of all nodes had for the session.
    """

    session: SavedSession
    after: Any
    upto: Any = None
    older: Sequence[Entry] = ()
    digest: str = ""

    def is_of(self, known: SavedSession) -> bool:
        """Return whether this node has stored the session last: it is *known*, and not that of a later connection."""
        return not self.digest or self.digest in known.stored


def position_after(session: SavedSession, offset: str | None, last: int) -> int | None:
    """
    Return the position after which the client of a session has missed events, where a process counts its events.

    Args:
        session: The session.
        offset: What the client sent as the offset of the last event that it has seen; None for no event.
        last: The position of the newest event.

    Returns:
        None if no event has such an offset, or the client has not received all missed events of an earlier log.
    """
    since: int = session.since
    if offset is None:
        return None if session.seen else since
    if offset == session.foreign_offset:
        return since
    position = read_offset(offset)
    if position is None or position > last:
        return None
    if position >= since:
        return position
    return since if session.seen is not None and position >= session.seen else None


class SavedSessions:
    """
    A table of the sessions of lost clients.

    Args:
        max_sessions: The most sessions that are kept; beyond this number the oldest is dropped.
    """

    def __init__(self, max_sessions: int) -> None:
        self._max_sessions = max_sessions
        self._by_pid: OrderedDict[str, SavedSession] = OrderedDict()
        #: Namespace and sid -> session.
        self._by_sid: dict[tuple[str, str], SavedSession] = {}
        #: Namespace and room -> the sessions of the clients that are in it.
        self._by_room: dict[tuple[str, Hashable], set[SavedSession]] = {}
        #: Namespace -> how many sessions it has.
        self._namespaces: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._by_pid)

    def __iter__(self) -> Iterator[SavedSession]:
        return iter(list(self._by_pid.values()))

    def __contains__(self, session: object) -> bool:
        return isinstance(session, SavedSession) and self._by_pid.get(session.pid) is session

    def add(self, session: SavedSession) -> list[SavedSession]:
        """Add a session, in place of an older one with its pid; return the sessions that were dropped to make room."""
        dropped = []
        known = self._by_pid.get(session.pid)
        if known is not None:
            self.remove(known)
        while self._by_pid and len(self._by_pid) >= self._max_sessions:
            oldest = next(iter(self._by_pid.values()))
            self.remove(oldest)
            dropped.append(oldest)
        self._namespaces[session.namespace] = self._namespaces.get(session.namespace, 0) + 1
        self._by_pid[session.pid] = self._by_sid[session.namespace, session.sid] = session
        for room in session.rooms:
            self._by_room.setdefault((session.namespace, room), set()).add(session)
        return dropped

    def claim(self, pid: str, namespace: str) -> SavedSession | None:
        """Claim the session of a pid; return it, or None if there is no such session or it is claimed already."""
        session = self._by_pid.get(pid)
        if session is None or session.namespace != namespace or session.is_claimed:
            return None
        session.is_claimed = True
        return session

    def of_pid(self, pid: str) -> SavedSession | None:
        """Return the session of a pid, or None."""
        return self._by_pid.get(pid)

    def has(self, namespace: str, pid: str) -> bool:
        """Return whether the table has the session of a pid, in that namespace."""
        session = self._by_pid.get(pid)
        return session is not None and session.namespace == namespace

    def get(self, namespace: str, sid: str) -> SavedSession | None:
        """Return the session of a client, or None."""
        return self._by_sid.get((namespace, sid))

    def remove(self, session: SavedSession) -> bool:
        """Remove a session; return whether the table had it."""
        if session not in self:
            return False
        del self._by_pid[session.pid]
        if self.get(session.namespace, session.sid) is session:  # an application that makes sids may use one again
            del self._by_sid[session.namespace, session.sid]
        self._namespaces[session.namespace] -= 1
        if not self._namespaces[session.namespace]:
            del self._namespaces[session.namespace]
        for room in session.rooms:
            self._forget_room(session, room)
        return True

    def leave_room(self, namespace: str, sid: str, room: Hashable) -> SavedSession | None:
        """Remove a lost client from a room; return its session, or None if it was not in the room."""
        session = self._by_sid.get((namespace, sid))
        if session is None or room not in session.rooms:
            return None
        del session.rooms[room]
        self._forget_room(session, room)
        return session

    def close_room(self, namespace: str, room: Hashable) -> list[SavedSession]:
        """Remove all lost clients from a room; return the sessions of those that were in it."""
        sessions = list(self._by_room.pop((namespace, room), ()))
        for session in sessions:
            del session.rooms[room]
        return sessions

    def is_in(self, namespace: str, room: Hashable) -> bool:
        """Return whether a lost client is in a room; None is the whole namespace."""
        if room is None:
            return namespace in self._namespaces
        key: Any = (namespace, room)
        return key in self._by_room or key in self._by_sid

    def _forget_room(self, session: SavedSession, room: Hashable) -> None:
        key = session.namespace, room
        sessions = self._by_room[key]
        sessions.discard(session)
        if not sessions:
            del self._by_room[key]
