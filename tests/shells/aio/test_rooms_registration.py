"""Rooms on asyncio: presence, and what is refused at registration."""

from __future__ import annotations

import json
from typing import Annotated, Any

import pytest

import fastsio
from fastsio import (
    AsyncNamespace,
    Depends,
    Joined,
    Room,
    RoomMember,
    SocketID,
)
from fastsio.exceptions import SetupError
from tests.shells.aio.fake_engine import settled, turns
from tests.shells.aio.rooms import ChatRoom, events


class Present(Room):
    """Tells who comes and goes."""

    @classmethod
    def extract_room_identifier(cls, session, data):
        session["user"] = data["user"]
        return data["id"]

    @classmethod
    async def presence_key(cls, session):
        return session["user"]


async def enter(client, user: str | None) -> None:
    """Join the room 1 as a user."""
    await client.send(f'2["join_present",{json.dumps({"id": 1, "user": user})}]')
    await settled(lambda: '2["joined",{"room":"present|1"}]' in client.frames)
    await turns()


async def test_presence_is_told_once_per_user(sio, wire):
    """Two tabs of one user come and go as one."""
    sio.register_room(Present)
    ada, tab, ben = await wire.join(), await wire.join(), await wire.join()
    for client, user in ((ada, "ada"), (tab, "ada"), (ben, "ben")):
        await enter(client, user)
    assert await Present(1).members() == [
        RoomMember(ada.sid, "ada"),
        RoomMember(tab.sid, "ada"),
        RoomMember(ben.sid, "ben"),
    ]
    await tab.lose()
    await Present(1).leave(ben.sid)

    def told(user: str, state: str, count: int) -> list[Any]:
        return ["presence", {"room": "present|1", "user": user, "state": state, "count": count}]

    assert (await events(ada))[1:] == [told("ada", "joined", 1), told("ben", "joined", 2), told("ben", "left", 1)]
    assert (await events(ben))[1:] == [told("ben", "joined", 2)]


async def test_presence_without_a_key_is_told_per_client(sio, wire):
    """Only where the class asks for it; a key of None is nobody in particular."""

    class Counting(ChatRoom):
        presence = True

    sio.register_room(Counting, Present)
    client, other = await wire.join(), await wire.join()
    await Counting(1).enter(client.sid)
    await enter(other, None)

    assert await events(client) == [
        ["presence", {"room": "counting|1", "user": client.sid, "state": "joined", "count": 1}]
    ]
    assert (await events(other))[1:] == [
        ["presence", {"room": "present|1", "user": None, "state": "joined", "count": 1}]
    ]


def test_classes_with_one_key_are_refused(sio):
    """On a server and in a decorator, with both names; the same class twice is once."""

    class Chat(ChatRoom):
        pass

    sio.register_room(ChatRoom)
    sio.register_room(ChatRoom)
    sio.register_room(Chat, namespace="/other")
    with pytest.raises(
        SetupError, match=r"ChatRoom and .*Chat have the same key 'chat'; give one of them another 'key'"
    ):
        sio.register_room(Chat)
    with pytest.raises(SetupError, match="have the same key"):
        fastsio.register_room(ChatRoom, Chat)


def test_a_room_is_registered_in_one_namespace(sio):
    """Every namespace is none."""

    @fastsio.register_room(ChatRoom)
    class Everywhere(AsyncNamespace):
        pass

    with pytest.raises(SetupError, match="ChatRoom cannot be registered in every namespace; name one"):
        sio.register_room(ChatRoom, namespace="*")
    with pytest.raises(SetupError, match="ChatRoom cannot be registered in every namespace"):
        sio.register_namespace(Everywhere("*"))


@pytest.mark.parametrize("wrong", ["chat", ChatRoom(5), dict, Room])
def test_only_room_classes_are_registered(sio, wrong):
    """Not their names, not their objects, not other classes, and not the base of all."""
    with pytest.raises(SetupError):
        sio.register_room(wrong)


def test_markers_are_refused_where_there_is_no_room(sio):
    """At registration, with the cure."""

    @sio.event
    async def fine(sid: SocketID, room: Annotated[ChatRoom, Joined(ChatRoom)]): ...

    async def bare(sid: SocketID, room: ChatRoom): ...

    async def connect(sid, environ, room: Annotated[ChatRoom, Joined(ChatRoom)]): ...

    def the_room(room: Annotated[ChatRoom, Joined(ChatRoom)]): ...

    async def lasting(sid: SocketID, room: Annotated[None, Depends(the_room, scope="connection")]): ...

    class Early(Room):
        @classmethod
        def extract_room_identifier(cls, room: ChatRoom): ...

    with pytest.raises(SetupError, match=r"write Annotated\[ThatRoom, Joined\(ThatRoom\)\]"):
        sio.on("bare", bare)
    with pytest.raises(SetupError, match="asks for Joined, which only handlers of a server's events have"):
        sio.on("connect", connect)
    with pytest.raises(SetupError, match="asks for Joined, which a dependency with scope='connection' outlives"):
        sio.on("lasting", lasting)
    with pytest.raises(SetupError, match="this hook is the one that says which room it is"):
        sio.register_room(Early)
    with pytest.raises(SetupError, match="is not a room class"):
        Joined(dict)  # type: ignore[arg-type] # the mistake
