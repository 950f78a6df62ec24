"""Room classes and objects: names, keys, and where they are."""

from __future__ import annotations

import copy
import gc
import re
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from fastsio.base.rooms import ARRIVAL, MEMBERS_TIMEOUT_S, Joined, Room, RoomRequests, hooks_of, register_room
from fastsio.exceptions import SetupError
from fastsio.injection import Context
from fastsio.state.members import MemberTable


class Host:
    """Stands for a server: a place to be registered."""


class ChatRoom(Room):
    pass


class VipChatRoom(ChatRoom):
    pass


class Explicit(Room):
    key = "x.y-Z_1"


class Inheriting(Explicit):
    pass


class Bare(Room):
    key = ""


def test_keys_are_given_or_made_of_the_name():
    """A given one is inherited, one of a name is not."""
    assert [each.key for each in (ChatRoom, VipChatRoom, Explicit, Inheriting, Bare)] == [
        "chat",
        "vip_chat",
        "x.y-Z_1",
        "x.y-Z_1",
        "",
    ]
    with pytest.raises(SetupError, match=r"Wrong\.key is 'a\|b'; use letters, digits"):
        type("Wrong", (Room,), {"key": "a|b"})


def test_an_object_is_a_name_and_its_identifier():
    """Equal by name, whatever it was made of."""
    assert (str(ChatRoom(5)), repr(ChatRoom(5)), ChatRoom(5).identifier) == ("chat|5", "<ChatRoom 'chat|5'>", 5)
    assert (str(ChatRoom("a", 1)), ChatRoom("a", 1).identifier) == ("chat|a|1", ("a", 1))
    assert str(Bare("hall")) == "hall"
    assert ChatRoom(5) == ChatRoom("5") == copy.copy(ChatRoom(5))
    assert ChatRoom(5) != VipChatRoom(5)
    with pytest.raises(ValueError, match="cannot be identified by"):
        ChatRoom(None)


def test_a_room_is_where_its_class_is_registered():
    """In one place it knows, in several it must be told, in none it says so."""
    one, two = Host(), Host()
    with pytest.raises(SetupError, match=r"ChatRoom is registered on no server; register_room\(ChatRoom\), or name"):
        ChatRoom(5).where()
    assert ChatRoom(5).on(one).where() == (one, "/")
    assert ChatRoom(5).namespace_on(one) == "/"

    ChatRoom.add_home(one, "/chat")
    ChatRoom.add_home(one, "/chat")
    assert ChatRoom(5).where() == (one, "/chat")
    assert ChatRoom(5).namespace_on(one) == "/chat"
    assert ChatRoom(5).on().where() == (one, "/chat")
    ChatRoom.add_home(two, "/chat")
    with pytest.raises(SetupError, match="registered 2 times"):
        ChatRoom(5).where()
    assert ChatRoom(5).on(two).where() == (two, "/chat")
    ChatRoom.add_home(two, "/other")
    assert ChatRoom(5).on(namespace="/other").where() == (two, "/other")
    with pytest.raises(SetupError, match="registered 2 times"):
        ChatRoom(5).on(two)
    assert ChatRoom(5).namespace_on(two) == "/"
    assert ChatRoom(5).on(two, "/other").namespace_on(two) == "/other"

    for host, namespace in ((one, "/chat"), (two, "/chat"), (two, "/other")):
        ChatRoom.remove_home(host, namespace)
    with pytest.raises(SetupError, match="registered on no server"):
        ChatRoom(5).where()


def test_a_server_that_was_thrown_away_does_not_count_once_another_registers_the_class():
    """Also one that only cycles of references keep alive, as servers are: a test need not shut its server down."""
    gone, server = Host(), Host()
    gone.manager = {"server": gone}
    VipChatRoom.add_home(gone, "/")
    gc.disable()
    try:
        del gone
        VipChatRoom.add_home(server, "/")

        assert VipChatRoom(1).where() == (server, "/")
    finally:
        gc.enable()


def test_a_room_in_several_places_names_them():
    """The message lists every server and namespace that the class is registered on."""
    one, two = Host(), Host()
    VipChatRoom.add_home(one, "/")
    VipChatRoom.add_home(two, "/vip")

    expected = re.escape(
        f"VipChatRoom is registered 2 times ('/' of {one!r}, '/vip' of {two!r}); say which one is meant"
    )
    with pytest.raises(SetupError, match=expected):
        VipChatRoom(1).where()


def test_a_decorator_adds_to_what_is_inherited():
    """A base class has its own list."""

    @register_room(ChatRoom)
    class Base:
        pass

    @register_room(VipChatRoom, ChatRoom)
    class Derived(Base):
        pass

    assert Base.__fastsio_rooms__ == (ChatRoom,)
    assert Derived.__fastsio_rooms__ == (ChatRoom, VipChatRoom)


def test_only_room_classes_are_taken():
    """By the decorator and by ``Joined``."""
    for wrong in ("chat", ChatRoom(5), dict):
        with pytest.raises(SetupError, match="is not a room class"):
            register_room(wrong)
        with pytest.raises(SetupError, match="is not a room class"):
            Joined(wrong)


class Recorder:
    """Stands for a server and its keeper of rooms: returns what it is asked to do."""

    def __init__(self) -> None:
        self.__fastsio__ = self
        self.room_keeper = self

    def __getattr__(self, name: str):
        return lambda *args, **options: (name, *args, options)


def test_what_is_done_with_a_room_is_done_by_its_servers_keeper():
    """The object adds itself, and the defaults."""
    server = Recorder()
    room = ChatRoom(5).on(server, "/chat")

    assert room.enter("a") == ("enter", room, "a", None, {})
    assert room.enter("a", {"id": 5}) == ("enter", room, "a", {"id": 5}, {})
    assert room.leave("a") == ("leave", room, "a", {})
    assert room.kick("a", "enough") == ("kick", room, "a", "enough", {})
    assert room.close() == ("close", room, {})
    assert room.members() == ("members", room, {"cluster": False, "timeout": MEMBERS_TIMEOUT_S})
    assert room.members(cluster=True, timeout=2) == ("members", room, {"cluster": True, "timeout": 2})
    assert room.recheck() == ("recheck", room, {})


def test_an_event_for_a_room_is_an_event_of_its_server():
    """In its namespace, to its name."""
    room = ChatRoom(5).on(Recorder(), "/chat")

    name, event, data, options = room.emit("news", 1, skip_sid="a", ignore_queue=True)

    assert (name, event, data) == ("emit", "news", 1)
    assert options == {
        "room": "chat|5",
        "skip_sid": "a",
        "namespace": "/chat",
        "callback": None,
        "ignore_queue": True,
    }


def test_joined_is_the_room_that_the_keeper_finds():
    """The class must say which room is meant, when the marker is compiled."""

    class Open(Room):
        @classmethod
        def extract_room_identifier(cls, data):
            return data

    make = Joined(Open).maker(asynchronous=True)
    context = SimpleNamespace(server=Recorder())

    assert make(context) == ("joined", hooks_of(Open, asynchronous=True), context, {})
    with pytest.raises(SetupError, match="has no extract_room_identifier"):
        Joined(ChatRoom).maker(asynchronous=True)


class Hall(Room):
    """A room that each client is let into."""

    @classmethod
    def extract_room_identifier(cls, data):
        """Return the payload."""
        return data


class Requests:
    """The requests for a class of rooms, and the guards of its events."""

    def __init__(self) -> None:
        self.table, self.early = MemberTable(nullcontext()), SimpleNamespace(value=None)
        self.requests = RoomRequests(self.table, self.early)
        guards = self.requests.guards(hooks_of(Hall, asynchronous=False), print, print)
        self.arrivals = {event: guard.arrival for event, guard in guards.items()}
        self.client = SimpleNamespace(sid="s1", namespace="/")

    def context(self, event: str) -> Context:
        """Return the context of an event of the client."""
        return Context(None, self.client, event)


@pytest.fixture
def hall() -> Requests:
    """Return the requests for one class of rooms."""
    return Requests()


def test_a_join_is_under_way_while_its_event_is_handled(hall):
    """And until an error ends it; its handler finds it in the context."""
    context, seen = hall.context("join_hall"), []

    def handle():
        with hall.arrivals["join_hall"](context):
            seen.extend([context.values[ARRIVAL].client, hall.table.is_awaited("/", None)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        handle()

    assert seen == [hall.client, True]
    assert hall.table.is_empty


def test_requests_have_moments_in_the_order_of_their_arrival(hall):
    """Joins and leaves are counted together."""
    join, leave = hall.context("join_hall"), hall.context("leave_hall")

    with hall.arrivals["join_hall"](join), hall.arrivals["leave_hall"](leave):
        assert join.values[ARRIVAL].moment < leave.values[ARRIVAL]


@pytest.mark.parametrize("event", ["join_hall", "leave_hall"])
def test_a_request_counts_from_when_it_was_begun(hall, event):
    """A thread that handles it later takes what was begun, and only once."""
    begun = hall.early.value = hall.requests.begin(hall.client, event)
    first, second = hall.context(event), hall.context(event)

    with hall.arrivals[event](first), hall.arrivals[event](second):
        assert first.values[ARRIVAL] is begun
        assert second.values[ARRIVAL] is not begun
    hall.requests.end(begun)

    assert hall.early.value is None
    assert hall.table.is_empty


def test_a_request_that_is_not_handled_can_be_ended(hall):
    """A join is not under way any more; of other events there is nothing to end."""
    begun = [hall.requests.begin(hall.client, event) for event in ("join_hall", "leave_hall", "news")]
    assert hall.table.is_awaited("/", None)
    assert begun[2] is None

    for each in begun:
        hall.requests.end(each)

    assert hall.table.is_empty
