"""Who is connected and in which room."""

from __future__ import annotations

from threading import RLock
from types import SimpleNamespace

import pytest

from fastsio import AsyncManager, Manager
from fastsio.base.manager import BaseManager, ExpectedAcks, checked_manager
from fastsio.base.options import ServerOptions
from fastsio.base.rooms import Room
from fastsio.exceptions import SetupError
from fastsio.protocol import Happening
from fastsio.state import Connection
from fastsio.state.recovery import ClientRecovery


class ChatRoom(Room):
    pass


@pytest.fixture
def manager() -> BaseManager:
    """Return a manager with one connected and one connecting client."""
    manager = BaseManager()
    manager.set_server(
        SimpleNamespace(
            __fastsio__=SimpleNamespace(
                observer=None,
                room_keeper=None,
                recovery_state=None,
                histories=None,
                room_class_of=lambda namespace, room: ChatRoom if (namespace, room) == ("/", "chat|5") else None,
                options=ServerOptions(max_rooms=2),
                label_of=lambda sid: f"<{sid}>",
                connections={},
            ),
            logger="server's",
        )
    )
    manager.basic_connect("s1", "e1", "/")
    manager.basic_connect("s2", "e2", "/")
    manager.basic_accept("s1", "/")
    return manager


def test_a_client_is_connected_once_its_handler_accepted(manager):
    """Before that it is pre-connected."""
    assert manager.is_connected("s1", "/")
    assert not manager.is_pre_connected("s1", "/")
    assert not manager.is_connected("s2", "/")
    assert manager.is_pre_connected("s2", "/")
    assert not manager.is_connected("s9", "/")


def test_the_state_of_the_servers_record_says_who_is_connected(manager):
    """The manager keeps no account of that of its own."""
    connection = Connection("e3", {}, None, dict)
    manager.server.__fastsio__.connections["e3"] = connection
    manager.basic_connect("s3", "e3", "/chat")
    client = manager.client_of("s3", "/chat")
    assert client.connection is connection
    assert manager.pending_connect == {"/": ["s2"], "/chat": ["s3"]}

    client.advance(Happening.ACCEPT)
    assert manager.is_connected("s3", "/chat")
    assert manager.basic_accept("s3", "/chat") == []
    assert manager.basic_accept("s9", "/chat") == []
    client.advance(Happening.LEAVE)
    assert not manager.is_connected("s3", "/chat")
    assert manager.pending_disconnect == {"/chat": ["s3"]}
    assert manager.client_of("s3", "/") is None


def test_a_leaving_client_is_not_connected_but_has_its_rooms(manager):
    """The disconnect handler can still read rooms."""
    manager.basic_enter_room("s1", "/", "r")

    assert manager.pre_disconnect("s1", "/") == "e1"

    assert not manager.is_connected("s1", "/")
    assert manager.get_rooms("s1", "/") == ["s1", "r"]
    assert manager.pre_disconnect("s9", "/") is None


def test_nothing_is_left_of_a_disconnected_client(manager):
    """Rooms, callbacks and marks go."""
    manager.basic_enter_room("s1", "/", "r")
    ack_id = manager._generate_ack_id("s1", print)
    manager.pre_disconnect("s1", "/")

    manager.basic_disconnect("s1", "/")
    manager.basic_disconnect("s2", "/")

    assert list(manager.get_namespaces()) == []
    assert list(manager.get_participants("/", "r")) == []
    assert manager._acks.pop("s1", ack_id) is None
    assert not manager.is_pre_connected("s2", "/")


def test_participants_of_several_rooms_come_once(manager):
    """get_participants takes one room, several, or None for everybody."""
    manager.basic_enter_room("s1", "/", "a")
    manager.basic_enter_room("s1", "/", "b")

    assert list(manager.get_participants("/", ["a", "b"])) == [("s1", "e1")]
    assert dict(manager.get_participants("/", None)) == {"s1": "e1", "s2": "e2"}
    assert "a" in manager.rooms["/"]


def test_the_room_of_another_client_cannot_be_entered_or_closed(manager):
    """A client-chosen room name cannot subscribe to somebody's private room."""
    with pytest.raises(ValueError, match="cannot enter a sid room"):
        manager.basic_enter_room("s1", "/", "s2")
    with pytest.raises(ValueError, match="cannot close a sid room"):
        manager.basic_close_room("s2", "/")
    assert manager.is_sid_room("/", "s2")
    assert not manager.is_sid_room("/", "r")


def test_entering_ones_own_room_is_nothing(manager):
    """A client is in its own room anyway."""
    manager.basic_enter_room("s1", "/", "s1")

    assert manager.get_rooms("s1", "/") == ["s1"]


def test_strangers_have_no_rooms(manager):
    """An unknown client or namespace is an error, as in python-socketio."""
    with pytest.raises(KeyError):
        manager.basic_enter_room("s9", "/", "r")
    with pytest.raises(ValueError, match="not connected"):
        manager.basic_enter_room("s1", "/nowhere", "r")
    assert manager.get_rooms("s9", "/") == []


def test_rooms_of_a_client_are_bounded(manager):
    """max_rooms counts what a client entered; the error, which may be logged, shows no more of a sid than a log may."""
    manager.basic_enter_room("s1", "/", "a")
    manager.basic_enter_room("s1", "/", "b")

    with pytest.raises(ValueError, match="client <s1> is in max_rooms=2 rooms already"):
        manager.basic_enter_room("s1", "/", "c")


def test_without_a_server_rooms_have_no_bound():
    """A manager can be used by itself."""
    manager = BaseManager()
    manager.basic_connect("s1", "e1", "/")

    manager.basic_enter_room("s1", "/", "a")
    manager.basic_leave_room("s1", "/", "a")
    manager.basic_enter_room("s1", "/", "b")
    manager.basic_close_room("b", "/")

    assert manager.get_rooms("s1", "/") == ["s1"]


def test_sids_find_each_other(manager):
    """Both directions of sid and Engine.IO sid."""
    assert manager.sid_from_eio_sid("e1", "/") == "s1"
    assert manager.eio_sid_from_sid("s1", "/") == "e1"


def test_callbacks_can_be_discarded(manager):
    """A call that timed out waits no more."""
    ack_id = manager._generate_ack_id("s1", print)

    manager.discard_callback("s1", ack_id)

    assert manager._acks.pop("s1", ack_id) is None


def test_the_logger_is_the_servers_unless_given(manager):
    """python-socketio's _get_logger."""
    assert manager._get_logger() == "server's"
    manager.logger = "own"
    assert manager._get_logger() == "own"
    manager.initialize()


def test_a_room_may_have_somebody_or_nobody(manager):
    """Any of several rooms counts, and everybody's as well."""
    manager.basic_enter_room("s1", "/", "r")

    assert manager.has_participants("/", ["empty", "r"])
    assert manager.has_participants("/", [None])
    assert not manager.has_participants("/", ["empty"])
    assert not manager.has_participants("/nowhere", [None])


class Watching:
    """Writes down who enters and leaves rooms."""

    def __init__(self):
        self.seen = []

    def room_entered(self, namespace, room, sid):
        self.seen.append(("entered", namespace, room, sid))

    def room_left(self, namespace, room, sid):
        self.seen.append(("left", namespace, room, sid))


def test_who_watches_is_told_of_rooms_once(manager):
    """Not of what changes nothing, and of a client only once it is accepted."""
    watching = manager.server.__fastsio__.observer = Watching()
    for _ in range(2):
        manager.basic_enter_room("s1", "/", "r")
        manager.basic_enter_room("s2", "/", "r")
    manager.basic_leave_room("s1", "/", "q")
    manager.basic_leave_room("s1", "/", "r")
    manager.basic_accept("s2", "/")
    manager.basic_enter_room("s1", "/", "s")
    manager.basic_enter_room("s2", "/", "s")
    manager.basic_close_room("s", "/")

    assert watching.seen[:4] == [
        ("entered", "/", "r", "s1"),
        ("left", "/", "r", "s1"),
        ("entered", "/", "s", "s1"),
        ("entered", "/", "s", "s2"),
    ]
    assert sorted(watching.seen[4:]) == [("left", "/", "s", "s1"), ("left", "/", "s", "s2")]


def test_an_acknowledgement_is_expected_once(manager):
    """Whoever takes the callback has it."""
    ack_id = manager._generate_ack_id("s1", print)

    assert manager._pop_callback("s1", ack_id) is print
    assert manager._pop_callback("s1", ack_id) is None


def test_the_keeper_of_rooms_is_told_who_is_taken_out(manager):
    """Before anybody has left; of a room that is closed, that it is."""
    told = []
    manager.server.__fastsio__.room_keeper = SimpleNamespace(
        remove_members=lambda namespace, room, sids: told.append((namespace, room, sids, manager.get_rooms("s1", "/"))),
        remove_all_members=lambda namespace, room: told.append(
            (namespace, room, "closed", manager.get_rooms("s1", "/"))
        ),
    )
    manager.basic_enter_room("s1", "/", "a")
    manager.basic_enter_room("s1", "/", "b")

    manager.basic_leave_room("s1", "/", "a")
    manager.basic_close_room("b", "/")

    assert told == [("/", "a", ["s1"], ["s1", "a", "b"]), ("/", "b", "closed", ["s1", "b"])]
    assert manager.get_rooms("s1", "/") == ["s1"]


def test_a_room_concerns_a_server_with_a_member_or_with_one_that_may_become_one(manager):
    """Without a server nobody may."""
    manager.basic_enter_room("s1", "/", "a")
    assert [manager._concerns_us("/", room) for room in ("a", "b")] == [True, False]
    members = SimpleNamespace(is_awaited=lambda namespace, room: (namespace, room) == ("/", "b"))
    manager.server.__fastsio__.room_keeper = SimpleNamespace(table=members)
    assert [manager._concerns_us("/", room) for room in ("a", "b", "c")] == [True, True, False]
    manager.server.__fastsio__.histories = SimpleNamespace(has_events=lambda namespace, room: room == "c")
    assert [manager._concerns_us("/", room) for room in ("c", "d")] == [True, False]
    manager.server = None
    assert not manager._concerns_us("/", "b")


def test_the_lock_of_a_manager_is_the_one_it_was_given():
    """Others change its rooms under the same one."""
    lock = RLock()
    assert BaseManager(lock=lock).lock is lock


def test_a_room_of_a_class_is_entered_by_the_room_only(manager):
    """Text that happens to be its name is refused, and the error says what to give."""
    with pytest.raises(ValueError, match=r"'chat\|5' is a room of ChatRoom: give the room, ChatRoom\(\.\.\.\)"):
        manager.basic_enter_room("s1", "/", "chat|5")
    assert manager.get_rooms("s1", "/") == ["s1"]

    manager.basic_enter_room("s1", "/", str(ChatRoom(5)))
    manager.basic_enter_room("s1", "/", "chat|6")
    assert manager.get_rooms("s1", "/") == ["s1", "chat|5", "chat|6"]
    manager.basic_leave_room("s1", "/", "chat|5")
    assert manager.get_rooms("s1", "/") == ["s1", "chat|6"]


class Asked(ExpectedAcks):
    has_given_up = False

    def give_up(self):
        self.has_given_up = True


@pytest.mark.parametrize("leave", [BaseManager.pre_disconnect, BaseManager.basic_disconnect])
def test_callbacks_that_want_to_know_are_told_when_a_client_leaves(manager, leave):
    """As soon as it begins to; others are dropped."""
    asked = Asked()
    manager._expect_ack("s1", "/", asked)
    manager._expect_ack("s1", "/", print)
    asked.mark_sent()
    assert not asked.has_given_up

    leave(manager, "s1", "/")
    assert asked.has_given_up
    assert manager._pop_callback("s1", 2) is None


def test_no_acknowledgement_is_expected_of_a_client_that_is_leaving(manager):
    """It has said its last word."""
    manager.pre_disconnect("s1", "/")
    asked = Asked()
    manager._expect_ack("s1", "/", asked)
    asked.mark_sent()

    assert asked.has_given_up


def test_the_attributes_that_programs_for_python_socketio_read_are_computed(manager):
    """In its shapes, and as copies: who changes one changes nothing else."""
    ack_id = manager._generate_ack_id("s1", print)

    assert manager.callbacks == {"s1": {ack_id: print}}
    assert manager.pending_connect == {"/": ["s2"]}
    assert manager.pending_disconnect == {}
    assert manager.eio_to_sid == {"e1": "s1", "e2": "s2"}
    manager.callbacks["s1"].clear()
    manager.pre_disconnect("s1", "/")
    assert manager.pending_disconnect == {"/": ["s1"]}
    assert manager.callbacks == {}
    for sid in ("s1", "s2"):
        manager.basic_disconnect(sid, "/")
    assert manager.pending_connect == manager.pending_disconnect == manager.eio_to_sid == {}


class Foreign:
    """A manager of another package: what it is awaited for is not known."""

    def set_server(self, server): ...


@pytest.mark.parametrize("asynchronous", [True, False])
def test_a_server_takes_its_kind_of_manager_and_those_of_other_packages(asynchronous):
    """None is one that the server makes."""
    own = (AsyncManager if asynchronous else Manager)()
    foreign = Foreign()

    assert checked_manager(own, asynchronous=asynchronous) is own
    assert checked_manager(foreign, asynchronous=asynchronous) is foreign
    assert checked_manager(None, asynchronous=asynchronous) is None


@pytest.mark.parametrize(
    ("given", "asynchronous", "told"),
    [
        (Manager(), True, "client_manager Manager is for the other kind of server; give AsyncManager or a subclass"),
        (
            AsyncManager(),
            False,
            "client_manager AsyncManager is for the other kind of server; give Manager or a subclass",
        ),
        (AsyncManager, True, "client_manager=AsyncManager is a class; give an object, AsyncManager(...)"),
        ("redis://:secret@host", True, "client_manager of type 'str' is not a client manager; give one, such as Async"),
        (
            "redis://:secret@host",
            False,
            "client_manager of type 'str' is not a client manager; give one, such as Redis",
        ),
    ],
)
def test_another_manager_is_refused_when_the_server_is_made(given, asynchronous, told):
    """C-191: what nobody awaits emits nothing. Passwords are not repeated."""
    with pytest.raises(SetupError) as raised:
        checked_manager(given, asynchronous=asynchronous)

    assert str(raised.value).startswith(told)


def test_a_room_of_clients_that_may_come_back_concerns_a_server(manager) -> None:
    """A client that is away is taken out of rooms, and its rooms are followed, as if it was there."""
    told: list[tuple[object, ...]] = []
    manager.server.__fastsio__.recovery_state = SimpleNamespace(
        is_awaited=lambda namespace, room: (namespace, room) == ("/", "tea"),
        has_sessions=lambda: True,
        entered=lambda client, room: told.append(("entered", client.sid, room)),
        leave_room=lambda *where: told.append(("left", *where)),
        close_room=lambda namespace, room, members: told.append(("closed", namespace, room, list(members))),
    )

    assert manager._concerns_us("/", "tea")
    assert not manager._concerns_us("/", "coffee")
    manager.basic_enter_room("s1", "/", "milk")
    manager.basic_enter_room("s1", "/", "milk")
    manager.basic_leave_room("away", "/", "tea")
    manager.basic_close_room("tea", "/")
    assert told == [("entered", "s1", "milk"), ("left", "/", "away", "tea"), ("closed", "/", "tea", [])]


def test_a_manager_of_one_server_keeps_sessions_for_no_other():
    """Lost clients come back to the server that they were connected to."""
    manager = BaseManager()

    assert manager.share_sessions(None) is None
    assert manager.move_sessions(None) is None


def test_a_manager_knows_which_clients_may_come_back(manager):
    """Without recovery, or without a server, there are no such clients."""
    assert not manager._has_lost_clients("/")
    assert not manager._is_away("/", "lost")

    manager.server.__fastsio__.recovery_state = SimpleNamespace(
        has_sessions=lambda namespace: namespace == "/",
        is_away=lambda namespace, sid: (namespace, sid) == ("/", "lost"),
    )
    assert [manager._has_lost_clients(namespace) for namespace in ("/", "/chat")] == [True, False]
    assert [manager._is_away("/", sid) for sid in ("lost", "s1")] == [True, False]

    manager.server = None
    assert not manager._has_lost_clients("/")
    assert not manager._is_away("/", "lost")


def test_a_manager_has_the_histories_of_its_server(manager):
    """Without a server, or without a room class that keeps events, there are none."""
    assert manager._histories is None
    histories = manager.server.__fastsio__.histories = object()
    assert manager._histories is histories
    manager.server = None
    assert manager._histories is None


def test_a_history_is_told_all_rooms_of_a_client(manager):
    """An event may leave out the clients of another room; a client that has left is in no room."""
    manager.basic_enter_room("s1", "/", "a")
    manager.basic_enter_room("s1", "/", "b")

    assert list(manager._rooms_of("/", "s1")) == ["a", "b"]
    assert list(manager._rooms_of("/", "s2")) == []
    assert list(manager._rooms_of("/", "s9")) == []


def test_the_observer_is_told_which_clients_get_an_event(manager):
    """By their sids and Engine.IO sids; an event that no client gets is not reported."""
    told = []
    manager._observe_event([manager.client_of("s1", "/")], "/", ["news", 1])
    manager.server.__fastsio__.observer = SimpleNamespace(event_sent=lambda *event: told.append(event))

    manager._observe_event([manager.client_of(sid, "/") for sid in ("s1", "s2")], "/", ["news", 2])
    manager._observe_event([], "/", ["news", 3])

    assert told == [([("s1", "e1"), ("s2", "e2")], "/", ["news", 2])]


def frames(*sizes: int) -> list[SimpleNamespace]:
    """Return frames of these sizes."""
    return [SimpleNamespace(size=size) for size in sizes]


class Connecting:
    """A manager, and a client whose CONNECT has not been answered yet; of frames, ten bytes are held for it."""

    def __init__(self, manager: BaseManager, *, max_held_packets: int = 100) -> None:
        self.manager, self.logged, self.cut = manager, [], []
        server, shared = manager.server, manager.server.__fastsio__
        server.always_connect, server.eio = False, SimpleNamespace(max_buffer_bytes=10)
        server.logger = SimpleNamespace(warning=lambda text, sid: self.logged.append(sid))
        shared.options = ServerOptions(max_held_packets=max_held_packets)
        self.client = manager.client_of("s2", "/")

    def recover(self) -> None:
        """Let the server recover clients; the newest event has the position 7."""
        self.manager.server.__fastsio__.recovery_state = SimpleNamespace(
            log=SimpleNamespace(last=7), cut_off=self.cut.append
        )
        self.client.recovery = ClientRecovery("pid", 5)


@pytest.fixture
def connecting(manager) -> Connecting:
    """Return a manager with a client that is connecting."""
    return Connecting(manager)


def test_frames_wait_until_connect_has_been_answered(connecting):
    """They do not wait for a client whose CONNECT has been answered, nor with ``always_connect``."""
    manager, both = connecting.manager, frames(1, 2)

    assert manager._hold(connecting.client, both)
    assert connecting.client.outgoing.packets == both

    manager.server.always_connect = True
    assert not manager._hold(connecting.client, both)
    manager.server.always_connect, connecting.client.outgoing = False, None
    assert not manager._hold(connecting.client, both)


@pytest.mark.parametrize(("most", "sent"), [(100, frames(10)), (1, frames(1))], ids=["bytes", "packets"])
def test_frames_beyond_the_limits_are_dropped_and_logged_once(manager, most, sent):
    """Those that wait already stay."""
    connecting = Connecting(manager, max_held_packets=most)
    assert manager._hold(connecting.client, sent)

    for _ in range(2):
        assert manager._hold(connecting.client, frames(1))

    assert connecting.client.outgoing.packets == sent
    assert connecting.logged == ["s2"]


def test_what_a_recoverable_client_is_held_up_to_is_known(connecting):
    """Later events are read out of the log."""
    connecting.recover()

    assert connecting.manager._hold(connecting.client, frames(10), is_logged=True)
    assert connecting.client.recovery.held_upto == 7

    connecting.manager.server.__fastsio__.recovery_state.log.last = 8
    assert connecting.manager._hold(connecting.client, frames(1), is_logged=True)
    assert (connecting.client.recovery.held_upto, connecting.client.has_overflowed) == (7, True)
    assert (connecting.cut, connecting.logged) == ([], [])


def test_after_a_frame_that_did_not_fit_none_is_held_even_if_it_would_fit(connecting):
    """A client gets its events in their order."""
    connecting.recover()
    first = frames(5)
    for sent in (first, frames(6), frames(1)):
        assert connecting.manager._hold(connecting.client, sent, is_logged=True)

    assert connecting.client.outgoing.packets == first


def test_a_recoverable_client_that_misses_what_is_not_in_the_log_is_cut_off(connecting):
    """It reconnects, and misses nothing more."""
    connecting.recover()
    connecting.manager._hold(connecting.client, frames(10))

    assert connecting.manager._hold(connecting.client, frames(1))

    assert (connecting.cut, connecting.logged) == ([connecting.client], [])


def test_recovery_knows_a_client_before_its_rooms_do(manager):
    """An event that is sent to the client from then on is one that it can miss."""
    begun = []
    manager.server.__fastsio__.recovery_state = SimpleNamespace(
        begin=lambda client: begun.append((client.sid, manager.client_of(client.sid, "/")))
    )

    manager.basic_connect("s3", "e3", "/")

    assert begun == [("s3", None)]
    assert manager.is_pre_connected("s3", "/")


def test_a_client_is_admitted_under_the_sid_that_it_is_known_by(manager):
    """Or else under a new one."""
    known = {("e4", "/"): "s4"}
    manager.server.__fastsio__.known_sid = lambda eio_sid, namespace: known.get((eio_sid, namespace))
    manager.server.eio = SimpleNamespace(generate_id=lambda: "new")

    assert manager.admit("e4", "/") == "s4"
    assert manager.admit("e5", "/") == "new"
    assert manager.is_pre_connected("s4", "/")
    assert manager.is_pre_connected("new", "/")
