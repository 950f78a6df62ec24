"""Clients over each transport, with binary payloads and with msgpack."""

from __future__ import annotations

import asyncio

import pytest
import requests
import websockets

import fastsio
from fastsio.exceptions import ConnectionError, TimeoutError
from tests.integration.client_sides import QUICK, Heard, Side, Site, gated
from tests.support.servers import serve
from tests.support.waiting import WAIT_S

WAYS = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": None}
PAYLOADS = [
    None,
    "text \u2603",
    {"nested": [1, 2.5, None, True]},
    b"",
    b"\x00\xff",
    {"a": [b"1", {"b": b"2"}]},
    (1, b"two", "three"),
]


@pytest.mark.parametrize("way", WAYS)
async def test_payloads_come_back_as_they_went(side: Side, site, gate, way):
    """Over either transport, and across the upgrade."""
    client = await side.connected(gate.address, transports=WAYS[way])

    for payload in PAYLOADS:
        assert await side.run(client.call, "echo", payload) == payload
    assert client.transport() == ("polling" if way == "polling" else "websocket")


@pytest.mark.parametrize("way", WAYS)
async def test_the_server_asks_the_client(side: Side, site, gate, way):
    """What a handler returns is the acknowledgement, attachments included."""
    client = side.client()
    client.on("question", lambda *args: (args, b"answer"))
    await side.run(client.connect, gate.address.http, transports=WAYS[way], wait_timeout=WAIT_S)

    assert await side.run(client.call, "ask", (1, b"two")) == ([1, b"two"], b"answer")


@pytest.mark.parametrize("way", WAYS)
async def test_events_keep_their_order(side: Side, site, gate, way):
    """Attachments stay with their packets, whatever transport is in use meanwhile."""
    client = await side.connected(gate.address, transports=WAYS[way])

    for number in range(50):
        await side.run(client.emit, "note", number if number % 3 else b"%d" % number)

    await site.until("begins", 49)
    assert site.numbers("begins") == [number if number % 3 else b"%d" % number for number in range(50)]


@pytest.mark.parametrize("way", ["polling", "upgrade"])
async def test_connections_that_were_used_are_closed_at_the_end(site, gate, way):
    """Only a session that the application has given stays as it is."""
    given = requests.Session()
    for http_session in (None, given):
        client = fastsio.Client(http_session=http_session)
        await asyncio.to_thread(client.connect, gate.address.http, transports=WAYS[way], wait_timeout=WAIT_S)
        pools = client.eio.http.get_adapter("http://").poolmanager.pools
        assert len(pools) == 1

        await asyncio.to_thread(client.disconnect)

        assert len(pools) == (0 if http_session is None else 1)
    given.close()


@pytest.mark.parametrize("way", WAYS)
async def test_what_was_emitted_before_disconnect_arrives(side: Side, site, gate, way):
    """And the server is told that the client left."""
    left = Heard()
    site.sio.on("disconnect", lambda _sid, reason: left(reason))
    client = await side.connected(gate.address, transports=WAYS[way])

    for number in range(20):
        await side.run(client.emit, "note", number)
    await side.run(client.disconnect)

    assert await left.next() == ("client disconnect",)
    assert site.numbers("begins") == list(range(20))


async def test_a_call_that_times_out_leaves_nothing_behind(side: Side, site, gate):
    """The late answer is ignored and the next call works."""
    site.patience.clear()
    client = await side.connected(gate.address)

    with pytest.raises(TimeoutError, match="did not acknowledge the event in time"):
        await side.run(client.call, "note", 1, timeout=0.1)

    assert client.callbacks == {"/": {}}
    site.patience.set()
    assert await side.run(client.call, "note", 2) == 2


async def test_msgpack_carries_bytes_in_one_frame(side: Side):
    """serializer="msgpack" on both ends."""
    site = Site(serializer="msgpack")
    async with gated(site) as gate:
        client = await side.connected(gate.address, serializer="msgpack")

        for payload in PAYLOADS:
            assert await side.run(client.call, "echo", payload) == payload


async def test_a_refused_client_hears_why(side: Side):
    """connect_error gets what the server said."""
    sio = fastsio.AsyncServer(async_mode="asgi")
    why = Heard()

    @sio.event
    async def connect(sid, environ, auth):
        raise fastsio.exceptions.ConnectionRefusedError("no entry", {"code": 7})

    async with serve(fastsio.ASGIApp(sio)) as address:
        client = side.client()
        client.on("connect_error", why)
        with pytest.raises(ConnectionError, match="namespaces failed to connect: /"):
            await side.run(client.connect, address.http, wait_timeout=WAIT_S)

    assert await why.next() == ({"message": "no entry", "data": {"code": 7}},)


async def test_a_simple_client_talks(side: Side, site, gate):
    """emit, call and receive, and the end."""
    client = side.named("SimpleClient")(handle_sigint=False)
    await side.run(client.connect, gate.address.http, transports=["websocket"])

    await side.run(client.emit, "note", 1)
    assert await side.run(client.call, "echo", (b"1", 2)) == (b"1", 2)
    await site.sio.emit("news", (1, b"two"))
    assert await side.run(client.receive, timeout=WAIT_S) == ["news", 1, b"two"]

    await side.run(client.disconnect)
    with pytest.raises(fastsio.exceptions.DisconnectedError):
        await side.run(client.receive, timeout=WAIT_S)
    assert site.numbers("begins") == [1]


async def test_a_simple_client_waits_for_the_reconnection(side: Side, site, gate):
    """What is asked while it is away is answered when it is back."""
    client = side.named("SimpleClient")(handle_sigint=False, reconnection_delay=0.02, randomization_factor=0)
    await side.run(client.connect, gate.address.http, transports=["websocket"])
    await gate.shut()
    async with asyncio.timeout(WAIT_S):
        while client.sid is not None:  # noqa: ASYNC110 - what happens in threads sets no event
            await asyncio.sleep(0.01)
    asking = side.begin(client.call, "note", 1, timeout=WAIT_S)
    await gate.open()

    assert await asking == 1
    await side.run(client.disconnect)


@pytest.mark.parametrize("way", ["polling", "websocket"])
async def test_a_message_of_five_megabytes_arrives(side: Side, site, gate, way):
    """Text and attachments, over either transport, with the defaults."""
    # websocket-client, of the client for threads, takes seconds to check that text is UTF-8.
    payloads = ["x" * 5_000_000, b"x" * 5_000_000] if side.asynchronous or way == "polling" else [b"x" * 5_000_000]
    news = Heard()
    client = side.client()
    client.on("news", news)
    await side.run(client.connect, gate.address.http, transports=WAYS[way], wait_timeout=WAIT_S)

    for payload in payloads:
        await site.sio.emit("news", payload, to=client.get_sid())
        assert await news.next() == (payload,)


@pytest.mark.parametrize("way", WAYS)
async def test_a_connect_handler_may_disconnect(side: Side, site, gate, way):
    """connect() returns without an error, and the client, which is not connected, can connect again."""
    left = Heard()
    site.sio.on("disconnect", lambda _sid, reason: left(reason))
    client = side.client()
    if side.asynchronous:

        async def connect():
            await client.emit("note", 1)
            await client.disconnect()
    else:

        def connect():
            client.emit("note", 1)
            client.disconnect()

    client.on("connect", connect)
    for _ in range(2):
        await side.run(client.connect, gate.address.http, transports=WAYS[way], wait_timeout=WAIT_S)

        assert (client.connected, client.namespaces) == (False, {})
        assert await left.next() == ("client disconnect",)
    assert site.numbers("begins") == [1, 1]


async def test_a_refused_client_that_disconnects_hears_of_the_refusal(side: Side):
    """A connect_error handler that calls disconnect() does not hide the error of connect()."""
    sio = fastsio.AsyncServer(async_mode="asgi", namespaces=["/chat"])
    async with serve(fastsio.ASGIApp(sio)) as address:
        client = side.client()
        if side.asynchronous:

            async def connect_error(data):
                await client.disconnect()
        else:

            def connect_error(data):
                client.disconnect()

        client.on("connect_error", connect_error)

        with pytest.raises(ConnectionError, match="namespaces failed to connect: /"):
            await side.run(client.connect, address.http, wait_timeout=WAIT_S)


async def test_a_number_that_json_does_not_have_costs_one_value(side: Side, site, gate):
    """What a foreign server writes as NaN is None; the connection lives on."""
    news = Heard()
    client = side.client()
    client.on("news", news)
    await side.run(client.connect, gate.address.http, transports=["websocket"], wait_timeout=WAIT_S)

    foreign = type("Foreign", (), {"encode": lambda self: '2["news",{"rate":NaN,"name":"x"}]'})()
    (eio_sid,) = site.sio.eio.sockets
    await site.sio._send_packet(eio_sid, foreign)

    assert await news.next() == ({"rate": None, "name": "x"},)
    assert await side.run(client.call, "echo", 1) == 1


async def test_headers_of_the_websocket_are_sent_with_every_connection(side: Side, site, gate):
    """A client that comes back says again what it said the first time."""
    seen = Heard()
    site.sio.on("connect", lambda _sid, environ: seen(environ.get("HTTP_X_TENANT")))
    name = "headers" if side.asynchronous else "header"
    client = side.client(**QUICK, websocket_extra_options={name: {"X-Tenant": "acme"}})
    await side.run(client.connect, gate.address.http, transports=["websocket"], wait_timeout=WAIT_S)
    assert await seen.next() == ("acme",)

    gate.cut()

    assert await seen.next() == ("acme",)


async def test_leaving_is_announced(side: Side):
    """C-54: what was emitted, DISCONNECT of every namespace and CLOSE are written before the WebSocket is closed."""
    frames: list[str] = []

    async def answer(socket):
        await socket.send('0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}')
        async for frame in socket:
            frames.append(frame)
            if frame.startswith("40"):
                namespace = "/a," if frame.startswith("40/a,") else ""
                await socket.send(f'40{namespace}{{"sid":"s"}}')

    async with websockets.serve(answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        client = side.client()
        await side.run(client.connect, url, namespaces=["/", "/a"], transports=["websocket"], wait_timeout=WAIT_S)
        await side.run(client.emit, "last", 1)
        await side.run(client.disconnect)

    assert frames[2:] == ['42["last",1]', "41", "41/a,", "1"]


@pytest.mark.parametrize("way", ["polling", "websocket"])
async def test_a_text_that_cannot_be_encoded_ends_the_connection(side: Side, way):
    """The application learns of it: a client that could not write any more would seem to be connected."""
    async with gated(Site(ping_interval=0.1)) as gate:
        left = Heard()
        client = side.client(reconnection=False)
        client.on("disconnect", left)
        await side.run(client.connect, gate.address.http, transports=WAYS[way], wait_timeout=WAIT_S)

        await side.run(client.eio.send, "\ud800")

        assert await left.next() == ("transport error",)
