"""Nodes on one Redis that write JSON and MessagePack: each reads both, so a fleet changes one node after the other."""

from __future__ import annotations

import msgpack
import pytest
import redis

from tests.integration.redis_nodes import Cluster, writer
from tests.support.brokers import redis_server
from tests.support.cluster_nodes import Node, exchange


@pytest.fixture(scope="module")
def broker():
    """A Redis for all tests of this module."""
    with redis_server() as broker:
        yield broker


@pytest.fixture
async def cluster(broker, request):
    """A channel of the test's own."""
    async with Cluster(broker.url, request.node.name) as cluster:
        yield cluster


async def joined(cluster, kind, **options):
    """Start a server and give it in the form that the common checks take."""
    node = await cluster.node(kind, **options)
    return Node(getattr(node.server, "server", node.server), node.client, node.sid, node.address)


@pytest.mark.parametrize("there", ["json", "msgpack"])
@pytest.mark.parametrize("kinds", [("fastsio", "fastsio"), ("fastsio", "threads"), ("threads", "fastsio")])
async def test_servers_exchange_everything(cluster, kinds, there):
    """Rooms, binary payloads, callbacks and calls, both ways."""
    a = await joined(cluster, kinds[0], bus_format="msgpack")
    b = await joined(cluster, kinds[1], bus_format=there)

    await exchange(a, b)
    await exchange(b, a)


@pytest.mark.parametrize("kind", ["fastsio", "threads"])
async def test_what_cannot_be_read_is_dropped_and_logged(cluster, kind, caplog):
    """As in JSON; the next message is heard."""
    node = await cluster.node(kind, bus_format="msgpack")
    good = {"method": "emit", "event": "good", "data": msgpack.packb([b"\x00"]), "host_id": "other"}

    with redis.Redis.from_url(cluster.url) as client:
        for raw in (b"\x81", b"\x80", msgpack.packb({**good, "data": b"\xc1"}), msgpack.packb(good)):
            client.publish(cluster.channel, raw)

    assert await node.client.receive() == '451-["good",{"_placeholder":true,"num":0}]'
    assert caplog.text.count(" dropped: ") == 3


@pytest.mark.parametrize("kind", ["fastsio", "threads"])
async def test_an_option_that_makes_text_of_bytes_is_no_obstacle(cluster, kind):
    """Messages are read as they are."""
    node = await cluster.node(kind, bus_format="msgpack", redis_options={"decode_responses": True})

    async with writer("fastsio", cluster.url, cluster.channel, bus_format="msgpack") as manager:
        await manager.emit("e", b"\xff")

    assert [await node.client.receive() for _ in range(2)] == ['451-["e",{"_placeholder":true,"num":0}]', b"\xff"]
