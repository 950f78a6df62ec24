"""Servers that RabbitMQ connects: asyncio and threads, fastsio and python-socketio."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
from pathlib import Path

import aio_pika
import pytest
import socketio

import fastsio
from fastsio.brokers.amqp import MAX_QUEUED
from fastsio.exceptions import SetupError
from tests.support.brokers import rabbitmq_server
from tests.support.cluster_nodes import acquainted, administer, cluster, exchange, survive
from tests.support.ports import reserved_port
from tests.support.waiting import PROGRAM_S

GREEN_PROGRAM = Path(__file__).parents[2] / "support" / "green_nodes.py"

RABBITMQCTL = "/usr/lib/rabbitmq/bin/rabbitmqctl"
MANAGERS = {
    "asyncio": (fastsio.AsyncAioPikaManager, fastsio),
    "threads": (fastsio.KombuManager, fastsio),
    "their-asyncio": (socketio.AsyncAioPikaManager, socketio),
    "their-threads": (socketio.KombuManager, socketio),
}
PAIRS = [
    ("asyncio", "asyncio"),
    ("threads", "threads"),
    ("asyncio", "threads"),
    ("asyncio", "their-asyncio"),
    ("asyncio", "their-threads"),
    ("threads", "their-asyncio"),
    ("threads", "their-threads"),
]


@pytest.fixture(scope="module")
def broker():
    """A RabbitMQ node; it takes seconds to start."""
    with rabbitmq_server() as running:
        yield running


@pytest.fixture
def manager(broker, request):
    """Make managers on an exchange of the test's own, with the package of their server."""
    exchange_name = "".join(character if character.isalnum() else "-" for character in request.node.name)

    def make(kind, **options):
        manager_class, package = MANAGERS[kind]
        return manager_class(broker.url, exchange_name, **options), package

    return make


@pytest.mark.parametrize(("here", "there"), PAIRS)
async def test_servers_exchange_everything(manager, here, there):
    """Rooms, binary payloads, callbacks and calls, both ways, whatever the servers run on and are made of."""
    async with cluster(manager(here), manager(there)) as (a, b):
        await acquainted(a, b)

        await exchange(a, b)
        await exchange(b, a)


@pytest.mark.parametrize(("here", "there"), [("asyncio", "threads"), ("threads", "asyncio")])
async def test_an_administrator_is_told_of_clients_of_another_server(manager, here, there):
    """Also of one that was connected before the administrator."""
    async with cluster(manager(here), manager(there)) as (a, b):
        await acquainted(a, b)

        await administer(a, b)


@pytest.mark.parametrize(("here", "there"), [("asyncio", "threads"), ("threads", "asyncio")])
async def test_servers_exchange_everything_whatever_they_write(manager, here, there):
    """One writes MessagePack, the other JSON."""
    async with cluster(manager(here, bus_format="msgpack"), manager(there)) as (a, b):
        await acquainted(a, b)

        await exchange(a, b)
        await exchange(b, a)


async def test_other_programs_emit(manager):
    """Managers that only write reach the clients of all servers, payloads that look like kombu's own included."""
    payload = {"__type__": "uuid", "__value__": "not one"}
    async with cluster(manager("asyncio"), manager("threads")) as (a, b):
        await acquainted(a, b)
        (first, _), (second, _) = manager("asyncio", write_only=True), manager("threads", write_only=True)

        await first.emit("news", payload)
        second.emit("news", payload)
        await first.shutdown()
        second.shutdown()

        for node in (a, b):
            assert [await node.receive(), await node.receive()] == [["news", payload]] * 2


async def test_an_outage_is_the_emitters_alone(broker, manager, quick_retries):
    """Local clients are served, the emitter learns that others are not, and everything comes back by itself."""
    async with cluster(manager("asyncio"), manager("threads")) as nodes:
        await acquainted(*nodes)

        await survive(broker, manager("threads")[0], *nodes)


@pytest.mark.parametrize("mode", ["gevent", "eventlet"])
def test_greenlets_hear_each_other(broker, mode):
    """Listening leaves the other greenlets running."""
    command = [sys.executable, str(GREEN_PROGRAM), mode, "fastsio", "KombuManager", broker.url]
    subprocess.run(command, check=True, timeout=PROGRAM_S)


@pytest.mark.parametrize("url", ["http://localhost", "localhost:5672", "amqp://a:b"])
def test_other_urls_are_refused(url):
    """C-88: the error says how to write it."""
    with pytest.raises(SetupError, match="amqp://guest:guest@localhost:5672//"):
        fastsio.AsyncAioPikaManager(url)


@pytest.mark.parametrize("url", ["nonsense://localhost", "amqp://a:b"])
def test_urls_that_kombu_does_not_know_are_refused(url):
    """C-88: they are not tried for ever."""
    with pytest.raises(SetupError, match="amqp://guest:guest@localhost:5672//"):
        fastsio.KombuManager(url)


@pytest.mark.parametrize(
    ("kind", "is_bound_to_its_node"),
    [("asyncio", True), ("threads", True), ("their-asyncio", False), ("their-threads", False)],
)
async def test_queues_end_with_their_node_and_are_bounded(broker, manager, kind, is_bound_to_its_node):
    """C-89: those of python-socketio are kept for five minutes, however much is in them."""
    their_end, our_end = '[{"x-expires",300000}]', f'[{{"x-max-length",{MAX_QUEUED}}}]'
    made, package = manager(kind)
    async with cluster((made, package)) as (node,):
        await acquainted(node)
        bindings = await asyncio.to_thread(listed, broker, "list_bindings", "source_name", "destination_name")
        (name,) = [queue for exchange_name, queue in bindings if exchange_name == made.channel]
        queues = await asyncio.to_thread(listed, broker, "list_queues", "name", "exclusive", "auto_delete", "arguments")

    (queue,) = [row[1:] for row in queues if row[0] == name]
    assert queue == (["true", "true", our_end] if is_bound_to_its_node else ["false", "false", their_end])


def listed(broker, *what):
    """Ask RabbitMQ; return rows of columns."""
    environ = {**os.environ, **broker.environ}
    command = [RABBITMQCTL, "-q", *what]
    answer = subprocess.run(
        command, env=environ, check=True, timeout=PROGRAM_S, stdout=subprocess.PIPE, text=True
    ).stdout
    return [line.split("\t") for line in answer.splitlines()[1:]]


async def test_options_of_kombu_are_used(broker, manager, request):
    """All four go where their names say."""
    (first, _), (second, _) = (
        manager(
            "threads",
            connection_options={"connect_timeout": 3},
            exchange_options={"durable": True},
            queue_options={"name": f"mine-{number}"},
            producer_options={"compression": None},
        )
        for number in range(2)
    )
    async with cluster(first, second) as (a, b):
        await acquainted(a, b)

        await a.do("emit", "news", to=b.sid)

        assert await b.receive() == ["news"]


async def test_a_connection_that_cannot_be_made_is_closed():
    """Left open, it would close itself when it is freed, in whatever thread that happens."""
    with reserved_port() as port:
        manager = fastsio.AsyncAioPikaManager(f"amqp://guest:guest@127.0.0.1:{port}//")
        with pytest.raises(OSError) as publishing:  # noqa: PT011 - of whatever kind
            await manager._publish({"method": "emit"})
        with pytest.raises(OSError) as listening:  # noqa: PT011 - of whatever kind
            await anext(manager._listen())

    # The errors keep what was there when they were raised.
    made = [each for each in gc.get_objects() if type(each) is aio_pika.Connection and each.url.port == port]
    assert publishing.value is not listening.value
    assert len(made) == 2
    assert all(each.is_closed for each in made)
