"""A Redis Stream of a Redis Cluster: servers share their clients, and the masters may change."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

import fastsio
from fastsio.cluster.sharding import slot_of
from fastsio.exceptions import BusError, SetupError
from tests.integration.streams_lab import Lab
from tests.support.redis_cluster import redis_cluster
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

names = count()


@pytest.fixture(scope="module")
def cluster():
    """A cluster for all tests of this module that do not change it."""
    with redis_cluster() as cluster:
        yield cluster


@pytest.fixture
async def lab(cluster) -> AsyncIterator[Lab]:
    """Servers on a stream of the test's own."""
    async with AsyncExitStack() as stack:
        yield Lab(cluster, f"stream-{next(names)}", stack)


@pytest.mark.parametrize("kind", ["node", "threads"])
async def test_a_client_comes_back_to_another_node(lab, kind):
    """Sessions, which are on all masters, are found, and so is what was missed; changes of clients reach the other node."""
    one, other = await getattr(lab, kind)(cluster=True), await lab.node(cluster=True)
    await lab.join(other)
    peers = [await lab.join(one) for _ in range(4)]
    for peer in peers:
        await other.enter_room(peer.sid, "tea")
    await other.emit("news", 1, room="tea")
    assert [await peer.event() for peer in peers] == [["news", 1]] * 4
    for peer in peers:
        await peer.client.vanish()
        await lab.journal.until(("disconnect", peer.sid, "transport close"))
    await one.emit("news", 2, room="tea")

    back = [await lab.join(other, peer) for peer in peers]
    await one.emit("news", 3, room="tea")

    assert [peer.sid for peer in back] == [peer.sid for peer in peers]
    assert [peer.missed for peer in back] == [[["news", 2]]] * 4
    assert [await peer.event() for peer in back] == [["news", 3]] * 4


@pytest.mark.parametrize("kind", ["node", "threads"])
async def test_a_replica_that_takes_the_place_of_its_master_is_found(quick_retries, kind):
    """Nodes go on reading where they have stopped, though the URL is that of the master that is gone."""
    with redis_cluster() as cluster:
        async with AsyncExitStack() as stack:
            lab = Lab(cluster, "stream", stack)
            number = cluster.master_of(slot_of(b"stream"))
            one, other = [await getattr(lab, kind)(cluster=True) for _ in "12"]
            peers = [await lab.join(one), await lab.join(other)]
            with cluster.replica(number) as replica:
                await one.emit("news", 1)
                assert [await peer.event() for peer in peers] == [["news", 1]] * 2
                await asyncio.to_thread(cluster.command, number, "WAIT", 1, 1000 * int(WAIT_S))
                cluster.masters[number].kill()
                await asyncio.to_thread(cluster.take_over, replica)
                await emit_when_possible(one, 2)

                assert [await peer.event() for peer in peers] == [["news", 2]] * 2
                for sio in (one, other):
                    await sio.shutdown()


async def emit_when_possible(sio: Any, number: int) -> None:
    """Emit an event, as soon as the cluster takes it."""
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                await sio.emit("news", number)
            except BusError:
                await asyncio.sleep(0.01)
            else:
                return


@pytest.mark.parametrize("make", [fastsio.AsyncRedisStreamsManager, fastsio.RedisStreamsManager])
@pytest.mark.parametrize(
    ("url", "options", "why"),
    [
        ("unix:///tmp/redis", {}, "is the URL of a node of a Redis Cluster"),
        ("redis+sentinel://localhost:26379/0/mymaster", {}, "is the URL of a node of a Redis Cluster"),
        ("redis://localhost:6379/1", {}, "database 0"),
        ("redis://localhost:6379/0", {"stream_count": 4}, "reads one stream; set streamCount to 1"),
    ],
)
def test_what_cannot_be_done_is_refused(make, url, options, why):
    """When the manager is made."""
    with pytest.raises(SetupError, match=why):
        make(url, cluster=True, **options)
