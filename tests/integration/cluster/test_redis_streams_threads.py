"""Servers for threads on one Redis Stream, alone and with one for asyncio."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from itertools import count, pairwise
from threading import Event
from typing import TYPE_CHECKING

import pytest

import fastsio
from fastsio.exceptions import BusError
from fastsio.sync import bus
from fastsio.sync.backends import stream_reader, stream_sessions
from tests.integration.clients import eventually
from tests.integration.streams_lab import Lab
from tests.support.brokers import redis_server
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

names = count()


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Try again soon, and look soon whether to end."""
    monkeypatch.setattr(bus, "FIRST_DELAY_S", 0.02)
    monkeypatch.setattr(bus, "MOST_DELAY_S", 0.05)
    monkeypatch.setattr(bus, "JITTER_S", 0.0)
    monkeypatch.setattr(stream_reader, "BLOCK_S", 0.1)


@pytest.fixture(scope="module")
def broker():
    """A Redis for all tests of this module."""
    with redis_server() as broker:
        yield broker


@pytest.fixture
async def lab(broker, _quick) -> AsyncIterator[Lab]:
    """Servers on a stream of the test's own."""
    async with AsyncExitStack() as stack:
        yield Lab(broker, f"threads-{next(names)}", stack)


async def test_a_client_moves_between_servers_of_both_halves(lab):
    """It has its sid, rooms and session data each time, and gets what it missed once, in order."""
    threads, tasks, others = await lab.threads(), await lab.node(), await lab.threads()
    peer = await lab.join(threads)
    await threads.enter_room(peer.sid, "tea")
    await threads.save_session(peer.sid, {"user": 7, b"k": b"\x01"})
    await tasks.emit("news", 0, room="tea")
    assert await peer.event() == ["news", 0]

    for home in (tasks, others, threads):
        await lab.lose(peer)
        await threads.emit("news", 1, room="tea")
        await tasks.emit("news", 2)
        await others.emit("news", 3, room="coffee")
        await others.emit("news", 4, to=peer.sid)
        await threads.emit("news", 5, skip_sid=peer.sid)
        back = await lab.join(home, peer)

        assert (back.sid, back.pid) == (peer.sid, peer.pid)
        assert back.missed == [["news", 1], ["news", 2], ["news", 4]]
        assert sorted(home.rooms(back.sid)) == sorted([back.sid, "tea"])
        assert await home.get_session(back.sid) == {"user": 7, b"k": b"\x01"}
        await others.emit("news", 6, room="tea")
        assert await back.event() == ["news", 6]
        peer = back


async def test_emits_of_threads_come_in_one_order(lab):
    """Clients of all servers see the same order, in which each thread's events have theirs; offsets grow."""
    servers = [await lab.threads(), await lab.threads(), await lab.node()]
    peers = [await lab.join(sio) for sio in servers]

    def write(name: int) -> None:
        for number in range(20):
            servers[name % 2].server.emit("n", (name, number))

    with ThreadPoolExecutor(10) as pool:
        await asyncio.gather(*(asyncio.get_running_loop().run_in_executor(pool, write, name) for name in range(10)))

    seen = [[(tuple(await peer.event()), peer.offset) for _ in range(200)] for peer in peers]
    assert seen[0] == seen[1] == seen[2]
    offsets = [tuple(map(int, offset.split("-"))) for _, offset in seen[0]]
    assert offsets == sorted(set(offsets))
    for name in range(10):
        assert [event[2] for event, _ in seen[0] if event[1] == name] == list(range(20))


async def test_what_emit_has_returned_from_is_there(lab):
    """An event goes before what is done to its recipients next: it leaves a room, is disconnected."""
    one, other = await lab.threads(), await lab.threads()
    peer, _ = await lab.join(one), await lab.join(other)
    await other.enter_room(peer.sid, "tea")
    await other.emit("news", 1, room="tea")
    assert await peer.event() == ["news", 1]

    await one.emit("news", 2, room="tea")
    await one.leave_room(peer.sid, "tea")
    await one.emit("news", 3, room="tea")
    await one.emit("bye", to=peer.sid)
    await one.disconnect(peer.sid)

    assert [await peer.event() for _ in range(2)] == [["news", 2], ["bye"]]
    assert await peer.client.receive() == "41"


@pytest.mark.parametrize("is_there", [False, True], ids=["lost", "connected"])
async def test_there_are_never_two_clients_with_one_sid(lab, monkeypatch, is_there):
    """Of those that come with one pid to two nodes at once, one gets it: or the second after the first has lost it."""
    monkeypatch.setattr(stream_sessions, "RELEASE_S", WAIT_S)  # a busy node is not taken for one that was killed
    one, other = await lab.threads(), await lab.threads()
    peer = await lab.join(one)
    if not is_there:
        await lab.lose(peer)

    await asyncio.gather(lab.join(one, peer), lab.join(other, peer))

    seen = [entry[0] for entry in lab.journal if entry[1] == peer.sid]
    # One that the other node takes over before it is let in has a connect without a disconnect.
    assert (seen[0], seen[-1]) == ("connect", "connect")
    assert ("disconnect", "disconnect") not in pairwise(seen)
    assert [sio.manager.is_connected(peer.sid, "/") for sio in (one, other)].count(True) == 1


async def test_a_restart_keeps_sessions(lab):
    """The clients of a server that shuts down come back to the one after it; one that has left does not."""
    one = await lab.threads()
    peers = [await lab.join(one) for _ in range(20)]
    gone = await lab.join(one)
    await gone.client.send("41")
    await lab.journal.until(("disconnect", gone.sid, "client disconnect"))
    await eventually(lambda: lab.record(gone) is None)

    await one.shutdown()
    other = await lab.threads()
    await other.emit("news", 1)
    back = await asyncio.gather(*(lab.join(other, peer) for peer in peers))

    assert [(each.sid, each.pid, each.missed) for each in back] == [(p.sid, p.pid, [["news", 1]]) for p in peers]
    assert (await lab.join(other, gone)).sid != gone.sid


async def test_calls_reach_clients_of_other_servers(lab):
    """And are answered; what is done to a client that is away is known where it comes back."""
    one, other = await lab.threads(), await lab.node()
    peer = await lab.join(one)
    asked = asyncio.create_task(other.call("ask", 1, to=peer.sid))
    frame = await peer.client.receive()
    await peer.client.send("43" + frame[2 : frame.index("[")] + '["yes"]')
    assert await asked == "yes"
    for room in ("tea", "coffee"):
        await one.enter_room(peer.sid, room)
    await lab.lose(peer)

    await other.leave_room(peer.sid, "tea")
    await other.emit("news", 1, room="tea")
    back = await lab.join(other, peer)

    assert back.missed == []
    assert sorted(other.rooms(back.sid)) == sorted([back.sid, "coffee"])


@pytest.mark.parametrize("half", ["node", "threads"])
@pytest.mark.parametrize("is_new", [False, True], ids=["runs", "starts"])
async def test_what_is_done_to_clients_of_a_server_that_has_ended(lab, half, is_new):
    """They are out of the room, or cannot come back, also to a server that starts only then."""
    start = getattr(lab, half)
    one, other, *others = [await start() for _ in range(2 if is_new else 3)]
    peer, gone, _ = await lab.join(one), await lab.join(one), await lab.join(other)
    if others:
        await lab.join(*others)  # it reads the stream as soon as it has a client
    for room in ("tea", "coffee", "milk"):
        await one.enter_room(peer.sid, room)
    await one.shutdown()

    await other.leave_room(peer.sid, "tea")
    await other.close_room("coffee")
    await other.disconnect(gone.sid)
    for room in ("tea", "coffee", "milk"):
        await other.emit("news", room, room=room)

    for last in (other, *(others or [await start()])):
        back = await lab.join(last, peer)
        assert (back.pid, back.missed) == (peer.pid, [["news", "milk"]])
        assert sorted(last.rooms(back.sid)) == sorted([back.sid, "milk"])
        assert (await lab.join(last, gone)).pid != gone.pid
        await lab.lose(back)


async def test_who_is_away_is_taken_out_of_a_room_without_waiting_for_redis(lab, monkeypatch):
    """The caller may hold the lock of the manager, as a recheck does, which the thread that reads needs."""
    one, other = await lab.threads(), await lab.threads()
    peer = await lab.join(one)
    await one.enter_room(peer.sid, "tea")
    await lab.lose(peer)
    is_open, add = Event(), one.manager._add
    monkeypatch.setattr(one.manager, "_add", lambda *args: is_open.wait(4 * WAIT_S) and add(*args))

    def leave() -> None:
        with one.manager.lock:
            one.manager.leave_room(peer.sid, "/", "tea")

    async with asyncio.timeout(WAIT_S):
        await asyncio.to_thread(leave)
    is_open.set()

    back = await lab.join(other, peer)
    await eventually(lambda: other.manager.get_rooms(back.sid, "/") == [back.sid])


async def test_a_node_that_was_away_misses_nothing():
    """It reads on from where it has stopped; who emits meanwhile is told that Redis has not got the event."""
    with redis_server() as broker:
        async with AsyncExitStack() as stack:
            lab = Lab(broker, "away", stack)
            one = await lab.threads(publish_timeout=1)
            peer = await lab.join(one)
            await one.emit("news", 1)
            assert await peer.event() == ["news", 1]
            broker.kill()
            await eventually(lambda: not one.manager.listening)
            with pytest.raises(BusError, match="XADD for 'away' failed"):
                await one.emit("news", 2)
            broker.start()
            writer = fastsio.RedisStreamsManager(broker.url, "away", write_only=True)
            await asyncio.to_thread(writer.emit, "news", 3)
            assert await peer.event() == ["news", 3]
            await asyncio.to_thread(writer.shutdown)
