"""Events emitted in a loop of awaits, many times what a client's buffer holds: a client that reads gets all of them."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

import fastsio
from fastsio.aio.engine.session import Session
from tests.integration.raw_websocket import open_raw
from tests.support.servers import FAST_WS, Address, serve, serve_on
from tests.support.waiting import WAIT_S
from tests.support.wsgi_servers import serve_werkzeug

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


#: A buffer that any burst of these tests would fill many times.
OPTIONS: dict[str, Any] = {
    "max_buffer_bytes": 1_000_000,
    "max_buffer_packets": 200,
    "high_water_bytes": 250_000,
    "high_water_packets": 50,
}
#: How many events, and how many bytes each.
BURSTS = [(150, 60_000), (3_000, 10)]
UVICORN = {
    "polling": ("polling", "auto"),
    "upgrading": ("both", "auto"),
    "websockets": ("websocket", "websockets-sansio"),
    "wsproto": ("websocket", "wsproto"),
    "fast": ("websocket", FAST_WS),
}
TRANSPORTS = {"polling": ["polling"], "websocket": ["websocket"], "both": None}


@asynccontextmanager
async def served(ws: str) -> AsyncIterator[tuple[Address, list[int]]]:
    """Serve an asyncio server whose handler emits as many rows as it is asked for, and notes what waits at most."""
    sio = fastsio.AsyncServer(async_mode="asgi", **OPTIONS)
    waited = [0]

    @sio.event
    async def rows(sid: str, count: int, size: int) -> None:
        (session,) = sio.eio.sockets.values()
        for number in range(count):
            await sio.emit("row", (number, "x" * size), to=sid)
            waited[0] = max(waited[0], session.buffered_bytes)
        await sio.emit("end", to=sid)

    async with serve(fastsio.ASGIApp(sio), ws=ws) as address:
        yield address, waited


@contextmanager
def served_by_threads(**options: Any) -> Iterator[Address]:
    """Serve a server for threads that does the same."""
    sio = fastsio.Server(async_mode="threading", **OPTIONS, **options)

    @sio.event
    def rows(sid: str, count: int, size: int) -> None:
        for number in range(count):
            sio.emit("row", (number, "x" * size), to=sid)
        sio.emit("end", to=sid)

    with serve_werkzeug(fastsio.WSGIApp(sio)) as address:
        yield address
    sio.shutdown()


async def read(address: Address, transport: str, count: int, size: int) -> list[int]:
    """Ask for rows and return the numbers of those that arrive."""
    client, numbers, end = fastsio.AsyncClient(reconnection=False), [], asyncio.Event()
    client.on("row", lambda number, _: numbers.append(number))
    client.on("end", end.set)
    client.on("disconnect", lambda _reason: end.set())
    await client.connect(address.http, transports=TRANSPORTS[transport])
    await client.emit("rows", (count, size))
    await asyncio.wait_for(end.wait(), WAIT_S)
    await client.disconnect()
    return numbers


@pytest.mark.parametrize(("count", "size"), BURSTS)
@pytest.mark.parametrize("kind", UVICORN)
async def test_a_burst_reaches_a_client_that_reads(kind, count, size):
    """No event is lost, the client stays, and what waits for it is bounded by the high-water mark."""
    transport, ws = UVICORN[kind]

    async with served(ws) as (address, waited):
        numbers = await read(address, transport, count, size)

    assert numbers == list(range(count))
    assert waited[0] < OPTIONS["high_water_bytes"] + 2 * (size + 100)


@pytest.mark.parametrize(("count", "size"), BURSTS)
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_burst_of_a_thread_reaches_a_client_that_reads(transport, count, size):
    """The thread waits, whatever the transport."""
    with served_by_threads() as address:
        numbers = await read(address, transport, count, size)

    assert numbers == list(range(count))


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_a_handler_in_the_thread_that_reads_may_emit_much(transport):
    """With ``async_handlers=False`` the thread that reads from the client waits until the client has read."""
    with served_by_threads(async_handlers=False) as address:
        numbers = await read(address, transport, 300, 10_000)

    assert numbers == list(range(300))


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_burst_of_a_client_arrives(side, transport):
    """The client waits while much waits to be sent, whatever the transport; all of it arrives, in order."""
    sio = fastsio.AsyncServer(async_mode="asgi")
    numbers, end = [], asyncio.Event()
    sio.on("row", lambda _sid, number, _text: numbers.append(number))
    sio.on("end", lambda _sid: end.set())
    client = side.client(high_water_bytes=100_000, high_water_packets=20)

    def produce() -> None:
        for number in range(300):
            client.emit("row", (number, "x" * 1000))
        client.emit("end")

    async def produce_in_task() -> None:
        for number in range(300):
            await client.emit("row", (number, "x" * 1000))
        await client.emit("end")

    async with serve(fastsio.ASGIApp(sio)) as address:
        await side.run(client.connect, address.http, transports=TRANSPORTS[transport])
        await side.run(produce_in_task if side.asynchronous else produce)
        await asyncio.wait_for(end.wait(), WAIT_S)
        await side.run(client.disconnect)

    assert numbers == list(range(300))


async def test_a_large_message_may_take_longer_than_the_timeout(monkeypatch):
    """On fastsio's own transport a client that reads a part of a message reads; one that stops does not."""
    now_s = 0.0  # it passes while the client reads, and later while it does not
    monkeypatch.setattr(Session, "clock", staticmethod(lambda: now_s))
    sio = fastsio.AsyncServer(async_mode="asgi", high_water_bytes=1000, slow_client_timeout=0.3, ping_interval=300)
    ended = asyncio.Event()
    sio.on("disconnect", lambda _sid, _reason: ended.set())
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
    listener.bind(("127.0.0.1", 0))
    address = Address(*listener.getsockname())
    async with serve_on(listener, fastsio.ASGIApp(sio), ws=FAST_WS), open_raw(address) as client:
        await client.join()
        await sio.emit("large", "x" * 5_000_000)
        sending = asyncio.create_task(sio.emit("next", "y" * 2000))
        while not sending.done() and (await client.reader.read(30_000)):
            await asyncio.sleep(0.01)
            now_s += 0.02

        assert now_s > 0.3
        assert not ended.is_set()
        client.writer.transport.pause_reading()
        await sio.emit("large", "x" * 10_000_000)
        sending = asyncio.create_task(sio.emit("next", "y" * 2000))
        async with asyncio.timeout(WAIT_S):
            while not sending.done():
                await asyncio.sleep(0.01)
                now_s += 0.02
            await ended.wait()
