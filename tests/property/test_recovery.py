"""Connection state recovery against models: plain lists for its tables, and what each client must have seen for all."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import fastsio
from fastsio.state.recovery import ENTRY_BYTES, ROOM_BYTES, SKIP_BYTES, Entry, PacketLog, SavedSession, SavedSessions
from tests.shells.aio.fake_engine import FakeClient, Wire

NAMESPACES = ["/", "/a"]
SIDS = ["s0", "s1", "s2"]
ROOMS = ["r1", "r2", 3]
TARGETS: list[Any] = [None, *ROOMS, *SIDS]


class LogMachine(RuleBasedStateMachine):
    """What a client has missed is what a list of all events says, or the log says that it does not know."""

    MAX_PACKETS, MAX_BYTES, MAX_AGE_S = 6, 24_000, 10.0

    def __init__(self) -> None:
        super().__init__()
        self.log = PacketLog(self.MAX_PACKETS, self.MAX_BYTES, self.MAX_AGE_S)
        self.events: list[Entry] = []
        self.now = 0.0

    @rule(
        namespace=st.sampled_from(NAMESPACES),
        rooms=st.lists(st.sampled_from(TARGETS), min_size=1, max_size=3, unique=True),
        skip=st.frozensets(st.sampled_from(SIDS), max_size=2),
        size=st.sampled_from([1, 50, 2_000, 9_000, 20_000]),
    )
    def send(self, namespace, rooms, skip, size):
        entry = Entry(self.log.last + 1, namespace, tuple(rooms), skip, [b""], size, self.now)
        self.log.append(entry)
        self.events.append(entry)

    @rule(seconds=st.sampled_from([1.0, 4.0, 20.0]))
    def wait(self, seconds):
        self.now += seconds
        self.log.drop_old(self.now)

    @rule(
        namespace=st.sampled_from(NAMESPACES),
        sid=st.sampled_from(SIDS),
        rooms=st.dictionaries(st.sampled_from(ROOMS), st.none() | st.integers(0, 40)),
        since=st.integers(0, 20),
        seen=st.integers(0, 20),
    )
    def come_back(self, namespace, sid, rooms, since, seen):
        last = self.log.last
        rooms = {room: None if entered is None else min(entered, last) for room, entered in rooms.items()}
        session = SavedSession("pid", sid, namespace, rooms, {}, min(since, last))
        after = min(since + seen, last)
        begins = {None: session.since, sid: session.since, **rooms}
        missed = [
            event.position
            for event in self.events
            if event.namespace == namespace
            and sid not in event.skip
            and event.position > after
            and any(room in begins and event.position > (begins[room] or 0) for room in event.rooms)
        ]
        kept = [position for position in missed if position > self.log.complete_after]

        assert [entry.position for entry in self.log.missed(session, after)] == kept
        says_so = self.log.has_missed_dropped(session, after)
        if kept != missed:
            assert says_so
        elif says_so:
            # Who was left out, among several, is not known of an event that was dropped.
            assert any(sid in event.skip and len(event.skip) > 1 for event in self.events)

    @invariant()
    def limits_hold(self):
        kept = [event for event in self.events if event.position > self.log.complete_after]
        rooms = {(event.namespace, room) for event in kept for room in event.rooms}
        size = sum(event.size + ENTRY_BYTES + SKIP_BYTES * len(event.skip) for event in kept)
        assert len(self.log) == len(kept) <= self.MAX_PACKETS
        assert self.log.size == size + ROOM_BYTES * len(rooms) <= self.MAX_BYTES
        assert all(event.time + self.MAX_AGE_S > self.now for event in kept)


TestLog = LogMachine.TestCase
TestLog.settings = settings(stateful_step_count=25)


class SessionsMachine(RuleBasedStateMachine):
    """The table of sessions says what a list of them says."""

    MOST = 3

    def __init__(self) -> None:
        super().__init__()
        self.sessions = SavedSessions(self.MOST)
        self.known: list[SavedSession] = []
        self.count = 0

    @rule(
        namespace=st.sampled_from(NAMESPACES),
        sid=st.sampled_from(SIDS),
        rooms=st.sets(st.sampled_from(ROOMS)),
    )
    def add(self, namespace, sid, rooms):
        if any((one.namespace, one.sid) == (namespace, sid) for one in self.known):
            return
        self.count += 1
        session = SavedSession(f"p{self.count}", sid, namespace, dict.fromkeys(rooms), {}, 0)
        dropped = self.sessions.add(session)
        self.known.append(session)
        assert dropped == self.known[: -self.MOST]
        self.known = self.known[-self.MOST :]

    @rule(number=st.integers(0, 40), namespace=st.sampled_from(NAMESPACES))
    def claim(self, number, namespace):
        pid = f"p{self.count - number}"
        found = [one for one in self.known if (one.pid, one.namespace, one.is_claimed) == (pid, namespace, False)]
        assert self.sessions.claim(pid, namespace) is (found[0] if found else None)

    @rule(index=st.integers(0, 2))
    def remove(self, index):
        if index < len(self.known):
            session = self.known.pop(index)
            assert self.sessions.remove(session)
            assert not self.sessions.remove(session)

    @rule(namespace=st.sampled_from(NAMESPACES), sid=st.sampled_from(SIDS), room=st.sampled_from(ROOMS))
    def leave(self, namespace, sid, room):
        self.sessions.leave_room(namespace, sid, room)
        assert all(room not in one.rooms for one in self.known if (one.namespace, one.sid) == (namespace, sid))

    @rule(namespace=st.sampled_from(NAMESPACES), room=st.sampled_from(ROOMS))
    def close(self, namespace, room):
        self.sessions.close_room(namespace, room)
        assert all(room not in one.rooms for one in self.known if one.namespace == namespace)

    @invariant()
    def the_table_agrees_with_the_list(self):
        assert len(self.sessions) == len(self.known)
        for namespace in NAMESPACES:
            here = [one for one in self.known if one.namespace == namespace]
            for sid in SIDS:
                found = [one for one in here if one.sid == sid]
                assert self.sessions.get(namespace, sid) is (found[0] if found else None)
            assert self.sessions.is_in(namespace, None) == bool(here)
            for room in [*ROOMS, *SIDS]:
                assert self.sessions.is_in(namespace, room) == any(room == one.sid or room in one.rooms for one in here)


TestSessions = SessionsMachine.TestCase
TestSessions.settings = settings(stateful_step_count=25)


# Clients of a server


class Sent(NamedTuple):
    """An event that the server has sent: to which rooms, and which seats it left out."""

    number: int
    rooms: frozenset[Any]
    skip: frozenset[str]


class Seat:
    """
    A client, and what it must see.

    Attributes:
        rooms: Room -> how many events had been sent when it entered.
        since: How many had been sent when it connected as a new client.
        seen: The events that it has read, each with its offset.
    """

    def __init__(self) -> None:
        self.client: FakeClient | None = None
        self.is_here = False
        self.sid = self.pid = ""
        self.rooms: dict[Any, int] = {}
        self.since = 0
        self.seen: list[tuple[int, str]] = []

    def become_new(self, sid: str, pid: str, since: int) -> None:
        """Begin anew, with nothing seen and in no room."""
        self.sid, self.pid, self.rooms, self.seen, self.since = sid, pid, {}, [], since

    def reached_by(self, sent: list[Sent], after: int) -> list[Sent]:
        """Return the events after one that were sent to a room of this client, also those that left it out."""
        begins = {None: self.since, self.sid: self.since, **self.rooms}
        return [
            event
            for event in sent
            if event.number > after and any(room in begins and event.number > begins[room] for room in event.rooms)
        ]

    def awaits(self, sent: list[Sent], after: int) -> list[int]:
        """Return the events after one that are for this client."""
        return [event.number for event in self.reached_by(sent, after) if self.sid not in event.skip]

    def read(self, count: int | None = None) -> list[int]:
        """Read some of the frames that have arrived, in their order; the others are lost with the connection."""
        assert self.client is not None
        frames, self.client.frames = self.client.frames, []
        numbers = []
        for frame in frames[:count]:
            _, number, offset = json.loads(frame[1:])
            numbers.append(number)
            self.seen.append((number, offset))
        return numbers


class Play:
    """A server with few clients, to which anything happens."""

    def __init__(self, most: int) -> None:
        logger = logging.getLogger("tests.recovery")
        logger.setLevel(logging.CRITICAL)
        self.most = most
        options = fastsio.ConnectionStateRecovery(max_packets=most)
        self.sio = fastsio.AsyncServer(async_mode="asgi", logger=logger, connection_state_recovery=options)
        self.wire = Wire(self.sio)
        self.seats = [Seat() for _ in range(3)]
        self.sent: list[Sent] = []

    async def emit(self, rooms: list[Any], skip: list[int]) -> None:
        """Send an event; a number among the rooms is the room of that client."""
        for seat in self.seats:
            self.check_live(seat)
        names = [self.seats[room].sid or "nobody" if isinstance(room, int) else room for room in rooms]
        skipped = frozenset(self.seats[index].sid for index in skip)
        event = Sent(len(self.sent) + 1, frozenset(names), skipped)
        self.sent.append(event)
        to: Any = None if None in names else names
        if None in names:
            event = self.sent[-1] = event._replace(rooms=frozenset([None]))
        await self.sio.emit("news", event.number, to=to, skip_sid=skipped or None)

    def check_live(self, seat: Seat) -> None:
        """A connected client has what was sent to it, at once."""
        if seat.is_here:
            awaited = seat.awaits(self.sent, seat.seen[-1][0] if seat.seen else 0)
            assert seat.read() == awaited

    async def join(self, index: int, room: Any) -> None:
        """Put a client into a room."""
        seat = self.seats[index]
        if seat.is_here:
            self.check_live(seat)
            await self.sio.enter_room(seat.sid, room)
            seat.rooms.setdefault(room, len(self.sent))

    async def leave(self, index: int, room: Any) -> None:
        """Take a client, which may be away, out of a room."""
        seat = self.seats[index]
        if seat.is_here:
            self.check_live(seat)
        if seat.sid:
            await self.sio.leave_room(seat.sid, room)
            seat.rooms.pop(room, None)

    async def close(self, room: Any) -> None:
        """Take everybody out of a room."""
        for seat in self.seats:
            self.check_live(seat)
            seat.rooms.pop(room, None)
        await self.sio.close_room(room)

    async def lose(self, index: int, read: int) -> None:
        """End a connection, which may be ended already, after its client has read some of what it was sent."""
        seat = self.seats[index]
        if seat.client is not None:
            if seat.is_here:
                seat.read(read)
            await seat.client.lose()
            seat.is_here = False

    async def come(self, index: int, read: int, rewind: int, wrong: str) -> None:
        """Let a client come: again if it was there, from an older event than its last one, or with a wrong offset."""
        seat = self.seats[index]
        if seat.is_here:  # its old connection has not been found dead
            seat.read(read)
            seat.is_here = False
        seat.seen = seat.seen[: len(seat.seen) - rewind] if rewind else seat.seen
        after, offset = seat.seen[-1] if seat.seen else (0, None)
        auth: dict[str, Any] = {"pid": seat.pid} if seat.pid else {}
        if wrong:
            auth["offset"] = wrong
        elif offset is not None:
            auth["offset"] = offset
        client = seat.client = await self.wire.open()
        await client.send("0" + json.dumps(auth))
        *missed, answer = client.frames
        client.frames = missed
        payload = json.loads(answer[1:])
        seat.is_here = True
        if seat.pid and payload["pid"] == seat.pid:
            assert not wrong
            assert payload["sid"] == seat.sid
            assert seat.read() == seat.awaits(self.sent, after)
        else:
            assert missed == []
            assert not seat.pid or wrong or self.may_refuse(seat, after)
            seat.become_new(payload["sid"], payload["pid"], len(self.sent))
        assert set(self.sio.rooms(seat.sid)) == {seat.sid, *seat.rooms}
        here = [sid for sid, _ in self.sio.manager.get_participants("/", None)]
        assert sorted(here) == sorted(one.sid for one in self.seats if one.is_here)

    def may_refuse(self, seat: Seat, after: int) -> bool:
        """Whether a client has missed, or may have missed, an event that is not among the last ones."""
        oldest = len(self.sent) - self.most
        reached = [event for event in seat.reached_by(self.sent, after) if event.number <= oldest]
        # Who was left out, among several, is not known of an event that was dropped.
        return any(seat.sid not in event.skip or len(event.skip) > 1 for event in reached)


PLACES = st.sampled_from(["tea", "milk", 7.5])
INDEXES = st.integers(0, 2)
STEPS = st.one_of(
    st.tuples(
        st.just("emit"),
        st.lists(st.none() | PLACES | INDEXES, min_size=1, max_size=3, unique=True),
        st.lists(INDEXES, max_size=2, unique=True),
    ),
    st.tuples(st.just("join"), INDEXES, PLACES),
    st.tuples(st.just("leave"), INDEXES, PLACES),
    st.tuples(st.just("close"), PLACES),
    st.tuples(st.just("lose"), INDEXES, st.integers(0, 3)),
    st.tuples(
        st.just("come"),
        INDEXES,
        st.integers(0, 3),
        st.sampled_from([0, 0, 0, 1, 2]),
        st.sampled_from(["", "", "", "", "x", "~99~", "~-1~"]),
    ),
)


@given(most=st.sampled_from([2, 5, 100]), steps=st.lists(STEPS, max_size=40))
def test_each_client_sees_what_was_for_it(most, steps):
    """Once, in order, however often clients are lost, taken over or behind; or they are told that they are new."""

    async def play() -> None:
        game = Play(most)
        for index in range(3):
            await game.come(index, 0, 0, "")
        for name, *arguments in steps:
            await getattr(game, name)(*arguments)
        for index, seat in enumerate(game.seats):
            game.check_live(seat)
            await game.come(index, 3, 0, "")
        await game.sio.shutdown()

    asyncio.run(play())
