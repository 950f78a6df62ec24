"""Joins that are under way, of consumers and of clients on a LayerManager: what servers say meanwhile wins."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fastsio import AsyncServer, Room
from fastsio.consumers import AsyncJsonWebsocketConsumer
from fastsio.layers.manager import LayerManager
from fastsio.testing import TestClient
from tests.shells.layers.chat import frame
from tests.shells.layers.waiting import until


class DoorRoom(Room):
    """Its ``can_join`` waits for the test."""

    asked: list[asyncio.Future[bool]]

    @classmethod
    def extract_room_identifier(cls, data):
        return data["id"]

    @classmethod
    async def can_join(cls):
        answer = asyncio.get_running_loop().create_future()
        cls.asked.append(answer)
        return await answer


class Doors(AsyncJsonWebsocketConsumer):
    channel_layer_alias = "chat"
    rooms = [DoorRoom]


class ManyDoors(Doors):
    concurrency = 4


@pytest.fixture(autouse=True)
def asked() -> list[asyncio.Future[bool]]:
    """What ``can_join`` waits for."""
    DoorRoom.asked = []
    return DoorRoom.asked


async def take_back(way: str, room: Any, sid: str) -> None:
    """Do what takes a permission back."""
    match way:
        case "kick":
            await room.kick(sid, "enough")
        case "close":
            await room.close()
        case "recheck":
            assert await room.recheck() == []


@pytest.mark.parametrize("consumer", [Doors, ManyDoors])
@pytest.mark.parametrize("way", ["kick", "close", "recheck"])
async def test_a_server_takes_back_what_a_consumer_is_about_to_be_let_into(stage, asked, way, consumer):
    """The consumer is not in the room in the end, although it was in no group of it when that was said."""
    stage.sio.register_room(DoorRoom)
    socket = await stage.socket("ben", consumer)
    keeper = consumer.keeper()
    await socket.send_json_to(frame("subscribe", "door", {"id": 5}))
    await until(lambda: asked)
    room = DoorRoom(5).on(stage.sio)
    (sid,) = keeper._members._consumers
    await take_back(way, room, sid)
    for _ in range(20):
        await asyncio.sleep(0)
    asked[0].set_result(True)
    if way == "recheck":
        await until(lambda: len(asked) == 2)
        asked[1].set_result(False)
    answers = [await socket.receive_json_from()]
    if way == "kick":
        answers.append(await socket.receive_json_from())

    await until(lambda: keeper._members.sids("/", "door|5") == [])
    assert {answer["action"] for answer in answers} >= ({"error"} if way != "kick" else {"kicked"})
    assert await DoorRoom(5).on(keeper).members() == []
    await room.emit("news")
    assert await socket.receive_nothing()


async def test_a_consumer_that_leaves_while_its_join_waits_stays_out(stage, asked):
    """With several messages handled at a time, an unsubscribe can overtake the subscribe before it."""
    stage.sio.register_room(DoorRoom)
    socket = await stage.socket("ben", ManyDoors)
    await socket.send_json_to(frame("subscribe", "door", {"id": 5}))
    await until(lambda: asked)
    await socket.send_json_to(frame("unsubscribe", "door", {"id": 5}))
    left = await socket.receive_json_from()
    asked[0].set_result(True)
    refused = await socket.receive_json_from()

    assert (left["action"], refused["action"]) == ("unsubscribed", "error")
    assert await DoorRoom(5).on(ManyDoors.keeper()).members() == []
    await DoorRoom(5).on(stage.sio).emit("news")
    assert await socket.receive_nothing()


async def test_a_consumer_hears_its_room_after_a_join_that_waited(stage, asked):
    """What listens for orders while ``can_join`` waits takes nothing away, and is gone afterwards."""
    stage.sio.register_room(DoorRoom)
    socket = await stage.socket("ben", Doors)
    await socket.send_json_to(frame("subscribe", "door", {"id": 5}))
    await until(lambda: asked)
    await DoorRoom(5).on(stage.sio).emit("early")
    asked[0].set_result(True)

    assert (await socket.receive_json_from())["action"] == "subscribed"
    await DoorRoom(5).on(stage.sio).emit("news")
    assert (await socket.receive_json_from())["action"] == "news"
    await until(lambda: not Doors.keeper()._room_groups.groups)


@pytest.mark.parametrize("way", ["kick", "close", "recheck"])
async def test_another_server_on_the_layer_takes_back_what_waits(stage, asked, way):
    """A server that has no client in the room yet hears what is said of it all the same."""
    other = AsyncServer(async_mode="asgi", client_manager=LayerManager("chat"))
    try:
        for server in (stage.sio, other):
            server.register_room(DoorRoom)
        async with TestClient(other) as client:
            await client.connect()
            await until(lambda: other.manager.listening)
            joining = asyncio.create_task(client.call("join_door", {"id": 5}))
            await until(lambda: asked)
            await take_back(way, DoorRoom(5).on(stage.sio), client.sid)
            for _ in range(20):
                await asyncio.sleep(0)
            asked[0].set_result(True)
            if way == "recheck":
                await until(lambda: len(asked) == 2)
                asked[1].set_result(False)

            assert (await joining)["error"]["type"] == "forbidden"
            assert await DoorRoom(5).on(other).members() == []
            await until(lambda: "door|5" not in " ".join(other.manager.groups))
    finally:
        await other.shutdown()
