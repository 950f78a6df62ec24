"""The lifespan of ASGIApp: its hooks, or that of the application inside."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI

import fastsio
from fastsio.aio.engine import EngineServer
from fastsio.testing import TestClient
from tests.integration.clients import http_client, open_websocket
from tests.integration.memory_bus import MemoryBus, MemoryManager
from tests.support.servers import serve
from tests.support.waiting import WAIT_S


@pytest.mark.parametrize("coroutine", [True, False], ids=["coroutine", "function"])
async def test_the_hooks_run(make_server, journal, coroutine):
    """on_startup and on_shutdown run once each, functions and coroutine functions."""

    async def up():
        journal.note("up")

    async def down():
        journal.note("down")

    hooks = (up, down) if coroutine else (lambda: journal.note("up"), lambda: journal.note("down"))
    app = fastsio.ASGIApp(make_server(), on_startup=hooks[0], on_shutdown=hooks[1])
    async with serve(app, lifespan="on"):
        assert journal == ["up"]

    assert journal == ["up", "down"]


async def test_a_task_that_a_hook_returns_is_not_waited_for(make_server, journal):
    """A function may start what runs as long as the server, and happen to return it."""
    sio = make_server()

    async def ticker():
        await asyncio.Event().wait()

    def start():
        journal.note("up")
        return sio.start_background_task(ticker)

    def stop():
        journal.note("down")
        return asyncio.get_running_loop().create_task(ticker())

    app = fastsio.ASGIApp(sio, on_startup=start, on_shutdown=stop)
    inbox: asyncio.Queue = asyncio.Queue()
    sent: list[str] = []

    async def send(message):
        sent.append(message["type"])

    for phase in ("startup", "shutdown"):
        inbox.put_nowait({"type": f"lifespan.{phase}"})
    await asyncio.wait_for(app({"type": "lifespan"}, inbox.get, send), WAIT_S)
    await sio.shutdown()

    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_one_hook_is_enough(make_server, journal):
    """Either hook may be missing."""
    async with serve(fastsio.ASGIApp(make_server(), on_startup=lambda: journal.note("up")), lifespan="on"):
        pass
    async with serve(fastsio.ASGIApp(make_server(), on_shutdown=lambda: journal.note("down")), lifespan="on"):
        pass
    async with serve(fastsio.ASGIApp(make_server()), lifespan="on"):
        pass

    assert journal == ["up", "down"]


async def test_the_inner_application_has_its_lifespan(make_server, journal):
    """Without hooks the lifespan is FastAPI's, and its state reaches its routes."""

    @asynccontextmanager
    async def lifespan(app):
        journal.note("up")
        yield {"value": 5}
        journal.note("down")

    inner = FastAPI(lifespan=lifespan)

    @inner.get("/")
    async def index():
        return list(journal)

    async with (
        serve(fastsio.ASGIApp(make_server(), inner), lifespan="on") as address,
        http_client() as http,
        open_websocket(address) as client,
    ):
        assert (await http.get(f"{address.http}/")).json() == ["up"]
        await client.join()

    assert journal == ["up", "down"]


async def drive(app, *events):
    """Send lifespan events to an application; return what it answered."""
    waiting = list(events)
    sent = []

    async def receive():
        return {"type": waiting.pop(0)}

    async def send(message):
        sent.append(message)

    await app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
    return sent


async def test_failures_name_themselves(make_server):
    """The failed messages of both phases carry the error's text."""

    async def fail():
        raise RuntimeError("no database")

    started = await drive(fastsio.ASGIApp(make_server(), on_startup=fail), "lifespan.startup")
    assert started == [{"type": "lifespan.startup.failed", "message": "RuntimeError: no database"}]

    stopped = await drive(fastsio.ASGIApp(make_server(), on_shutdown=fail), "lifespan.startup", "lifespan.shutdown")
    assert stopped == [
        {"type": "lifespan.startup.complete"},
        {"type": "lifespan.shutdown.failed", "message": "RuntimeError: no database"},
    ]


async def test_shutdown_in_the_hook_ends_everybody(make_server, journal):
    """Issue D: sio.shutdown as on_shutdown works although the server closed the connections before."""
    sio = make_server()
    sio.on("disconnect", lambda _sid, reason: journal.note(reason))
    app = fastsio.ASGIApp(sio, on_shutdown=sio.shutdown)
    async with serve(app, lifespan="on") as address, open_websocket(address) as client:
        await client.join()

    assert len(journal) == 1
    assert not sio.environ


@pytest.mark.parametrize("around", [False, True])
async def test_the_lifespan_shuts_the_server_down_before_the_application(make_server, journal, around):
    """Disconnect handlers may still use what the application closes; clients that come later are refused."""
    sio = make_server()

    @sio.event
    async def disconnect(sid, reason):
        journal.note(reason)

    @asynccontextmanager
    async def lifespan(_app):
        yield
        journal.note("down")

    if around:
        app = fastsio.ASGIApp(sio, FastAPI(lifespan=lifespan))
    else:
        app = fastsio.ASGIApp(sio, on_shutdown=lambda: journal.note("down"))
    async with TestClient(app) as client:
        await client.connect()
        waiting = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

        async def receive():
            return waiting.pop(0)

        async def send(message):
            pass

        await app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)

    assert journal == ["server shutting down", "down"]
    assert not sio.is_ready


@pytest.mark.parametrize("has_bus", [False, True])
async def test_an_application_may_start_more_than_once(make_server, has_bus):
    """As one that several tests start: clients come in again, and a manager listens again."""
    bus = MemoryBus()
    sio = make_server(client_manager=MemoryManager(bus) if has_bus else None)
    sio.on("echo", lambda _sid, data: data)
    app = fastsio.ASGIApp(sio)
    for number in (1, 2):
        async with serve(app, lifespan="on") as address, open_websocket(address) as client:
            await client.join()
            assert await client.ask("echo", 5) == [5]
            assert sio.is_ready
            assert bus.entered == (number if has_bus else 0)
        assert not sio.is_ready


async def test_an_engine_io_server_by_itself_has_a_lifespan_too():
    """It has no clients of Socket.IO that would be let go, nor handlers to check."""
    app = fastsio.ASGIApp(EngineServer(async_mode="asgi"))

    sent = await drive(app, "lifespan.startup", "lifespan.shutdown")

    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def unready(sio):
    """Register a handler whose annotation names nothing, which check_handlers() refuses."""

    async def handler(sid: fastsio.SocketID, data: NothingIsCalledSo):  # noqa: F821 - the mistake under test
        raise AssertionError

    sio.on("news", handler)


async def test_a_start_that_is_refused_shuts_the_inner_application_down(make_server, journal):
    """What the application inside has opened is closed before the ASGI server hears that the start failed."""
    sio = make_server()
    unready(sio)

    @asynccontextmanager
    async def lifespan(app):
        journal.note("up")
        yield
        journal.note("down")

    sent = await drive(fastsio.ASGIApp(sio, FastAPI(lifespan=lifespan)), "lifespan.startup")

    assert journal == ["up", "down"]
    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    assert "NothingIsCalledSo" in sent[0]["message"]


async def test_a_start_that_is_refused_calls_the_shutdown_hook(make_server, journal):
    """What on_startup has opened is closed by on_shutdown when the handlers are not ready."""
    sio = make_server()
    unready(sio)
    app = fastsio.ASGIApp(sio, on_startup=lambda: journal.note("up"), on_shutdown=lambda: journal.note("down"))

    sent = await drive(app, "lifespan.startup")

    assert journal == ["up", "down"]
    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    assert "NothingIsCalledSo" in sent[0]["message"]


@pytest.mark.parametrize("inside", ["hook", "raises", "answers"])
async def test_what_fails_after_a_refused_start_hides_nothing(make_server, caplog, inside):
    """The ASGI server is told why the start was refused; the log says what failed while it was undone."""
    sio = make_server()
    unready(sio)

    @asynccontextmanager
    async def lifespan(app):
        yield
        raise RuntimeError("the pool does not close")

    def fail():
        raise RuntimeError("the pool does not close")

    async def answer(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.complete"})
        assert await receive() == {"type": "lifespan.shutdown"}
        await send({"type": "lifespan.shutdown.failed", "message": "the pool does not close"})

    apps = {
        "hook": lambda: fastsio.ASGIApp(sio, on_shutdown=fail),
        "raises": lambda: fastsio.ASGIApp(sio, FastAPI(lifespan=lifespan)),
        "answers": lambda: fastsio.ASGIApp(sio, answer),
    }

    sent = await drive(apps[inside](), "lifespan.startup")

    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    assert "NothingIsCalledSo" in sent[0]["message"]
    assert "the pool does not close" in caplog.text


async def test_an_inner_application_that_fails_to_start_is_not_shut_down(make_server, journal):
    """An application that has not started tells why itself, and has nothing to undo."""

    @asynccontextmanager
    async def lifespan(app):
        journal.note("up")
        raise RuntimeError("no database")
        yield

    received = []

    async def inner(scope, receive, send):
        async def noted():
            received.append(await receive())
            return received[-1]

        await api(scope, noted, send)

    api = FastAPI(lifespan=lifespan)
    sio = make_server()
    unready(sio)
    app = fastsio.ASGIApp(sio, inner)
    sent: list = []

    async def receive():
        return {"type": "lifespan.startup"}

    async def send(message):
        sent.append(message)

    with pytest.raises(RuntimeError, match="no database"):
        await app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)

    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    assert received == [{"type": "lifespan.startup"}]
    assert journal == ["up"]
