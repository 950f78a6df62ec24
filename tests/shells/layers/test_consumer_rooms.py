"""Room classes shared by Socket.IO clients and consumers: joining, hearing, leaving, and the hooks."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import pytest

from fastsio import Depends, Room
from fastsio.consumers import AsyncJsonWebsocketConsumer, ws_handler
from fastsio.layers import InMemoryChannelLayer, group_of, override
from tests.shells.layers.chat import BANNED, LOG, Chat, ChatRoom, WhichHall, frame, subscribe
from tests.shells.layers.waiting import until


async def test_a_client_is_let_in_and_told_so_then_on_join_runs(stage):
    """The answer repeats the ref; hooks run in the order of a join in Socket.IO, with the connection's session."""
    socket = await stage.socket("ann")

    await socket.send_json_to(frame("subscribe", "chat", {"chat_id": 5}, ref=7))
    answer = await socket.receive_json_from()

    assert answer == {"action": "subscribed", "payload": {"room": "chat|5"}, "ref": 7}
    await until(lambda: LOG == [("can_join", "ann"), ("on_join", "ann", "chat|5")])


async def test_members_of_both_kinds_get_what_is_emitted_once_and_nobody_else_does(stage):
    """Members hear it over either protocol; a client that is only connected hears nothing."""
    ann, ben, eve = await stage.visitor("ann"), await stage.socket("ben"), await stage.socket("eve")
    await ann.call("join_chat", {"chat_id": 5})
    await subscribe(ben)

    await ChatRoom(5).on(stage.sio).emit("news", {"n": 1})
    await stage.sio.emit("end")
    await stage.layer.group_send("everybody", {"type": "fastsio.text", "text": "{}"})

    assert [(await ann.receive("news")).data, (await ann.receive("end")).event] == [{"n": 1}, "end"]
    assert await ben.receive_json_from() == {"action": "news", "payload": {"n": 1}}
    assert await ben.receive_nothing()
    assert await eve.receive_nothing()


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        ({"room": "chat", "data": {"chat_id": 0}}, ("validation_error", "chat_id is required")),
        ({"room": "chat"}, ("validation_error", None)),
        ({"room": "cellar", "data": {}}, ("not_found", "There is no room 'cellar' here; there is 'chat', 'hall'.")),
        ({"room": "hall", "data": {"hall_id": "x"}}, ("validation_error", None)),
        ({"data": {}}, ("validation_error", None)),
        ({"room": "chat", "data": {"chat_id": 66}}, ("forbidden", "You may not join this room.")),
    ],
)
async def test_what_is_refused_is_an_error_and_the_connection_lives_on(stage, payload, error):
    """Whatever is wrong, the client is told in the words of every other error, and may try again."""
    BANNED.add("ann")
    socket = await stage.socket("ann")

    await socket.send_json_to({"action": "subscribe", "payload": payload, "ref": "r"})
    answer = await socket.receive_json_from()
    BANNED.clear()

    assert (answer["action"], answer["ref"]) == ("error", "r")
    assert (answer["payload"]["type"], answer["payload"]["event"]) == (error[0], "subscribe")
    assert error[1] in (None, answer["payload"]["msg"])
    assert (await subscribe(socket))["action"] == "subscribed"


async def test_who_unsubscribes_hears_no_more_and_on_leave_runs(stage):
    """Twice is harmless, and on_leave runs once."""
    socket = await stage.socket("ann")
    await subscribe(socket)

    for _ in range(2):
        await socket.send_json_to(frame("unsubscribe", "chat", {"chat_id": 5}))
        assert await socket.receive_json_from() == {"action": "unsubscribed", "payload": {"room": "chat|5"}}
    await ChatRoom(5).on(stage.sio).emit("news")

    assert await socket.receive_nothing()
    assert LOG.count(("on_leave", "ann", "chat|5")) == 1


async def test_who_disconnects_leaves_its_rooms(stage):
    """on_leave runs for each room, and the layer has no member left."""
    socket = await stage.socket("ann")
    await subscribe(socket)
    await subscribe(socket, 6)

    await socket.disconnect()

    assert {("on_leave", "ann", "chat|5"), ("on_leave", "ann", "chat|6")} <= set(LOG)
    assert Chat.keeper().keeper.table.is_empty
    assert stage.layer._table.groups == {}


async def test_a_consumer_lets_its_client_in_and_out_itself(stage):
    """Without asking can_join; on_join and on_leave run."""

    class Doorman(Chat):
        @ws_handler(action="move")
        async def move(self, message: dict[str, Any]) -> None:
            step = self.enter_room if message["payload"] == "in" else self.leave_room
            await step(ChatRoom(9))
            await self.send_json({"moved": message["payload"]})

    BANNED.add("ann")
    socket = await stage.socket("ann", Doorman)
    for direction, groups in (("in", {group_of("/", ChatRoom(9))}), ("out", set())):
        await socket.send_json_to({"action": "move", "payload": direction})
        assert await socket.receive_json_from() == {"moved": direction}
        assert stage.layer._table.groups.keys() == groups

    assert LOG == [("on_join", "ann", "chat|9"), ("on_leave", "ann", "chat|9")]


async def test_a_client_is_in_as_many_rooms_as_it_may_be(stage):
    """One more is refused; entering a room again is not one more, and on_join does not run again."""
    socket = await stage.socket("ann")
    await subscribe(socket)
    await subscribe(socket, 6)

    assert (await subscribe(socket, 7))["payload"]["msg"] == "This room cannot be joined."
    assert (await subscribe(socket, 5))["action"] == "subscribed"
    assert LOG.count(("on_join", "ann", "chat|5")) == 1


async def test_handlers_for_members_only(stage):
    """Joined finds the room in the payload of a frame."""
    ann, ben = await stage.visitor("ann"), await stage.socket("ben")
    await ann.call("join_chat", {"chat_id": 5})
    await ben.send_json_to({"action": "say", "payload": {"chat_id": 5, "text": "let me in"}})
    refused = await ben.receive_json_from()
    await subscribe(ben)

    await ben.send_json_to({"action": "say", "payload": {"chat_id": 5, "text": "hi"}})

    assert (refused["payload"]["type"], refused["payload"]["msg"]) == ("forbidden", "You are not in this room.")
    assert (await ann.receive("said")).data == {"by": "ben", "text": "hi"}
    assert (await ben.receive_json_from())["payload"]["text"] == "hi"


async def test_presence_and_what_hooks_emit_reach_both_kinds(stage):
    """A hook may leave out the client it is about, of either kind."""
    ann, ben = await stage.visitor("ann"), await stage.socket("ben")
    await ann.call("join_hall", {"hall_id": 1})
    await ann.receive("presence")
    await until(lambda: ("welcomed", ann.sid) in LOG)
    await ben.send_json_to(frame("subscribe", "hall", {"hall_id": 1}))
    frames = [await ben.receive_json_from() for _ in range(2)]

    joined = {"room": "hall|1", "user": "ben", "state": "joined", "count": 1}
    assert (await ann.receive("presence")).data == joined
    assert (await ann.receive("welcome")).data == {"to": "all"}
    assert frames == [
        {"action": "subscribed", "payload": {"room": "hall|1"}},
        {"action": "presence", "payload": joined},
    ]
    assert await ben.receive_nothing()


async def test_hooks_have_dependencies(stage, caplog):
    """Replaced in tests, closed after the answer; one that fails while it is closed is logged, and hurts nobody."""

    def doors():
        raise AssertionError("the real doors")

    def other_doors():
        yield {"open"}
        LOG.append(("closed",))
        raise ZeroDivisionError

    class DoorRoom(Room):
        @classmethod
        def extract_room_identifier(cls, which: WhichHall):
            return which.hall_id

        @classmethod
        def can_join(cls, found: Annotated[set[str], Depends(doors)]):
            return "open" in found

    class House(AsyncJsonWebsocketConsumer):
        channel_layer_alias = "chat"
        rooms = [DoorRoom]
        dependency_overrides = {doors: other_doors}

    socket = await stage.socket("ann", House)
    await socket.send_json_to(frame("subscribe", "door", {"hall_id": 1}))

    assert (await socket.receive_json_from())["payload"] == {"room": "door|1"}
    await until(lambda: LOG == [("closed",)])
    await until(lambda: "ZeroDivisionError" in caplog.text)
    await socket.send_json_to(frame("unsubscribe", "door", {"hall_id": 1}))
    assert (await socket.receive_json_from())["action"] == "unsubscribed"


async def test_a_layer_that_another_replaces_is_left(stage):
    """The groups of joins under way, and the listener for losses."""
    patience = asyncio.Event()

    class Slow(Room):
        @classmethod
        def extract_room_identifier(cls):
            return 1

        @classmethod
        async def can_join(cls):
            await patience.wait()
            return True

    class Waiting(Chat):
        rooms = [Slow]

    socket = await stage.socket("ann", Waiting)
    await socket.send_json_to(frame("subscribe", "slow"))
    await until(lambda: stage.layer._table.groups)
    other = InMemoryChannelLayer()
    with override("chat", other):
        ben = await stage.socket("ben", Waiting)
        await ben.send_json_to(frame("subscribe", "slow"))
        await until(lambda: other._table.groups)

        await until(lambda: not stage.layer._table.groups)
        assert (len(stage.layer.loss_listeners), len(other.loss_listeners)) == (0, 1)
        patience.set()
        await ben.receive_json_from()
    await other.close()
