"""Echo servers of both Engine.IO transports, under real web servers, and the means to talk to them raw."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
from aiohttp import web
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

import fastsio
import fastsio.aio.engine
import fastsio.sync.engine
from fastsio.engine.packet import MessagePacket
from tests.support.frameworks import aiohttp_server
from tests.support.servers import Address, serve
from tests.support.waiting import WAIT_S
from tests.support.wsgi_servers import serve_werkzeug

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PING_INTERVAL_S = 0.3
PING_TIMEOUT_S = 0.2


class Peer:
    """
    An echo server and the means to talk to it.

    Attributes:
        environs: Of the handshakes.
        disconnects: The reasons that the disconnect handler got.
    """

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.environs: list[dict[str, Any]] = []
        self.disconnects: asyncio.Queue[str] = asyncio.Queue()

    def use(self, address: Address, http: httpx.AsyncClient) -> None:
        """Talk to the server at *address*."""
        self.http = http
        self.url = f"{address.http}/engine.io/"
        self.ws_url = f"{address.ws}/engine.io/"

    async def get(self, query: str) -> httpx.Response:
        """Send a GET."""
        return await self.http.get(f"{self.url}?{query}")

    async def post(self, sid: str, body: str | bytes, **headers: str) -> httpx.Response:
        """Send a POST for a session."""
        return await self.http.post(f"{self.url}?EIO=4&transport=polling&sid={sid}", content=body, headers=headers)

    async def poll(self, sid: str) -> httpx.Response:
        """Poll once."""
        return await self.get(f"EIO=4&transport=polling&sid={sid}")

    async def open_polling(self) -> str:
        """Open a session; return its sid."""
        response = await self.get("EIO=4&transport=polling")
        return json.loads(response.text[1:])["sid"]

    def websocket(self, sid: str | None = None, query: str = "", **options: Any) -> connect:
        """Make a connection to enter with ``async with``."""
        suffix = query if sid is None else f"{query}&sid={sid}"
        return connect(f"{self.ws_url}?EIO=4&transport=websocket{suffix}", **options)

    async def reason(self) -> str:
        """Wait for the disconnect handler."""
        return await asyncio.wait_for(self.disconnects.get(), WAIT_S)

    async def close_client(self, sid: str) -> None:
        """Have the server end a session."""
        raise NotImplementedError

    def is_polled(self, sid: str) -> bool:
        """Whether a poll of the session waits in the server."""
        raise NotImplementedError

    def background(self) -> int:
        """Count what the server has started and not finished, without its timer and what watches for hanging handlers."""
        raise NotImplementedError


class AioPeer(Peer):
    """The asyncio transport under uvicorn."""

    async def close_client(self, sid: str) -> None:
        await self.engine.close_client(sid, "server disconnect")

    def is_polled(self, sid: str) -> bool:
        return self.engine.sockets[sid].poll_waiter is not None

    def background(self) -> int:
        return len(self.engine._tasks)


class SyncPeer(Peer):
    """The threaded transport under Werkzeug."""

    started = 0

    async def close_client(self, sid: str) -> None:
        await asyncio.to_thread(self.engine.close_client, sid, "server disconnect")

    def is_polled(self, sid: str) -> bool:
        return self.engine.sockets[sid].poll_waiter is not None

    def background(self) -> int:
        return self.started


@asynccontextmanager
async def running_aio(**options: Any) -> AsyncIterator[Peer]:
    """Run an echo server on asyncio, under uvicorn."""
    peer = echo_server("asgi", options)
    # The fast transport knows this application, and leaves any other one to uvicorn.
    app = fastsio.ASGIApp(peer.engine, socketio_path="engine.io")
    async with serve(app, lifespan="off") as address, talking(peer, address):
        yield peer


@asynccontextmanager
async def running_aiohttp(**options: Any) -> AsyncIterator[Peer]:
    """Run an echo server on asyncio, in an application of aiohttp."""
    peer = echo_server("aiohttp", options)
    app = web.Application()
    peer.engine.attach(app, "engine.io")
    async with aiohttp_server(app) as address, talking(peer, address):
        yield peer


@asynccontextmanager
async def talking(peer: Peer, address: Address) -> AsyncIterator[None]:
    """Have the peer talk to its server for the length of the block, and end its sessions."""
    async with httpx.AsyncClient(timeout=WAIT_S) as http:
        peer.use(address, http)
        yield
        await peer.engine.disconnect()


def echo_server(async_mode: str, options: dict[str, Any]) -> AioPeer:
    """Make an echo server on asyncio."""
    engine = fastsio.aio.engine.EngineServer(async_mode=async_mode, **options)
    peer = AioPeer(engine)

    async def on_connect(sid, environ):
        peer.environs.append(environ)

    async def on_message(sid, data):
        await engine.write(sid, [MessagePacket(data)])

    async def on_disconnect(sid, reason):
        peer.disconnects.put_nowait(reason)

    engine.on("connect", on_connect)
    engine.on("message", on_message)
    engine.on("disconnect", on_disconnect)
    return peer


@asynccontextmanager
async def running_sync(**options: Any) -> AsyncIterator[Peer]:
    """Run an echo server on threads."""
    loop = asyncio.get_running_loop()
    engine = fastsio.sync.engine.EngineServer(async_mode="threading", **options)
    peer = SyncPeer(engine)
    start = engine.start_background_task

    def start_and_count(target, *args, **kwargs):
        peer.started += target != engine.deadlines._run
        return start(target, *args, **kwargs)

    engine.start_background_task = start_and_count
    engine.on("connect", lambda sid, environ: peer.environs.append(environ))
    engine.on("message", lambda sid, data: engine.write(sid, [MessagePacket(data)]))
    engine.on("disconnect", lambda sid, reason: loop.call_soon_threadsafe(peer.disconnects.put_nowait, reason))
    with serve_werkzeug(engine.handle_request) as address:
        async with httpx.AsyncClient(timeout=WAIT_S) as http:
            peer.use(address, http)
            yield peer
            await asyncio.to_thread(engine.disconnect)
            engine.shutdown()


RUNNING = {"aio": running_aio, "aiohttp": running_aiohttp, "sync": running_sync}


def running(kind: str, **options: Any) -> Any:
    """Run an echo server of a kind with the short intervals of the protocol's test suite."""
    return RUNNING[kind](**{"ping_interval": PING_INTERVAL_S, "ping_timeout": PING_TIMEOUT_S, **options})


#: An echo server of a kind with intervals that play no part.
patiently = partial(running, ping_interval=25, ping_timeout=20)


async def receive(websocket: ClientConnection) -> str | bytes:
    """Wait for a frame."""
    return await asyncio.wait_for(websocket.recv(), WAIT_S)


async def closed(websocket: ClientConnection) -> list[str | bytes]:
    """Wait for the server to close; return the frames before."""
    frames: list[str | bytes] = []
    while True:
        try:
            frames.append(await receive(websocket))
        except ConnectionClosed:
            return frames


async def pending_poll(peer: Peer, sid: str) -> None:
    """Wait until a poll of the session waits in the server."""
    async with asyncio.timeout(WAIT_S):
        while not peer.is_polled(sid):  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.005)


async def polled(peer: Peer, sid: str) -> str:
    """Poll past the noops of an upgrade the server does not yet know to have failed."""
    async with asyncio.timeout(WAIT_S):
        while (text := (await peer.poll(sid)).text) == "6":
            pass
    return text
