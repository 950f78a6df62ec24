"""What a server knows of clients that can come back: which session, which events, and what is reported of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fastsio.base.lost_sessions import Due
from fastsio.protocol.dialect import LegacyDialect
from fastsio.protocol.offset import write_offset
from fastsio.state import Connection
from fastsio.state.recovery import Entry, Found, Received, SavedSession
from tests.unit.base.recovery_scene import Scene


class Nodes:
    """The sessions that all nodes share, and what was asked of them."""

    start = 0
    write = staticmethod(write_offset)

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.is_complete = True

    def bring_up(self, _session: SavedSession) -> bool:
        return self.is_complete

    def __getattr__(self, name: str) -> Any:
        return lambda *about: self.asked.append((name, *about))


def texts(batches: list[list[Any]] | None) -> list[Any]:
    """Return the texts of events, from their frames in batches."""
    return [frame.data.split('"')[3] for batch in batches or () for frame in batch]


def test_a_lost_client_comes_back_with_its_rooms_and_the_events_that_it_has_missed() -> None:
    """Those of rooms that it leaves before it is let in are left out; nothing is sent to it twice."""
    scene = Scene()
    client = scene.connect("ann", "tea", "milk")
    client.session["name"] = "Ann"
    session = scene.lose(client)
    scene.emit("for all")
    scene.emit("for tea", "tea")
    scene.emit("for milk", "milk")
    scene.emit("for others", "coffee")

    back = scene.come_back(session)

    assert back is not None
    assert (back.session, sorted(map(str, back.rooms or ()))) == ({"name": "Ann"}, ["milk", "tea"])
    assert scene.told == [("lost", "ann"), ("returned", "ann")]
    del back.rooms["milk"]  # type: ignore[union-attr]
    assert texts(scene.state.take_missed(back)) == ["for all", "for tea"]
    assert scene.state.take_missed(back) == []
    assert not scene.state.has_sessions()
    assert scene.state.take_missed(scene.arrive("bob")) == []


def test_only_clients_of_protocol_5_in_other_namespaces_than_excluded_ones_can_come_back() -> None:
    """A client whose connection is lost already cannot either."""
    scene = Scene()
    scene.state.excluded.add("/admin")
    legacy = Connection("eio", {}, None, dict, dialect=LegacyDialect())  # type: ignore[arg-type]
    lost = Connection("eio", {}, None, dict)  # type: ignore[arg-type]
    lost.is_lost = True

    clients = [
        scene.connect("old", connection=legacy),
        scene.connect("lost", connection=lost),
        scene.connect("boss", namespace="/admin"),
    ]

    assert [client.recovery for client in clients] == [None, None, None]
    assert scene.state.clients() == []
    scene.state.forget(clients[0])
    assert scene.told == []


def test_what_is_known_of_a_client_by_its_pid() -> None:
    """While it is connected, and while its session is kept."""
    scene = Scene()
    client = scene.connect("ann", "tea")
    state = scene.state

    assert state.client_of("pid1") is client
    assert (state.knows("/", "pid1"), state.knows("/news", "pid1"), state.pids()) == (True, False, ["pid1"])
    assert not state.is_away("/", "ann")
    session = scene.lose(client)
    assert state.client_of("pid1") is None
    assert (state.knows("/", "pid1"), state.knows("/news", "pid1"), state.pids()) == (True, False, ["pid1"])
    assert state.is_away("/", "ann")
    assert (state.is_awaited("/", "tea"), state.is_awaited("/", "milk")) == (True, False)
    assert (state.has_sessions(), state.has_sessions("/"), state.has_sessions("/news")) == (True, True, False)
    state.leave_room("/", "ann", "tea")
    assert not state.is_awaited("/", "tea")
    assert state.claim("/", "pid1") is session
    assert state.claim("/", "pid1") is None


def test_with_a_store_there_may_always_be_sessions() -> None:
    """Those of an earlier process are not known here."""
    store = SimpleNamespace(keep=print, load=print, take=print)

    scene = Scene(store=store)

    assert scene.state.has_sessions()
    scene.joins["ann"] = {"tea": ({"id": 5},)}
    assert scene.state.session_of(scene.connect("ann")).joined == {"tea": ({"id": 5},)}


def test_a_connection_waits_for_the_end_of_the_one_before() -> None:
    """The event is set when the client has left, and there is none once it has."""
    scene = Scene()
    client = scene.connect("ann")

    end = scene.state.end_of(client, "pid1")

    assert scene.state.end_of(client, "pid1") is end
    scene.state.forget(client)
    scene.state.forget(client)
    assert scene.told == [("gone",)]
    assert scene.state.end_of(client, "pid1") is None


@pytest.mark.parametrize("why", ["late", "over", "a wrong offset", "a dropped event"])
def test_a_client_that_cannot_get_all_that_it_has_missed_is_a_new_one(why: str) -> None:
    """Its session is removed."""
    scene = Scene(max_packets=1)
    session = scene.lose(scene.connect("ann"))
    session.is_over = why == "over"
    for _ in range(2 if why == "a dropped event" else 0):
        scene.emit("missed")

    found = scene.state.check(session, "-" if why == "a wrong offset" else None, is_late=why == "late")

    assert found is None
    assert not scene.state.has_sessions()


def test_a_session_that_has_ended_since_it_was_found_is_not_restored() -> None:
    """Another thread has ended it."""
    scene = Scene()
    session = scene.lose(scene.connect("ann"))
    session.is_over = True

    assert scene.state.restore(scene.arrive("ann"), Found(session, 0)) is None


def test_a_session_of_another_node_is_brought_up_before_it_is_restored() -> None:
    """If that cannot be done, the client is a new one."""
    nodes = Nodes()
    scene = Scene(nodes)
    entry = Entry(3, "/", (None,), (), frames_of_text("older"), 5, 0.0)
    joined = {"tea": ({"id": 5},)}
    found = Found(SavedSession("pid", "ann", "/", {"tea": 0}, {}, 0, is_present=False, joined=joined), 0, 9, [entry])

    client = scene.arrive("ann")
    assert scene.state.restore(client, found) is False
    assert client.recovery is not None
    assert client.recovery.joined == joined
    assert texts(scene.state.take_missed(client)) == ["older"]
    nodes.is_complete = False
    assert scene.state.restore(scene.arrive("ann"), found) is None
    assert scene.told == []


@pytest.mark.parametrize(("older", "seen"), [(True, 3), (False, 0)])
def test_a_session_of_an_earlier_server_goes_on_in_the_log_of_this_one(older: bool, seen: int) -> None:
    """The client may come back again with an offset of the log before."""
    scene = Scene(start=9)
    entries = [Entry(3, "/", (None,), (), frames_of_text("older"), 5, 0.0)] if older else []
    session = SavedSession("pid", "ann", "/", {}, {}, 0, log="before")
    client = scene.arrive("ann")

    assert scene.state.restore(client, Found(session, 0, 9, entries)) is False

    assert client.recovery is not None
    assert (client.recovery.since, client.recovery.seen, client.recovery.held_upto) == (9, seen, 9)


def frames_of_text(text: str) -> Any:
    """Return the frames of an event of an earlier log."""
    return [SimpleNamespace(data=f'2["news","{text}","~"]', size=5)]


def test_a_client_that_is_behind_before_it_is_let_in_is_sent_the_rest_out_of_the_log() -> None:
    """Until it is not behind any more, or an event for it was dropped."""
    scene = Scene(max_packets=3)
    client = scene.arrive("ann")
    scene.state.begin(client)
    assert scene.state.read_on(client) == []
    for number in range(3):
        frames = scene.emit(f"number {number}")
        if client.hold_outgoing(frames, 9, most=1, most_bytes=99):
            client.recovery.held_upto = scene.state.log.last  # type: ignore[union-attr]

    assert texts(scene.state.read_on(client)) == ["number 0", "number 1", "number 2"]
    assert scene.state.read_on(client) == []
    for _ in range(9):
        client.hold_outgoing(scene.emit("more"), 9, most=1, most_bytes=99)
    assert scene.state.read_on(client) is None


def test_a_client_that_misses_an_event_is_cut_off_once() -> None:
    """If there is no thread for that, the next event tries again."""
    scene = Scene()
    client = scene.arrive("ann")
    client.hold_outgoing([], 0, most=1, most_bytes=1)
    scene.has_threads = False

    scene.state.cut_off(client)
    assert (scene.tasks, len(scene.told)) == ([], 1)
    scene.has_threads = True
    scene.state.cut_off(client)
    scene.state.cut_off(client)

    assert (scene.tasks, len(scene.told)) == ([(None, "eio of ann", "transport error")], 2)


def test_a_client_that_leaves_while_there_is_no_thread_to_cut_it_off() -> None:
    """There is nothing to try again."""
    scene = Scene()
    client = scene.arrive("ann")
    scene.state._server.logger.exception = lambda *_: setattr(client, "outgoing", None)
    client.hold_outgoing([], 0, most=1, most_bytes=1)
    scene.has_threads = False

    scene.state.cut_off(client)

    assert client.outgoing is None


def test_the_store_of_all_nodes_is_told_of_changes() -> None:
    """Of connected clients and of lost ones; not of one that is not let in."""
    nodes = Nodes()
    scene = Scene(nodes)
    client = scene.arrive("ann")
    scene.state.begin(client)
    scene.state.changed(client)
    assert nodes.asked == []
    client = scene.connect("bob", "tea", "milk")
    scene.state.changed(client)
    scene.state.leave_room("/", "bob", "milk")
    scene.state.leave_room("/", "nobody", "milk")
    session = scene.lose(client)
    scene.state.leave_room("/", "bob", "tea")
    scene.state.close_room("/", "milk", [])

    assert [name for name, *_ in nodes.asked] == ["store_soon", "store_soon", "update", "update"]
    assert session.as_of == 0
    other = scene.connect("cid")
    scene.state.forget(other)
    assert nodes.asked[-1] == ("forget", other, other.recovery)


def test_other_nodes_are_told_of_changes_until_the_shutdown() -> None:
    """Where sessions move from node to node."""
    touched: list[str] = []
    scene = Scene(moves=SimpleNamespace(touch=touched.append))
    client = scene.connect("ann", "tea")
    assert touched == ["pid1"]
    scene.state.changed(scene.arrive("of protocol 4"))
    scene.lose(scene.connect("bob", "tea"))
    scene.state.close_room("/", "tea", [client])
    assert touched == ["pid1", *4 * ["pid2"], "pid1"]
    touched.clear()
    scene.state.changed(client)
    assert touched == ["pid1"]
    scene.lifecycle.is_closed = True
    scene.state.changed(client)
    scene.state.add(scene.state.session_of(client))

    assert touched == ["pid1"]
    assert not scene.state.is_away("/", "ann")
    client.rooms = None
    scene.state.entered(client, "tea")
    assert client.rooms is None


def test_the_present_state_of_a_session() -> None:
    """With the payloads of joins; None if its client cannot come back."""
    scene = Scene(moves=SimpleNamespace(touch=print))
    scene.joins["ann"] = {"tea": ({"id": 5},)}
    client = scene.connect("ann", "tea")
    state = scene.state

    present = state.present_session("pid1")
    assert present is not None
    assert present.joined == {"tea": ({"id": 5},)}
    session = scene.lose(client)
    session.members.append(SimpleNamespace(room=SimpleNamespace(name="milk"), args=({"id": 6},)))
    present = state.present_session("pid1")
    assert present is not None
    assert present.joined == {"tea": ({"id": 5},), "milk": ({"id": 6},)}
    session.is_over = True
    assert state.present_session("pid1") is None
    assert state.present_session("pid2") is None
    state.begin(scene.arrive("bob"))
    assert state.present_session("pid2") is None


def test_a_session_goes_to_another_node_once() -> None:
    """With what its client has missed."""
    scene = Scene()
    session = scene.lose(scene.connect("ann"))
    scene.emit("missed")
    found = scene.state.check(session, None, is_late=False)
    assert found is not None

    taken = scene.state.take_out(found)
    assert taken is not None
    assert taken[0] is session
    assert [scene.state.log.arguments_of(entry) for entry in taken[1]] == [["news", "missed"]]
    assert scene.state.take_out(found) is None


def test_a_session_of_another_node_is_adopted_for_its_client() -> None:
    """Its client is told an offset of this process, and may still come back with the one of before."""
    scene = Scene(start=9)
    session = SavedSession("pid", "ann", "/", {"tea": None}, {}, None)

    found, dropped = scene.state.adopt(session, [(("tea",), ["news", "missed"])], "offset")

    assert (found, dropped) == (Found(session, 9), [])
    assert (session.foreign_offset, session.rooms, session.is_claimed, session.is_present) == (
        "offset",
        {"tea": 10},
        True,
        False,
    )
    assert texts([[frame for entry in scene.state.log.kept.missed(session, 9) for frame in entry.frames or ()]]) == [
        "missed"
    ]


def test_a_session_with_more_than_the_log_keeps_is_not_adopted() -> None:
    """Its client would not get all that it has missed."""
    scene = Scene(max_packets=1)
    session = SavedSession("pid", "ann", "/", {}, {}, None)

    assert scene.state.adopt(session, [((None,), ["news", 1]), ((None,), ["news", 2])], None) == (None, [])


def test_a_client_that_the_server_disconnects_does_not_come_back() -> None:
    """Neither a connected one nor a lost one."""
    scene = Scene()
    client = scene.connect("ann")
    assert scene.state.take_dismissed("/", "ann") is None
    assert client.recovery is not None
    assert client.recovery.is_over
    session = scene.lose(scene.connect("bob"))
    assert scene.state.take_dismissed("/", "bob") is session
    assert session.is_over
    assert scene.state.take_dismissed("/", "bob") is None


def test_the_session_of_a_client_that_is_back_at_another_node_is_removed() -> None:
    """Not while it comes back here."""
    scene = Scene()
    session = scene.lose(scene.connect("ann"))
    scene.state.claim("/", "pid1")
    assert scene.state.take_returned("/", "ann") is None
    session.is_claimed = False
    assert scene.state.take_returned("/", "ann") is session
    assert scene.state.take_returned("/", "ann") is None


def test_a_session_has_the_deadlines_of_presence_and_of_its_end() -> None:
    """Its client leaves the rooms of room classes first."""
    scene = Scene()
    log_timer, timer = scene.timers
    session = scene.lose(scene.connect("ann"))
    assert timer.left == {session: 15.0}
    timer.on_due([session])
    assert (scene.due, timer.left) == ([session], {session: 1.0})

    assert scene.state.lost.go_on(session) is Due.DEPARTURE
    assert (session.members, timer.left) == (["member of ann"], {session: 120.0})
    assert scene.state.lost.go_on(session) is None
    scene.emit("missed")
    scene.now = 100.0
    scene.state.stop()
    assert (timer.left, log_timer.left) == ({}, {})
    scene.state.start()
    assert (timer.left, list(log_timer.left.values())) == ({session: 20.0}, [120.0])
    scene.now = 200.0
    assert scene.state.lost.go_on(session) is Due.END
    assert scene.state.lost.go_on(session) is None
    assert timer.left == {}


def test_sessions_that_cannot_be_ended_yet_are_tried_again() -> None:
    """There is no thread for them; one whose client is coming back waits for that."""
    scene = Scene()
    timer = scene.timers[1]
    sessions = [scene.lose(scene.connect("ann")), scene.lose(scene.connect("bob"))]
    sessions[0].is_claimed = True
    scene.has_threads = False

    timer.on_due(sessions)

    assert (scene.due, list(timer.left.values())) == ([], [1.0, 1.0])
    assert scene.told[-1] == ("logged", "Sessions whose time is up cannot be ended yet")
    scene.lifecycle.is_closed = True
    timer.on_due(sessions)
    assert scene.due == []


def test_the_oldest_session_makes_room() -> None:
    """It is over."""
    scene = Scene(max_sessions=1)
    first = scene.lose(scene.connect("ann"))
    second = scene.state.session_of(scene.connect("bob"))

    assert scene.state.add(second) == [first]
    assert first.is_over
    assert scene.timers[1].left == {second: 15.0}


def test_old_events_are_dropped() -> None:
    """By the timer, or with the next event where there is no thread for the timer."""
    scene = Scene()
    timer, log = scene.timers[0], scene.state.log
    scene.emit("first")
    scene.emit("second")
    assert timer.left == {log: 120.0}
    timer.on_due([log])
    assert len(log.kept) == 2
    scene.now = 130.0
    timer.on_due([log])
    assert len(log.kept) == 0
    timer.fails = True
    scene.emit("third")
    assert len(log.kept) == 1
    scene.lifecycle.is_closed = True
    scene.now = 999.0
    timer.on_due([log])
    assert len(log.kept) == 1


def test_events_of_a_log_that_all_nodes_share_have_its_positions() -> None:
    """Others are not kept, and get the offset of the newest one."""
    scene = Scene(Nodes())
    log = scene.state.log
    seen: list[Entry] = []
    log.on_entry = seen.append
    received = Received(5, {"milk"})
    log.number("/", ("tea",), (), ["news", "of the log"], received)
    log.number("/", ("tea",), (), ["news", "other"])
    log.keep_unsent("/", ("tea",), ["news", "unsent"], Received(6), 9)

    assert [(entry.position, entry.without) for entry in seen] == [(5, {"milk"}), (6, ())]
    assert (log.keeps(received), log.keeps(None), log.keeps(Received(7, (), is_kept=False))) == (True, False, False)
    assert (log.offset_of(received), log.offset_of(None)) == (write_offset(5), write_offset(6))
    log.complete(seen)
    assert [log.arguments_of(entry) for entry in seen] == [["news", "of the log"], ["news", "unsent"]]
    log.forget_all()
    log.advance(8)
    assert (len(log.kept), log.last) == (2, 8)
    log.restart(9)
    assert (len(log.kept), log.last) == (0, 9)


def test_events_of_a_process_alone_are_dropped_if_others_are_missing() -> None:
    """No client comes back with an offset from before."""
    scene = Scene()
    scene.emit("known")

    scene.state.log.forget_all()

    assert (len(scene.state.log.kept), scene.state.log.last) == (0, 2)
    assert scene.state.log.keeps(None)
    assert scene.state.log.arguments_of(Entry(1, "/", (), (), None, 0, 0.0)) == []
