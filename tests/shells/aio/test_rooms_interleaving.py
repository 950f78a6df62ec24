"""Rooms on asyncio: what is said against a client while its join is under way, or while others are asked, wins."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from fastsio import BaseMiddleware, Room
from tests.shells.aio.fake_engine import settled, turns
from tests.support.waiting import WAIT_S


class Door:
    """A hook that says that it was called, and waits to be told its answer."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.calls: list[asyncio.Future[Any]] = []
        self.ready: list[Any] = []

    async def ask(self) -> Any:
        """Wait for an answer."""
        if self.ready:
            return self.ready.pop(0)
        call = asyncio.get_running_loop().create_future()
        self.calls.append(call)
        self.asked.set()
        return await call

    def answer(self, value: Any, *, which: int = 0) -> None:
        """Answer a call that waits, as a rule the oldest, or the next one."""
        if self.calls:
            self.calls.pop(which).set_result(value)
        else:
            self.ready.append(value)

    async def wait(self) -> None:
        """Wait until it was called."""
        await asyncio.wait_for(self.asked.wait(), WAIT_S)
        self.asked.clear()


@pytest.fixture
def door() -> Door:
    """What ``can_join`` waits at."""
    return Door()


@pytest.fixture
def slow(sio, door) -> type[Room]:
    """A registered room class whose ``can_join`` waits."""

    class Slow(Room):
        @classmethod
        def extract_room_identifier(cls, data):
            return data["id"]

        @classmethod
        async def can_join(cls):
            return await door.ask()

    sio.register_room(Slow)
    return Slow


async def answer_of(client, ack_id: int) -> Any:
    """Return the first argument with which an event was acknowledged."""

    def found() -> list[str]:
        return [frame for frame in client.frames if str(frame).startswith(f"3{ack_id}[")]

    await settled(found)
    [frame] = found()
    client.frames.remove(frame)
    return json.loads(frame[frame.index("[") :])[0]


async def error_of(client, ack_id: int) -> dict[str, Any]:
    """Return the error object with which an event was acknowledged."""
    return (await answer_of(client, ack_id))["error"]


async def asked(client, event: str, ack_id: int = 9) -> Any:
    """Send an event about room 5 and return its acknowledgement."""
    await client.send(f'2{ack_id}["{event}",{{"id":5}}]')
    return await answer_of(client, ack_id)


async def test_a_leave_ends_a_join_that_waits(sio, wire, door, slow):
    """The leave succeeds, the join gets the error ``conflict``, and the client is not in the room."""
    client = await wire.join()
    await client.send('21["join_slow",{"id":5}]')
    await door.wait()

    assert await asked(client, "leave_slow") == {"room": "slow|5"}
    door.answer(True)
    error = await error_of(client, 1)

    assert (error["type"], error["event"]) == ("conflict", "join_slow")
    assert sio.rooms(client.sid)[1:] == await slow(5).members() == []


async def test_a_join_that_comes_after_the_leave_stays(sio, wire, door, slow):
    """Join, leave, join: the last counts, whichever of the hooks answers first."""
    client = await wire.join()
    await client.send('21["join_slow",{"id":5}]')
    await door.wait()
    await asked(client, "leave_slow")
    await client.send('22["join_slow",{"id":5}]')
    await door.wait()
    door.answer(True)
    door.answer(True)

    assert (await error_of(client, 1))["type"] == "conflict"
    assert sio.rooms(client.sid)[1:] == ["slow|5"]


async def test_a_slow_leave_does_not_undo_a_later_join(sio, wire, door, slow):
    """The leave asked first, so the join counts; the leave is answered with ``conflict``."""
    go_on = asyncio.Event()
    begun = asyncio.Event()

    @sio.on("leave_slow")
    async def own(sid, data):
        begun.set()
        await go_on.wait()

    client = await wire.join()
    await client.send('21["join_slow",{"id":5}]')
    door.answer(True)
    await settled(lambda: sio.rooms(client.sid)[1:])
    await client.send('22["leave_slow",{"id":5}]')
    await asyncio.wait_for(begun.wait(), WAIT_S)
    door.answer(True)
    await asked(client, "join_slow")
    go_on.set()

    assert (await error_of(client, 2))["type"] == "conflict"
    assert sio.rooms(client.sid)[1:] == ["slow|5"]


async def test_middleware_that_holds_up_a_join_does_not_change_the_order(sio, wire, door, slow):
    """A join begins when it arrives, not when its middleware lets it through."""
    go_on, begun = asyncio.Event(), asyncio.Event()

    class Holding(BaseMiddleware):
        async def before_event(self, event, sid, data):
            begun.set()
            await go_on.wait()
            return data

    sio.add_middleware(Holding(events=["join_slow"]))
    client = await wire.join()
    await client.send('21["join_slow",{"id":5}]')
    await asyncio.wait_for(begun.wait(), WAIT_S)
    await asked(client, "leave_slow")
    door.answer(True)
    go_on.set()

    assert (await error_of(client, 1))["type"] == "conflict"
    assert await slow(5).on(sio).members() == []


@pytest.mark.parametrize("way", ["kick", "leave", "close", "by name", "closed by name"])
async def test_what_takes_a_client_out_ends_its_join(sio, wire, door, slow, way):
    """The join gets the error ``forbidden``; nobody is in the room, and no later join suffers."""
    client = await wire.join()
    await client.send('21["join_slow",{"id":5}]')
    await door.wait()
    match way:
        case "kick":
            await slow(5).kick(client.sid)
        case "leave":
            await slow(5).leave(client.sid)
        case "close":
            await slow(5).close()
        case "by name":
            await sio.leave_room(client.sid, "slow|5")
        case _:
            await sio.close_room("slow|5")
    door.answer(True)

    assert (await error_of(client, 1))["type"] == "forbidden"
    assert sio.rooms(client.sid)[1:] == await slow(5).members() == []
    assert sio.__fastsio__.room_keeper.table.is_empty
    door.answer(True)
    assert await asked(client, "join_slow") == {"room": "slow|5"}


async def test_a_kick_counts_while_the_room_is_still_being_found(sio, wire):
    """``extract_room_identifier`` may wait as well."""
    door = Door()

    class Found(Room):
        @classmethod
        async def extract_room_identifier(cls, data):
            return await door.ask()

    sio.register_room(Found)
    client = await wire.join()
    await client.send('21["join_found",{}]')
    await door.wait()
    await Found(5).kick(client.sid)
    door.answer(5)

    assert (await error_of(client, 1))["type"] == "forbidden"
    assert await Found(5).on(sio).members() == []


async def test_a_recheck_asks_again_for_a_join_that_waits(sio, wire, door, slow):
    """The answer that was on its way is an old one."""
    client = await wire.join()
    await client.send('21["join_slow",{"id":5}]')
    await door.wait()

    assert await slow(5).recheck() == []
    door.answer(True)
    await door.wait()
    door.answer(False)

    assert (await error_of(client, 1))["type"] == "forbidden"
    assert await slow(5).on(sio).members() == []


async def test_a_recheck_spares_who_has_joined_again_since_it_asked(sio, wire, door, slow):
    """The newer answer counts."""
    client = await wire.join()
    door.answer(True)
    await asked(client, "join_slow")
    recheck = asyncio.create_task(slow(5).recheck())
    await door.wait()
    await client.send('21["join_slow",{"id":5}]')
    await door.wait()
    door.answer(True, which=1)
    await answer_of(client, 1)
    door.answer(False)  # to the recheck, which asked first

    assert await recheck == []
    assert sio.rooms(client.sid)[1:] == ["slow|5"]


async def test_a_kick_ends_what_the_application_lets_in(sio, wire):
    """``enter()`` may wait for ``presence_key``; the client is then simply not in the room."""
    door = Door()

    class Known(Room):
        @classmethod
        def extract_room_identifier(cls, data):
            return data["id"]

        @classmethod
        async def presence_key(cls):
            return await door.ask()

    sio.register_room(Known)
    client = await wire.join()
    room = Known(5).on(sio)
    entering = asyncio.create_task(room.enter(client.sid))
    await door.wait()
    await room.kick(client.sid)
    door.answer("ann")
    await entering

    assert await room.members() == []
    assert sio.__fastsio__.room_keeper.table.is_empty


@pytest.mark.parametrize("hook", ["on_join", "on_leave"])
async def test_a_hook_that_is_cancelled_leaves_no_member_behind(sio, wire, hook):
    """A CancelledError that a hook raises, as one that awaits a cancelled task does, is a failure as any other."""
    calls: list[str] = []

    class Cancelled(Room):
        presence = True

        @classmethod
        def extract_room_identifier(cls, data):
            return data["id"]

        @classmethod
        async def on_join(cls):
            calls.append("on_join")
            if hook == "on_join":
                raise asyncio.CancelledError

        @classmethod
        async def on_leave(cls):
            calls.append("on_leave")
            if hook == "on_leave":
                raise asyncio.CancelledError

    sio.register_room(Cancelled)
    client, other = await wire.join(), await wire.join()
    for each in (client, other):
        await asked(each, "join_cancelled")
    await asked(client, "leave_cancelled")
    await other.lose()
    await turns()

    assert calls == ["on_join", "on_join", "on_leave", "on_leave"]
    assert sio.__fastsio__.room_keeper.table.is_empty


async def test_a_client_that_is_lost_while_on_join_is_cancelled_is_told_of(sio, wire):
    """``on_leave`` follows ``on_join``, whatever ended that."""
    began, calls = asyncio.Event(), []
    tasks: list[asyncio.Task[Any]] = []

    class Ending(Room):
        @classmethod
        def extract_room_identifier(cls, data):
            return data["id"]

        @classmethod
        async def on_join(cls):
            tasks.append(asyncio.current_task())
            began.set()
            await asyncio.Event().wait()

        @classmethod
        async def on_leave(cls):
            calls.append("on_leave")

    sio.register_room(Ending)
    client = await wire.join()
    await client.send('21["join_ending",{"id":5}]')
    await asyncio.wait_for(began.wait(), WAIT_S)
    await client.lose()
    tasks[0].cancel()
    await settled(lambda: calls)

    assert calls == ["on_leave"]
    assert sio.__fastsio__.room_keeper.table.is_empty
