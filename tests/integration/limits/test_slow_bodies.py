"""Bodies of POSTs that never end, over real sockets to each framework and the fast transport."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

import fastsio
from tests.integration.clients import open_polling
from tests.support.frameworks import HERE
from tests.support.servers import FAST_WS, serve
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.servers import Address

#: A deadline that tests wait for.
SHORT_S = 0.2
#: How often a byte comes, of as many as never come.
EVERY_S = 0.02
LENGTH = 100_000
#: aiohttp reads for ten seconds what is left of a body, and Tornado closes the connection of one without an answer.
CLOSES = ("sanic", "tornado", "uvicorn", "h11", "fast")


@asynccontextmanager
async def under(kind: str, sio: fastsio.AsyncServer) -> AsyncIterator[Address]:
    """Serve a Socket.IO server under one server or another."""
    options = {"h11": {"http": "h11"}, "fast": {"ws": FAST_WS}}.get(kind)
    if options is None:
        async with HERE[kind](sio) as address:
            yield address
    else:
        async with serve(fastsio.ASGIApp(sio), **options) as address:
            yield address


async def rest(reader: asyncio.StreamReader) -> bytes:
    """Return what comes until the connection ends; where bytes of the client were on their way it ends with a reset."""
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Send bytes now and then until the server has answered or closed the connection; return what it answered."""
    answer = asyncio.ensure_future(reader.read(65_536))
    try:
        async with asyncio.timeout(WAIT_S):
            while not answer.done():
                writer.write(b"a")
                await asyncio.wait([answer], timeout=EVERY_S)
        return await answer
    finally:
        answer.cancel()


@pytest.mark.parametrize("kind", [*HERE, "h11", "fast"])
async def test_a_body_that_trickles_is_taken_for_body_timeout(kind):
    """C-193: the client gets 408, its session and connection are over; Tornado closes it without an answer."""
    sio = fastsio.AsyncServer(ping_interval=300)
    async with under(kind, sio) as address, open_polling(address) as client:
        await client.join()
        sio.eio.body_timeout = SHORT_S
        reader, writer = await asyncio.open_connection(address.host, address.port)
        path = f"/socket.io/?EIO=4&transport=polling&sid={client.eio_sid}"
        head = (
            f"POST {path} HTTP/1.1\r\nHost: testserver\r\nContent-Type: text/plain\r\nContent-Length: {LENGTH}\r\n\r\n"
        )
        writer.write(head.encode() + b"4")
        try:
            answer = await trickle(reader, writer)

            assert answer.split()[1:2] == ([] if kind == "tornado" else [b"408"])
            if kind in CLOSES:
                async with asyncio.timeout(WAIT_S):
                    assert await rest(reader) == b""
            if kind != "tornado":
                assert client.eio_sid not in sio.eio.sockets
        finally:
            writer.transport.abort()
        await sio.shutdown()
