"""Servers that a Redis connects over TLS, with a certificate of an authority of one's own."""

from __future__ import annotations

import asyncio

import pytest

import fastsio
from fastsio.exceptions import BusError
from tests.integration.redis_nodes import THREADS, Cluster
from tests.support.brokers import redis_tls_server

MANAGERS = {"asyncio": fastsio.AsyncRedisManager, "threads": fastsio.RedisManager}


@pytest.fixture(scope="module")
def broker():
    """A Redis that speaks TLS only."""
    with redis_tls_server() as broker:
        yield broker


@pytest.fixture
def authority(broker):
    """The file with the certificate of the authority that the Redis is known by."""
    return str(broker.folder / "ca.pem")


async def emit(manager):
    """Emit with a manager of either kind, and stop it."""
    if isinstance(manager, fastsio.AsyncRedisManager):
        try:
            await manager.emit("e", 1)
        finally:
            await manager.shutdown()
    else:
        try:
            await asyncio.to_thread(manager.emit, "e", 1)
        finally:
            manager.shutdown()


async def test_servers_hear_each_other_over_tls(broker, authority, request):
    """An asyncio server and one of threads; the authority stands in the URL."""
    async with Cluster(f"{broker.url}?ssl_ca_certs={authority}", request.node.name) as cluster:
        a, b = await cluster.node("fastsio"), await cluster.node(THREADS)

        await a.server.emit("e", 1)
        await b.server.emit("e", 2)

        for node in (a, b):
            assert sorted([await node.client.receive(), await node.client.receive()]) == ['42["e",1]', '42["e",2]']


@pytest.mark.parametrize("scheme", ["rediss", "valkeys"])
@pytest.mark.parametrize("kind", MANAGERS)
async def test_the_authority_may_be_given_as_an_option(broker, authority, kind, scheme):
    """With the package redis and with valkey."""
    url = broker.url.replace("rediss", scheme)

    await emit(MANAGERS[kind](url, write_only=True, redis_options={"ssl_ca_certs": authority}))


@pytest.mark.parametrize("kind", MANAGERS)
async def test_a_certificate_of_nobody_known_is_refused(broker, kind):
    """Nothing is published to whoever happens to listen there."""
    with pytest.raises(BusError, match="certificate verify failed"):
        await emit(MANAGERS[kind](broker.url, write_only=True))


@pytest.mark.parametrize("kind", MANAGERS)
async def test_a_redis_that_speaks_tls_is_not_reached_without(broker, kind):
    """Who emits is told; it does not hang."""
    plain = broker.url.replace("rediss", "redis")

    with pytest.raises(BusError, match="cannot publish"):
        await emit(MANAGERS[kind](plain, write_only=True, publish_timeout=2))
