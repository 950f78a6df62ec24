"""The sync manager on Redis: what threads share, and a Redis that is killed or hangs."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import fastsio
from fastsio.brokers import redis as redis_clients
from fastsio.exceptions import BusError
from fastsio.sync import bus
from fastsio.sync.backends import redis as backend
from tests.integration.clients import eventually
from tests.integration.redis_nodes import THREADS, Cluster
from tests.support.brokers import redis_sentinel, redis_server
from tests.support.waiting import WAIT_S

CHANNEL = "threads"


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Try again soon."""
    monkeypatch.setattr(bus, "FIRST_DELAY_S", 0.02)
    monkeypatch.setattr(bus, "MOST_DELAY_S", 0.05)
    monkeypatch.setattr(bus, "JITTER_S", 0.0)
    monkeypatch.setattr(redis_clients, "LOOK_INTERVAL_S", 0.05)


@pytest.fixture
def broker():
    """A Redis of the test's own."""
    with redis_server() as broker:
        yield broker


@pytest.fixture
async def cluster(broker, _quick):
    """Servers on it."""
    async with Cluster(broker.url, CHANNEL) as cluster:
        yield cluster


async def test_threads_share_a_connection_and_each_keeps_its_order(cluster, broker):
    """Twenty threads of fifty emits each."""
    node = await cluster.node(THREADS)
    manager = fastsio.RedisManager(broker.url, CHANNEL, write_only=True)

    def write(name):
        for number in range(50):
            manager.emit("e", (name, number))

    with ThreadPoolExecutor(20) as pool:
        await asyncio.gather(*(asyncio.get_running_loop().run_in_executor(pool, write, name) for name in range(20)))
    received = [await node.client.receive() for _ in range(1000)]

    for name in range(20):
        of_thread = [frame for frame in received if frame.startswith(f'42["e",{name},')]
        assert of_thread == [f'42["e",{name},{number}]' for number in range(50)]
    assert len(manager.redis.connection_pool._available_connections) == 1
    manager.shutdown()


async def test_a_redis_that_was_killed_is_found_again(cluster, broker):
    """Local clients are served meanwhile, and who emits is told what is missed."""
    a, b = await cluster.node(THREADS), await cluster.node(THREADS)
    await a.server.emit("e", 1)
    assert await a.client.receive() == await b.client.receive() == '42["e",1]'

    broker.kill()
    with pytest.raises(BusError, match="redis: cannot publish to 'threads'"):
        await a.server.emit("e", 2)
    assert await a.client.receive() == '42["e",2]'
    await eventually(lambda: not a.server.manager.listening and not b.server.manager.listening)
    broker.start()
    await eventually(lambda: a.server.manager.listening and b.server.manager.listening)
    await a.server.emit("e", 3)

    assert await a.client.receive() == await b.client.receive() == '42["e",3]'


async def test_a_redis_that_hangs_is_waited_for_within_bounds(cluster, broker, monkeypatch):
    """By the thread that publishes and by those that wait for it; the listener notices, too."""
    monkeypatch.setattr(backend, "PING_INTERVAL_S", 0.1)
    a = await cluster.node(THREADS, publish_timeout=0.3)
    await a.server.emit("e", 0)
    assert await a.client.receive() == '42["e",0]'

    broker.pause()
    began = time.monotonic()
    outcomes = await asyncio.gather(*(a.server.emit("e", n) for n in range(1, 6)), return_exceptions=True)

    assert time.monotonic() - began < WAIT_S
    assert {type(outcome) for outcome in outcomes} == {BusError}
    assert {await a.client.receive() for _ in range(5)} == {f'42["e",{n}]' for n in range(1, 6)}
    await eventually(lambda: not a.server.manager.listening)
    assert not a.server.manager._publishing.current._batches._waiting
    broker.resume()
    await eventually(lambda: a.server.manager.listening)
    await a.server.emit("e", 6, skip_sid="nobody")


async def test_a_server_that_shuts_down_stops_listening(broker):
    """Its thread ends by itself, and Redis loses a subscriber."""
    before = set(threading.enumerate())

    def listener_threads():
        return [thread for thread in set(threading.enumerate()) - before if "(_run)" in thread.name]

    async with Cluster(broker.url, CHANNEL) as cluster:
        node = await cluster.node(THREADS)
        await eventually(lambda: node.server.manager.listening)  # Redis counts a subscriber before it hears of it
        assert listener_threads()

    await eventually(lambda: cluster.listeners() == 0)
    assert not node.server.manager.listening
    await eventually(lambda: not listener_threads())


@pytest.mark.parametrize("prefix", ["redis", "valkey"])
def test_sentinels_tell_where_the_master_is(broker, prefix):
    """With either package."""
    with redis_sentinel(broker) as sentinel:
        manager = fastsio.RedisManager(prefix + sentinel.url.removeprefix("redis"), write_only=True)

        manager.emit("e", 1)
        manager.shutdown()


@pytest.mark.parametrize("scheme", ["redis", "valkey", "unix"])
def test_redis_is_reached_under_every_name(broker, scheme):
    """With the package of that name; over TCP and over a Unix socket."""
    url = f"unix://{broker.folder}/redis.sock" if scheme == "unix" else broker.url.replace("redis", scheme, 1)
    manager = fastsio.RedisManager(url, write_only=True, redis_options={"client_name": "fastsio-test"})

    manager.emit("e", 1)

    assert manager.redis.client_getname() in ("fastsio-test", b"fastsio-test")
    manager.shutdown()
