from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

import fastsio
from fastsio.aio import bus as aio_bus
from fastsio.brokers import reconnection
from tests.integration.client_sides import Side, Site, gated
from tests.integration.clients import Journal
from tests.integration.engine_peers import patiently
from tests.integration.engine_peers import running as echoing
from tests.integration.layer_lab import KINDS, laboratory
from tests.integration.memory_bus import MemoryBus, make_node
from tests.shells.aio.fake_engine import settled
from tests.support.brokers import nats_server, redis_server
from tests.support.servers import serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.engine_peers import Peer
    from tests.support.servers import Address


@pytest.fixture
def journal() -> Journal:
    """What the application under test saw."""
    return Journal()


@pytest.fixture
def make_server(request):
    """Make servers that log to ``tests.socketio``, whatever the level of python-socketio's logger."""
    logger = logging.getLogger("tests.socketio")
    logger.setLevel(logging.DEBUG)

    def make(**options: Any) -> fastsio.AsyncServer:
        return fastsio.AsyncServer(async_mode="asgi", logger=logger, **options)

    return make


@pytest.fixture
def running():
    """Serve a Socket.IO server under uvicorn for the length of a block."""

    @asynccontextmanager
    async def run(sio: fastsio.AsyncServer, **options: Any) -> AsyncIterator[Address]:
        async with serve(fastsio.ASGIApp(sio), **options) as address:
            yield address

    return run


@pytest.fixture
def quick_retries(monkeypatch):
    """Let managers on a broker try again at once."""
    for half in ("aio", "sync"):
        monkeypatch.setattr(f"fastsio.{half}.bus.FIRST_DELAY_S", 0.1)
        monkeypatch.setattr(f"fastsio.{half}.bus.MOST_DELAY_S", 0.3)
        monkeypatch.setattr(f"fastsio.{half}.bus.JITTER_S", 0.0)


@pytest.fixture
def quick_layers(monkeypatch):
    """Let layers try again soon."""
    monkeypatch.setattr(reconnection, "FIRST_DELAY_S", 0.02)
    monkeypatch.setattr(reconnection, "MOST_DELAY_S", 0.05)
    monkeypatch.setattr(reconnection, "JITTER_S", 0.0)


@pytest.fixture(scope="module")
def layer_brokers():
    """What layers of each kind connect to, for the whole module."""
    with redis_server() as redis, nats_server() as nats:
        yield {"memory": None, "local": None, "pubsub": redis, "queue": redis, "nats": nats}


@pytest.fixture(params=KINDS)
async def lab(request, layer_brokers):
    """Layers of each kind."""
    async with laboratory(request.param, layer_brokers[request.param]) as lab:
        yield lab


@pytest.fixture
async def pair(lab):
    """Two layers that hear each other."""
    return lab.layer(), lab.layer()


@pytest.fixture(params=["aio", "sync"])
def kind(request) -> str:
    """Each half of the server."""
    return request.param


@pytest.fixture
async def peer(kind) -> AsyncIterator[Peer]:
    """Run the echo server with the short intervals of the protocol's test suite."""
    async with echoing(kind) as started:
        yield started


@pytest.fixture
async def pinging(kind) -> AsyncIterator[Peer]:
    """Run the echo server so that it pings soon and waits long for the answer."""
    async with echoing(kind, ping_timeout=20) as started:
        yield started


@pytest.fixture
async def patient(kind) -> AsyncIterator[Peer]:
    """Run the echo server with intervals that play no part."""
    async with patiently(kind) as started:
        yield started


@pytest.fixture
def bus() -> MemoryBus:
    """The bus of the test."""
    return MemoryBus()


@pytest.fixture
async def nodes(bus):
    """Two servers that listen, and are shut down at the end."""
    pair = make_node(bus, "a"), make_node(bus, "b")
    for node in pair:
        node.manager.initialize()
    await settled(lambda: bus.listeners == 2)
    yield pair
    for node in pair:
        await node.server.shutdown()


@pytest.fixture
async def both(nodes):
    """The two servers and a client of each."""
    a, b = nodes
    return a, await a.join(), b, await b.join()


@pytest.fixture
def quick_bus(monkeypatch):
    """Let managers on a bus in memory try again soon."""
    monkeypatch.setattr(aio_bus, "FIRST_DELAY_S", 0.01)
    monkeypatch.setattr(aio_bus, "MOST_DELAY_S", 0.02)
    monkeypatch.setattr(aio_bus, "JITTER_S", 0.0)


@pytest.fixture
async def node(bus, quick_bus):
    """A server, which listens once it has a client."""
    node = make_node(bus, "a")
    yield node
    await node.server.shutdown()


@pytest.fixture(params=["aio", "sync"])
async def side(request):
    """Each half of the client."""
    half = Side(asynchronous=request.param == "aio")
    yield half
    await half.close()


@pytest.fixture
async def site():
    """A server that notes what it is told."""
    return Site()


@pytest.fixture
async def gate(site):
    """The site, served behind a gate."""
    async with gated(site) as opened:
        yield opened


@pytest.fixture
def sio(make_server):
    """A server that echoes."""
    sio = make_server()
    sio.on("echo", lambda _sid, data: data)
    return sio
