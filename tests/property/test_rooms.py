"""The room table against a model that stores nothing but (namespace, sid, room) facts."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fastsio.state import RoomTable

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
            self.table.add(namespace, sid, f"e-{sid}")
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
