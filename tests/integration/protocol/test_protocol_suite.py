"""
The Socket.IO half of the official v5 test suite: its sixteen cases, each over both transports.

Source: socket.io-protocol, "test-suite" of the protocol's fifth revision, written anew for raw clients; the server is the
one that document asks for.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

import fastsio
from tests.integration.clients import OPENERS, Closed, eventually, remains
from tests.support.frameworks import aiohttp_server
from tests.support.wsgi_servers import serve_werkzeug

pytestmark = pytest.mark.parametrize("transport", ["websocket", "polling"])


@pytest.fixture(params=["aio", "aiohttp", "sync"])
def kind(request) -> str:
    """Which server: under uvicorn, in an application of aiohttp, in threads."""
    return request.param


@pytest.fixture
def make_server(kind, make_server):
    """Make a server of a kind."""
    if kind == "aio":
        return make_server
    if kind == "aiohttp":
        return lambda **options: fastsio.AsyncServer(async_mode="aiohttp", **options)
    return lambda **options: fastsio.Server(async_mode="threading", **options)


@pytest.fixture
def running(kind, running):
    """Serve a Socket.IO server for the length of a block."""

    @asynccontextmanager
    async def run(sio):
        with serve_werkzeug(fastsio.WSGIApp(sio)) as address:
            yield address
            await asyncio.to_thread(sio.shutdown)

    @asynccontextmanager
    async def run_aiohttp(sio):
        app = web.Application()
        sio.attach(app)
        async with aiohttp_server(app) as address:
            yield address

    return {"aio": running, "aiohttp": run_aiohttp, "sync": run}[kind]


@pytest.fixture
def suite(kind, make_server):
    """The server of the test suite: "/" greets with the auth and echoes, "/custom" greets."""
    sio = make_server(ping_interval=0.3, ping_timeout=20)
    (serve_suite_in_threads if kind == "sync" else serve_suite)(sio)
    return sio


def serve_suite(sio) -> None:
    """Register coroutine functions."""

    @sio.on("connect")
    async def connect_main(sid, environ, auth):
        await sio.emit("auth", {} if auth is None else auth, to=sid)

    @sio.on("connect", namespace="/custom")
    async def connect_custom(sid, environ, auth):
        await sio.emit("auth", {} if auth is None else auth, to=sid, namespace="/custom")

    @sio.on("message")
    async def message(sid, *args):
        await sio.emit("message-back", args, to=sid)

    @sio.on("message-with-ack")
    async def message_with_ack(sid, *args):
        return args


def serve_suite_in_threads(sio) -> None:
    """Register functions."""

    @sio.on("connect")
    def connect_main(sid, environ, auth):
        sio.emit("auth", {} if auth is None else auth, to=sid)

    @sio.on("connect", namespace="/custom")
    def connect_custom(sid, environ, auth):
        sio.emit("auth", {} if auth is None else auth, to=sid, namespace="/custom")

    @sio.on("message")
    def message(sid, *args):
        sio.emit("message-back", args, to=sid)

    @sio.on("message-with-ack")
    def message_with_ack(sid, *args):
        return args


@pytest.fixture
async def client(suite, running, transport):
    """A raw client that has said nothing yet."""
    async with running(suite) as address, OPENERS[transport](address) as opened:
        yield opened


async def greeted(client) -> None:
    """Join "/" and read the greeting."""
    await client.join()
    assert await client.receive() == '42["auth",{}]'


async def test_connect_to_the_main_namespace(client):
    """Case connect 1: should allow connection to the main namespace."""
    await client.send("40")
    answer = json.loads((await client.receive()).removeprefix("40"))

    assert list(answer) == ["sid"]
    assert isinstance(answer["sid"], str)
    assert await client.receive() == '42["auth",{}]'


async def test_connect_with_a_payload(client):
    """Case connect 2: should allow connection to the main namespace with a payload."""
    await client.send('40{"token":"123"}')

    assert (await client.receive()).startswith('40{"sid":"')
    assert await client.receive() == '42["auth",{"token":"123"}]'


async def test_connect_to_a_custom_namespace(client):
    """Case connect 3: should allow connection to a custom namespace."""
    await client.send("40/custom,")

    assert (await client.receive()).startswith('40/custom,{"sid":"')
    assert await client.receive() == '42/custom,["auth",{}]'


async def test_connect_to_a_custom_namespace_with_a_payload(client):
    """Case connect 4: should allow connection to a custom namespace with a payload."""
    await client.send('40/custom,{"token":"abc"}')

    assert (await client.receive()).startswith('40/custom,{"sid":"')
    assert await client.receive() == '42/custom,["auth",{"token":"abc"}]'


async def test_connect_to_an_unknown_namespace(client):
    """Case connect 5: should disallow connection to an unknown namespace."""
    await client.send("40/random")

    assert await client.receive() == '44/random,{"message":"Invalid namespace"}'


async def test_connect_with_an_invalid_payload(client):
    """Case connect 6: should disallow connection with an invalid handshake."""
    await client.send("4abc")

    await client.closed()


async def test_a_connection_without_a_handshake_is_closed(make_server, running, transport):
    """Case connect 7: should close the connection if no handshake is received."""
    sio = make_server(connect_timeout=0.1)
    async with running(sio) as address, OPENERS[transport](address) as silent:
        await silent.closed()

        await eventually(lambda: not remains(sio))


async def test_disconnect_from_the_main_namespace(client):
    """Case disconnect 1: should disconnect from the main namespace; events are not answered afterwards."""
    await greeted(client)
    await client.send("41", '42["message","message to main namespace"]')

    await greeted(client)


async def test_leaving_one_namespace_keeps_the_others(client):
    """Case disconnect 2: should connect then disconnect from a custom namespace, and "/" goes on."""
    await greeted(client)
    await client.join("/custom")
    assert await client.receive() == '42/custom,["auth",{}]'
    await client.send("41/custom", '42["message","message to main namespace"]')

    assert await client.receive() == '42["message-back","message to main namespace"]'


@pytest.mark.parametrize("goodbye", [[], ["41/custom"]], ids=["connect-connect", "connect-disconnect-connect"])
async def test_a_namespace_is_connected_anew_at_once(client, goodbye):
    """A client that connects, disconnects and connects in one go is in the namespace, and the others live on."""
    await greeted(client)
    await client.send("40/custom", *goodbye, "40/custom")
    await client.send('42["message","still here"]')
    frames = []
    while (frame := await client.receive()) != '42["message-back","still here"]':
        frames.append(frame)
    while frames[-1:] != ['42/custom,["auth",{}]']:
        frames.append(await client.receive())

    assert {frame[:11] for frame in frames} == {"40/custom,{", "42/custom,["}


async def test_the_server_ends_a_namespace(client, suite):
    """Case disconnect 3: should receive a disconnect packet when the server ends the namespace."""
    await greeted(client)
    sid = next(iter(suite.manager.rooms["/"][None]))
    ending = await asyncio.to_thread(suite.disconnect, sid)
    if inspect.isawaitable(ending):
        await ending

    assert await client.receive() == "41"


async def test_a_lost_connection_ends_every_namespace(client, suite):
    """Case disconnect 4: should leave all namespaces when the connection is closed."""
    await greeted(client)
    await client.join("/custom")
    await client.close()

    await eventually(lambda: not remains(suite))


async def test_a_plain_text_packet(client):
    """Case message 1: should send a plain-text packet."""
    await greeted(client)
    await client.send('42["message",1,"2",{"3":[true]}]')

    assert await client.receive() == '42["message-back",1,"2",{"3":[true]}]'


async def test_a_packet_with_binary_attachments(client):
    """Case message 2: should send a packet with binary attachments."""
    await greeted(client)
    await client.send(
        '452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', b"\x01\x02\x03", b"\x04\x05\x06"
    )

    answer = [await client.receive() for _ in range(3)]
    assert answer == [
        '452-["message-back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]',
        b"\x01\x02\x03",
        b"\x04\x05\x06",
    ]


async def test_a_plain_text_packet_with_an_ack(client):
    """Case message 3: should send a plain-text packet with an ack."""
    await greeted(client)
    await client.send('42456["message-with-ack",1,"2",{"3":[false]}]')

    assert await client.receive() == '43456[1,"2",{"3":[false]}]'


async def test_a_packet_with_binary_attachments_and_an_ack(client):
    """Case message 4: should send a packet with binary attachments and an ack."""
    await greeted(client)
    await client.send(
        '452-789["message-with-ack",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]',
        b"\x01\x02\x03",
        b"\x04\x05\x06",
    )

    answer = [await client.receive() for _ in range(3)]
    assert answer == [
        '462-789[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]',
        b"\x01\x02\x03",
        b"\x04\x05\x06",
    ]


async def test_invalid_packets_close_the_connection(suite, running, transport):
    """Case message 5: should close the connection upon invalid format (unknown type, id, payload, name, binary)."""
    invalid = ["4abc", '42abc["message-with-ack",1]', "42{}", "42[]", "42[{}]", "42", '451-["message"]x', '4500-["m"]']
    alive = []
    async with running(suite) as address:
        for frame in invalid:
            async with OPENERS[transport](address) as one:
                await greeted(one)
                await one.send(frame, b"\x01")
                try:
                    alive.append((frame, await one.receive()))
                except Closed:
                    continue

        assert alive == []
