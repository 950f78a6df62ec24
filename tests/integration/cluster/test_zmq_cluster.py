"""Servers that a ZeroMQ proxy connects."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
import zmq

import fastsio
from fastsio.exceptions import SetupError
from tests.support.brokers import zmq_proxy
from tests.support.cluster_nodes import acquainted, administer, cluster, exchange, survive
from tests.support.waiting import PROGRAM_S

EMITTER = "import sys, fastsio; fastsio.ZmqManager(sys.argv[1], sys.argv[2], write_only=True).emit('news', 1)"


GREEN_PROGRAM = Path(__file__).parents[2] / "support" / "green_nodes.py"


def run(*arguments):
    """Run a Python program, which must end well."""
    subprocess.run([sys.executable, *arguments], check=True, timeout=PROGRAM_S)


@pytest.fixture(scope="module")
def broker():
    """A proxy, as its users write it."""
    with zmq_proxy() as running:
        yield running


@pytest.fixture
def manager(broker, request):
    """Make managers on a channel of the test's own."""

    def make(**options):
        return fastsio.ZmqManager(broker.url, request.node.name, **options)

    return make


async def test_servers_exchange_everything(manager):
    """C-91: rooms, binary payloads, callbacks and calls, both ways, between plain threads."""
    async with cluster(manager(), manager()) as (a, b):
        await acquainted(a, b)

        await exchange(a, b)
        await exchange(b, a)


async def test_an_administrator_is_told_of_clients_of_another_server(manager):
    """Also of one that was connected before the administrator."""
    async with cluster(manager(), manager()) as (a, b):
        await acquainted(a, b)

        await administer(a, b)


async def test_servers_exchange_everything_whatever_they_write(manager):
    """One writes MessagePack, the other JSON."""
    async with cluster(manager(bus_format="msgpack"), manager()) as (a, b):
        await acquainted(a, b)

        await exchange(a, b)
        await exchange(b, a)


async def test_a_program_that_ends_at_once_has_emitted(manager, broker):
    """What ZeroMQ has taken is sent before the program is over."""
    async with cluster(manager(), manager()) as (a, b):
        await acquainted(a, b)

        await asyncio.to_thread(run, "-c", EMITTER, broker.url, a.sio.manager.channel)

        assert [await a.receive(), await b.receive()] == [["news", 1], ["news", 1]]


@pytest.mark.parametrize(
    ("mode", "emitting_package"), [("eventlet", "fastsio"), ("eventlet", "socketio"), ("gevent", "fastsio")]
)
def test_greenlets_hear_each_other(broker, mode, emitting_package):
    """Listening leaves the other greenlets running; python-socketio, which needs eventlet here, is understood."""
    run(str(GREEN_PROGRAM), mode, emitting_package, "ZmqManager", broker.url)


async def test_an_outage_is_the_emitters_alone(broker, manager, quick_retries):
    """Local clients are served, the emitter learns that others are not, and everything comes back by itself."""
    async with cluster(manager(publish_timeout=0.5), manager(publish_timeout=0.5)) as nodes:
        await acquainted(*nodes)

        await survive(broker, manager(publish_timeout=0.5), *nodes, knows=has_no_proxy)


def has_no_proxy(node):
    """Tell whether ZeroMQ, whose own thread reads the connection, takes no messages any more."""
    publisher = node.sio.manager._publisher
    with publisher._publishing:
        return not publisher._socket.poll(0, zmq.POLLOUT)


@pytest.mark.parametrize("url", ["tcp://a:1+2", "zmq+tcp://a:1", "zmq+tcp://a:1+b", "zmq+ipc://x:1+2", None])
def test_other_urls_are_refused(url):
    """C-88: the error says how to write it."""
    with pytest.raises(SetupError, match=r"zmq\+tcp://localhost:5555\+5556"):
        fastsio.ZmqManager(url)
