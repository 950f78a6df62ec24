"""Rooms on asyncio: what the application does with them, and handlers for members only."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import BaseModel

from fastsio import (
    Depends,
    Joined,
    Room,
    RoomMember,
    SocketID,
)
from fastsio.exceptions import SetupError
from tests.shells.aio.fake_engine import settled
from tests.shells.aio.rooms import ChatRoom, events, joined


async def test_the_server_lets_in_whom_it_likes(chat, log):
    """``enter()`` does not ask, and calls ``on_join``; it takes only clients of this server."""
    _, wire = chat
    client = await wire.join()

    await ChatRoom(5).enter(client.sid)
    await ChatRoom(5).enter(client.sid)

    assert log == [("on_join", 5, client.sid)]
    assert await ChatRoom(5).members() == [RoomMember(client.sid)]
    with pytest.raises(ValueError, match="there is no client 'nobody' in '/' of this server"):
        await ChatRoom(5).enter("nobody")


async def test_a_connect_handler_may_let_its_client_in(sio, wire, log):
    """The room is there before the client is connected; a refused client leaves it."""
    sio.register_room(ChatRoom)

    @sio.event
    async def connect(sid, environ, auth):
        await ChatRoom(5).enter(sid)
        return auth is None

    client = await wire.join()
    assert await ChatRoom(5).members() == [RoomMember(client.sid)]
    other = await wire.open()
    await other.send('0{"no":1}')
    assert (await other.receive()).startswith("4")

    assert [name for name, *_ in log] == ["on_join", "on_join", "on_leave"]
    assert await ChatRoom(5).members() == [RoomMember(client.sid)]


async def test_recheck_throws_out_whom_the_room_refuses_now(sio, wire, log):
    """Each member is asked about with its own payload; one that was let in without any, with an empty object."""
    banned: set[str] = set()

    class Banning(ChatRoom):
        key = "chat"

        @classmethod
        def can_join(cls, data, sid: SocketID):
            if sid in banned:
                raise PermissionError("Banned.")
            return data["id"] == 5

    sio.register_room(Banning)
    stays, goes, guest = await wire.join(), await wire.join(), await wire.join()
    for client in (stays, goes):
        await joined(client)
    await Banning(5).enter(guest.sid, {"id": 5})
    assert await Banning(5).recheck() == []

    banned.add(goes.sid)
    assert await Banning(5).recheck() == [goes.sid]

    assert await events(goes) == [["kicked", {"room": "chat|5", "reason": "Banned."}]]
    assert [member.sid for member in await Banning(5).members()] == [stays.sid, guest.sid]
    assert log[-1] == ("on_leave", 5, goes.sid)
    await Banning(6).enter(guest.sid, {"id": 6})
    await Banning(6).recheck()
    assert await events(guest) == [["kicked", {"room": "chat|6", "reason": "You may not be in this room any more."}]]


async def test_recheck_goes_on_after_a_member_whose_hook_raises(sio, wire, caplog):
    """As at a join, that member may not be in the room; the others are asked all the same."""
    failing: dict[str, Exception] = {}

    class Failing(ChatRoom):
        key = "chat"

        @classmethod
        def can_join(cls, sid: SocketID):
            if sid in failing:
                raise failing[sid]
            return True

    sio.register_room(Failing)
    clients = [await wire.join() for _ in range(3)]
    for client in clients:
        await joined(client)
    failing |= {clients[0].sid: RuntimeError("no database"), clients[1].sid: PermissionError("Banned.")}

    assert await Failing(5).recheck() == [clients[0].sid, clients[1].sid]

    kicked = ["kicked", {"room": "chat|5", "reason": "You may not be in this room any more."}]
    assert await events(clients[0]) == [kicked]
    assert [member.sid for member in await Failing(5).members()] == [clients[2].sid]
    assert "no database" in caplog.text


async def test_a_room_stands_wherever_a_name_does(chat):
    """In ``emit``, ``enter_room``, ``leave_room``, ``close_room``, alone and in lists, also through a namespace."""
    sio, wire = chat
    client, other = await wire.join(), await wire.join()

    await sio.enter_room(client.sid, ChatRoom(5))
    await sio.enter_room(client.sid, ChatRoom(6))
    await sio.enter_room(other.sid, "plain")
    await sio.emit("one", to=ChatRoom(5))
    await sio.send("two", room=ChatRoom(5), skip_sid="nobody")
    await sio.emit("three", room=[ChatRoom(5), ChatRoom(6), "plain"])
    await sio.emit("skipped", room=ChatRoom(5), skip_sid=client.sid)

    assert sio.rooms(client.sid)[1:] == ["chat|5", "chat|6"]
    assert await events(client) == [["one"], ["message", "two"], ["three"]]
    assert await events(other) == [["three"]]
    await sio.leave_room(client.sid, ChatRoom(6))
    await sio.close_room(ChatRoom(5))
    assert sio.rooms(client.sid) == [client.sid]


async def test_a_room_knows_its_namespace(sio, wire):
    """Without a namespace, ``emit`` and its like mean that where the class is registered."""
    sio.register_room(ChatRoom, namespace="/chat")
    client = await wire.open()
    sid = await client.join("/chat")

    await sio.enter_room(sid, ChatRoom(5))
    await sio.emit("one", 1, room=ChatRoom(5))
    await sio.emit("two", 2, room=[ChatRoom(5)])
    await ChatRoom(5).emit("three", 3)
    await sio.emit("elsewhere", room=ChatRoom(5), namespace="/")

    assert client.frames == ['2/chat,["one",1]', '2/chat,["two",2]', '2/chat,["three",3]']
    await sio.close_room(ChatRoom(5))
    assert sio.rooms(sid, "/chat") == [sid]


async def test_two_namespaces_of_one_class_are_told_apart(sio, wire):
    """In a hook the room is where the client is; elsewhere it must be said."""
    places = []

    class Everywhere(ChatRoom):
        @classmethod
        async def on_join(cls, room: Room):
            places.append(room.where())
            await room.emit("hello")

    sio.register_room(Everywhere, namespace="/a")
    sio.register_room(Everywhere, namespace="/b")
    client = await wire.open()
    await client.join("/a")
    await client.join("/b")
    await client.send('2/b,["join_everywhere",{"id":5}]')
    await settled(lambda: len(client.frames) == 2)

    assert client.frames[1] == '2/b,["hello"]'
    assert places == [(sio, "/b")]
    assert len(await Everywhere(5).on(namespace="/b").members()) == 1
    assert len(await Everywhere(5).on(sio, "/a").members()) == 0
    with pytest.raises(
        SetupError, match=r"is registered 2 times \('/a' of <.*>, '/b' of <.*>\); say which one is meant: \.on\("
    ):
        Everywhere(5).emit("x")


async def test_a_server_that_was_shut_down_is_none_any_more(make):
    """A room is on the server that is left."""
    (first, _), (second, _) = make(), make()
    for server in (first, second):
        server.register_room(ChatRoom)
    await first.shutdown()

    assert ChatRoom(5).where() == (second, "/")


async def test_joined_keeps_strangers_from_a_handler(chat):
    """A member's event has the room; from outside it is refused, before its payload is validated."""
    sio, wire = chat
    calls = []

    class Say(BaseModel):
        id: int
        text: str

    @sio.event
    async def say(sid: SocketID, message: Say, room: Annotated[ChatRoom, Joined(ChatRoom)]) -> str:
        calls.append(message.text)
        await room.emit("said", message.text)
        return str(room)

    client = await wire.join()
    [outside] = await client.ask("say", {"id": 5})
    assert (outside["error"]["type"], outside["error"]["msg"]) == ("forbidden", "You are not in this room.")
    await joined(client)
    [invalid] = await client.ask("say", {"id": 5})
    assert invalid["error"]["type"] == "validation_error"
    await client.send('21["say",{"id":5,"text":"hi"}]')

    assert [await client.receive(), await client.receive()] == ['2["said","hi"]', '31["chat|5"]']
    assert calls == ["hi"]


async def test_joined_may_be_a_default_and_stand_in_dependencies(chat):
    """As ``Depends`` does; two of them in one handler are two checks."""
    sio, wire = chat

    def the_room(room: Annotated[ChatRoom, Joined(ChatRoom)]) -> str:
        return str(room)

    @sio.event
    async def look(sid: SocketID, name: str = Depends(the_room), room: ChatRoom = Joined(ChatRoom)) -> list:  # noqa: B008 - a marker
        return [name, room.identifier]

    client = await wire.join()
    assert (await client.ask("look", {"id": 5}))[0]["error"]["type"] == "forbidden"
    await joined(client)

    assert await client.ask("look", {"id": 5}) == [["chat|5", 5]]


async def test_text_from_a_client_puts_nobody_into_the_room_of_a_class(chat):
    """Neither ``Joined``, nor ``members()``, nor what is sent to the room, takes it for a member."""
    sio, wire = chat

    @sio.event
    async def enter(sid, name):
        try:
            await sio.enter_room(sid, name)
        except ValueError as error:
            return str(error)

    @sio.event
    async def say(sid: SocketID, room: Annotated[ChatRoom, Joined(ChatRoom)]) -> str:
        return "said"

    client = await wire.join()
    [answer] = await client.ask("enter", "chat|5")

    assert answer.startswith("'chat|5' is a room of ChatRoom: give the room")
    assert (await client.ask("say", {"id": 5}))[0]["error"]["type"] == "forbidden"
    assert await ChatRoom(5).on(sio).members() == []
    await sio.emit("secret", room="chat|5")
    assert client.frames == []
    with pytest.raises(ValueError, match="is a room of ChatRoom"):
        await sio.manager.enter_room(client.sid, "/", "chat|5")


@pytest.mark.parametrize("given", [ChatRoom(5), str(ChatRoom(5))])
async def test_the_application_enters_the_room_of_a_class_by_the_room(chat, given):
    """Then its name reaches the client as any room's does."""
    sio, wire = chat
    client = await wire.join()
    await sio.enter_room(client.sid, given)
    await sio.emit("news", room="chat|5")

    assert await client.receive() == '2["news"]'
    assert sio.rooms(client.sid) == [client.sid, "chat|5"]
    assert [member.sid for member in await ChatRoom(5).on(sio).members()] == [client.sid]
