"""How little is said to Redis: the emits of one moment travel together, over one connection."""

from __future__ import annotations

import asyncio

import pytest
import redis

import fastsio
from tests.integration.redis_nodes import Cluster
from tests.support.brokers import redis_server

EMITS = 500


@pytest.fixture
def broker():
    """A Redis of the test's own, which counts what it reads."""
    with redis_server() as broker:
        yield broker


def counted(broker):
    """Return how many PUBLISH commands Redis has got, how often it has read from sockets, and how many are connected."""
    with redis.Redis.from_url(broker.url) as client:
        commands = client.info("commandstats").get("cmdstat_publish", {"calls": 0})["calls"]
        return commands, client.info("stats")["total_reads_processed"], client.info("clients")["connected_clients"]


async def test_concurrent_emits_are_few_writes_over_one_connection(broker):
    """Redis reads 16 KiB at a time; each emit by itself would be a read."""
    async with Cluster(broker.url, "batches") as cluster:
        node = await cluster.node("fastsio")
        await node.server.emit("first")
        commands, reads, connected = counted(broker)

        await asyncio.gather(*(node.server.emit("e", n) for n in range(EMITS)))

        commands_after, reads_after, connected_after = counted(broker)
        assert commands_after - commands == EMITS
        assert reads_after - reads < EMITS / 10
        assert connected_after == connected


async def test_emits_of_threads_share_batches_too(broker):
    """What threads bring while a batch is on its way is the next one."""
    manager = fastsio.RedisManager(broker.url, "batches", write_only=True)
    manager.emit("first", None)
    commands, reads, _ = counted(broker)

    await asyncio.gather(*(asyncio.to_thread(manager.emit, "e", n) for n in range(EMITS)))

    commands_after, reads_after, _ = counted(broker)
    manager.shutdown()
    assert commands_after - commands == EMITS
    assert reads_after - reads < EMITS
