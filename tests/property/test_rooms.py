"""The room table and the member table against models that store nothing but facts."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fastsio.state import Client, Connection, RoomTable
from fastsio.state.members import JoinVerdict, Member, MemberTable
from fastsio.state.room_names import NamedRoom

NAMESPACES = ["/", "/a"]
SIDS = [f"s{number}" for number in range(5)]
ROOMS = ["r1", "r2", 3]


class RoomTableMachine(RuleBasedStateMachine):
    """Whatever is done in whatever order, the table and the model agree."""

    def __init__(self) -> None:
        super().__init__()
        self.table = RoomTable()
        self.clients: set[tuple[str, str]] = set()
        self.facts: set[tuple[str, str, object]] = set()

    @rule(namespace=st.sampled_from(NAMESPACES), sid=st.sampled_from(SIDS))
    def add(self, namespace, sid):
        if (namespace, sid) not in self.clients:
            self.table.add(Client(sid, namespace, Connection(f"e-{sid}", {}, None, dict)))
            self.clients.add((namespace, sid))

    @rule(namespace=st.sampled_from(NAMESPACES), sid=st.sampled_from(SIDS))
    def remove(self, namespace, sid):
        self.table.remove(namespace, sid)
        self.clients.discard((namespace, sid))
        self.facts = {fact for fact in self.facts if fact[:2] != (namespace, sid)}

    @rule(namespace=st.sampled_from(NAMESPACES), sid=st.sampled_from(SIDS), room=st.sampled_from(ROOMS))
    def enter(self, namespace, sid, room):
        if (namespace, sid) in self.clients:
            self.table.enter(namespace, sid, room)
            self.facts.add((namespace, sid, room))

    @rule(namespace=st.sampled_from(NAMESPACES), sid=st.sampled_from(SIDS), room=st.sampled_from(ROOMS))
    def leave(self, namespace, sid, room):
        self.table.leave(namespace, sid, room)
        self.facts.discard((namespace, sid, room))

    @rule(namespace=st.sampled_from(NAMESPACES), room=st.sampled_from(ROOMS))
    def close(self, namespace, room):
        self.table.close(namespace, room)
        self.facts = {fact for fact in self.facts if (fact[0], fact[2]) != (namespace, room)}

    @invariant()
    def both_directions_agree_with_the_model(self):
        assert set(self.table.namespaces()) == {namespace for namespace, _ in self.clients}
        for namespace in NAMESPACES:
            for room in ROOMS:
                members = {sid for space, sid, name in self.facts if (space, name) == (namespace, room)}
                assert set(self.table.members(namespace, room)) == members
            for sid in SIDS:
                rooms = {name for space, client, name in self.facts if (space, client) == (namespace, sid)}
                own = {sid} if (namespace, sid) in self.clients else set()
                assert set(self.table.rooms_of(namespace, sid)) == rooms | own

    @invariant()
    def nothing_empty_is_kept(self):
        view = self.table.view()
        assert all(view[namespace][room] for namespace in view for room in view[namespace])


TestRoomTable = RoomTableMachine.TestCase


class MemberTableMachine(RuleBasedStateMachine):
    """A client is in a room if, and only if, what was asked last about it is a join that was let in."""

    def __init__(self) -> None:
        super().__init__()
        self.table = MemberTable(nullcontext())
        self.clients = {sid: SimpleNamespace(sid=sid, namespace="/") for sid in SIDS[:2]}
        #: (moment, sid, room, join or None): what is under way. A leave is done later than it was asked for.
        self.joins: list[tuple[object, str, str]] = []
        self.leaves: list[tuple[int, str, str]] = []
        #: (sid, room) -> the moment of the newest join that was let in, and of the newest order against it.
        self.let_in: dict[tuple[str, str], int] = {}
        self.against: dict[tuple[str, str], int] = {}
        #: Joins that a recheck came upon.
        self.stale: set[int] = set()

    def forbid(self, sid: str, room: str, moment: int) -> None:
        self.against[sid, room] = max(moment, self.against.get((sid, room), 0))
        if self.let_in.get((sid, room), 0) <= moment:
            self.let_in.pop((sid, room), None)

    @rule(sid=st.sampled_from(SIDS[:2]), room=st.sampled_from(["r1", "r2"]))
    def ask_to_join(self, sid, room):
        join = self.table.begin(self.clients[sid])
        self.table.place(join, room)
        self.joins.append((join, sid, room))

    @rule(sid=st.sampled_from(SIDS[:2]), room=st.sampled_from(["r1", "r2"]))
    def ask_to_leave(self, sid, room):
        self.leaves.append((self.table.moment(), sid, room))

    @rule(which=st.integers(0, 9))
    def let_in_what_was_asked(self, which):
        if not self.joins:
            return
        join, sid, room = self.joins.pop(which % len(self.joins))
        outcome = self.table.add(Member(self.clients[sid], NamedRoom(room), None, ()), join)
        is_forbidden = self.against.get((sid, room), 0) >= join.moment
        assert (outcome in (JoinVerdict.LEFT, JoinVerdict.TAKEN_OUT)) is is_forbidden
        if not is_forbidden and join.moment in self.stale:
            assert outcome is JoinVerdict.ASK_AGAIN
            self.stale.discard(join.moment)
            self.joins.append((join, sid, room))
            return
        if not is_forbidden:
            assert isinstance(outcome, Member)
            self.let_in[sid, room] = max(join.moment, self.let_in.get((sid, room), 0))
        self.table.end(join)

    @rule(which=st.integers(0, 9))
    def do_what_a_leave_asks(self, which):
        if self.leaves:
            moment, sid, room = self.leaves.pop(which % len(self.leaves))
            self.table.remove("/", room, [sid], until=moment, by_client=True)
            self.forbid(sid, room, moment)

    @rule(sid=st.sampled_from(SIDS[:2]), room=st.sampled_from(["r1", "r2"]))
    def kick(self, sid, room):
        self.table.remove("/", room, [sid])
        self.forbid(sid, room, self.table.moment())

    @rule(room=st.sampled_from(["r1", "r2"]))
    def close(self, room):
        self.table.remove_all("/", room)
        for sid in self.clients:
            self.forbid(sid, room, self.table.moment())

    @rule(room=st.sampled_from(["r1", "r2"]))
    def recheck(self, room):
        self.table.recheck("/", room)
        self.stale |= {join.moment for join, _, name in self.joins if name == room}

    @invariant()
    def those_are_in_whom_nothing_took_out(self):
        for room in ("r1", "r2"):
            assert set(self.table.members("/", room)) == {sid for sid, name in self.let_in if name == room}
            assert self.table.is_awaited("/", room) is any(name == room for _, _, name in self.joins)

    def teardown(self):
        for join, _, _ in self.joins:
            self.table.end(join)
        for sid in self.clients:
            self.table.remove_client("/", sid)
        assert self.table.is_empty


TestMemberTable = MemberTableMachine.TestCase
