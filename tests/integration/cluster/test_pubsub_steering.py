"""What a server of the bus does with clients of others: rooms, closing them, disconnecting."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.shells.aio.fake_engine import settled, turns
from tests.support.waiting import WAIT_S


async def test_clients_of_other_servers_enter_and_leave_rooms(both, bus):
    """The server they are connected to does it."""
    a, _, b, second = both

    await a.server.enter_room(second.sid, "r")
    await settled(lambda: b.server.rooms(second.sid) == [second.sid, "r"])
    await a.server.leave_room(second.sid, "r")
    await settled(lambda: b.server.rooms(second.sid) == [second.sid])

    assert bus.methods() == ["enter_room", "leave_room"]


async def test_rooms_of_this_servers_clients_are_not_told(both, bus):
    """Nobody else needs to know."""
    a, first, _, _ = both

    await a.server.enter_room(first.sid, "r")
    await a.server.leave_room(first.sid, "r")

    assert bus.published == []


async def test_a_room_closes_everywhere(both):
    """Its clients have left it on every server."""
    a, first, b, second = both
    await a.server.enter_room(first.sid, "r")
    await b.server.enter_room(second.sid, "r")

    await b.server.close_room("r")

    await settled(lambda: a.server.rooms(first.sid) == [first.sid])
    assert b.server.rooms(second.sid) == [second.sid]


async def test_the_room_of_a_client_is_protected_on_every_server(both, bus, caplog):
    """Where it is known; elsewhere nobody can say what is meant."""
    a, first, _, second = both
    with pytest.raises(ValueError, match="cannot close a sid room"):
        await a.server.close_room(first.sid)

    bus.inject(json.dumps({"method": "close_room", "room": second.sid, "host_id": "x"}))
    bus.inject(json.dumps({"method": "enter_room", "sid": first.sid, "room": first.sid, "host_id": "x"}))
    other = await a.join()
    bus.inject(json.dumps({"method": "enter_room", "sid": other.sid, "room": first.sid, "host_id": "x"}))

    await settled(lambda: "cannot enter a sid room" in caplog.text)
    assert "cannot close a sid room" in caplog.text
    assert "Traceback" not in caplog.text
    assert a.server.rooms(other.sid) == [other.sid]


async def test_a_client_of_another_server_can_be_disconnected(both, bus):
    """Its handler runs where it is, once."""
    a, _, b, second = both
    seen = []
    b.server.on("disconnect", lambda sid, reason: seen.append((sid, reason)))

    await a.server.disconnect(second.sid)

    assert await second.receive() == "1"
    await settled(lambda: seen)
    assert seen == [(second.sid, "server disconnect")]
    assert bus.methods() == ["disconnect"]


async def test_a_client_that_is_gone_stays_gone(both, bus):
    """Others are asked, for who knows whose it was; nothing else happens."""
    a, _, _, _ = both

    await a.server.disconnect("gone")
    await a.server.disconnect("gone", ignore_queue=True)

    assert bus.methods() == ["disconnect"]


async def test_disconnecting_a_client_of_this_server_is_not_told(both, bus):
    """By either way."""
    a, first, _, _ = both
    other = await a.join()

    await a.server.disconnect(first.sid)
    await a.manager.disconnect(other.sid, "/")

    assert await first.receive() == "1"
    assert await other.receive() == "1"
    assert bus.published == []


async def test_a_slow_disconnect_handler_keeps_no_message_waiting(both):
    """It may itself wait for one."""
    a, _, b, second = both
    third = await a.join()
    answers = []

    @b.server.event
    async def disconnect(sid):
        answers.append(await b.server.call("bye", to=third.sid, timeout=WAIT_S))

    await a.server.disconnect(second.sid)
    assert await third.receive() == '21["bye"]'
    await third.send("31[1]")

    await settled(lambda: answers == [1])


async def test_a_client_can_enter_a_room_in_its_connect_handler(nodes, bus):
    """It is a client of this server already, also for what others ask of it."""
    a, b = nodes
    entered = asyncio.Event()

    @b.server.event
    async def connect(sid, environ):
        await b.server.enter_room(sid, "r")
        await a.server.enter_room(sid, "s")
        await asyncio.wait_for(entered.wait(), WAIT_S)

    joining = asyncio.create_task(b.join())
    await settled(lambda: bus.methods() == ["enter_room"])
    await turns()
    entered.set()
    client = await joining

    assert b.server.rooms(client.sid) == [client.sid, "r", "s"]


async def test_leaving_a_room_in_the_disconnect_handler_is_not_told(both, bus):
    """The client is still one of this server."""
    a, first, _, _ = both
    await a.server.enter_room(first.sid, "r")

    @a.server.event
    async def disconnect(sid):
        await a.server.leave_room(sid, "r")
        await a.server.disconnect(sid)

    await first.send("1")

    await settled(lambda: not a.manager.is_sid_room("/", first.sid))
    assert bus.published == []
