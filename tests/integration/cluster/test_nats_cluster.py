"""Servers that NATS connects."""

from __future__ import annotations

import asyncio

import pytest

import fastsio
from fastsio.exceptions import BusError, SetupError
from fastsio.layers.nats import NatsChannelLayer
from tests.support.brokers import nats_server
from tests.support.cluster_nodes import acquainted, administer, cluster, exchange, survive

#: More than NATS takes unless it is told otherwise.
TOO_MANY_BYTES = 2 * 1024 * 1024


@pytest.fixture(scope="module")
def broker():
    """A NATS server."""
    with nats_server() as running:
        yield running


@pytest.fixture
def manager(broker, request):
    """Make managers on a subject of the test's own."""

    def make(**options):
        return fastsio.AsyncNatsManager(broker.url, request.node.name, **options)

    return make


async def test_servers_exchange_everything(manager):
    """Rooms, binary payloads, callbacks and calls, both ways."""
    async with cluster(manager(), manager()) as (a, b):
        await acquainted(a, b)

        await exchange(a, b)


async def test_an_administrator_is_told_of_clients_of_another_server(manager):
    """Also of one that was connected before the administrator."""
    async with cluster(manager(), manager()) as (a, b):
        await acquainted(a, b)

        await administer(a, b)


async def test_another_program_emits(manager):
    """A manager that only writes reaches the clients of all servers, and keeps no loop to itself."""
    emitter = manager(write_only=True)

    async def emit(number):
        await emitter.emit("news", number)
        await emitter.shutdown()

    async with cluster(manager(), manager()) as (a, b):
        await acquainted(a, b)
        await emit(1)
        assert [await a.receive(), await b.receive()] == [["news", 1], ["news", 1]]

        await asyncio.to_thread(lambda: asyncio.run(emit(2)))

        assert [await a.receive(), await b.receive()] == [["news", 2], ["news", 2]]


async def test_a_message_that_is_too_large_fails_alone(manager):
    """What is emitted in the same moment arrives, once and in order."""
    async with cluster(manager(), manager()) as (a, b):
        await acquainted(a, b)
        emitter = a.sio.manager

        outcomes = await asyncio.gather(
            *(emitter.emit("news", data) for data in (1, "x" * TOO_MANY_BYTES, 2)), return_exceptions=True
        )

        assert [type(outcome) for outcome in outcomes] == [type(None), BusError, type(None)]
        assert [await b.receive(), await b.receive()] == [["news", 1], ["news", 2]]


async def test_a_message_of_a_layer_that_is_too_large_fails_alone(broker):
    """What is sent in the same moment arrives, once and in order."""
    layer = NatsChannelLayer([broker.url])
    channel = await layer.new_channel()
    await layer.group_add("room", channel)

    outcomes = await asyncio.gather(
        *(layer.group_send("room", {"n": n}) for n in (1, "x" * TOO_MANY_BYTES, 2)), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes] == [type(None), BusError, type(None)]
    assert [await layer.receive(channel), await layer.receive(channel)] == [{"n": 1}, {"n": 2}]
    await layer.close()


async def test_an_outage_is_the_emitters_alone(broker, manager, quick_retries):
    """Local clients are served, the emitter learns that others are not, and everything comes back by itself."""
    async with cluster(manager(publish_timeout=1.0), manager(publish_timeout=1.0)) as nodes:
        await acquainted(*nodes)

        await survive(broker, manager(), *nodes)


@pytest.mark.parametrize("url", ["http://localhost:4222", "localhost:4222", "nats:4222", 4222])
def test_other_urls_are_refused(url):
    """C-88: the error says how to write it."""
    with pytest.raises(SetupError, match="nats://localhost:4222"):
        fastsio.AsyncNatsManager(url)


@pytest.mark.parametrize("channel", ["", "a b", "a.*", ">"])
def test_channels_that_are_no_subjects_are_refused(channel):
    """Wildcards would hear other channels."""
    with pytest.raises(SetupError, match="subject"):
        fastsio.AsyncNatsManager(channel=channel)
