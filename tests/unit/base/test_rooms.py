"""Room classes and objects: names, keys, and where they are."""

from __future__ import annotations

import copy
import gc

import pytest

from fastsio.base.rooms import Joined, Room, register_room
from fastsio.exceptions import SetupError


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

    ChatRoom.settle(one, "/chat")
    ChatRoom.settle(one, "/chat")
    assert ChatRoom(5).where() == (one, "/chat")
    assert ChatRoom(5).namespace_on(one) == "/chat"
    assert ChatRoom(5).on().where() == (one, "/chat")
    ChatRoom.settle(two, "/chat")
    with pytest.raises(SetupError, match="registered 2 times"):
        ChatRoom(5).where()
    assert ChatRoom(5).on(two).where() == (two, "/chat")
    ChatRoom.settle(two, "/other")
    assert ChatRoom(5).on(namespace="/other").where() == (two, "/other")
    with pytest.raises(SetupError, match="registered 2 times"):
        ChatRoom(5).on(two)
    assert ChatRoom(5).namespace_on(two) == "/"
    assert ChatRoom(5).on(two, "/other").namespace_on(two) == "/other"

    for host, namespace in ((one, "/chat"), (two, "/chat"), (two, "/other")):
        ChatRoom.unsettle(host, namespace)
    with pytest.raises(SetupError, match="registered on no server"):
        ChatRoom(5).where()


def test_a_server_nobody_uses_any_more_does_not_count():
    """Also one that only cycles of references keep alive, as servers are."""
    gone, server = Host(), Host()
    gone.manager = {"server": gone}
    for host in (gone, server):
        VipChatRoom.settle(host, "/")
    gc.disable()
    try:
        del gone, host

        assert VipChatRoom(1).where() == (server, "/")
    finally:
        gc.enable()


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
