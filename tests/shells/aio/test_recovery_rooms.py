"""Connection state recovery on asyncio: rooms of room classes, which lost clients are members of for a while."""

from __future__ import annotations

import asyncio

import pytest

import fastsio
from tests.shells.aio.fake_engine import settled, turns
from tests.shells.aio.rooms import ChatRoom
from tests.shells.aio.seats import Seat, joined_with_offset


@pytest.fixture
def chat(recovering, log):
    """The same with a room class."""
    sio, wire = recovering
    sio.register_room(ChatRoom)
    return sio, wire


async def test_a_member_that_is_back_soon_was_never_gone(chat, log):
    """No hook runs, and it can leave, and be found, as before."""
    sio, wire = chat
    seat = await Seat(wire).connect()
    sid = seat.sid
    await joined_with_offset(seat)
    await seat.client.lose()
    assert [member.sid for member in await ChatRoom(5).members()] == [sid]
    await seat.back()
    await turns()

    assert log == [("on_join", 5, sid)]
    assert [member.sid for member in await ChatRoom(5).members()] == [sid]
    await seat.client.lose()
    await seat.back()
    await sio.disconnect(sid)
    await settled(lambda: log == [("on_join", 5, sid), ("on_leave", 5, sid)])


@pytest.mark.parametrize("way", ["leave", "kick", "close", "by name", "disconnect"])
async def test_a_member_is_taken_out_while_it_is_away(chat, log, way):
    """Its on_leave runs at once, and it is not in the room when it comes back."""
    sio, wire = chat
    seat = await Seat(wire).connect()
    sid = seat.sid
    await joined_with_offset(seat)
    await seat.client.lose()
    match way:
        case "leave":
            await ChatRoom(5).leave(sid)
        case "kick":
            await ChatRoom(5).kick(sid)
        case "close":
            await ChatRoom(5).close()
        case "by name":
            await sio.leave_room(sid, "chat|5")
        case "disconnect":
            await sio.disconnect(sid)
    await settled(lambda: ("on_leave", 5, sid) in log)
    await seat.back()

    assert sio.rooms(seat.sid) == [seat.sid]
    assert log == [("on_join", 5, sid), ("on_leave", 5, sid)]


async def test_a_member_leaves_even_if_what_it_missed_cannot_be_given_to_another_process(chat, log):
    """An event may have a number that no parser reads; the client is a new one there."""
    sio, wire = chat
    seat = await Seat(wire).connect()
    sid = seat.sid
    await joined_with_offset(seat)
    await seat.client.lose()
    await sio.emit("news", 10**1000, room=ChatRoom(5))
    recovery = sio.__fastsio__.recovery

    with pytest.raises(ValueError, match="not JSON"):
        await recovery.give_away("/", seat.pid, seat.offset)

    await settled(lambda: log == [("on_join", 5, sid), ("on_leave", 5, sid)])
    assert await ChatRoom(5).members() == []


async def test_a_member_that_is_away_for_long_joins_again(make, log):
    """After the grace it has left; when it comes back, can_join is asked and on_join runs."""
    sio, wire = make(connection_state_recovery={"presence_grace": 0.02})
    sio.register_room(ChatRoom)
    seat = await Seat(wire).connect()
    sid = seat.sid
    await joined_with_offset(seat)
    await seat.client.lose()
    await settled(lambda: ("on_leave", 5, sid) in log)
    await sio.emit("news", 1, room=ChatRoom(5))

    assert await seat.back() == [["news", 1]]
    await settled(lambda: len(log) == 3)
    assert log == [("on_join", 5, sid), ("on_leave", 5, sid), ("on_join", 5, sid)]
    assert sio.rooms(sid) == [sid, "chat|5"]


class Slow(fastsio.Room):
    """Its ``on_leave`` takes until the test lets it end."""

    log: list[str] = []
    leaves = asyncio.Event()
    may_leave = asyncio.Event()

    @classmethod
    def extract_room_identifier(cls, session, data):
        return data["id"]

    @classmethod
    def can_join(cls, session, data):
        return True

    @classmethod
    def on_join(cls, room):
        cls.log.append("joins")

    @classmethod
    async def on_leave(cls, room):
        cls.leaves.set()
        await cls.may_leave.wait()
        cls.log.append("has left")


async def lost_member(wire) -> Seat:
    """Return a client that has joined such a room, and is lost."""
    Slow.log, Slow.leaves, Slow.may_leave = [], asyncio.Event(), asyncio.Event()
    seat = await Seat(wire).connect()
    await seat.client.send('21["join_slow",{"id":5}]')
    assert await seat.event() == ["joined", {"room": "slow|5"}]
    await seat.client.lose()
    return seat


async def test_a_member_that_comes_back_while_it_leaves_joins_after_that(make):
    """It has left for the others; so it has to join again, and not before on_leave has run."""
    sio, wire = make(connection_state_recovery={"presence_grace": 0.02})
    sio.register_room(Slow)
    seat = await lost_member(wire)
    await Slow.leaves.wait()

    coming = asyncio.create_task(seat.back())
    await turns()
    assert not coming.done()
    Slow.may_leave.set()
    await coming

    await settled(lambda: len(Slow.log) == 3)
    assert Slow.log == ["joins", "has left", "joins"]
    assert sio.rooms(seat.sid) == [seat.sid, "slow|5"]


async def test_what_is_dropped_while_a_client_waits_for_its_rooms_is_not_skipped(make):
    """The client is a new one."""
    sio, wire = make(connection_state_recovery={"presence_grace": 0.02, "max_packets": 2})
    sio.register_room(Slow)
    seat = await lost_member(wire)
    sid = seat.sid
    await Slow.leaves.wait()

    coming = asyncio.create_task(seat.back())
    await turns()
    for number in range(5):
        await sio.emit("news", number, to=sid)
    Slow.may_leave.set()

    assert await coming == []
    assert seat.sid != sid


async def test_a_client_that_is_lost_again_while_its_rooms_are_left_may_come_back(make):
    """Its request to come back is cancelled; the session stays."""
    sio, wire = make(connection_state_recovery={"presence_grace": 0.02})
    sio.register_room(Slow)
    seat = await lost_member(wire)
    sid = seat.sid
    await Slow.leaves.wait()

    coming = asyncio.create_task(seat.back())
    await turns()
    coming.cancel()
    await asyncio.wait([coming])
    Slow.may_leave.set()
    await seat.back()

    assert seat.sid == sid


async def test_rooms_are_left_even_if_the_client_that_asks_for_them_goes(make):
    """A client that has missed too much cannot have its session, and goes while on_leave runs for that."""
    sio, wire = make(connection_state_recovery={"max_packets": 1})
    sio.register_room(Slow)
    seat = await lost_member(wire)
    for number in range(3):
        await sio.emit("news", number)

    coming = asyncio.create_task(seat.back())
    await Slow.leaves.wait()
    coming.cancel()
    await asyncio.wait([coming])
    Slow.may_leave.set()

    await settled(lambda: Slow.log == ["joins", "has left"])


async def test_a_member_that_may_not_join_any_more_is_kicked(make):
    """After the grace, a client that its room refuses now is taken out of it, and told."""
    sio, wire = make(connection_state_recovery={"presence_grace": 0.02})
    left = asyncio.Event()

    class Club(fastsio.Room):
        """Lets in those that are on its list."""

        is_open = True

        @classmethod
        def extract_room_identifier(cls, session, data):
            return data["id"]

        @classmethod
        def can_join(cls, session, data):
            return cls.is_open

        @classmethod
        def on_leave(cls, room):
            left.set()

    sio.register_room(Club)
    seat = await Seat(wire).connect()
    await seat.client.send('21["join_club",{"id":5}]')
    assert await seat.event() == ["joined", {"room": "club|5"}]
    await seat.client.lose()
    await left.wait()
    Club.is_open = False
    await seat.back()
    event, data = await seat.event()

    assert (event, data["room"]) == ("kicked", "club|5")
    assert sio.rooms(seat.sid) == [seat.sid]


async def test_nothing_is_left(chat, log):
    """After sessions have ended, no table has anything of them."""
    sio, wire = chat
    seat = await Seat(wire).connect()
    await joined_with_offset(seat)
    await seat.client.lose()
    await sio.disconnect(seat.sid)
    await settled(lambda: len(log) == 2)

    shared = sio.__fastsio__
    assert (len(shared.recovery_state._sessions), shared.recovery_state._clients, shared.recovery_state._ends) == (
        0,
        {},
        {},
    )
    assert (shared.room_keeper.table.is_empty, shared.room_keeper.table._away) == (True, set())
