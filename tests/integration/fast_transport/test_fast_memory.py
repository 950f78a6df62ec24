"""The memory of idle connections on the fast transport."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from pathlib import Path

import fastsio
from tests.support.servers import FAST_WS
from tests.support.waiting import WAIT_S

CLIENTS = 100
#: What fastsio itself allocates for a client that has joined a namespace and a room. It was 3,600 when this was written, and 5,560 with environs.
MOST_BYTES = 4_500
REQUEST = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"User-Agent: Mozilla/5.0\r\nAccept-Language: en\r\nCookie: a=1; b=2\r\n\r\n"
)
#: A masked frame with a CONNECT.
JOIN = b"\x81\x82\x00\x00\x00\x0040"


async def join(address) -> asyncio.StreamWriter:
    """Connect a client, and join the root namespace."""
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(REQUEST)
    await asyncio.wait_for(reader.readuntil(b'"maxPayload":1000000}'), WAIT_S)
    writer.write(JOIN)
    await asyncio.wait_for(reader.readuntil(b'"}'), WAIT_S)
    return writer


def allocated() -> int:
    """Return how many bytes that code of fastsio has allocated are in use."""
    gc.collect()
    ours = tracemalloc.Filter(inclusive=True, filename_pattern=f"{Path(fastsio.__file__).parent}/*")
    snapshot = tracemalloc.take_snapshot().filter_traces([ours])
    return sum(trace.size for trace in snapshot.traces)


async def test_an_idle_connection_takes_little(sio, running):
    """No task, no environ, no buffer; nothing of its request but the scope."""

    @sio.event
    async def connect(sid, environ):
        assert environ["HTTP_COOKIE"] == "a=1; b=2"
        await sio.enter_room(sid, "all")

    async with running(sio, ws=FAST_WS) as address:
        tracemalloc.start()
        try:
            writers = [await join(address) for _ in range(20)]  # what is set up with the first clients is not counted
            before = allocated()
            writers += [await join(address) for _ in range(CLIENTS)]
            taken = (allocated() - before) / CLIENTS
        finally:
            tracemalloc.stop()
            for writer in writers:
                writer.close()

    assert taken < MOST_BYTES
