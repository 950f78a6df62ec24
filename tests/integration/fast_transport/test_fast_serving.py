"""The fast transport in the place of uvicorn's own: the same answers, log and end, over every kind of connection."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import ssl
from contextlib import asynccontextmanager

import pytest
import uvloop
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from websockets.asyncio.client import connect, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

import fastsio
from fastsio.integrations import uvicorn as transport
from tests.integration.clients import WebSocketClient, eventually, open_websocket, remains
from tests.integration.fast import QUERY, opened
from tests.support.brokers import make_certificates
from tests.support.garbage import newcomers
from tests.support.servers import FAST_WS, is_fast, serve, serve_on
from tests.support.waiting import WAIT_S


@pytest.mark.parametrize("ws", ["auto", FAST_WS])
async def test_the_lifespans_state_is_in_the_scope(make_server, ws):
    """What the lifespan leaves reaches handlers through the environ."""
    seen = []

    @asynccontextmanager
    async def lifespan(app):
        yield {"pool": "of connections"}

    sio = make_server()
    sio.on("connect", lambda _sid, environ: seen.append(environ["asgi.scope"]["state"]))
    app = FastAPI(lifespan=lifespan)
    app.mount("/ws", fastsio.ASGIApp(sio))
    async with serve(app, ws=ws, lifespan="on") as address, open_websocket(address, "/ws/socket.io/") as client:
        await client.join()

    assert seen == [{"pool": "of connections"}]


@pytest.mark.parametrize("is_inner", [False, True])
async def test_the_first_client_does_not_wait_for_what_a_start_can_do(sio, monkeypatch, is_inner):
    """picows was tested, and loaded objects were frozen, when the application has started, also beside another one."""
    steps = []
    monkeypatch.setattr(transport, "usable_framing", lambda: steps.append("framing") or True)
    monkeypatch.setattr(transport, "freeze_loaded_objects", lambda: steps.append("freeze"))

    @asynccontextmanager
    async def lifespan(app):
        steps.append("started")
        yield

    app = fastsio.ASGIApp(sio, FastAPI(lifespan=lifespan) if is_inner else None)
    async with serve(app, ws=FAST_WS, lifespan="on"):
        assert steps == [*["started"][: int(is_inner)], "framing", "freeze"]


async def test_a_foreign_origin_is_refused_with_the_same_answer(sio, caplog):
    """The origin check answers, and the access log says so, as on the ASGI way."""
    answers = []
    for ws in ("auto", FAST_WS):
        async with serve(fastsio.ASGIApp(sio), ws=ws, log_level="info", log_config=None) as address:
            with pytest.raises(InvalidStatus) as refused:
                await connect(f"{address.ws}/socket.io{QUERY}", origin="http://evil.example", proxy=None)
            response = refused.value.response
            dated = {name: value for name, value in response.headers.items() if name.lower() != "date"}
            answers.append((response.status_code, dated, response.body))

    assert answers[0] == answers[1]
    assert answers[0][0] == 400
    assert [line for line in access_log(caplog) if line.endswith(" 400")] == [
        "/socket.io/?EIO=4&transport=websocket 400"
    ] * 2


def access_log(caplog) -> list[str]:
    """Return what uvicorn logged of WebSockets: path and outcome."""
    lines = [record.getMessage() for record in caplog.records if record.name == "uvicorn.error"]
    return [line.partition("WebSocket ")[2].replace('"', "") for line in lines if ' - "WebSocket ' in line]


async def test_an_accepted_websocket_is_in_the_access_log(sio, caplog):
    """One line for each WebSocket, the same on both ways."""
    for ws in ("auto", FAST_WS):
        async with (
            serve(fastsio.ASGIApp(sio), ws=ws, log_level="info", log_config=None) as address,
            open_websocket(address, query="&name=%C3%A9"),
        ):
            pass

    assert access_log(caplog) == ["/socket.io/?EIO=4&transport=websocket&name=%C3%A9 [accepted]"] * 2


@pytest.mark.parametrize("ws", ["auto", FAST_WS])
async def test_a_server_that_stops_says_that_it_restarts(sio, journal, ws):
    """Clients read 1012, and the disconnect handlers run before the server is gone."""
    sio.on("disconnect", lambda _sid, reason: journal.note(reason))
    async with serve(fastsio.ASGIApp(sio), ws=ws) as address:
        websockets = [await connect(f"{address.ws}/socket.io{QUERY}", proxy=None) for _ in range(3)]
        for websocket in websockets:
            await WebSocketClient(websocket).receive()
            await WebSocketClient(websocket).join()

    for websocket in websockets:
        with pytest.raises(ConnectionClosed):
            await websocket.recv()
        assert websocket.close_code == 1012
    assert journal == ["transport close"] * 3
    assert not remains(sio)


async def test_a_handshake_that_is_under_way_when_the_server_stops_is_refused(sio):
    """Nobody is left waiting for an answer."""
    leave, entered = asyncio.Event(), asyncio.Event()

    async def connecting(_eio_sid, _environ):
        entered.set()
        await leave.wait()

    sio.eio.on("connect", connecting)
    async with serve(fastsio.ASGIApp(sio), ws=FAST_WS) as address:
        attempt = asyncio.create_task(connect(f"{address.ws}/socket.io{QUERY}", proxy=None).__aenter__())
        await asyncio.wait_for(entered.wait(), WAIT_S)
        asyncio.get_running_loop().call_later(0.2, leave.set)

    with pytest.raises(InvalidStatus) as refused:
        await attempt
    assert refused.value.response.status_code == 500


@pytest.mark.parametrize("policy", ["close", "drop"])
async def test_a_client_that_does_not_read_is_treated_by_the_policy(make_server, running, journal, policy):
    """What a slow client has not read is bounded; others get everything meanwhile."""
    sio = make_server(slow_client=policy, max_buffer_packets=5, slow_client_timeout=0.2, ping_interval=300)
    sio.on("disconnect", lambda _sid, reason: journal.note(reason))
    count = 70
    async with (
        running(sio, ws=FAST_WS) as address,
        connect(f"{address.ws}/socket.io{QUERY}", proxy=None, max_queue=1, close_timeout=1) as slow,
        open_websocket(address) as quick,
    ):
        await WebSocketClient(slow).receive()
        await WebSocketClient(slow).join()
        await quick.join()
        received = []
        for number in range(count):
            await sio.emit("news", [number, "x" * 250_000])
            received.append(await quick.receive())
        assert len(received) == count
        if policy == "close":
            await journal.until("transport error")
            assert len(sio.eio.sockets) == 1
        else:
            async with asyncio.timeout(WAIT_S):  # the system may take more as it likes, and the client is behind again
                while not (lagging := [one for one in sio.eio.sockets.values() if one.is_slow]):
                    await sio.emit("news", [count, "x" * 250_000])
                    await quick.receive()
            assert len(lagging) == 1
            assert lagging[0].buffered_count <= 5


async def test_a_busy_handler_holds_back_what_its_client_sends(make_server, running):
    """With one event at a time, what a client sends meanwhile stays in the network, in order, and all arrives."""
    sio = make_server(async_handlers=False)
    begun, leave, seen = asyncio.Event(), asyncio.Event(), []

    @sio.event
    async def wait(sid):
        begun.set()
        await leave.wait()

    sio.on("note", lambda _sid, number, _padding: seen.append(number))
    async with running(sio, ws=FAST_WS) as address, open_websocket(address) as client:
        await client.join()
        await client.send('42["wait"]')
        await asyncio.wait_for(begun.wait(), WAIT_S)
        padding = "x" * 10_000
        sending = asyncio.create_task(client.send(*[f'42["note",{n},"{padding}"]' for n in range(3000)]))
        done, _ = await asyncio.wait({sending}, timeout=0.5)
        assert not done
        assert seen == []
        leave.set()
        await asyncio.wait_for(sending, WAIT_S)
        await eventually(lambda: seen == list(range(3000)))


async def test_many_connections_close_cleanly(make_server, running):
    """Clients that leave in every way at once leave nothing behind."""
    sio = make_server()
    async with running(sio, ws=FAST_WS) as address:
        clients = []
        for _ in range(4):
            opening = [connect(f"{address.ws}/socket.io{QUERY}", proxy=None, compression=None) for _ in range(100)]
            clients += await asyncio.gather(*opening)
        await asyncio.gather(*[WebSocketClient(client).receive() for client in clients])
        assert len(sio.eio.sockets) == 400
        for client in clients[::3]:
            client.transport.abort()
        for client in clients[1::3]:
            await client.send("1")
        await asyncio.gather(*[client.close() for client in clients])
        await eventually(lambda: not remains(sio))


@pytest.mark.parametrize("http", ["httptools", "h11"])
async def test_nothing_is_kept_of_the_request_that_became_a_websocket(sio, running, http):
    """uvicorn's protocol for HTTP and its parser go at once, and do not wait for the garbage collector."""
    kept = newcomers(H11Protocol, HttpToolsProtocol)
    gc.collect()
    gc.disable()
    try:
        async with running(sio, ws=FAST_WS, http=http) as address, opened(address) as (client, websocket):
            await client.join()

            assert is_fast(websocket)
            assert not kept()
    finally:
        gc.enable()


@pytest.mark.parametrize("problem", ["missing", "misfit"])
async def test_without_a_picows_that_fits_the_asgi_way_is_taken(sio, running, caplog, monkeypatch, problem):
    """Everything works, and one warning says what is wrong and how to change it."""
    transport.usable_framing.cache_clear()
    if problem == "missing":
        monkeypatch.setattr(transport, "FRAMING", "fastsio.integrations.fast.no_such_module")
    else:
        monkeypatch.setattr("fastsio.integrations.fast.framing.REQUEST", b"GET / HTTP/1.1\r\nOdd: 1\r\n\r\n")
    async with running(sio, ws=FAST_WS, log_config=None) as address:
        for _ in range(2):
            async with opened(address) as (client, websocket):
                await client.join()

                assert not is_fast(websocket)
    transport.usable_framing.cache_clear()
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    expected = "pip install 'fastsio[fast]'" if problem == "missing" else "frames are read in another way"
    assert [line for line in warnings if "slower way" in line] == [line for line in warnings if expected in line]
    assert len([line for line in warnings if expected in line]) == 1


async def test_it_works_over_a_unix_socket(sio, tmp_path):
    """What picows does to TCP sockets is kept from others."""
    path = str(tmp_path / "server.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    async with (
        serve_on(listener, fastsio.ASGIApp(sio), ws=FAST_WS),
        unix_connect(path, f"ws://localhost/socket.io{QUERY}") as websocket,
    ):
        client = WebSocketClient(websocket)
        await client.receive()
        await client.join()

        assert await client.ask("echo", 1) == [1]
        assert is_fast(websocket)


async def test_it_works_over_tls(sio, tmp_path):
    """Encrypted connections are framed the same way."""
    make_certificates(tmp_path)
    trusted = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    keys = {"ssl_keyfile": str(tmp_path / "server.key"), "ssl_certfile": str(tmp_path / "server.pem")}
    async with (
        serve(fastsio.ASGIApp(sio), ws=FAST_WS, **keys) as address,
        connect(f"wss://{address.host}:{address.port}/socket.io{QUERY}", ssl=trusted, proxy=None) as websocket,
    ):
        client = WebSocketClient(websocket)
        await client.receive()
        await client.join()

        assert await client.ask("echo", "x" * 300_000) == ["x" * 300_000]
        assert is_fast(websocket)


def test_it_works_on_uvloop(make_server):
    """The other event loop, which reads into picows's own buffer, too."""

    async def talk() -> None:
        sio = make_server()
        sio.on("echo", lambda _sid, data: data)
        async with serve(fastsio.ASGIApp(sio), ws=FAST_WS) as address:
            async with opened(address) as (client, websocket):
                await client.join()
                assert await client.ask("echo", "x" * 300_000) == ["x" * 300_000]
                assert is_fast(websocket)
            async with opened(address) as (client, websocket):
                await client.send("4" + "x" * 2_000_000)
                await client.closed()
                assert websocket.close_code == 1009

    uvloop.run(talk())
