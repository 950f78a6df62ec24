"""Room classes: what a definition is, and how its rooms are called."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

import fastsio
from fastsio import Room
from fastsio.exceptions import SetupError
from tests.acceptance.peers import connected
from tests.support.servers import serve


class ChatRoom(Room):
    @classmethod
    async def extract_room_identifier(cls, session: Any, data: dict[str, Any]) -> str:
        return data["chat_id"]

    @classmethod
    async def can_join(cls, session: Any, data: dict[str, Any]) -> bool:
        return True


class OwnConstructor(Room):
    def __init__(self, chat_id: Any) -> None:
        super().__init__(chat_id)

    @classmethod
    def extract_room_identifier(cls, session, data):
        return data["chat_id"]


class ObjectId:
    """An id as databases have them: an object whose text is unique."""

    def __str__(self) -> str:
        return "65f0c0ffee"


async def test_two_hooks_are_a_complete_definition() -> None:
    """A subclass with the two coroutine class methods can be joined, and nothing else is needed."""
    sio = fastsio.AsyncServer(async_mode="asgi")
    sio.register_room(ChatRoom)

    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http) as peer:
        assert await peer.call("join_chat", {"chat_id": 5}) == {"room": "chat|5"}
        assert sio.rooms(peer.sid()) == [peer.sid(), "chat|5"]


@pytest.mark.parametrize("identifier", [5, "5", uuid.UUID(int=5), ObjectId()], ids=lambda value: type(value).__name__)
def test_rooms_are_made_of_any_identifier(identifier: Any) -> None:
    """With and without a constructor of its own, a room takes text, numbers, UUIDs and ObjectIds."""
    assert str(ChatRoom(identifier)) == f"chat|{identifier}"
    assert str(OwnConstructor(identifier)) == f"own_constructor|{identifier}"


@pytest.mark.parametrize("room_class", [ChatRoom, OwnConstructor])
@pytest.mark.parametrize("identifier", ["general", 5, "a|b", "50%", "ü \n"])
async def test_the_client_and_the_server_agree_on_the_name(room_class: type[Room], identifier: Any) -> None:
    """What a client joins by an identifier X is what the server calls room(X)."""
    sio = fastsio.AsyncServer(async_mode="asgi")
    sio.register_room(room_class)
    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http) as peer:
        answer = await peer.call(f"join_{room_class.key}", {"chat_id": identifier})

        await sio.emit("news", 1, room=room_class(identifier))
        await room_class(identifier).emit("news", 2)
        await sio.emit("news", 3, to=str(room_class(identifier)))

        assert answer == {"room": str(room_class(identifier))}
        assert await peer.heard_until_fence(sio) == [
            ("joined", {"room": str(room_class(identifier))}),
            ("news", 1),
            ("news", 2),
            ("news", 3),
        ]


class Open(Room):
    @classmethod
    def extract_room_identifier(cls, session, data):
        return data["name"]


class Nameless(Room):
    @classmethod
    def can_join(cls, session, data):
        return True


async def test_without_can_join_everybody_may() -> None:
    """A class without ``can_join`` lets everybody in."""
    sio = fastsio.AsyncServer(async_mode="asgi")
    sio.register_room(Open)

    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http) as peer:
        assert await peer.call("join_open", {"name": "hall"}) == {"room": "open|hall"}


@pytest.mark.parametrize(("half", "mode"), [(fastsio.AsyncServer, "asgi"), (fastsio.Server, "threading")])
def test_without_an_identifier_the_registration_fails(half: Any, mode: str) -> None:
    """A class without ``extract_room_identifier`` is refused where it is registered, by name."""
    sio = half(async_mode=mode)

    with pytest.raises(SetupError, match=r"Nameless has no extract_room_identifier\(cls, session, data\); write it"):
        sio.register_room(Nameless)
