"""A Redis that is down, killed, restarted, hanging, behind sentinels, or reached in another way."""

from __future__ import annotations

import asyncio
import time

import pytest
import redis

import fastsio
from fastsio.aio import bus
from fastsio.aio.backends import redis as backend
from fastsio.exceptions import BusError, MissingExtraError, SetupError
from tests.integration.clients import eventually
from tests.integration.redis_nodes import Cluster, writer
from tests.support.brokers import redis_sentinel, redis_server


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Try again soon."""
    monkeypatch.setattr(bus, "FIRST_DELAY_S", 0.02)
    monkeypatch.setattr(bus, "MOST_DELAY_S", 0.05)
    monkeypatch.setattr(bus, "JITTER_S", 0.0)


@pytest.fixture
def broker():
    """A Redis of the test's own."""
    with redis_server() as broker:
        yield broker


@pytest.fixture
async def cluster(broker, _quick):
    """Servers on it."""
    async with Cluster(broker.url, "outages") as cluster:
        yield cluster


async def hears(*nodes):
    """Wait until servers hear the others."""
    await eventually(lambda: all(node.server.manager.listening for node in nodes))


async def deaf(*nodes):
    """Wait until servers have noticed that they do not."""
    await eventually(lambda: not any(node.server.manager.listening for node in nodes))


async def test_a_redis_that_was_killed_is_found_again(cluster, broker):
    """Local clients are served meanwhile, and who emits is told what is missed."""
    a, b = await cluster.node("fastsio"), await cluster.node("fastsio")
    await a.server.emit("e", 1)
    assert await a.client.receive() == await b.client.receive() == '42["e",1]'

    broker.kill()
    await deaf(a, b)
    with pytest.raises(BusError, match="aioredis: cannot publish to 'outages'"):
        await a.server.emit("e", 2)
    assert await a.client.receive() == '42["e",2]'
    broker.start()
    await hears(a, b)
    await a.server.emit("e", 3)

    assert await a.client.receive() == await b.client.receive() == '42["e",3]'


async def test_a_redis_that_restarts_between_two_emits_costs_nothing(cluster, broker, caplog):
    """The idle connection is broken, and made again."""
    a, b = await cluster.node("fastsio"), await cluster.node("fastsio")
    await a.server.emit("e", 1)
    assert await b.client.receive() == '42["e",1]'

    broker.restart()
    await eventually(lambda: caplog.text.count("listening to 'outages' again") == 2)
    await a.server.emit("e", 2)

    assert await b.client.receive() == '42["e",2]'


async def test_a_redis_that_is_down_at_first_is_found_later(cluster, broker):
    """A server that starts without it serves its clients."""
    broker.kill()
    cluster.listeners = lambda: 1  # nobody can be asked
    node = await cluster.node("fastsio")
    await node.server.emit("reply", 1, to=node.sid)
    assert await node.client.receive() == '42["reply",1]'

    broker.start()
    await hears(node)
    async with writer("fastsio", broker.url, "outages") as manager:
        await manager.emit("e", 1)

    assert await node.client.receive() == '42["e",1]'


async def test_a_redis_that_hangs_is_waited_for_within_bounds(cluster, broker, monkeypatch):
    """By who emits, and by the listener; both recover."""
    monkeypatch.setattr(backend, "PING_INTERVAL_S", 0.1)
    a = await cluster.node("fastsio", publish_timeout=1.0)
    b = await cluster.node("fastsio", publish_timeout=1.0)
    await a.server.emit("e", 0)
    assert await a.client.receive() == await b.client.receive() == '42["e",0]'

    broker.pause()
    began = time.monotonic()
    outcomes = await asyncio.gather(*(a.server.emit("e", n) for n in range(1, 20)), return_exceptions=True)
    assert time.monotonic() - began < 19 * 1.0  # at once, not one after the other
    assert {type(outcome) for outcome in outcomes} == {BusError}
    assert [await a.client.receive() for n in range(1, 20)] == [f'42["e",{n}]' for n in range(1, 20)]
    await deaf(a, b)
    broker.resume()
    await hears(a, b)
    await a.server.emit("e", 99)

    frame = await b.client.receive()
    while frame != '42["e",99]':  # what was on its way when Redis stopped may arrive
        frame = await b.client.receive()


async def test_emits_of_many_tasks_share_a_connection_and_keep_their_order(cluster, broker):
    """They wait for one another's batches, not each for a connection."""
    node = await cluster.node("fastsio")

    async with writer("fastsio", broker.url, "outages") as manager:
        await asyncio.gather(*(manager.emit("e", n) for n in range(500)))
        publisher = await manager._publishing.get()
        assert len(publisher.client.connection_pool._available_connections) == 1

    assert [await node.client.receive() for _ in range(500)] == [f'42["e",{n}]' for n in range(500)]


async def test_an_emit_that_is_cancelled_is_forgotten(broker):
    """While it waits for another one's batch."""
    async with writer("fastsio", broker.url, "outages") as manager:
        await manager.emit("e", 0)
        broker.pause()
        tasks = [asyncio.create_task(manager.emit("e", n)) for n in range(3)]
        batches = (await manager._publishing.get())._batches
        await eventually(lambda: batches._flushing is not None and not batches._flushing.done())
        late = asyncio.create_task(manager.emit("e", 9))
        await eventually(lambda: len(batches._waiting) == 1)
        late.cancel()
        await asyncio.wait([late])

        assert not batches._waiting
        broker.resume()
        await asyncio.gather(*tasks)


def test_a_manager_emits_from_one_event_loop_after_another(broker):
    """As scripts do, with one ``asyncio.run()`` for each emit."""

    async def main():
        await manager.emit("e", 1)
        await manager.shutdown()

    manager = fastsio.AsyncRedisManager(broker.url, write_only=True)

    asyncio.run(main())
    asyncio.run(main())


async def test_connections_end_with_their_event_loop(broker):
    """Those of a program that emits with ``asyncio.run()`` and never calls ``shutdown()``."""

    def emit() -> None:
        asyncio.run(manager.emit("e", 1))

    manager = fastsio.AsyncRedisManager(broker.url, write_only=True)
    with redis.Redis.from_url(broker.url) as client:
        before = len(client.client_list())
        await asyncio.to_thread(emit)
        await asyncio.to_thread(emit)

        await eventually(lambda: len(client.client_list()) == before)
    assert not manager.connected


# Ways to reach it


@pytest.mark.parametrize("scheme", ["redis", "valkey", "unix"])
async def test_redis_is_reached_under_every_name(broker, scheme):
    """With the package of that name; over TCP and over a Unix socket."""
    url = f"unix://{broker.folder}/redis.sock" if scheme == "unix" else broker.url.replace("redis", scheme, 1)
    async with Cluster(broker.url, "schemes") as cluster:
        cluster.url = url
        cluster.listeners = lambda: Cluster(broker.url, "schemes").listeners()
        node = await cluster.node("fastsio")
        async with writer("fastsio", url, "schemes") as manager:
            await manager.emit("e", 1)

        assert await node.client.receive() == '42["e",1]'


@pytest.mark.parametrize("prefix", ["redis", "valkey"])
async def test_sentinels_tell_where_the_master_is(broker, prefix):
    """For the listener and for who emits."""
    with redis_sentinel(broker) as sentinel:
        async with Cluster(broker.url, "sentinel") as cluster:
            cluster.url = prefix + sentinel.url.removeprefix("redis")
            cluster.listeners = lambda: Cluster(broker.url, "sentinel").listeners()
            node = await cluster.node("fastsio")
            async with writer("fastsio", cluster.url, "sentinel") as manager:
                await manager.emit("e", 1)

            assert await node.client.receive() == '42["e",1]'


async def test_options_are_handed_on(broker):
    """What Redis.from_url() takes."""
    manager = fastsio.AsyncRedisManager(broker.url, write_only=True, redis_options={"client_name": "fastsio-test"})
    await manager.emit("e", 1)
    publisher = await manager._publishing.get()

    assert await publisher.client.client_getname() in ("fastsio-test", b"fastsio-test")
    await manager.shutdown()


@pytest.mark.parametrize("half", [fastsio.AsyncRedisManager, fastsio.RedisManager])
def test_making_a_manager_does_no_io_and_finds_mistakes(half, monkeypatch):
    """Nobody listens at that port."""
    manager = half("redis://127.0.0.1:1/0")

    assert (manager.channel, manager.write_only, manager.redis_url) == ("socketio", False, "redis://127.0.0.1:1/0")
    with pytest.raises(SetupError):
        half("http://127.0.0.1")
    monkeypatch.setattr("fastsio.cluster.broker_urls.optional", lambda name: None)
    with pytest.raises(MissingExtraError):
        half()
