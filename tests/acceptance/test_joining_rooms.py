"""Joining rooms: what guards see, what they refuse, and what the client is told."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

import pytest
import socketio

import fastsio
from fastsio import Room, register_room
from fastsio.exceptions import ConnectionRefusedError
from tests.acceptance.peers import connected
from tests.support.servers import serve


@dataclass
class User:
    """A user of the application."""

    name: str
    chats: set[int] = field(default_factory=set)

    async def can(self, verb: str, chat: int) -> bool:
        """Tell whether the user may; it asks a database."""
        await asyncio.sleep(0)
        return verb == "access" and chat in self.chats


USERS = {"ada": User("ada", {5, 7}), "ben": User("ben")}


class ChatRoom(Room):
    """The seed's room, that writes down what it is asked."""

    asked: list[tuple[str, Any, Any]]

    @classmethod
    async def extract_room_identifier(cls, session: Any, data: dict[str, Any]) -> Any:
        cls.asked.append(("extract", session, data))
        if not data.get("chat_id"):
            raise ValueError("chat_id is required")
        return data["chat_id"]

    @classmethod
    async def can_join(cls, session: Any, data: dict[str, Any]) -> bool:
        cls.asked.append(("can_join", session, data))
        user = session.get("user")
        return user is not None and await user.can("access", data["chat_id"])


class TeamRoom(Room):
    @classmethod
    async def extract_room_identifier(cls, session: Any, data: dict[str, Any]) -> Any:
        return data["team_id"]


async def authenticate(namespace: fastsio.AsyncNamespace, sid: str, environ: dict[str, Any], auth: Any) -> None:
    """Let known users in and remember them, as a helper of the application does."""
    user = USERS.get((auth or {}).get("name", ""))
    if user is None:
        raise ConnectionRefusedError("unknown user")
    await namespace.save_session(sid, {"user": user})


@register_room(ChatRoom)
class GlobalNamespace(fastsio.AsyncNamespace):
    """The seed's namespace."""

    def __init__(self) -> None:
        super().__init__("/")

    async def on_connect(self, sid: str, environ: dict[str, Any], auth: Any) -> None:
        await authenticate(self, sid, environ, auth)


@pytest.fixture(autouse=True)
def asked() -> list[tuple[str, Any, Any]]:
    """What the hooks of the room were asked."""
    ChatRoom.asked = []
    return ChatRoom.asked


def make_server(*namespaces: fastsio.AsyncNamespace) -> fastsio.AsyncServer:
    """Make a server of class-based namespaces."""
    sio = fastsio.AsyncServer(async_mode="asgi", logger=logging.getLogger("tests.socketio"))
    for namespace in namespaces:
        sio.register_namespace(namespace)
    return sio


ADA = {"auth": {"name": "ada"}}
BEN = {"auth": {"name": "ben"}}


async def test_a_join_asks_for_the_identifier_and_then_for_the_permission(asked) -> None:
    """Both hooks get the live session and the raw payload, in this order, and may await."""
    sio = make_server(GlobalNamespace())
    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http, **ADA) as peer:
        sent = {"chat_id": 5, "more": [1, {"x": None}]}
        answer = await peer.call("join_chat", sent)

        assert answer == {"room": "chat|5"}
        assert [(hook, data) for hook, _, data in asked] == [("extract", sent), ("can_join", sent)]
        session = await sio.get_session(peer.sid())
        assert all(seen is session for _, seen, _ in asked)
        assert session["user"] is USERS["ada"]


async def test_a_refused_join_changes_nothing() -> None:
    """The rooms of the client are as before, it reads an error, and broadcasts do not reach it."""
    sio = make_server(GlobalNamespace())
    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http, **BEN) as peer:
        answer = await peer.call("join_chat", {"chat_id": 5})
        await ChatRoom(5).emit("news", "secret")

        assert answer == {
            "error": {
                "type": "forbidden",
                "event": "join_chat",
                "msg": "You may not join this room.",
                "detail": None,
            }
        }
        assert sio.rooms(peer.sid()) == [peer.sid()]
        assert await peer.heard_until_fence(sio) == []


async def test_a_refused_join_without_acknowledgement_is_an_error_event() -> None:
    """A client that asked for no acknowledgement gets the event ``error``."""
    sio = make_server(GlobalNamespace())
    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http, **BEN) as peer:
        await peer.emit("join_chat", {"chat_id": 5})

        event, error = await peer.next()
        assert (event, error["type"], error["event"]) == ("error", "forbidden", "join_chat")


async def test_the_text_of_a_value_error_reaches_the_client(asked) -> None:
    """Exactly that message, the connection stays, and ``can_join`` is not asked."""
    sio = make_server(GlobalNamespace())
    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http, **ADA) as peer:
        answer = await peer.call("join_chat", {})

        assert (answer["error"]["type"], answer["error"]["msg"]) == ("validation_error", "chat_id is required")
        assert [hook for hook, *_ in asked] == ["extract"]
        assert await peer.call("join_chat", {"chat_id": 5}) == {"room": "chat|5"}


async def test_several_rooms_have_an_event_each() -> None:
    """The rooms of one decorator, and of a second, do not overwrite each other."""

    class Third(TeamRoom):
        key = "third"

    @register_room(Third)
    @register_room(ChatRoom, TeamRoom)
    class Both(GlobalNamespace):
        pass

    sio = make_server(Both())
    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http, **ADA) as peer:
        answers = [
            await peer.call("join_chat", {"chat_id": 5}),
            await peer.call("join_team", {"team_id": 5}),
            await peer.call("join_third", {"team_id": 5}),
        ]

        assert answers == [{"room": "chat|5"}, {"room": "team|5"}, {"room": "third|5"}]
        assert sio.rooms(peer.sid())[1:] == ["chat|5", "team|5", "third|5"]


async def test_a_handler_of_its_own_is_wrapped() -> None:
    """A namespace's ``on_join_chat`` runs when the client was let in, and only then; its result is the answer."""
    called: list[Any] = []

    @register_room(ChatRoom)
    class Own(GlobalNamespace):
        async def on_join_chat(self, sid: str, data: Any) -> Any:
            called.append((data, self.rooms(sid)[1:]))
            return {"history": ["hello"]}

    sio = make_server(Own())
    async with serve(fastsio.ASGIApp(sio)) as address:
        async with connected(address.http, **BEN) as ben:
            assert (await ben.call("join_chat", {"chat_id": 5}))["error"]["type"] == "forbidden"
        async with connected(address.http, **ADA) as ada:
            assert await ada.call("join_chat", {"chat_id": 5}) == {"history": ["hello"]}

    assert called == [({"chat_id": 5}, ["chat|5"])]


async def test_a_dispatcher_of_its_own_is_wrapped_too() -> None:
    """A namespace that dispatches its events itself sees a join only when it was allowed."""
    called: list[str] = []

    @register_room(ChatRoom)
    class Dispatching(GlobalNamespace):
        async def trigger_event(self, event: str, *args: Any) -> Any:
            called.append(event)
            return await super().trigger_event(event, *args)

    sio = make_server(Dispatching())
    async with serve(fastsio.ASGIApp(sio)) as address:
        async with connected(address.http, **BEN) as ben:
            assert (await ben.call("join_chat", {"chat_id": 5}))["error"]["type"] == "forbidden"
        async with connected(address.http, **ADA) as ada:
            assert await ada.call("join_chat", {"chat_id": 5}) == {"room": "chat|5"}

    assert called.count("join_chat") == 1


@pytest.mark.parametrize("payload", [None, [], "5", 5, ({"chat_id": 5}, 1), {"chat_id": {"$gt": ""}}, {"chat_id": [5]}])
async def test_a_payload_that_is_no_object_is_the_clients_mistake(payload: Any, caplog) -> None:
    """The client reads a validation error, the log no traceback, and the connection stays."""
    sio = make_server(GlobalNamespace())
    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http, **ADA) as peer:
        answer = await peer.call("join_chat", payload)

        if isinstance(payload, tuple):  # what is beyond the payload is ignored, as everywhere
            assert answer == {"room": "chat|5"}
        else:
            assert answer["error"]["type"] in ("validation_error", "forbidden")
        assert await peer.call("join_chat", {"chat_id": 7}) == {"room": "chat|7"}

    assert [record for record in caplog.records if record.exc_info] == []


async def test_who_never_joined_hears_nothing() -> None:
    """A client that is connected, but in no room, receives no broadcast of a room."""
    sio = make_server(GlobalNamespace())
    async with (
        serve(fastsio.ASGIApp(sio)) as address,
        connected(address.http, **ADA) as member,
        connected(address.http, **ADA) as stranger,
    ):
        await member.call("join_chat", {"chat_id": 5})
        await ChatRoom(5).emit("news", 1)

        assert await member.heard_until_fence(sio) == [("joined", {"room": "chat|5"}), ("news", 1)]
        assert await stranger.heard_until_fence(sio) == []


class Moody(Room):
    """Fails in the way a client names, until it names none."""

    @classmethod
    def extract_room_identifier(cls, session, data):
        if data.get("how") == "extract":
            raise ValueError("no")
        if data.get("how") == "nothing":
            return None
        return "r"

    @classmethod
    def can_join(cls, session, data):
        match data.get("how"):
            case "permission":
                raise PermissionError("Ask the owner.")
            case "defect":
                raise RuntimeError("secret")
            case how:
                return how is None


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("extract", ("validation_error", "no")),
        (
            "nothing",
            ("validation_error", "a room cannot be identified by a value of type NoneType; use text or a number"),
        ),
        ("refused", ("forbidden", "You may not join this room.")),
        ("permission", ("forbidden", "Ask the owner.")),
        ("defect", ("internal", "The server could not process the event.")),
    ],
)
async def test_every_failed_guard_leaves_the_client_able_to_retry(how: str, expected: tuple[str, str]) -> None:
    """The socket stays connected, the next try succeeds, and a success is confirmed to the joiner."""
    sio = fastsio.AsyncServer(async_mode="asgi", logger=logging.getLogger("tests.socketio"))
    sio.register_room(Moody)
    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http) as peer:
        error = (await peer.call("join_moody", {"how": how}))["error"]

        assert (error["type"], error["msg"]) == expected
        assert await peer.call("join_moody", {}) == {"room": "moody|r"}
        assert await peer.heard_until_fence(sio) == [("joined", {"room": "moody|r"})]


@pytest.mark.parametrize("name", ["/", "/chat"])
async def test_a_helper_authenticates_for_the_guards(name: str) -> None:
    """What a helper called in ``on_connect`` stores is what guards see; what it refuses is refused."""

    @register_room(ChatRoom)
    class Named(fastsio.AsyncNamespace):
        def __init__(self) -> None:
            super().__init__(name)

        async def on_connect(self, sid, environ, auth):
            await authenticate(self, sid, environ, auth)

    sio = make_server(Named())
    async with serve(fastsio.ASGIApp(sio)) as address:
        async with connected(address.http, name, **ADA) as peer:
            assert await peer.call("join_chat", {"chat_id": 5}, namespace=name) == {"room": "chat|5"}
            await ChatRoom(5).emit("news", 1)
            assert (await peer.next(), await peer.next()) == (("joined", {"room": "chat|5"}), ("news", 1))
        with pytest.raises(socketio.exceptions.ConnectionError):
            async with connected(address.http, name, auth={"name": "eve"}):
                pass
