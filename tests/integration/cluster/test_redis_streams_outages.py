"""A Redis Stream whose server is away for a moment: nodes read on where they have stopped."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
import redis
import redis.asyncio

import fastsio
from fastsio.aio.backends.stream_reader import StreamReader
from fastsio.cluster.stream_entries import before
from fastsio.exceptions import BusError, SetupError
from tests.integration.clients import eventually
from tests.integration.streams_lab import Lab
from tests.support.brokers import redis_server
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

STREAM = "socket.io"


@pytest.fixture
def broker():
    """A Redis of the test's own."""
    with redis_server() as broker:
        yield broker


@pytest.fixture
async def lab(broker) -> AsyncIterator[Lab]:
    """Servers on it."""
    async with AsyncExitStack() as stack:
        yield Lab(broker, STREAM, stack)


async def test_a_node_that_was_away_misses_nothing(lab, caplog):
    """What was emitted while its connection was cut comes when it is back, in order, each event once."""
    one = await lab.node()
    peer = await lab.join(one)
    await one.emit("news", 1)
    with redis.Redis.from_url(lab.broker.url) as client:
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    await eventually(lambda: not one.manager.listening)
    emitter = fastsio.AsyncRedisStreamsManager(lab.broker.url, STREAM, write_only=True)
    await emitter.emit("news", 2)
    await emitter.emit("news", 3, room=peer.sid)
    await one.emit("news", 4)
    await emitter.shutdown()

    assert [await peer.event() for _ in range(4)] == [["news", number] for number in range(1, 5)]
    assert "events of" not in caplog.text


async def test_a_node_that_was_away_for_too_long(lab, caplog):
    """The log says that events are gone; clients get those that are not, and one that was lost before is a new one."""
    one = await lab.node()
    peer, lost = await lab.join(one), await lab.join(one)
    await one.emit("news", 1)
    assert await peer.event() == await lost.event() == ["news", 1]
    await lab.lose(lost)
    emitter = fastsio.AsyncRedisStreamsManager(lab.broker.url, STREAM, write_only=True)
    with redis.Redis.from_url(lab.broker.url) as client:
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await eventually(lambda: not one.manager.listening)
        for number in (2, 3, 4):
            await emitter.emit("news", number)
        client.xtrim(STREAM, 2, approximate=False)
    await emitter.shutdown()

    assert [await peer.event() for _ in range(2)] == [["news", 3], ["news", 4]]
    assert f"events of '{STREAM}' are gone that were not read" in caplog.text
    assert (await lab.join(one, lost)).pid != lost.pid
    await lab.lose(peer)
    await one.emit("news", 5)
    back = await lab.join(one, peer)
    assert (back.pid, back.missed) == (peer.pid, [["news", 5]])


async def test_a_server_that_has_lost_everything(lab, caplog):
    """The log says it; clients get what is emitted from then on, and can come back to that."""
    one = await lab.node()
    peer = await lab.join(one)
    await one.emit("news", 1)
    assert await peer.event() == ["news", 1]
    lab.broker.kill()
    with pytest.raises(BusError):
        await one.emit("news", "nobody")
    lab.broker.start()
    await eventually(lambda: one.manager.listening, within_s=WAIT_S)
    assert f"events of '{STREAM}' are gone that were not read" in caplog.text

    await one.emit("news", 2)
    assert await peer.event() == ["news", 2]
    await eventually(lambda: lab.record(peer) is not None)
    await lab.lose(peer)
    await one.emit("news", 3)
    back = await lab.join(one, peer)
    assert (back.pid, back.missed) == (peer.pid, [["news", 3]])


async def test_a_client_that_is_lost_while_redis_is_away(lab):
    """It comes back as a new client, and nothing hangs."""
    one = await lab.node(publish_timeout=0.5)
    peer = await lab.join(one)
    lab.broker.kill()
    await peer.client.vanish()
    await lab.journal.until(("disconnect", peer.sid, "transport close"))

    assert (await lab.join(one, peer)).pid != peer.pid


async def test_what_follows_a_gap_is_after_it(broker):
    """A reader that was too slow reports the position before the oldest entry that is left."""
    gaps: list[Any] = []
    reader = StreamReader((STREAM, "nodes"), 1_000, gaps.append)
    async with redis.asyncio.Redis.from_url(broker.url) as client:
        await client.xadd(STREAM, {"number": -1})
        await reader.begin(client)
        for number in range(200):
            await client.xadd(STREAM, {"number": number})
        await client.xtrim(STREAM, 150, approximate=False)

        entries = await reader.read(client)

    assert entries[0].fields == {b"number": b"50"}
    assert gaps == [before(entries[0].position)]


@pytest.mark.parametrize("is_lost", [False, True])
async def test_changes_that_have_not_reached_redis_end_no_session(lab, monkeypatch, is_lost):
    """Redis has an older state of the session than this node has stored last, and takes the present one."""
    one = await lab.node()
    peer = await lab.join(one)
    await eventually(lambda: lab.record(peer) is not None)
    with monkeypatch.context() as outage:

        async def refuse(commands: Any) -> list[Any]:
            raise BusError("it does not answer")

        outage.setattr(one.manager, "post_all", refuse)
        for room in ("tea", "milk", "water"):
            await one.enter_room(peer.sid, room)
            await eventually(lambda: not one.manager._sessions._under_way)
    if not is_lost:
        one.manager._sessions.write_all()
        await eventually(lambda: "water" in (lab.record(peer) or {})["rooms"])
        assert one.manager.is_connected(peer.sid, "/")
    await lab.lose(peer)
    back = await lab.join(one, peer)

    assert back.pid == peer.pid
    assert sorted(one.rooms(back.sid)) == sorted([back.sid, "tea", "milk", "water"])


@pytest.mark.parametrize("length", [0, -1, 1.5, "many", True])
def test_lengths_of_streams(length):
    """A stream has a number of entries."""
    with pytest.raises(SetupError, match="max_stream_length"):
        fastsio.AsyncRedisStreamsManager(max_stream_length=length)
