"""Flask-SocketIO, unchanged: with its own test client, and served by Werkzeug to real clients."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import httpx
import pytest
import socketio

from tests.libraries.conftest import PROGRAMS, program, run_module
from tests.parity.packages import OURS
from tests.support.peer_clients import LEAVE_CONNECTIONS
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.servers import Address

pytestmark = LEAVE_CONNECTIONS


def test_the_test_client_of_the_library_works():
    """Connecting, events, rooms, classes, errors, sessions and options: every case of ``flask_cases.py`` passes."""
    said = run_module("pytest", "-q", "--tb=short", "-p", "no:cacheprovider", str(PROGRAMS / "flask_cases.py"))

    assert " passed in " in said


@pytest.fixture(scope="module", params=["threading", "gevent", "eventlet"])
def application(request):
    """The application, served by Werkzeug with a thread per request, by gevent and by eventlet."""
    mode = request.param
    served = program("flask_app.py", mode) if mode == "threading" else program("flask_green.py", mode, OURS, runner=())
    with served as address:
        yield address


@asynccontextmanager
async def connected(address: Address, transport: str | None, **options) -> AsyncIterator[socketio.AsyncClient]:
    """Connect a client of python-socketio over one transport, or with the upgrade from one to the other."""
    async with aiohttp.ClientSession() as http_session:
        client = socketio.AsyncClient(reconnection=False, http_session=http_session)
        transports = None if transport is None else [transport]
        await client.connect(address.http, transports=transports, wait_timeout=WAIT_S, **options)
        try:
            yield client
        finally:
            await client.disconnect()


def heard(client: socketio.AsyncClient, event: str, namespace: str = "/") -> asyncio.Queue:
    """Collect what arrives at *event*."""
    arrived: asyncio.Queue = asyncio.Queue()
    client.on(event, arrived.put_nowait, namespace=namespace)
    return arrived


async def next_of(queue: asyncio.Queue):
    """Wait for the next thing that was heard."""
    return await asyncio.wait_for(queue.get(), WAIT_S)


async def get(address: Address, path: str) -> httpx.Response:
    """Make a request of the application's own."""
    async with httpx.AsyncClient() as http:
        return await http.get(f"{address.http}{path}")


@pytest.mark.parametrize("transport", ["websocket", "polling", None])
async def test_a_real_client_is_served(application: Address, transport: str | None):
    """Acknowledgements, rooms, binary and emits from requests, over each transport and through the upgrade."""
    async with connected(application, transport) as client:
        told, announced = heard(client, "told"), heard(client, "announcement")
        binary: asyncio.Queue = asyncio.Queue()
        client.on("binary back", lambda *args: binary.put_nowait(args))

        assert await client.call("add", (2, 3)) == 5
        assert await client.call("several", (1, "b")) == (1, "b")
        assert await client.call("join", "red") == 2
        await client.emit("tell", ("red", "hello"))
        assert await next_of(told) == "hello"
        assert await client.call("binary", b"\x01\x02") == b"\x01\x02"
        assert await next_of(binary) == (b"\x01\x02", {"part": b"\x01"})
        await get(application, "/announce/news")
        assert await next_of(announced) == {"text": "news"}
        assert await client.call("fail", "oh") == "an error"


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_the_server_asks_the_client(application: Address, transport: str):
    """``call()`` waits in a handler for what the client answers, and callbacks are called."""
    async with connected(application, transport) as client:
        answered = asyncio.Event()
        client.on("question", lambda question: f"{question}? yes")

        @client.on("with callback")
        def with_callback(question):
            answered.set()
            return question, transport

        assert await client.call("ask_back", "really") == "really? yes"
        await asyncio.wait_for(answered.wait(), WAIT_S)
        assert await client.call("add", 1) == 2  # a round trip after the acknowledgement
        assert ["called back", "really", transport] in (await get(application, "/heard")).json()


async def test_a_class_based_namespace_is_served(application: Address):
    """Beside the root namespace, on the same connection."""
    async with connected(application, "websocket", namespaces=["/", "/class"]) as client:
        sent = heard(client, "message", "/class")

        assert await client.call("say", "x", namespace="/class") == "ok"
        assert await next_of(sent) == "sent x"
        assert await client.call("add", 1) == 2


async def test_a_client_is_refused(application: Address):
    """The text and data of ``ConnectionRefusedError`` reach it."""
    errors: asyncio.Queue = asyncio.Queue()
    async with aiohttp.ClientSession() as http_session:
        client = socketio.AsyncClient(reconnection=False, http_session=http_session)
        client.on("connect_error", errors.put_nowait)

        with pytest.raises(socketio.exceptions.ConnectionError):
            await client.connect(
                application.http, transports=["websocket"], auth={"who": "stranger"}, wait_timeout=WAIT_S
            )

        assert await next_of(errors) == {"message": "not you", "data": {"code": 7}}


async def test_flask_and_the_socket_share_the_session(application: Address):
    """What a request wrote into the cookie is in the handlers' session."""
    async with httpx.AsyncClient() as http:
        cookie = (await http.get(f"{application.http}/login/ada")).headers["set-cookie"].partition(";")[0]

    async with connected(application, "websocket", headers={"Cookie": cookie}) as client:
        assert (await client.call("context"))["user"] == "ada"


async def test_the_application_runs_on_the_package_under_test(application: Address):
    """The library's ``import socketio`` gives it."""
    assert (await get(application, "/package")).text == OURS
