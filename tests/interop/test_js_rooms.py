"""Rooms and sessions with several real JavaScript clients."""

from __future__ import annotations


async def test_an_emit_to_a_room_reaches_its_members(world, transports):
    """Members hear it, the sender included unless skipped; others and those who left do not."""
    result = await world.play("rooms", "members_only", transports=transports)

    assert result == {"rooms": ["tea"], "heard": [["hello", "anyone?"], ["hello", "psst"], []]}


async def test_a_member_of_two_rooms_hears_once(world):
    """An emit to a list of rooms reaches each client once."""
    assert await world.play("rooms", "once_for_two_rooms") == [1, 1, 0]


async def test_a_closed_room_is_empty(world):
    """After close_room nobody hears an emit to it."""
    assert await world.play("rooms", "closed_room") == [0, 0, 0]


async def test_a_broadcast_reaches_everybody(world, transports):
    """An emit without a room reaches every client of the namespace."""
    assert await world.play("rooms", "broadcast", transports=transports) == [["all"]] * 3


async def test_an_id_is_a_room_of_one(world):
    """An emit to a client's id reaches that client only."""
    assert await world.play("rooms", "by_id") == [0, 0, 1]


async def test_sessions_are_apart(world):
    """Each client reads back what was kept for it."""
    assert await world.play("rooms", "sessions") == [{"name": "ann"}, {"name": "ben"}]
