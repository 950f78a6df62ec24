"""The clients of python-socketio against the server: asyncio, threads, and the simple ones."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import aiohttp
import pytest
import pytest_asyncio
import socketio

from tests.support.peer_clients import LEAVE_CONNECTIONS, LEAVES
from tests.support.waiting import WAIT_S

pytestmark = LEAVE_CONNECTIONS

PAYLOAD = {"text": "ü", "bytes": b"\x01\x02", "nested": [b"", {"deep": b"\x03"}]}


@pytest_asyncio.fixture(loop_scope="module")
async def world(start):
    """A world with a short ping interval: a polling client that leaves waits for its last poll to be answered."""
    return await start(ping_interval=0.5)


@asynccontextmanager
async def connected(world, *, transports=None, serializer="default", **options):
    """Connect an AsyncClient for the block."""
    async with aiohttp.ClientSession() as http_session:
        client = socketio.AsyncClient(reconnection=False, serializer=serializer, http_session=http_session)
        await client.connect(world.url, transports=transports, wait_timeout=WAIT_S, **options)
        try:
            yield client
        finally:
            await client.disconnect()


def heard(client: socketio.AsyncClient, event: str) -> asyncio.Queue:
    """Collect what arrives at *event*."""
    arrived: asyncio.Queue = asyncio.Queue()

    async def collect(*args):
        arrived.put_nowait(args)

    client.on(event, collect)
    return arrived


async def next_of(queue: asyncio.Queue):
    """Wait for the next thing that was heard."""
    return await asyncio.wait_for(queue.get(), WAIT_S)


async def test_async_client_talks(world, transports):
    """Events, acknowledgements and binary go both ways over each transport."""
    async with connected(world, transports=transports) as client:
        mirrored = heard(client, "mirrored")

        assert await client.call("echo", PAYLOAD) == PAYLOAD
        assert await client.call("echo", ("several", 2)) == ("several", 2)
        await client.emit("mirror", ("two", b"\x09"))
        assert await next_of(mirrored) == ("two", b"\x09")


async def test_async_client_answers_call(world, transports):
    """The server's call() returns what the client's handler returned."""
    async with connected(world, transports=transports) as client:
        client.on("question", lambda question: {"answered": question})

        assert await client.call("ask", b"why") == {"answered": b"why"}


async def test_async_client_disconnects(world):
    """The disconnect handler runs when the client leaves; it may close the websocket before it has said goodbye."""
    async with connected(world, transports=["websocket"]):
        sid = (await world.site.saw("connect"))["sid"]

    seen = await world.site.saw("disconnect")
    assert seen["sid"] == sid
    assert seen["reason"] in LEAVES


async def test_async_client_is_sent_away(world, transports):
    """disconnect(sid) ends the client with the server's reason."""
    async with connected(world, transports=transports) as client:
        gone = heard(client, "disconnect")

        await client.emit("kick")

        assert await next_of(gone) == (client.reason.SERVER_DISCONNECT,)
    assert (await world.site.saw("disconnect"))["reason"] == "server disconnect"


async def test_async_client_joins_namespaces(world):
    """Several namespaces on one connection have ids of their own."""
    async with connected(world, namespaces=["/", "/news", "/admin"], auth={"token": "secret"}) as client:
        assert len({client.get_sid(name) for name in ("/", "/news", "/admin")}) == 3
        assert await client.call("where", namespace="/news") == "/news"
        assert await client.call("where", namespace="/admin") == "/admin"


async def test_async_client_is_refused(world):
    """A refusal reaches connect_error with message and data, and connect() raises."""
    client = socketio.AsyncClient(reconnection=False)
    refused = heard(client, "connect_error")
    client.on("connect_error", refused.put_nowait, namespace="/admin")

    with pytest.raises(socketio.exceptions.ConnectionError):
        await client.connect(world.url, namespaces=["/admin"], auth={"token": "wrong"}, wait_timeout=WAIT_S)

    assert await next_of(refused) == {"message": "not allowed", "data": {"code": 42}}
    await client.disconnect()


async def test_async_client_shares_rooms_with_others(world):
    """An emit to a room reaches the Python clients in it."""
    async with connected(world) as ann, connected(world) as ben, connected(world) as eve:
        ears = [heard(client, "shouted") for client in (ann, ben, eve)]
        await ann.call("enter", "tea")
        await ben.call("enter", "tea")

        await ann.call("shout", ("tea", "hello"))

        assert await next_of(ears[0]) == ({"room": "tea", "text": "hello"},)
        assert await next_of(ears[1]) == ({"room": "tea", "text": "hello"},)
        await eve.call("echo", "flush")
        assert ears[2].empty()


async def test_async_client_reconnects(world):
    """After a restart of the server the client is back under a new id."""
    client = socketio.AsyncClient(reconnection_delay=0.05, reconnection_delay_max=0.1, randomization_factor=0)
    back = heard(client, "connect")
    await client.connect(world.url, wait_timeout=WAIT_S)
    await next_of(back)
    before = client.get_sid()

    await world.server.stop()
    await world.server.start()

    await next_of(back)
    assert client.get_sid() != before
    assert await client.call("echo", "back") == "back"
    await client.disconnect()


async def test_async_client_with_msgpack(start):
    """The msgpack serializer of either library understands the other's."""
    world = await start(serializer="msgpack")

    async with connected(world, serializer="msgpack") as client:
        client.on("question", lambda question: [question, b"\x07"])

        assert await client.call("echo", PAYLOAD) == PAYLOAD
        assert await client.call("ask", "why?") == ["why?", b"\x07"]


async def test_threaded_client_talks(world, transports):
    """The client for threads: events, acknowledgements and call() from the server."""

    def visit() -> list:
        client = socketio.Client(reconnection=False, handle_sigint=False)
        client.on("question", lambda question: {"answered": question})
        client.connect(world.url, transports=transports, wait_timeout=WAIT_S)
        try:
            return [client.call("echo", PAYLOAD, timeout=WAIT_S), client.call("ask", "why?", timeout=WAIT_S)]
        finally:
            client.disconnect()

    assert await asyncio.to_thread(visit) == [PAYLOAD, {"answered": "why?"}]


async def test_async_simple_client_talks(world, transports):
    """The simple asyncio client: receive(), call() and its context manager."""
    async with socketio.AsyncSimpleClient(reconnection=False) as client:
        await client.connect(world.url, transports=transports)

        welcome = await client.receive(timeout=WAIT_S)
        await client.emit("mirror", ["x", b"\x01"])
        mirrored = await client.receive(timeout=WAIT_S)

        assert welcome == ["welcome", {"sid": client.sid}]
        assert mirrored == ["mirrored", ["x", b"\x01"]]
        assert await client.call("echo", 5) == 5


async def test_simple_client_talks(world):
    """The simple client for threads: receive() and call()."""

    def visit() -> list:
        with socketio.SimpleClient(reconnection=False, handle_sigint=False) as client:
            client.connect(world.url, transports=["websocket"])
            return [client.receive(timeout=WAIT_S)[0], client.call("echo", 5, timeout=WAIT_S)]

    assert await asyncio.to_thread(visit) == ["welcome", 5]
