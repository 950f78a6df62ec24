"""The hooks of a room class, compiled."""

from __future__ import annotations

import pytest

from fastsio import AsyncServer
from fastsio.base.rooms import Room, hooks_of
from fastsio.exceptions import RoomIdentifierError, SetupError, SignatureError


class ChatRoom(Room):
    @classmethod
    def extract_room_identifier(cls, data):
        return data["id"]

    @staticmethod
    def can_join(session) -> bool:
        return session is not None


class Bare(ChatRoom):
    key = ""


def test_hooks_are_compiled_once_for_each_kind_of_server():
    """Those that are missing are None; static methods are as good as class methods."""
    hooks = hooks_of(ChatRoom, asynchronous=True)

    assert hooks_of(ChatRoom, asynchronous=True) is hooks
    assert hooks_of(ChatRoom, asynchronous=False) is not hooks
    assert hooks_of(Bare, asynchronous=True).room_class is Bare
    assert hooks.identifying().label == "ChatRoom.extract_room_identifier"
    assert hooks.can_join is not None
    assert (hooks.on_join, hooks.on_leave, hooks.presence_key) == (None, None, None)


def test_events_have_the_key():
    """Without one they are the bare verbs."""
    hooks, bare = (hooks_of(each, asynchronous=True) for each in (ChatRoom, Bare))

    assert (hooks.join_event, hooks.leave_event) == ("join_chat", "leave_chat")
    assert (bare.join_event, bare.leave_event) == ("join", "leave")


def test_a_hook_without_its_decorator_is_refused():
    """It would take the session for its class."""

    class Forgetful(Room):
        def can_join(self, session, data):
            return True

    with pytest.raises(SetupError, match=r"Forgetful\.can_join must be a class method; write @classmethod above it"):
        hooks_of(Forgetful, asynchronous=True)


def test_identifiers_become_rooms():
    """A value, several in a tuple, or the room itself; what identifies nothing is the client's mistake."""
    hooks = hooks_of(ChatRoom, asynchronous=True)
    room = ChatRoom(5)

    assert hooks.room(5) == room
    assert str(hooks.room(("a", 1))) == "chat|a|1"
    assert hooks.room(room) is room
    with pytest.raises(RoomIdentifierError) as refused:
        hooks.room([1])
    assert (refused.value.type, refused.value.msg) == (
        "validation_error",
        "a room cannot be identified by a value of type list; use text or a number",
    )


def test_a_mistake_in_a_constructor_is_no_mistake_of_the_client():
    """What a developer did wrong is not shown to the peer."""

    class Broken(ChatRoom):
        def __init__(self, identifier):
            raise SetupError("the developer's")

    with pytest.raises(SetupError, match="the developer's"):
        hooks_of(Broken, asynchronous=True).room(5)


def test_presence_is_on_with_a_key_or_by_itself():
    """Otherwise nobody is told anything."""

    class Keyed(ChatRoom):
        @classmethod
        def presence_key(cls, session):
            return "x"

    class Told(ChatRoom):
        presence = True

    assert [hooks_of(each, asynchronous=True).is_present for each in (ChatRoom, Keyed, Told)] == [False, True, True]


def test_a_class_that_finds_no_room_says_what_to_write():
    """Clients cannot join its rooms."""

    class Closed(Room):
        pass

    with pytest.raises(SetupError, match=r"Closed has no extract_room_identifier\(cls, session, data\); write it"):
        hooks_of(Closed, asynchronous=True).identifying()


def test_hooks_whose_annotations_name_nothing_are_told_of_when_the_server_starts():
    """A client that asks to be let in is not the one who finds out."""

    class Late(Room):
        @classmethod
        def extract_room_identifier(cls, data: Missing):  # type: ignore[name-defined] # noqa: F821 - that is what is tested
            return data

    server = AsyncServer(async_mode="asgi")
    server.register_room(ChatRoom)
    server.check_handlers()

    server.register_room(Late)
    with pytest.raises(SignatureError, match=r"Late\.extract_room_identifier: parameter 'data' refers to"):
        server.check_handlers()


@pytest.mark.parametrize(
    ("name", "hook"),
    [("can_jion", "can_join"), ("on_leaves", "on_leave"), ("extract_identifier", "extract_room_identifier")],
)
def test_a_method_that_is_nearly_called_like_a_hook_is_refused(name, hook):
    """Without ``can_join`` everybody may join: the slip must not be one that nobody sees."""
    misspelt = type("VaultRoom", (ChatRoom,), {name: classmethod(lambda cls, session: False)})

    with pytest.raises(SetupError, match=rf"^VaultRoom\.{name} would never be used; did you mean '{hook}'\?$"):
        AsyncServer(async_mode="asgi").register_room(misspelt)


def test_an_attribute_that_is_nearly_called_presence_is_refused():
    """Members would be told nothing."""

    class HallRoom(ChatRoom):
        presense = True

    with pytest.raises(SetupError, match=r"HallRoom\.presense would never be used; did you mean 'presence'"):
        hooks_of(HallRoom, asynchronous=True)


def test_helpers_of_a_room_may_be_called_as_they_like():
    """A method that a hook uses is not one that is missing."""

    class TeamRoom(ChatRoom):
        @classmethod
        async def on_join(cls, session):
            return cls.on_joined(session)

        @classmethod
        def on_joined(cls, session):
            return session

    assert hooks_of(TeamRoom, asynchronous=True).on_join is not None
