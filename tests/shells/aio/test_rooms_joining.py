"""Rooms on asyncio: how a client gets in, and in which order what is told to whom."""

from __future__ import annotations

import asyncio

from fastsio import (
    Room,
    SocketID,
)
from tests.shells.aio.fake_engine import settled, turns
from tests.shells.aio.rooms import ChatRoom, events
from tests.support.waiting import WAIT_S


async def test_a_join_is_confirmed_before_on_join_runs(sio, wire):
    """``joined``, the acknowledgement, and what ``on_join`` sends: in this order."""

    class Greeting(ChatRoom):
        key = "greeting"

        @classmethod
        async def on_join(cls, room: Room, session, data):
            await room.emit("welcome", data)

    sio.register_room(Greeting)
    client = await wire.join()

    await client.send('27["join_greeting",{"id":5}]')

    assert [await client.receive() for _ in range(3)] == [
        '2["joined",{"room":"greeting|5"}]',
        '37[{"room":"greeting|5"}]',
        '2["welcome",{"id":5}]',
    ]


async def test_a_join_without_acknowledgement_is_confirmed_by_the_event(chat, log):
    """The event ``joined`` comes alone."""
    _, wire = chat
    client = await wire.join()

    await client.send('2["join_chat",{"id":5}]')
    await settled(lambda: log)

    assert await events(client) == [["joined", {"room": "chat|5"}]]


async def test_a_client_that_vanishes_while_can_join_waits_is_not_entered(sio, wire, caplog, log):
    """Nothing is raised, nobody is in the room, no hook is called."""
    asked, answer = asyncio.Event(), asyncio.Event()

    class Slow(ChatRoom):
        key = "slow"

        @classmethod
        async def can_join(cls):
            asked.set()
            await answer.wait()
            return True

    sio.register_room(Slow)
    client = await wire.join()
    await client.send('21["join_slow",{"id":5}]')
    await asyncio.wait_for(asked.wait(), WAIT_S)
    await client.lose()
    answer.set()
    await turns()

    assert list(sio.manager.get_namespaces()) == []
    assert await Slow(5).members() == []
    assert log == []
    assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


async def test_who_leaves_before_it_is_announced_is_never_announced(sio, wire, log):
    """A client that is gone while the application's own handler runs has neither ``on_join`` nor ``on_leave``."""
    called, go_on = asyncio.Event(), asyncio.Event()
    sio.register_room(ChatRoom)

    @sio.on("join_chat")
    async def own(sid, data):
        called.set()
        await go_on.wait()

    client = await wire.join()
    await client.send('21["join_chat",{"id":5}]')
    await asyncio.wait_for(called.wait(), WAIT_S)
    await client.lose()
    go_on.set()
    await turns()

    assert log == []


async def test_who_leaves_while_on_join_runs_is_told_of_afterwards(sio, wire):
    """``on_leave`` waits for ``on_join`` to end."""
    log: list[str] = []
    began, go_on = asyncio.Event(), asyncio.Event()

    class Slow(Room):
        @classmethod
        def extract_room_identifier(cls, data):
            return data["id"]

        @classmethod
        async def on_join(cls):
            began.set()
            await go_on.wait()
            log.append("on_join")

        @classmethod
        async def on_leave(cls):
            log.append("on_leave")

    sio.register_room(Slow)
    client = await wire.join()
    await client.send('21["join_slow",{"id":5}]')
    await asyncio.wait_for(began.wait(), WAIT_S)
    await client.lose()
    await turns()
    assert log == []
    go_on.set()
    await settled(lambda: len(log) == 2)

    assert log == ["on_join", "on_leave"]


async def test_on_join_may_throw_the_client_out(sio, wire):
    """A hook that leaves the room it is called for does not wait for itself."""
    left = asyncio.Event()

    class Strict(Room):
        @classmethod
        def extract_room_identifier(cls, data):
            return data["id"]

        @classmethod
        async def on_join(cls, room: Room, sid: SocketID):
            await room.kick(sid, "not today")

        @classmethod
        async def on_leave(cls):
            left.set()

    sio.register_room(Strict)
    client = await wire.join()
    await client.send('2["join_strict",{"id":5}]')
    await asyncio.wait_for(left.wait(), WAIT_S)

    assert await events(client) == [
        ["joined", {"room": "strict|5"}],
        ["kicked", {"room": "strict|5", "reason": "not today"}],
    ]
    assert sio.rooms(client.sid) == [client.sid]
