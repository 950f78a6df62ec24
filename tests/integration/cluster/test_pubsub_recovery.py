"""Clients that are away, on a server that shares a bus with others: what the others say to them and about them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from fastsio.aio.backends.room_following import RoomFollowingManager
from fastsio.exceptions import ClientLeftError, TimeoutError
from tests.integration.memory_bus import GOOD, Breakdown, MemoryBus, MemoryManager, make_node
from tests.shells.aio.fake_engine import settled, turns
from tests.shells.aio.seats import Seat

if TYPE_CHECKING:
    from collections.abc import Hashable


class FollowingManager(RoomFollowingManager, MemoryManager):
    """Notes which rooms it would listen to."""

    def __init__(self, bus: MemoryBus) -> None:
        super().__init__(bus)
        self.followed: set[Hashable] = set()

    def _follow_room(self, namespace: str, room: Hashable, *, has_members: bool) -> None:
        change = self.followed.add if has_members else self.followed.discard
        change(room)


@pytest_asyncio.fixture(params=[MemoryManager, FollowingManager])
async def lost(request) -> Any:
    """Two nodes, and a client of the first in three rooms, which has lost its connection."""
    bus = MemoryBus()
    here, elsewhere = [
        make_node(bus, name, client_manager=request.param(bus), connection_state_recovery=True) for name in "ab"
    ]
    await Seat(elsewhere).connect()
    await Seat(here).connect()
    seat = await Seat(here).connect()
    for room in ("tea", "milk", "water"):
        await here.server.enter_room(seat.sid, room)
    await settled(lambda: bus.listeners == 2)
    await seat.client.lose()
    yield here, elsewhere, seat
    for node in (here, elsewhere):
        await node.server.shutdown()


async def test_events_of_other_nodes_are_not_missed(lost):
    """To all, to a room, to the client: each once."""
    here, elsewhere, seat = lost
    sid = seat.sid
    for node in (elsewhere, here):
        await node.server.emit("news", (node.name, 1), to=sid)
        await node.server.emit("news", (node.name, 2), room=["tea", "milk"])
        await node.server.emit("news", (node.name, 3))
        await node.server.emit("news", (node.name, 4), room="tea", skip_sid=sid)
        await turns()

    assert await seat.back() == [["news", name, number] for name in "ba" for number in (1, 2, 3)]
    assert seat.sid == sid


async def test_other_nodes_take_the_client_out_of_rooms(lost, caplog):
    """leave_room() and close_room() count while it is away; it enters no room, and nothing is logged of that."""
    here, elsewhere, seat = lost
    caplog.set_level(logging.WARNING)
    await elsewhere.server.leave_room(seat.sid, "tea")
    await elsewhere.server.close_room("milk")
    await elsewhere.server.enter_room(seat.sid, "coffee")
    await turns()

    if isinstance(here.manager, FollowingManager):
        assert here.manager.followed.isdisjoint({"tea", "milk", "coffee"})
    await seat.back()
    assert here.server.rooms(seat.sid) == [seat.sid, "water"]
    assert caplog.records == []


async def test_another_node_disconnects_the_client(lost):
    """It comes back as a new one, and its rooms are listened to no longer."""
    here, elsewhere, seat = lost
    sid = seat.sid
    await elsewhere.server.disconnect(sid)
    await turns()

    if isinstance(here.manager, FollowingManager):
        assert here.manager.followed.isdisjoint({sid, "tea", "milk", "water"})
    await seat.back()
    assert seat.sid != sid


async def test_nobody_waits_for_a_client_that_is_away(lost):
    """call() fails on either node, and the client does not get the question later."""
    here, elsewhere, seat = lost
    for node in (here, elsewhere):
        with pytest.raises((ClientLeftError, TimeoutError)):
            await node.server.call("question", to=seat.sid, timeout=0.1)

    assert await seat.back() == []


async def cut_off(bus: MemoryBus) -> None:
    """Break the connections of both servers to the bus, which refuses them from then on."""
    entered, bus.refuses = bus.entered, True
    bus.inject(Breakdown("torn"))
    await settled(lambda: bus.entered >= entered + 2)


async def connect_again(bus: MemoryBus) -> None:
    """Let both servers listen again, and wait until a message has reached them."""
    bus.refuses = False
    await settled(lambda: bus.listeners == 2)
    bus.inject(GOOD)
    await turns()


@pytest.mark.usefixtures("quick_bus")
async def test_a_client_that_was_away_while_the_bus_was_is_a_new_one(lost):
    """What the others have sent meanwhile is not known, so nothing is skipped silently."""
    here, _, seat = lost
    pid = seat.pid
    await cut_off(here.manager.bus)
    await connect_again(here.manager.bus)

    assert await seat.back() == []
    assert seat.pid != pid


@pytest.mark.usefixtures("quick_bus")
async def test_a_client_that_is_lost_while_the_bus_is_away_is_a_new_one(lost):
    """Also if it has had events of its own server meanwhile."""
    here, _, seat = lost
    await cut_off(here.manager.bus)
    await seat.back()
    await here.server.emit("news", 1, to=seat.sid)
    assert await seat.event() == ["news", 1]
    pid = seat.pid
    await seat.client.lose()
    await connect_again(here.manager.bus)

    assert await seat.back() == []
    assert seat.pid != pid


@pytest.mark.usefixtures("quick_bus")
async def test_a_client_that_is_lost_after_the_bus_is_back_comes_back(lost):
    """It has had an event since, so it is known what it has missed."""
    here, elsewhere, seat = lost
    await cut_off(here.manager.bus)
    await connect_again(here.manager.bus)
    await seat.back()
    await elsewhere.server.emit("news", 1, to=seat.sid)
    assert await seat.event() == ["news", 1]
    pid = seat.pid
    await seat.client.lose()
    await elsewhere.server.emit("news", 2, to=seat.sid)
    await turns()

    assert await seat.back() == [["news", 2]]
    assert seat.pid == pid
