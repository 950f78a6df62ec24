"""Connection state recovery on asyncio: what is sent to a client before it is let in."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

import fastsio
from tests.shells.aio.fake_engine import settled, turns
from tests.shells.aio.seats import Seat
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from tests.shells.aio.fake_engine import FakeClient

MOST = 3


@pytest.fixture
def waiting(make):
    """A server whose connect handlers wait until they may decide, and at which few events may wait."""
    sio, wire = make(connection_state_recovery={"max_packets": 50}, max_held_packets=MOST)
    may_decide = asyncio.Event()

    @sio.event
    async def connect(sid: str, environ: Any) -> None:
        await may_decide.wait()

    return sio, wire, may_decide


async def connecting(wire: Any) -> FakeClient:
    """Return a client whose connect handler waits."""
    client: FakeClient = await wire.open()
    await client.send("0")
    await turns()
    return client


async def news_of(client: FakeClient) -> list[Any]:
    """Return the arguments of the events of a client, after the answer to its CONNECT."""
    async with asyncio.timeout(WAIT_S):
        assert (await client.receive()).startswith("0")
    frames, client.frames[:] = list(client.frames), []
    return [json.loads(frame[1:])[1] for frame in frames]


@pytest.mark.parametrize("count", [MOST, MOST + 1, 40])
async def test_more_than_may_wait_comes_out_of_the_log(waiting, caplog, count):
    """The client gets every event once, in order, and those of the rooms that it was in when they were sent."""
    sio, wire, may_decide = waiting
    client, other = await connecting(wire), await connecting(wire)
    sid = sio.manager.sid_from_eio_sid(client.eio_sid, "/")
    await sio.enter_room(sid, "tea")
    for number in range(count):
        await sio.emit("news", number, room="tea" if number % 2 else None)
        await sio.emit("news", "skipped", skip_sid=[sid, sio.manager.sid_from_eio_sid(other.eio_sid, "/")])
    await sio.enter_room(sid, "milk")
    may_decide.set()

    assert await news_of(client) == list(range(count))
    assert await news_of(other) == list(range(0, count, 2))
    await sio.emit("news", "late", room="milk")
    assert json.loads((await client.receive())[1:])[1] == "late"
    assert caplog.text == ""


async def test_a_client_that_misses_what_is_kept_no_longer_is_cut_off_once(waiting, caplog):
    """There is one warning, and one attempt to close its connection; other clients miss nothing."""
    sio, wire, may_decide = waiting
    client = await connecting(wire)
    closed: list[str] = []
    close = wire.close_client

    async def close_client(eio_sid: str, reason: str, *, abort: bool = False) -> None:
        closed.append(eio_sid)
        await close(eio_sid, reason, abort=abort)

    wire.close_client = close_client
    for number in range(80):
        await sio.emit("news", number)
    may_decide.set()
    await settled(lambda: client.eio_sid in wire.closed)
    for number in range(5):
        await sio.emit("news", number)
    await turns()

    assert closed == [client.eio_sid]
    assert caplog.text.count("max_held_packets") == 1
    assert [json.loads(frame[1:]) for frame in client.frames if frame.startswith("2")] == []


async def test_an_event_that_is_not_kept_cuts_a_client_off_once(waiting, caplog):
    """Such as one that asks for an acknowledgement: however many of them follow."""
    sio, wire, may_decide = waiting
    client = await connecting(wire)
    sid = sio.manager.sid_from_eio_sid(client.eio_sid, "/")
    closed: list[str] = []

    async def close_client(eio_sid: str, reason: str, *, abort: bool = False) -> None:
        closed.append(eio_sid)

    wire.close_client = close_client
    for number in range(20):
        await sio.emit("news", number)
        await sio.emit("question", number, to=sid, callback=print)
    may_decide.set()
    await turns()

    assert closed == [client.eio_sid]
    assert caplog.text.count("max_held_packets") == 1


async def test_a_client_that_comes_back_misses_nothing_that_does_not_fit(waiting):
    """What it missed goes first; then what was sent while its connect handler ran, though that was too much."""
    sio, wire, may_decide = waiting
    may_decide.set()
    seat = await Seat(wire).connect()
    sid = seat.sid
    await seat.client.lose()
    may_decide.clear()
    await sio.emit("news", 0)
    coming = asyncio.create_task(seat.back())
    await turns()
    for number in range(1, 30):
        await sio.emit("news", number)
    may_decide.set()

    assert await coming == [["news", 0]]
    assert [await seat.event() for _ in range(29)] == [["news", number] for number in range(1, 30)]
    assert (seat.sid, seat.client.frames) == (sid, [])


async def test_histories_that_do_not_fit_cut_a_client_off(make, caplog):
    """What they send goes to one client alone, and is not in the log."""
    sio, wire = make(connection_state_recovery=True, max_held_packets=MOST)
    may_decide = asyncio.Event()

    class Club(fastsio.Room):
        """Keeps its newest event."""

        history = fastsio.History(size=1)

        @classmethod
        def extract_room_identifier(cls, session, data):
            return data["id"]

    sio.register_room(Club)

    @sio.event
    async def connect(sid: str, environ: Any) -> None:
        for number in range(10):
            await sio.enter_room(sid, Club(number))
        await may_decide.wait()

    for number in range(10):
        await sio.emit("news", number, room=Club(number))
    client = await connecting(wire)
    await settled(lambda: client.eio_sid in wire.closed)
    may_decide.set()

    assert caplog.text.count("max_held_packets") == 1


async def test_a_client_that_is_disconnected_before_its_connect_is_answered(recovering):
    """It is refused, and gets neither CONNECT nor DISCONNECT, nor the rest of what it missed."""
    sio, wire = recovering
    left: list[str] = []
    sio.on("disconnect", lambda sid, reason: left.append(reason))
    seat = await Seat(wire).connect()
    await seat.client.lose()
    for number in range(300):
        await sio.emit("news", number)
    client = await wire.open()
    wire.congested.add(client.eio_sid)
    coming = asyncio.create_task(client.send("0" + json.dumps({"pid": seat.pid})))
    await settled(lambda: len(client.frames) == 100)
    await sio.disconnect(seat.sid)
    wire.congested.clear()
    wire.reads.set()
    await coming

    assert [frame[:1] for frame in client.frames[100:]] == ["4"]
    assert left == ["transport close", "server disconnect"]
    assert sio.manager.client_of(seat.sid, "/") is None
