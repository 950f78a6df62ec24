"""How the real JavaScript client gets what it has missed in a room: room classes with a history."""

from __future__ import annotations

from typing import Any

import pytest

import fastsio


class Feed(fastsio.Room):
    history = fastsio.History(size=10)

    @classmethod
    def extract_room_identifier(cls, data: dict[str, Any]) -> Any:
        return data["id"]


class Price(Feed):
    key = "price"
    history = fastsio.History(size=1)


@pytest.mark.parametrize("recovery", [False, True], ids=["plain", "recovery"])
async def test_a_page_goes_on_where_another_was(start, transports, recovery):
    """It gets each event once and in order, with attachments; those before the confirmation are what it has missed."""
    world = await start(connection_state_recovery=recovery)
    sio = world.site.sio
    sio.register_room(Feed)
    async with world.program("history", "goes_on", transports=transports) as program:
        await program.step("joined")
        await sio.emit("news", 1, room=Feed(5))
        await sio.emit("news", {"two": b"\x02"}, room=[Feed(5), "tea"])
        await program.step("closed")
        await world.site.saw("disconnect")
        await sio.emit("news", 3, room=Feed(5))
        await sio.emit("news", {"four": b"\x04"}, room=Feed(5))
        await program.tell()
        await program.step("joined")
        await sio.emit("news", 5, room=Feed(5))
        result = await program.result()

    assert result == {
        "pages": [
            {"news": [1, {"two": {"bytes": "02"}}], "complete": True},
            {"news": [3, {"four": {"bytes": "04"}}, 5], "complete": True},
        ],
        "before": 2,
        "stands": [4, 5],
    }


async def test_a_client_that_joins_gets_the_newest_value(start):
    """It needs to send nothing for that."""
    world = await start()
    world.site.sio.register_room(Price)
    for value in (1, 2):
        await world.site.sio.emit("price", value, room=Price(5))

    assert await world.play("history", "newest") == [["price", 2], ["joined", "price|5"]]
