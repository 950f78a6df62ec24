"""Servers with a channel for each room whose Redis is killed, hangs, or hands channels to another master."""

from __future__ import annotations

import asyncio
import time

import pytest

from fastsio.aio.backends import redis as backend
from fastsio.cluster.sharding import slot_of
from fastsio.exceptions import BusError
from tests.integration.clients import eventually
from tests.integration.sharded_nodes import CHANNELS, RecordingManager, ShardedNodes, subscribers_at
from tests.support.brokers import redis_sentinel, redis_server
from tests.support.cluster_nodes import acquainted, heard, survive
from tests.support.redis_cluster import redis_cluster
from tests.support.waiting import WAIT_S

ROOMS = [f"room {number}" for number in range(12)]


@pytest.fixture
def server():
    """A Redis of the test's own."""
    with redis_server() as broker:
        yield broker


@pytest.fixture
def cluster():
    """A Redis Cluster of the test's own."""
    with redis_cluster() as broker:
        yield broker


@pytest.fixture(params=["server", "cluster"])
def broker(request):
    """Either."""
    return request.getfixturevalue(request.param)


def hear(*nodes):
    """Whether servers hear the others."""
    return all(node.sio.manager.listening for node in nodes)


async def check_rooms(speaker, listener):
    """Check that a client hears all of ROOMS, each once."""
    for room in ROOMS:
        await speaker.do("emit", "in", room, to=room)

    assert sorted([(await listener.receive())[1] for _ in ROOMS]) == sorted(ROOMS)


async def test_an_outage_is_the_emitters_alone(broker, quick_retries):
    """Local clients are served, and everything that was subscribed to is subscribed to again."""
    async with ShardedNodes(broker.url) as nodes:
        a, b = await nodes.nodes(publish_timeout=1.0)
        for room in ROOMS:
            await b.do("enter_room", b.sid, room)
        await acquainted(a, b)

        await survive(broker, RecordingManager(broker.url, publish_timeout=1.0), a, b)

        await eventually(lambda: hear(a, b))
        await check_rooms(a, b)


async def test_one_master_that_comes_back_is_found_again(cluster, quick_retries):
    """The others were there all the time."""
    async with ShardedNodes(cluster.url) as nodes:
        a, b = await nodes.nodes(publish_timeout=1.0)
        for room in ROOMS:
            await b.do("enter_room", b.sid, room)

        cluster.masters[2].kill()
        await eventually(lambda: not b.sio.manager.listening)
        await asyncio.to_thread(cluster.start)
        await eventually(lambda: hear(a, b))
        await heard(b, a.sio)

        await check_rooms(a, b)


async def test_a_replica_that_takes_the_place_of_its_master_is_found(cluster, quick_retries):
    """Also when it is the master in the URL that is gone."""
    async with ShardedNodes(cluster.url) as nodes:
        with cluster.replica(0) as replica:
            a, b = await nodes.nodes(publish_timeout=1.0)
            for room in ROOMS:
                await b.do("enter_room", b.sid, room)

            cluster.masters[0].kill()
            await eventually(lambda: not b.sio.manager.listening)
            await asyncio.to_thread(cluster.take_over, replica)
            await eventually(lambda: hear(a, b))
            await acquainted(a, b)

            await check_rooms(a, b)


async def test_the_master_in_the_url_need_not_be_there(cluster, quick_retries):
    """Once the others are known; here it is the one that hangs."""
    async with ShardedNodes(cluster.url) as nodes:
        a, b = await nodes.nodes(publish_timeout=1.0)
        room = next(room for room in ROOMS if cluster.master_of(slot_of(CHANNELS.of_room("/", room))))
        a.sio.manager._sharded._slots.current.is_stale = True

        cluster.masters[0].pause()
        await b.do("enter_room", b.sid, room)
        with pytest.raises(BusError):
            await a.do("emit", "in", 1, to=room)
        cluster.masters[0].resume()
        await a.do("emit", "in", 2, to=room)

        assert await b.receive() == ["in", 2]


async def test_rooms_that_enter_while_the_broker_is_away_are_heard_when_it_is_back(server, quick_retries):
    """Who enters one does not wait meanwhile."""
    async with ShardedNodes(server.url) as nodes:
        a, b = await nodes.nodes(publish_timeout=2 * WAIT_S)
        server.kill()
        await eventually(lambda: not a.sio.manager.listening and not b.sio.manager.listening)

        began = time.monotonic()
        for room in ROOMS:
            await b.do("enter_room", b.sid, room)
        assert time.monotonic() - began < WAIT_S
        server.start()
        await eventually(lambda: hear(a, b))

        await check_rooms(a, b)


async def test_a_broker_that_hangs_is_waited_for_within_bounds(server, monkeypatch, quick_retries):
    """By who enters a room, by who emits, and by the listener."""
    monkeypatch.setattr(backend, "PING_INTERVAL_S", 0.3)
    async with ShardedNodes(server.url) as nodes:
        a, b = await nodes.nodes(publish_timeout=0.3)

        server.pause()  # who waits for it without a bound waits until it goes on
        await b.do("enter_room", b.sid, "r")
        with pytest.raises(BusError, match="took too long"):
            await a.do("emit", "e", 1, to="r")
        await eventually(lambda: not a.sio.manager.listening and not b.sio.manager.listening)
        server.resume()
        await eventually(lambda: hear(a, b))
        await a.do("emit", "e", 2, to="r")

        while await b.receive() != ["e", 2]:  # what was on its way may arrive
            pass


@pytest.mark.parametrize("package", ["redis", "valkey"])
async def test_a_slot_that_moves_to_another_master_is_followed(cluster, package):
    """By who listens, without an interruption of the rest, and by who emits."""
    async with ShardedNodes(cluster.url.replace("redis", package, 1)) as nodes:
        a, b = await nodes.nodes()
        for room in ROOMS:
            await b.do("enter_room", b.sid, room)
        channel = CHANNELS.of_room("/", ROOMS[0])

        for _ in range(4):
            target = cluster.move_slot(slot_of(channel))
            await eventually(lambda: subscribers_at(cluster.masters[target], channel) == 1)  # noqa: B023 - called in the loop
            await check_rooms(a, b)

        assert hear(a, b)
        assert b.sio.manager._sharded._listener is not None


async def test_each_emit_of_a_batch_has_its_own_outcome(cluster):
    """Those whose slot has moved are sent again, the others are not."""
    async with ShardedNodes(cluster.url) as nodes:
        a, b = await nodes.nodes()
        master = cluster.master_of(slot_of(CHANNELS.of_all_nodes))
        rooms = [
            room
            for room in (f"r{n}" for n in range(60))
            if cluster.master_of(slot_of(CHANNELS.of_room("/", room))) == master
        ][:6]
        for room in rooms:
            await b.do("enter_room", b.sid, room)
        await a.do("emit", "first", 0, to=rooms[0])
        moving = CHANNELS.of_room("/", rooms[1])
        target = cluster.move_slot(slot_of(moving))
        await eventually(lambda: subscribers_at(cluster.masters[target], moving) == 1)

        await asyncio.gather(*(a.do("emit", "e", room, to=room) for room in rooms))
        await a.do("emit", "e", "last")

        assert await b.receive() == ["first", 0]
        assert sorted([(await b.receive())[1] for _ in (*rooms, "last")]) == sorted((*rooms, "last"))


async def test_slots_without_a_master_are_the_emitters_problem(cluster):
    """The cluster says so, and the error tells."""
    async with ShardedNodes(cluster.url) as nodes:
        a = await nodes.node()
        slot = slot_of(CHANNELS.of_room("/", "r"))
        for number in range(3):
            cluster.command(number, "CONFIG", "SET", "cluster-require-full-coverage", "no")
            cluster.command(number, "CLUSTER", "DELSLOTS", slot)

        with pytest.raises(BusError, match="aioredis: cannot publish to 'test'"):
            await a.do("emit", "e", 1, to="r")


@pytest.mark.parametrize("options", [{"decode_responses": True}, {"protocol": 2}, {"protocol": 3}])
@pytest.mark.parametrize("package", ["redis", "valkey"])
async def test_options_of_the_client_do_not_matter(cluster, package, options):
    """Nor do they where the cluster is asked for its masters."""
    async with ShardedNodes(cluster.url.replace("redis", package, 1)) as nodes:
        a, b = await nodes.nodes(redis_options=options, bus_format="msgpack")
        for room in ROOMS:
            await b.do("enter_room", b.sid, room)

        await check_rooms(a, b)


@pytest.mark.parametrize("package", ["redis", "valkey"])
@pytest.mark.parametrize("way", ["sentinel", "unix"])
async def test_a_server_is_reached_in_other_ways(server, package, way):
    """It is taken for no cluster then."""
    with redis_sentinel(server) as sentinel:
        url = f"unix://{server.folder}/redis.sock" if way == "unix" else sentinel.url.replace("redis", package, 1)
        async with ShardedNodes(url) as nodes:
            a, b = await nodes.nodes()
            await b.do("enter_room", b.sid, "r")

            await a.do("emit", "e", 1, to="r")

            assert await b.receive() == ["e", 1]
