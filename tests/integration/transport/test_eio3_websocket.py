"""
Engine.IO 3 on the wire of the asyncio server: websocket, upgrade and heartbeat.

WebSockets are opened both by calling the engine as an ASGI server does, and over the network to the fast transport.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from fastsio.engine.packet import MessagePacket
from tests.integration.eio3_clients import Dialer, open_polling
from tests.shells.engine.wire import Application, WebSocketClient, connect_websocket, settle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
def app() -> Application:
    """A server that allows Engine.IO 3."""
    return Application(allow_eio3=True)


@pytest.fixture(params=["asgi", "fast"])
async def dialer(request) -> AsyncIterator[Dialer]:
    """Each way to a WebSocket."""
    async with Dialer(is_fast=request.param == "fast") as opened:
        yield opened


@pytest.fixture
async def direct() -> AsyncIterator[Dialer]:
    """The way that goes through no network."""
    async with Dialer(is_fast=False) as opened:
        yield opened


async def test_binary_frames_start_with_their_type(app, dialer):
    """Messages go both ways as text and as binary."""
    client, sid = await dialer.open(app)

    client.say("4ü")
    client.say(b"\x04\x01\x02")
    received = [await app.message(), await app.message()]
    app.post(sid, "ü", b"\x01\x02", b"")

    assert received == ["ü", b"\x01\x02"]
    assert [await client.frame() for _ in range(3)] == ["4ü", b"\x04\x01\x02", b"\x04"]


async def test_a_client_without_binary_frames_gets_base64(app, dialer):
    """Its handshake says b64, and it may send base64 too, as any client may."""
    client, sid = await dialer.open(app, "&b64=1")

    client.say("b4AQI=")
    app.post(sid, "hi", b"\x01\x02")

    assert await app.message() == b"\x01\x02"
    assert [await client.frame(), await client.frame()] == ["4hi", "b4AQI="]


async def test_a_broadcast_of_binary_is_written_as_base64_once(app, direct):
    """Clients that read no binary share the text."""
    clients = [await direct.open(app, "&b64=1") for _ in range(3)]
    packet = MessagePacket(b"\x01\x02")

    for _, sid in clients:
        app.engine.post(sid, [packet])

    frames = [await client.frame() for client, _ in clients]
    assert frames[0] == "b4AQI="
    assert all(frame is frames[0] for frame in frames)


@pytest.mark.parametrize("frame", ["", "9", "3", "b", "b2AQI=", "b4AQ", b"", b"\x02hi", b"\x00"])
async def test_a_malformed_frame_closes_that_session(app, dialer, frame):
    """The websocket is closed, disconnect runs, and another session is not disturbed."""
    client, _ = await dialer.open(app)
    other, other_sid = await dialer.open(app)

    client.say(frame)

    assert await app.reason() == "transport error"
    await client.closed()
    app.post(other_sid, "hi")
    assert await other.frame() == "4hi"


@pytest.mark.parametrize("frame", ["4" + "x" * 10, "4" + "ü" * 5, "b4" + "AAAA" * 3, b"\x04" + b"x" * 10])
async def test_a_frame_over_the_limit_closes_the_session(dialer, frame):
    """Text, base64 and binary have the same limit."""
    app = Application(allow_eio3=True, max_http_buffer_size=10)
    client, _ = await dialer.open(app)

    client.say(frame)

    assert await app.reason() == "transport error"
    await client.closed()


@pytest.mark.parametrize("frame", ["4" + "x" * 9, "4" + "ü" * 4, b"\x04" + b"x" * 9])
async def test_a_frame_at_the_limit_is_a_message(dialer, frame):
    """One byte less is taken."""
    app = Application(allow_eio3=True, max_http_buffer_size=10)
    client, _ = await dialer.open(app)

    client.say(frame)

    assert await app.message() == frame[1:]


@pytest.mark.parametrize("frame", ["1", None])
async def test_the_client_leaves(app, dialer, frame):
    """A close packet is a 'client disconnect', a lost connection a 'transport close'."""
    client, _ = await dialer.open(app)

    client.leave() if frame is None else client.say(frame)

    assert await app.reason() == ("transport close" if frame is None else "client disconnect")
    await client.ended()


async def test_one_packet_serves_clients_of_both_revisions(app, dialer):
    """A broadcast is encoded once for each kind of client; each gets its form."""
    new, new_sid = await connect_websocket(app)
    old, old_sid = await dialer.open(app)
    packets = [MessagePacket("hi"), MessagePacket(b"\xff")]

    for sid in (new_sid, old_sid):
        assert app.engine.post(sid, packets)

    assert [await new.frame(), await new.frame()] == ["4hi", b"\xff"]
    assert [await old.frame(), await old.frame()] == ["4hi", b"\x04\xff"]


# The upgrade.


async def test_packets_of_the_upgrade_arrive_over_the_websocket(app, dialer):
    """The pending poll ends with a noop; what is sent meanwhile follows over the websocket, in its form."""
    poller = await open_polling(app)
    pending = poller.start_poll()
    await settle()

    websocket = await dialer.start_upgrade(poller)
    app.post(poller.sid, "ü", b"\xff")
    assert (await poller.send(b"3:4hi")).status == 200
    websocket.say("5")

    assert (await pending.response()).text == "1:6"
    assert [await websocket.frame(), await websocket.frame()] == ["4ü", b"\x04\xff"]
    assert await app.message() == "hi"
    assert app.engine.transport(poller.sid) == "websocket"
    assert (await poller.poll()).status == 400


async def test_each_transport_says_for_itself_whether_it_takes_binary(app, dialer):
    """A client that polls as text may have binary frames, and the other way round."""
    text_polls, text_frames = await open_polling(app, "&b64=1"), await open_polling(app)

    binary, base64 = await dialer.start_upgrade(text_polls), await dialer.start_upgrade(text_frames, "&b64=1")
    for poller, websocket in ((text_polls, binary), (text_frames, base64)):
        websocket.say("5")
        app.post(poller.sid, b"\xff")

    assert (await binary.frame(), await base64.frame()) == (b"\x04\xff", "b4/w==")


async def test_an_upgrade_does_not_change_the_protocol(app):
    """A websocket that says 4 is refused; the session stays on polling."""
    poller = await open_polling(app)

    websocket = WebSocketClient(app, f"EIO=4&transport=websocket&sid={poller.sid}")
    await websocket.ended()
    app.post(poller.sid, "hi")

    assert all(event["type"] != "websocket.accept" for event in websocket.events)
    assert (await poller.poll()).text == "3:4hi"


# The heartbeat.


async def test_pings_are_answered(app, dialer):
    """The client pings, over polling and over the websocket."""
    poller = await open_polling(app)
    websocket, _ = await dialer.open(app)

    await poller.send(b"1:2")
    websocket.say("2")

    assert (await poller.poll()).text == "1:3"
    assert await websocket.frame() == "3"


async def test_pings_keep_a_session_and_silence_ends_it(dialer):
    """The server sends no pings; the session lives as long as pings come within interval and timeout."""
    app = Application(allow_eio3=True, ping_interval=0.1, ping_timeout=2.4)
    websocket, _ = await dialer.open(app)
    loop = asyncio.get_running_loop()
    started = loop.time()

    for _ in range(3):
        await asyncio.sleep(0.9)
        websocket.say("2")
        assert await websocket.frame() == "3"

    assert app.disconnects.empty()
    assert await app.reason() == "ping timeout"
    assert loop.time() - started >= 3 * 0.9 + 2.49
    assert await websocket.closed() == ["1"]


async def test_messages_are_no_pings(dialer):
    """As in the JavaScript server, only a ping tells that the client still waits for answers."""
    app = Application(allow_eio3=True, ping_interval=0.1, ping_timeout=0.1)
    websocket, _ = await dialer.open(app)

    async def talk() -> None:
        while True:
            websocket.say("4hi")
            await asyncio.sleep(0.02)

    talking = asyncio.create_task(talk())
    try:
        assert await app.reason() == "ping timeout"
    finally:
        talking.cancel()


async def test_a_client_that_pings_without_reading_is_cut_off(direct):
    """Pongs that nobody reads count against the buffer."""
    app = Application(allow_eio3=True, max_buffer_packets=20)
    websocket, _ = await direct.open(app)
    websocket.stall()

    for _ in range(40):
        websocket.say("2")

    assert await app.reason() == "transport error"
