"""Other servers and real clients: hypercorn, aiohttp through attach(), python-socketio's AsyncClient."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager

import hypercorn.asyncio
import hypercorn.config
import pytest
import socketio
from aiohttp import web

import fastsio
from tests.integration.clients import OPENERS, eventually, http_client, remains
from tests.support.peer_clients import LEAVE_CONNECTIONS
from tests.support.servers import Address, serve
from tests.support.waiting import WAIT_S

pytestmark = LEAVE_CONNECTIONS

ALL = pytest.mark.parametrize("transports", [["websocket"], ["polling"], None], ids=["websocket", "polling", "upgrade"])


def listener() -> socket.socket:
    """Return a listening socket on a free port."""
    opened = socket.socket()
    opened.bind(("127.0.0.1", 0))
    opened.listen()
    return opened


@asynccontextmanager
async def hypercorn_server(app):
    """Run an application under hypercorn for the length of the block."""
    opened = listener()
    address = Address(*opened.getsockname())
    config = hypercorn.config.Config()
    config.bind = [f"fd://{opened.detach()}"]
    config.graceful_timeout = 1
    config.errorlog = None
    leave = asyncio.Event()
    running = asyncio.create_task(hypercorn.asyncio.serve(app, config, shutdown_trigger=leave.wait))
    try:
        yield address
    finally:
        leave.set()
        await asyncio.wait_for(running, WAIT_S)


@asynccontextmanager
async def aiohttp_server(app):
    """Run an aiohttp application for the length of the block."""
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    opened = listener()
    await web.SockSite(runner, opened).start()
    try:
        yield Address(*opened.getsockname())
    finally:
        await runner.cleanup()


def application(journal, **options) -> fastsio.AsyncServer:
    """Return a server that exercises what a transport carries."""
    sio = fastsio.AsyncServer(**options)

    @sio.event
    async def connect(sid, environ, auth):
        journal.note(("connect", auth))
        await sio.emit("welcome", to=sid)

    @sio.event
    async def echo(sid, *args):
        return args

    @sio.event
    async def ask_me(sid, question):
        return await sio.call("question", question, to=sid, timeout=WAIT_S)

    @sio.event
    async def disconnect(sid, reason):
        journal.note(("disconnect", reason))

    return sio


async def converse(url: str, transports, *, upgraded: str) -> None:
    """Run a conversation with python-socketio's client: events, binary, acknowledgements both ways."""
    welcomed = asyncio.Event()
    async with asyncio.timeout(WAIT_S):
        client = socketio.AsyncClient(reconnection=False)
        client.on("welcome", welcomed.set)
        client.on("question", lambda question: ("answer to", question))
        await client.connect(url, auth={"token": 1}, transports=transports, wait_timeout=WAIT_S)
        await welcomed.wait()
        assert client.transport() == upgraded
        payload = ("text", b"\x00\xff", {"a": [b"", None]})
        assert await client.call("echo", payload) == payload
        assert await client.call("ask_me", "why") == ("answer to", "why")
        await client.disconnect()


@ALL
async def test_python_socketio_clients_under_uvicorn(journal, transports):
    """The AsyncClient of python-socketio talks to fastsio over WebSocket, polling and the upgrade between them."""
    sio = application(journal, async_mode="asgi")
    async with serve(fastsio.ASGIApp(sio)) as address:
        await converse(address.http, transports, upgraded="polling" if transports == ["polling"] else "websocket")
        await eventually(lambda: not remains(sio))

        assert journal[0] == ("connect", {"token": 1})
        assert [entry[0] for entry in journal] == ["connect", "disconnect"]


@ALL
async def test_python_socketio_clients_under_hypercorn(journal, transports):
    """Issue F: the same under hypercorn."""
    sio = application(journal, async_mode="asgi")
    async with hypercorn_server(fastsio.ASGIApp(sio)) as address:
        await converse(address.http, transports, upgraded="polling" if transports == ["polling"] else "websocket")
        await eventually(lambda: not remains(sio))

        assert [entry[0] for entry in journal] == ["connect", "disconnect"]


@ALL
async def test_python_socketio_clients_under_aiohttp(journal, transports):
    """python-socketio's clients are served in an aiohttp application too, through sio.attach(app)."""
    sio = application(journal, async_mode="aiohttp")
    app = web.Application()
    sio.attach(app)
    async with aiohttp_server(app) as address:
        await converse(address.http, transports, upgraded="polling" if transports == ["polling"] else "websocket")
        await eventually(lambda: not remains(sio))

        assert [entry[0] for entry in journal] == ["connect", "disconnect"]


async def test_routes_of_aiohttp_answer_beside_sockets(journal):
    """attach() leaves the application's own routes alone and takes another path if told to."""
    sio = fastsio.AsyncServer(async_mode="aiohttp")
    app = web.Application()

    async def index(_request):
        return web.Response(text="hello")

    app.router.add_get("/", index)
    sio.attach(app, socketio_path="/live")
    async with aiohttp_server(app) as address, http_client() as http:
        assert (await http.get(f"{address.http}/")).text == "hello"
        for opener in OPENERS.values():
            async with opener(address, "/live/") as client:
                await client.join()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
@pytest.mark.parametrize("framework", ["aiohttp", "hypercorn"])
async def test_the_environ_has_the_address_of_the_client_elsewhere(journal, transport, framework):
    """REMOTE_ADDR is the peer's under aiohttp and hypercorn too."""
    sio = fastsio.AsyncServer(async_mode="aiohttp" if framework == "aiohttp" else "asgi")
    sio.on("connect", lambda _sid, environ: journal.note(environ["REMOTE_ADDR"]))
    if framework == "aiohttp":
        app = web.Application()
        sio.attach(app)
        server = aiohttp_server(app)
    else:
        server = hypercorn_server(fastsio.ASGIApp(sio))
    async with server as address, OPENERS[transport](address, source="127.0.0.3") as client:
        await client.join()

        assert journal == ["127.0.0.3"]


@pytest.mark.parametrize("framework", ["aiohttp", "hypercorn"])
async def test_malformed_packets_close_elsewhere_too(journal, framework):
    """Under aiohttp and hypercorn a malformed packet closes the connection and runs the disconnect handler."""
    sio = application(journal, async_mode="aiohttp" if framework == "aiohttp" else "asgi")
    if framework == "aiohttp":
        app = web.Application()
        sio.attach(app)
        server = aiohttp_server(app)
    else:
        server = hypercorn_server(fastsio.ASGIApp(sio))
    async with server as address, OPENERS["websocket"](address) as client:
        await client.join()
        assert await client.receive() == '42["welcome"]'
        await client.send("42[]")
        await client.closed()
        await journal.until(("disconnect", "transport error"))

        await eventually(lambda: not remains(sio))
