"""Rooms with a history for consumers: what a plain WebSocket that subscribes is sent, and when."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NamedTuple

from fastsio import History, Room
from fastsio.consumers.frames import text_envelope
from fastsio.layers.frames import TEXT
from fastsio.layers.room_groups import group_of
from tests.shells.layers.chat import Chat
from tests.shells.layers.waiting import until
from tests.support.members import all_members


class Feed(Room):
    history = History(size=5)

    @classmethod
    def extract_room_identifier(cls, data: dict[str, Any]) -> Any:
        return data["id"]

    @classmethod
    def can_join(cls, data: dict[str, Any]) -> bool:
        return data.get("allowed", True)


class Price(Feed):
    key = "price"
    history = History(size=1)


class Reader(Chat):
    rooms = [Feed, Price]
    max_rooms = 10


async def subscribe(socket: Any, room: str = "feed", number: int = 5, **said: Any) -> tuple[list[Any], dict[str, Any]]:
    """Subscribe; return the values that came before the confirmation, and the confirmation."""
    data = {"id": number, **({"allowed": False} if said.pop("refused", False) else {})}
    await socket.send_json_to({"action": "subscribe", "payload": {"room": room, "data": data, **said}})
    missed = []
    while (frame := await socket.receive_json_from())["action"] not in {"subscribed", "error"}:
        missed.append(frame["payload"])
    return missed, frame["payload"]


class Slow(Reader):
    """A client that is called slow is sent nothing before it may be."""

    is_sending: asyncio.Event
    may_send: asyncio.Event

    async def pass_on(self, message: Any) -> None:
        if self.session["user"] == "slow":
            self.is_sending.set()
            await self.may_send.wait()
        await super().pass_on(message)


class CatchingUp(NamedTuple):
    """A client that is about to be sent what it has missed."""

    socket: Any
    asking: asyncio.Future[tuple[list[Any], dict[str, Any]]]

    async def go_on(self) -> tuple[list[Any], dict[str, Any]]:
        """Let it be sent; return what :func:`subscribe` does."""
        Slow.may_send.set()
        return await self.asking


async def catching_up(stage: Any, payload: int) -> tuple[Any, Any, CatchingUp]:
    """Emit an event to a room with one member; return the room, the member, and a client that has missed the event."""
    Slow.is_sending, Slow.may_send = asyncio.Event(), asyncio.Event()
    stage.sio.register_room(Feed)
    room = Feed(5).on(stage.sio)
    first, slow = await stage.socket("first", Slow), await stage.socket("slow", Slow)
    await subscribe(first)
    await room.emit("news", payload)
    asking = asyncio.ensure_future(subscribe(slow, since=None))
    await Slow.is_sending.wait()
    return room, first, CatchingUp(slow, asking)


async def test_what_was_missed_comes_before_the_confirmation_and_each_event_once(stage):
    """Frames carry their offsets; who emits does not matter."""
    stage.sio.register_room(Feed)
    ann = await stage.socket("ann", Reader)
    missed, first = await subscribe(ann)
    await Feed(5).on(stage.sio).emit("news", 1)
    await Feed(5).on(stage.sio).emit("news", 2)
    seen = [await ann.receive_json_from() for _ in range(2)]
    await ann.disconnect()
    await Feed(5).on(stage.sio).emit("news", 3)

    ben = await stage.socket("ben", Reader)
    caught_up, told = await subscribe(ben, since=seen[0]["offsets"]["feed|5"])
    await Feed(5).on(stage.sio).emit("news", 4)

    assert (missed, first["room"], first["complete"]) == ([], "feed|5", True)
    assert [frame["payload"] for frame in seen] == [1, 2]
    assert (caught_up, told["complete"], told["epoch"]) == ([2, 3], True, first["epoch"])
    live = await ben.receive_json_from()
    assert (live["payload"], live["offsets"]["feed|5"] > told["offset"]) == (4, True)


async def test_without_since_nothing_is_sent_but_the_newest_of_one(stage):
    """With null everything that is kept."""
    stage.sio.register_room(Feed, Price)
    first, ann, ben = [await stage.socket(name, Reader) for name in ("first", "ann", "ben")]
    for room in ("feed", "price"):
        await subscribe(first, room)
    for number in range(7):
        await Feed(5).on(stage.sio).emit("news", number)
        await Price(5).on(stage.sio).emit("news", number)

    assert (await subscribe(ann))[0] == []
    assert (await subscribe(ann, "price"))[0] == [6]
    missed, told = await subscribe(ben, since=None)
    assert (missed, told["complete"]) == ([2, 3, 4, 5, 6], False)
    assert (await subscribe(ben, since=told["offset"], epoch=told["epoch"]))[0] == []


async def test_a_client_that_may_not_enter_gets_nothing(stage):
    """Whatever it says that it has had."""
    stage.sio.register_room(Feed)
    first, ann = await stage.socket("first", Reader), await stage.socket("ann", Reader)
    await subscribe(first)
    await Feed(5).on(stage.sio).emit("news", 1)

    missed, error = await subscribe(ann, since=None, refused=True)

    assert (missed, error["type"]) == ([], "forbidden")


async def test_members_of_a_room_with_a_history_are_taken_out_as_others(stage):
    """By a kick and by closing the room, as by themselves; then they get nothing."""
    stage.sio.register_room(Feed)
    room = Feed(5).on(stage.sio)
    ann, ben, eve = [await stage.socket(name, Reader) for name in ("ann", "ben", "eve")]
    for socket in (ann, ben, eve):
        await subscribe(socket)
    members = await all_members(room, 3)

    await room.kick(members[0].sid)
    await eve.send_json_to({"action": "unsubscribe", "payload": {"room": "feed", "data": {"id": 5}}})
    assert (await eve.receive_json_from())["action"] == "unsubscribed"
    heard = {(await socket.receive_json_from())["action"] for socket in (ann,)}
    await room.emit("news", 1)
    assert (await ben.receive_json_from())["payload"] == 1
    await room.close()
    await room.emit("news", 2)

    assert (len(members), heard) == (3, {"kicked"})
    assert [await socket.receive_nothing() for socket in (ann, ben, eve)] == [True, True, True]


async def test_what_is_broadcast_to_the_group_is_kept_too(stage):
    """A frame of a consumer or of any program; a client that is left out gets it neither later."""
    ann, ben = await stage.socket("ann", Reader), await stage.socket("ben", Reader)
    await subscribe(ann)
    group = group_of("/", "feed|5")

    for text in ('{"action":"news","payload":1}', "no object"):
        await stage.layer.group_send(group, text_envelope(text))
    await stage.layer.group_send(group, {"type": TEXT, "text": 5})  # dropped
    await stage.layer.group_send(group, text_envelope('{"action":"news","payload":2}', exclude=["someone"]))
    frames = [await ann.receive_from() for _ in range(3)]

    offsets = json.loads(frames[2])["offsets"]
    assert (list(json.loads(frames[0])["offsets"]), frames[1]) == (["feed|5"], "no object")
    assert (await subscribe(ben, since=offsets["feed|5"]))[0] == []


async def test_events_that_come_while_a_client_catches_up_come_after_what_it_missed(stage):
    """In their order, and once."""
    room, first, slow = await catching_up(stage, 1)
    await room.emit("news", 2)
    missed, told = await slow.go_on()
    await room.emit("news", 3)

    assert (missed, told["complete"]) == ([1, 2], True)
    assert (await slow.socket.receive_json_from())["payload"] == 3
    assert [(await first.receive_json_from())["payload"] for _ in range(3)] == [1, 2, 3]


async def test_a_client_that_is_taken_out_while_it_catches_up_leaves_the_room(stage):
    """When it has caught up; then it gets nothing more."""
    room, _, slow = await catching_up(stage, 1)
    await room.close()
    missed, answer = await slow.go_on()
    await until(lambda: Slow.keeper().keeper.table.is_empty)
    await room.emit("news", 2)

    assert (missed, answer["room"]) == ([1], "feed|5")
    assert await slow.socket.receive_nothing()


async def test_events_that_are_dropped_while_a_client_catches_up(stage):
    """It gets those that are kept, and is told that they are not all."""
    room, first, slow = await catching_up(stage, 0)
    for number in range(1, 9):
        await room.emit("news", number)
    assert [(await first.receive_json_from())["payload"] for _ in range(9)] == list(range(9))
    missed, told = await slow.go_on()

    assert (missed, told["complete"]) == ([0, 4, 5, 6, 7, 8], False)
