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
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Peer:
    """An echo server under aiohttp and a client session."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self.http = http
        self.engine: Any = None
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

        started.engine = engine

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


async def test_pings_are_answered(peer):
    """Each with its payload; a pong is taken without a word."""
    async with peer.http.ws_connect(f"{peer.url}?EIO=4&transport=websocket", autoping=False) as websocket:
        await websocket.receive_str()
        await websocket.pong(b"unasked")
        await websocket.ping(b"there?")
        answer = await websocket.receive()

        assert (answer.type, answer.data) == (aiohttp.WSMsgType.PONG, b"there?")


@pytest.mark.parametrize("kind", ["ping", "pong"])
async def test_a_flood_of_control_frames_closes_the_connection(peer, kind):
    """The client reads 1008, the disconnect handler hears of a transport error; fewer frames are no flood."""
    peer.engine.max_control_frames = 200
    async with peer.http.ws_connect(f"{peer.url}?EIO=4&transport=websocket") as websocket:
        await websocket.receive_str()
        for _ in range(190):
            await getattr(websocket, kind)()
        await websocket.send_str("4still here")
        assert await websocket.receive_str() == "4still here"
        for _ in range(20):
            await getattr(websocket, kind)()
        await websocket.receive()

        assert websocket.close_code == aiohttp.WSCloseCode.POLICY_VIOLATION
        assert await asyncio.wait_for(peer.disconnects.get(), WAIT_S) == "transport error"


async def test_a_large_post_arrives_whole(peer):
    """A body that comes in many pieces is read to its end; its answer is read by the poll that waits meanwhile."""
    query = f"{peer.url}?EIO=4&transport=polling"
    async with peer.http.get(query) as response:
        sid = json.loads((await response.text())[1:])["sid"]
    body = "4" + "x" * 1_500_000
    headers = {"Content-Type": "text/plain"}

    polling = asyncio.create_task(peer.http.get(f"{query}&sid={sid}"))
    async with peer.http.post(f"{query}&sid={sid}", data=io.BytesIO(body.encode()), headers=headers) as response:
        answer = await response.text()
    async with await polling as response:
        echoed = await response.text()

    assert answer == "ok"
    assert echoed == body


async def test_the_environ_holds_the_real_address(peer):
    """The peer's port is known, so it was asked for."""
    async with peer.http.get(f"{peer.url}?EIO=4&transport=polling") as response:
        await response.read()

    assert peer.environs[0]["REMOTE_ADDR"] == "127.0.0.1"
    assert int(peer.environs[0]["REMOTE_PORT"]) > 0
