"""Events that know whom they are for."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, ConfigDict, Field

import fastsio
from fastsio import BroadcastEvent, Room, broadcast, broadcast_sync, configure_broadcasting
from fastsio.exceptions import SetupError
from tests.integration.memory_bus import MemoryBus, MemoryManager


class Outlet:
    """Keeps what is emitted, as a manager for threads would take it."""

    def __init__(self) -> None:
        self.emitted: list[tuple[Any, ...]] = []

    def emit(self, event, data, *, room, skip_sid, namespace):
        self.emitted.append((event, data, room, skip_sid, namespace))


class ChatRoom(Room):
    @classmethod
    def extract_room_identifier(cls, data):
        return data["id"]


class Author(BaseModel):
    name: str


class MessagePosted(BroadcastEvent):
    model_config = ConfigDict(populate_by_name=True)

    chat: int
    author: Author = Author(name="ada")
    at: dt.date = dt.date(2024, 2, 29)
    text: str = Field("hi", alias="body")
    silent: bool = Field(default=False, exclude=True)

    def broadcast_on(self) -> ChatRoom:
        return ChatRoom(self.chat)

    def broadcast_when(self) -> bool:
        return not self.silent


PAYLOAD = {"chat": 5, "author": {"name": "ada"}, "at": "2024-02-29", "body": "hi"}


@pytest.fixture
def outlet():
    """What events are sent through, unless a call says otherwise."""
    outlet = Outlet()
    configure_broadcasting(outlet)
    yield outlet
    configure_broadcasting(None)


async def test_an_event_is_its_name_its_fields_and_its_room(outlet):
    """The name is that of the class, the fields are JSON by their aliases."""
    assert await broadcast(MessagePosted(chat=5), skip_sid="x") is True

    assert outlet.emitted == [("message_posted", PAYLOAD, ["chat|5"], "x", "/")]


async def test_everything_can_be_said_otherwise(outlet):
    """Name, payload and namespace; rooms as names, in one list, and by a coroutine function."""

    class Renamed(BroadcastEvent):
        broadcast_namespace = "/news"

        async def broadcast_on(self) -> list[Room | str]:
            return [ChatRoom(5), "sid-1"]

        async def broadcast_when(self) -> bool:
            return True

        def broadcast_as(self) -> str:
            return "renamed"

        def broadcast_with(self) -> Any:
            return [1, 2]

    await broadcast(Renamed())

    assert outlet.emitted == [("renamed", [1, 2], ["chat|5", "sid-1"], None, "/news")]


async def test_an_event_may_decline(outlet):
    """Then nobody hears of it."""
    assert await broadcast(MessagePosted(chat=5, silent=True)) is False
    assert broadcast_sync(MessagePosted(chat=5, silent=True)) is False
    assert outlet.emitted == []


def test_without_an_event_loop(outlet):
    """The same, through what need not be awaited."""
    assert broadcast_sync(MessagePosted(chat=5)) is True

    assert outlet.emitted == [("message_posted", PAYLOAD, ["chat|5"], None, "/")]


@pytest.mark.parametrize("wrong", [None, 5, [None], b"x", [["r"]]])
async def test_what_is_no_room_is_refused(outlet, wrong):
    """Above all None, which would be everybody."""

    class Wrong(BroadcastEvent):
        def broadcast_on(self) -> Any:
            return wrong

    with pytest.raises(TypeError, match=r"Wrong\.broadcast_on\(\) returned .*; return a room, its name, or a list"):
        await broadcast(Wrong())
    assert outlet.emitted == []


async def test_an_event_without_rooms_is_not_sent(outlet):
    """``broadcast_on`` returns an empty list."""

    class Nobody(BroadcastEvent):
        def broadcast_on(self) -> list[Room]:
            return []

    await broadcast(Nobody())

    assert outlet.emitted == []


async def test_an_event_without_a_destination_is_refused(outlet):
    """With the name of what to write."""

    class Lost(BroadcastEvent):
        pass

    with pytest.raises(SetupError, match=r"Lost has no broadcast_on\(self\)"):
        await broadcast(Lost())


async def test_a_server_is_found_by_its_rooms():
    """Where nothing is configured; each room in its own namespace, each client once."""

    class Elsewhere(ChatRoom):
        pass

    class Both(MessagePosted):
        def broadcast_on(self) -> Any:
            return [ChatRoom(self.chat), Elsewhere(1), ChatRoom(6)]

    sio = fastsio.AsyncServer(async_mode="asgi")
    sent = []

    class Manager(fastsio.AsyncManager):
        async def emit(self, event, data, namespace, room=None, **_):
            sent.append((event, namespace, room))

    sio.manager = Manager()
    with pytest.raises(SetupError, match="ChatRoom is registered on no server"):
        await broadcast(Both(chat=5))
    sio.register_room(ChatRoom)
    sio.register_room(Elsewhere, namespace="/elsewhere")
    await broadcast(Both(chat=5))

    assert sent == [("both", "/", ["chat|5", "chat|6"]), ("both", "/elsewhere", ["elsewhere|1"])]


async def test_names_alone_do_not_say_through_what():
    """Nor do rooms of two servers."""

    class Named(BroadcastEvent):
        def broadcast_on(self) -> str:
            return "r"

    class TwoServers(BroadcastEvent):
        def broadcast_on(self) -> Any:
            return [ChatRoom(5).on(fastsio.AsyncServer(async_mode="asgi")), ChatRoom(5).on(kept)]

    kept = fastsio.AsyncServer(async_mode="asgi")
    with pytest.raises(SetupError, match=r"nothing says through which server; call configure_broadcasting\(server\)"):
        await broadcast(Named())
    with pytest.raises(SetupError, match="its rooms are on several servers"):
        await broadcast(TwoServers())


async def test_a_program_without_a_server_publishes():
    """Through a manager that only writes; no server is needed."""
    bus = MemoryBus()

    await broadcast(MessagePosted(chat=5), via=MemoryManager(bus, write_only=True))

    [message] = bus.published
    assert (message["method"], message["event"], message["data"], message["room"], message["namespace"]) == (
        "emit",
        "message_posted",
        [PAYLOAD],
        "chat|5",
        "/",
    )


async def test_a_program_without_a_server_may_name_the_namespace():
    """Nothing is registered there."""
    bus = MemoryBus()
    manager = MemoryManager(bus, write_only=True)

    class InChat(BroadcastEvent):
        def broadcast_on(self) -> Room:
            return ChatRoom(5).on(manager, "/chat")

    await broadcast(InChat(), via=manager)
    await ChatRoom(5).on(manager, "/chat").emit("news", 1)

    assert [(message["event"], message["room"], message["namespace"]) for message in bus.published] == [
        ("in_chat", "chat|5", "/chat"),
        ("news", "chat|5", "/chat"),
    ]


def test_what_is_for_asyncio_is_refused_without_it(outlet):
    """Before anything is sent, and without a coroutine left over."""

    class Awaited(MessagePosted):
        async def broadcast_when(self) -> bool:
            return True

    with pytest.raises(SetupError, match="AsyncServer is for asyncio; await broadcast"):
        broadcast_sync(MessagePosted(chat=5), via=fastsio.AsyncServer(async_mode="asgi"))
    with pytest.raises(SetupError, match="Awaited has methods that are coroutine functions"):
        broadcast_sync(Awaited(chat=5))
    assert outlet.emitted == []


def test_only_what_can_emit_is_configured():
    """Not a URL."""
    with pytest.raises(SetupError, match="'redis://' cannot emit"):
        configure_broadcasting("redis://")


@pytest.mark.parametrize(
    ("name", "meant", "value"),
    [
        ("broadcast_wehn", "broadcast_when", lambda self: False),
        ("brodcast_with", "broadcast_with", lambda self: {}),
        ("broadcast_namespce", "broadcast_namespace", "/chat"),
    ],
)
def test_what_is_nearly_called_like_a_method_of_an_event_is_refused(name, meant, value):
    """The class would be broadcast always, with everything, or elsewhere."""
    names = {"__module__": __name__, "__annotations__": {} if callable(value) else {name: ClassVar[str]}, name: value}

    with pytest.raises(SetupError, match=rf"^Posted\.{name} would never be used; did you mean '{meant}'\?$"):
        type("Posted", (BroadcastEvent,), names)


def test_fields_of_an_event_may_be_called_as_they_like():
    """They are the payload."""

    class Posted(BroadcastEvent):
        broadcast_one: str = "x"

        def broadcast_on(self) -> str:
            return self.broadcast_one

    assert Posted().broadcast_with() == {"broadcast_one": "x"}
