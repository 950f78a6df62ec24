"""What is Sanic's own: its limits and proxy settings, several servers in one application, shutdown."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from sanic import text
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode

import fastsio
from tests.integration.clients import OPENERS, eventually, http_client, open_polling, open_websocket
from tests.support.frameworks import make_sanic, sanic_server
from tests.support.servers import Address, serve
from tests.support.waiting import WAIT_S

ROOT = Path(__file__).parents[3]
#: A client that connects again after a close packet.
BROWSER = {"User-Agent": "Mozilla/5.0"}


def application(journal, **options) -> fastsio.AsyncServer:
    """Return a server that notes how clients come and leave."""
    sio = fastsio.AsyncServer(**options)
    sio.on("size", lambda _sid, text: len(text))
    sio.on("disconnect", lambda _sid, reason: journal.note(reason))
    return sio


async def test_two_servers_live_beside_routes():
    """Each has its path; attach() takes Sanic's application for what it is, whatever engineio found installed."""
    app = make_sanic()
    app.add_route(lambda _request: text("hello"), "/", name="index")
    paths = {}
    for name in ("one", "two"):
        sio = fastsio.AsyncServer()
        sio.on("who", lambda _sid, name=name: name)
        sio.attach(app, socketio_path=f"/live/{name}")
        paths[f"/live/{name}/"] = name
        assert sio.async_mode == "sanic"

    async with sanic_server(app) as address:
        for opener in OPENERS.values():
            for path, name in paths.items():
                async with opener(address, path) as client:
                    await client.join()
                    assert await client.ask("who") == [name]
        async with http_client() as http:
            assert (await http.get(address.http)).text == "hello"


async def test_the_limit_of_a_message_may_be_raised(journal):
    """Sanic's own limits of bodies and messages do not apply to Socket.IO."""
    sio = application(journal, max_http_buffer_size=3_000_000)
    app = make_sanic()
    app.config.REQUEST_MAX_SIZE = 1000
    app.config.WEBSOCKET_MAX_SIZE = 1000
    sio.attach(app)
    async with sanic_server(app) as address:
        for opener in OPENERS.values():
            async with opener(address) as client:
                await client.join()
                assert await client.ask("size", "x" * 2_000_000) == [2_000_000]


@pytest.mark.parametrize("transport", OPENERS)
async def test_proxies_are_believed_as_sanic_is_told(journal, transport):
    """The environ has the address and the scheme of Sanic's request, which is in it too."""
    sio = application(journal)

    @sio.event
    async def connect(sid, environ):
        journal.note(environ["sanic.request"].app.name)
        journal.note([environ[key] for key in ("REMOTE_ADDR", "REMOTE_PORT", "wsgi.url_scheme", "SERVER_SOFTWARE")])

    app = make_sanic()
    app.config.PROXIES_COUNT = 1
    sio.attach(app)
    headers = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
    async with sanic_server(app) as address, OPENERS[transport](address, headers=headers) as client:
        await client.join()

    assert journal[:2] == [app.name, ["203.0.113.7", "0", "https", "sanic"]]


async def test_the_application_ends_the_server_with_itself(journal):
    """Stopping ends all connections, over either transport, and tells nobody to stay away."""
    sio = application(journal)
    app = make_sanic()
    sio.attach(app)
    async with AsyncExitStack() as clients:
        async with sanic_server(app) as address:
            websocket, polling = [
                await clients.enter_async_context(open_(address, headers=BROWSER)) for open_ in OPENERS.values()
            ]
            await websocket.join()
            await polling.join()
            polled = asyncio.create_task(polling.closed())
            await eventually(lambda: sio.eio.sockets[polling.eio_sid].poll_waiter)

        assert journal == ["server shutting down"] * 2
        await polled
        await websocket.closed()


async def test_all_that_a_client_sent_before_it_left_is_handled(journal):
    """Its last packet says why it leaves, also when everything arrives at once with the end of the connection."""
    sio = application(journal)
    sio.on("last", lambda _sid, number: journal.note(number))
    app = make_sanic()
    sio.attach(app)
    texts = [*(f'42["last",{number}]' for number in range(20)), "41"]
    frames = [Frame(Opcode.TEXT, text.encode()).serialize(mask=True) for text in texts]
    async with sanic_server(app) as address:
        client = await connect(f"{address.ws}/socket.io/?EIO=4&transport=websocket", ping_interval=None)
        await client.recv()
        await client.send("40")
        await client.recv()
        client.transport.write(b"".join(frames))
        client.transport.close()
        await eventually(lambda: len(journal) >= 21)
        await client.wait_closed()

    assert sorted(journal[:20]) == list(range(20))
    assert journal[20] == "client disconnect"


async def test_a_body_that_cannot_be_decoded_ends_the_session(journal):
    """A broken chunk is the client's fault: its disconnect handler runs."""
    sio = application(journal)
    app = make_sanic()
    sio.attach(app)
    async with sanic_server(app) as address, open_polling(address) as client:
        await client.join()
        reader, writer = await asyncio.open_connection(address.host, address.port)
        target = client.url.removeprefix(address.http)
        writer.write(f"POST {target} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n".encode())

        assert await reader.readline() == b"HTTP/1.1 400 Bad Request\r\n"
        await journal.until("transport error")

        writer.close()
        await writer.wait_closed()


async def test_under_an_asgi_server_attach_is_refused(caplog):
    """Sanic's WebSockets can be used under its own server only; the log says what to do."""
    app = make_sanic()
    fastsio.AsyncServer(namespaces=["/"]).attach(app)
    async with serve(app) as address:
        with pytest.raises(InvalidStatus):
            await connect(f"{address.ws}/socket.io/?EIO=4&transport=websocket", proxy=None)

    assert "under an ASGI server use ASGIApp(server, app)" in caplog.text


async def test_under_an_asgi_server_asgiapp_serves_both():
    """The way round: Socket.IO outside, Sanic inside."""
    app = make_sanic()
    app.add_route(lambda _request: text("hello"), "/", name="index")
    async with serve(fastsio.ASGIApp(fastsio.AsyncServer(namespaces=["/"]), app)) as address:
        async with open_websocket(address) as client:
            await client.join()
        async with http_client() as http:
            assert (await http.get(address.http)).text == "hello"


PROGRAM = """
import socket
import fastsio
from sanic import Sanic

app = Sanic("alone", configure_logging=False)
sio = fastsio.AsyncServer(namespaces=["/"])
sio.attach(app)


@sio.event
async def disconnect(sid, reason):
    print(reason, flush=True)


opened = socket.socket()
opened.bind(("127.0.0.1", 0))
opened.listen()
print(opened.getsockname()[1], flush=True)
if __name__ == "__main__":
    app.run(sock=opened, single_process=True, motd=False)
"""


async def test_a_single_process_stops_with_its_clients(tmp_path):
    """As Sanic is run in production: SIGTERM ends the connections, and the process ends well."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(program),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
    )
    try:
        async with asyncio.timeout(WAIT_S):
            address = Address("127.0.0.1", int(await process.stdout.readline()))
            async with open_websocket(address) as client:
                await client.join()
                process.send_signal(signal.SIGTERM)
                await client.closed()
            assert await process.stdout.read() == b"server shutting down\n"
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
