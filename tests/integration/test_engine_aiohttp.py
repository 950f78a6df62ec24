"""The transport under aiohttp, through engineio's driver."""

from __future__ import annotations

import asyncio
import io
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web

from fastsio.aio.engine import EngineServer, MessagePacket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

WAIT_S = 5.0


class Peer:
    """An echo server under aiohttp and a client session."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self.http = http
        self.environs: list[dict[str, Any]] = []
        self.disconnects: asyncio.Queue[str] = asyncio.Queue()


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    """Run an echo server on a free port."""
    engine = EngineServer(async_mode="aiohttp", max_http_buffer_size=2_000_000)
    app = web.Application()
    engine.attach(app)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(WAIT_S)) as http:
        started = Peer(f"http://{host}:{port}/engine.io/", http)

        async def on_connect(sid, environ):
            started.environs.append(environ)

        async def on_message(sid, data):
            await engine.write(sid, [MessagePacket(data)])

        async def on_disconnect(sid, reason):
            started.disconnects.put_nowait(reason)

        engine.on("connect", on_connect)
        engine.on("message", on_message)
        engine.on("disconnect", on_disconnect)
        yield started
        await engine.disconnect()
        await engine.shutdown()
    await runner.cleanup()


async def test_a_websocket_echoes_and_closes(peer):
    """Text and binary go both ways; the goodbye ends the session."""
    async with peer.http.ws_connect(f"{peer.url}?EIO=4&transport=websocket") as websocket:
        assert (await websocket.receive_str())[0] == "0"

        await websocket.send_str("4hello")
        await websocket.send_bytes(b"\x01")
        assert await websocket.receive_str() == "4hello"
        assert await websocket.receive_bytes() == b"\x01"
        await websocket.send_str("1")

        assert await asyncio.wait_for(peer.disconnects.get(), WAIT_S) == "client disconnect"


async def test_a_large_post_arrives_whole(peer):
    """A body that comes in many pieces is read to its end."""
    query = f"{peer.url}?EIO=4&transport=polling"
    async with peer.http.get(query) as response:
        sid = json.loads((await response.text())[1:])["sid"]
    body = "4" + "x" * 1_500_000
    headers = {"Content-Type": "text/plain"}

    async with peer.http.post(f"{query}&sid={sid}", data=io.BytesIO(body.encode()), headers=headers) as response:
        answer = await response.text()
    async with peer.http.get(f"{query}&sid={sid}") as response:
        echoed = await response.text()

    assert answer == "ok"
    assert echoed == body


async def test_the_environ_holds_the_real_address(peer):
    """The peer's port is known, so it was asked for."""
    async with peer.http.get(f"{peer.url}?EIO=4&transport=polling") as response:
        await response.read()

    assert peer.environs[0]["REMOTE_ADDR"] == "127.0.0.1"
    assert int(peer.environs[0]["REMOTE_PORT"]) > 0
