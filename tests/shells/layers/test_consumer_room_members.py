"""What servers do with consumers in rooms, and consumers with clients of a server."""

from __future__ import annotations

import asyncio
from typing import Literal
from uuid import uuid4

import pytest

from fastsio import RoomMember
from fastsio.consumers import ws_handler
from fastsio.layers import group_of
from fastsio.layers.manager import LayerManager
from fastsio.messages import BaseMessage
from tests.shells.layers.chat import BANNED, LOG, Chat, ChatRoom, HallRoom, frame, subscribe
from tests.shells.layers.waiting import until
from tests.support.members import all_members
from tests.support.waiting import WAIT_S


class WaitMessage(BaseMessage):
    action: Literal["wait"] = "wait"


class Waiting(Chat):
    """Its handler waits for the test, and others of the connection for it."""

    began: asyncio.Event
    may_end: asyncio.Event

    @ws_handler
    async def wait(self, message: WaitMessage) -> None:
        self.began.set()
        await self.may_end.wait()


@pytest.mark.parametrize("way", ["kick", "leave", "close", "recheck", "by name"])
async def test_a_server_takes_consumers_out(stage, way):
    """By the name of their channel, or with everybody in the room; on_leave runs once, and they hear no more."""
    ann, ben = await stage.visitor("ann"), await stage.socket("ben")
    await ann.call("join_chat", {"chat_id": 5})
    await subscribe(ben)
    room = ChatRoom(5).on(stage.sio)
    (member,) = [each for each in await all_members(room, 2) if each.sid != ann.sid]
    match way:
        case "kick":
            await room.kick(member.sid, "enough")
        case "leave":
            await room.leave(member.sid)
        case "close":
            await room.close()
        case "recheck":
            BANNED.add("ben")
            assert await room.recheck() == []
        case "by name":
            await stage.sio.leave_room(member.sid, "chat|5")
    await until(lambda: LOG.count(("on_leave", "ben", "chat|5")) == 1)
    kicked = way in ("kick", "recheck") and await ben.receive_json_from()
    await room.emit("news")

    assert LOG.count(("on_leave", "ben", "chat|5")) == 1
    if kicked:
        reason = "enough" if way == "kick" else "You may not be in this room any more."
        assert kicked == {"action": "kicked", "payload": {"room": "chat|5", "reason": reason}}
    assert await ben.receive_nothing()


@pytest.mark.parametrize("way", ["kick", "close"])
async def test_consumers_take_clients_of_a_server_out(stage, way):
    """What a hook can do with the room it is given reaches both kinds."""
    ann, ben = await stage.visitor("ann"), await stage.socket("ben")
    await ann.call("join_chat", {"chat_id": 5})
    await subscribe(ben)
    room = ChatRoom(5).on(Chat.keeper())

    await (room.kick(ann.sid, "enough") if way == "kick" else room.close())
    await until(lambda: ("on_leave", "ann", "chat|5") in LOG)

    assert ann.rooms() == set()
    if way == "kick":
        assert (await ann.receive("kicked")).data == {"room": "chat|5", "reason": "enough"}
    assert (("on_leave", "ben", "chat|5") in LOG) is (way == "close")
    assert Chat.keeper().keeper.table.is_empty is (way == "close")


async def test_a_server_disconnects_a_consumer(stage):
    """By the name of its channel."""
    await stage.visitor("ann")
    ben = await stage.socket("ben")
    await subscribe(ben)
    (member,) = await ChatRoom(5).on(Chat.keeper()).members()

    await stage.sio.disconnect(member.sid)

    assert (await ben.receive_output())["type"] == "websocket.close"


async def test_members_of_both_kinds_are_listed(stage):
    """Those of this server at once, consumers when all are asked."""
    ann, ben = await stage.visitor("ann"), await stage.socket("ben")
    await ann.call("join_hall", {"hall_id": 1})
    await ben.send_json_to(frame("subscribe", "hall", {"hall_id": 1}))
    await ben.receive_json_from()
    room = HallRoom(1).on(stage.sio)

    assert await room.members() == [RoomMember(ann.sid, "ann")]
    assert [each.user for each in await all_members(room, 2)] == ["ann", "ben"]
    of_consumers = HallRoom(1).on(Chat.keeper())
    assert [each.user for each in await of_consumers.members()] == ["ben"]
    assert [each.user for each in await all_members(of_consumers, 2)] == ["ben", "ann"]


async def test_a_consumer_whose_handler_waits_is_listed_too(stage):
    """The question who is there waits for no handler: that may be waiting for the answer to the same question."""
    ann, ben = await stage.visitor("ann"), await stage.socket("ben", Waiting)
    await ann.call("join_hall", {"hall_id": 1})
    await ben.send_json_to(frame("subscribe", "hall", {"hall_id": 1}))
    await ben.receive_json_from()
    Waiting.began, Waiting.may_end = asyncio.Event(), asyncio.Event()
    await ben.send_json_to({"action": "wait"})
    await asyncio.wait_for(Waiting.began.wait(), WAIT_S)

    members = await all_members(HallRoom(1).on(stage.sio), 2)

    assert [each.user for each in members] == ["ann", "ben"]
    Waiting.may_end.set()


async def test_a_server_puts_a_consumer_into_a_room(stage):
    """Without its hooks, as for a client of another server."""
    ben = await stage.socket("ben")
    await subscribe(ben)
    (member,) = await all_members(ChatRoom(5).on(stage.sio), 1)
    await stage.visitor("ann")

    await stage.sio.enter_room(member.sid, "vip")
    await until(lambda: "vip" in stage.layer._table.groups)
    await stage.sio.emit("hello", room="vip")
    await stage.sio.emit("only you", to=member.sid)

    assert [(await ben.receive_json_from())["action"] for _ in range(2)] == ["hello", "only you"]


async def test_the_name_of_a_room_is_no_way_in_for_a_consumer(stage, caplog):
    """A server that has no such class may still name it; the room itself is meant as that."""
    ben = await stage.socket("ben")
    await subscribe(ben)
    (member,) = await all_members(ChatRoom(5).on(stage.sio), 1)
    manager = LayerManager("chat", write_only=True)
    with pytest.raises(ValueError, match="is a room of ChatRoom"):
        await stage.sio.enter_room(member.sid, "chat|6")
    await manager.enter_room(member.sid, "/", "chat|6")
    await until(lambda: "cannot enter 'chat|6' by its name" in caplog.text)
    await ChatRoom(6).on(stage.sio).emit("secret")
    assert await ben.receive_nothing()

    await stage.sio.enter_room(member.sid, ChatRoom(7))
    await until(lambda: group_of("/", "chat|7") in stage.layer._table.groups)
    await ChatRoom(7).on(stage.sio).emit("news")
    assert (await ben.receive_json_from())["action"] == "news"


@pytest.mark.parametrize(
    "message",
    [
        {"type": "fastsio.text", "text": 5},
        {"type": "fastsio.text", "text": "{}", "id": {"a": 1}},
        {"type": "fastsio.order"},
        {"type": "fastsio.order", "socketio": {"method": "room_members", "room": 5.5, "id": "x"}, "id": "one"},
        {"type": "fastsio.order", "socketio": ["emit"]},
        {"type": ["fastsio.text"]},
    ],
)
async def test_a_broken_message_is_no_concern_of_a_consumers_client(stage, message, caplog):
    """It is logged, and the next one arrives."""
    ben = await stage.socket("ben")
    await subscribe(ben)
    if message.get("id") == "one":  # a class of consumers takes each question once, also from test to test
        message = {**message, "id": uuid4().hex}
    await stage.layer.group_send(group_of("/", "chat|5"), message)
    await ChatRoom(5).on(stage.sio).emit("news")

    assert (await ben.receive_json_from())["action"] == "news"
    await until(lambda: caplog.text)
