"""What is aiohttp's own: sub-applications, middlewares, the request in the environ, shutdown."""

from __future__ import annotations

import asyncio
import gzip
import time
from contextlib import AsyncExitStack

import pytest
from aiohttp import web

import fastsio
from fastsio.exceptions import SetupError
from tests.integration.clients import OPENERS, eventually, http_client, open_polling, open_websocket
from tests.support.frameworks import aiohttp_server
from tests.support.waiting import WAIT_S

USER = web.RequestKey("user", str)

#: A client that connects again after a close packet.
BROWSER = {"User-Agent": "Mozilla/5.0"}


def application(journal, **options) -> fastsio.AsyncServer:
    """Return a server that notes how clients leave."""
    sio = fastsio.AsyncServer(**options)
    sio.on("size", lambda _sid, text: len(text))
    sio.on("disconnect", lambda _sid, reason: journal.note(reason))
    return sio


@pytest.mark.parametrize("transport", OPENERS)
async def test_a_server_lives_in_a_sub_application(journal, transport):
    """The path is found behind the prefix, and the routes beside it answer."""
    sio = fastsio.AsyncServer()
    sio.on("connect", lambda _sid, environ: journal.note(environ["PATH_INFO"]))
    inner, app = web.Application(), web.Application()

    async def index(_request):
        return web.Response(text="hello")

    inner.router.add_get("/", index)
    sio.attach(inner, socketio_path="live")
    app.add_subapp("/inner/", inner)
    async with aiohttp_server(app) as address:
        async with OPENERS[transport](address, "/inner/live/") as client:
            await client.join()
        async with http_client() as http:
            assert (await http.get(f"{address.http}/inner/")).text == "hello"

    assert journal == ["/inner/live/"]


@pytest.mark.parametrize("transport", OPENERS)
async def test_middlewares_see_requests_and_are_seen(journal, transport):
    """What a middleware stored or corrected in the request is what the connect handler reads."""

    @web.middleware
    async def behind_a_proxy(request, handler):
        request = request.clone(remote="203.0.113.7", scheme="https")
        request[USER] = "ann"
        return await handler(request)

    sio = fastsio.AsyncServer()

    @sio.event
    async def connect(sid, environ):
        journal.note(environ["aiohttp.request"][USER])
        journal.note([environ[key] for key in ("REMOTE_ADDR", "REMOTE_PORT", "wsgi.url_scheme", "SERVER_SOFTWARE")])

    app = web.Application(middlewares=[behind_a_proxy])
    sio.attach(app)
    async with aiohttp_server(app) as address, OPENERS[transport](address) as client:
        await client.join()

    assert journal == ["ann", ["203.0.113.7", "0", "https", "aiohttp"]]


async def test_the_application_ends_the_server_with_itself(journal):
    """Cleaning up ends all connections at once, and tells nobody to stay away; connections that stay would hold it up for a minute."""
    sio = application(journal)
    app = web.Application()
    sio.attach(app)
    async with AsyncExitStack() as clients:
        async with aiohttp_server(app, shutdown_timeout=60) as address:
            websocket, polling = [
                await clients.enter_async_context(open_(address, headers=BROWSER)) for open_ in OPENERS.values()
            ]
            await websocket.join()
            await polling.join()
            polled = asyncio.create_task(polling.closed())
            await eventually(lambda: sio.eio.sockets[polling.eio_sid].poll_waiter)
            begun = time.monotonic()

        assert time.monotonic() - begun < WAIT_S
        assert journal == ["server shutting down"] * 2
        await polled
        await websocket.closed()


async def test_compressed_bodies_are_measured_as_they_are_read(journal):
    """aiohttp decompresses them: one that is too large then, or none at all, ends the session."""
    sio = application(journal, max_http_buffer_size=10_000)
    app = web.Application()
    sio.attach(app)
    packet = b'421["size","' + b"x" * 5000 + b'"]'
    bodies = {200: gzip.compress(packet), 413: gzip.compress(packet * 100), 400: b"not compressed"}
    async with aiohttp_server(app) as address:
        for status, body in bodies.items():
            async with open_polling(address) as client:
                await client.join()

                answer = await client.http.post(client.url, content=body, headers={"Content-Encoding": "gzip"})

                assert answer.status_code == status
        await journal.until("transport error", 2)


async def test_the_limit_of_a_message_may_be_raised(journal):
    """aiohttp's own limits, 1 MiB of a body and 4 MiB of a message, do not apply."""
    sio = application(journal, max_http_buffer_size=8_000_000)
    app = web.Application()
    sio.attach(app)
    async with aiohttp_server(app) as address:
        for opener in OPENERS.values():
            async with opener(address) as client:
                await client.join()
                assert await client.ask("size", "x" * 6_000_000) == [6_000_000]


async def test_the_root_may_be_the_path():
    """An empty path is that of the application."""
    sio = fastsio.AsyncServer(namespaces=["/"])
    app = web.Application()
    sio.attach(app, socketio_path="")
    async with aiohttp_server(app) as address, open_websocket(address, "/") as client:
        await client.join()


def test_a_mistaken_application_is_named():
    """The message says what to do with applications of other kinds."""
    with pytest.raises(SetupError, match=r"not 'dict'.*ASGIApp.*get_tornado_handler"):
        fastsio.AsyncServer().attach({})


def test_a_server_serves_one_framework():
    """A mode that was named, or taken by an earlier application, is kept."""
    with pytest.raises(SetupError, match="async_mode='sanic' cannot serve aiohttp too"):
        fastsio.AsyncServer(async_mode="sanic").attach(web.Application())

    sio = fastsio.AsyncServer()
    sio.attach(web.Application())
    with pytest.raises(SetupError, match="async_mode='aiohttp' cannot serve asgi too"):
        fastsio.ASGIApp(sio)
