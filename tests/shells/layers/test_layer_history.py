"""Rooms with a history on servers that share a channel layer: what a server hears of rooms without members."""

from __future__ import annotations

from typing import Any

from fastsio import AsyncServer, History, Room
from fastsio.layers.manager import LayerManager
from fastsio.layers.room_groups import group_of
from fastsio.testing import TestClient
from tests.shells.aio.fake_engine import settled


class Feed(Room):
    history = History(size=5)

    @classmethod
    def extract_room_identifier(cls, data: dict[str, Any]) -> Any:
        return data["id"]


async def test_a_server_listens_to_a_room_as_long_as_it_keeps_events_of_it(stage):
    """Also while nobody is in it; so a client that joins later misses none of other servers."""
    other = AsyncServer(async_mode="asgi", client_manager=LayerManager("chat"))
    for sio in (stage.sio, other):
        sio.register_room(Feed)
    ann = await stage.visitor("ann")
    async with TestClient(other) as elsewhere:
        await elsewhere.connect()
        await Feed(5).on(stage.sio).emit("news", 1)
        await settled(lambda: group_of("/", "feed|5") in stage.sio.manager.groups)
        await Feed(5).on(other).emit("news", 2)
        await settled(lambda: stage.sio.__fastsio__.histories.newest("/", "feed|5") == 2)
        told = await ann.call("join_feed", {"id": 5, "since": None})

    assert [(await ann.receive("news")).args[0] for _ in range(2)] == [1, 2]
    assert told["complete"]
    await other.shutdown()


async def test_a_room_that_a_server_does_not_listen_to_any_more_begins_anew(stage):
    """It does not know what was sent meanwhile."""
    stage.sio.register_room(Feed)
    ann = await stage.visitor("ann")
    before = await ann.call("join_feed", {"id": 5})
    await ann.call("leave_feed", {"id": 5})

    after = await ann.call("join_feed", {"id": 5, "since": before["offset"]})

    assert (after["complete"], after["epoch"] == before["epoch"]) == (False, False)


async def test_a_server_does_not_listen_to_rooms_beyond_their_number(stage):
    """A room that makes room for another one, and has no members, is not listened to any more."""

    class Few(Feed):
        key = "few"
        history = History(max_rooms=2)

    stage.sio.register_room(Few)
    await stage.visitor("ann")
    for number in range(5):
        await Few(number).on(stage.sio).emit("news", number)
    followed = [group_of("/", f"few|{number}") for number in range(5)]

    await settled(lambda: [group in stage.sio.manager.groups for group in followed] == [False] * 3 + [True] * 2)
