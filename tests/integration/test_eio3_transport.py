"""Engine.IO 3 on the wire of the asyncio server: handshake, polling, websocket, upgrade, heartbeat, limits, errors."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from fastsio.engine.packet import MessagePacket
from tests.shells.engine.wire import (
    Application,
    HttpRequest,
    Response,
    WebSocketClient,
    connect_polling,
    connect_websocket,
    settle,
    soon,
    start_http,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

OCTETS = [("content-type", "application/octet-stream")]


@pytest.fixture
def app() -> Application:
    """A server that allows Engine.IO 3."""
    return Application(allow_eio3=True)


class Poller:
    """An Engine.IO 3 client on the polling transport."""

    def __init__(self, app: Application, opened: Response) -> None:
        self.app = app
        length, _, packet = opened.text.partition(":")
        assert int(length) == len(packet)
        self.opened = json.loads(packet[1:])
        self.sid = self.opened["sid"]
        self.query = f"EIO=3&transport=polling&sid={self.sid}"

    def start_poll(self, query: str = "") -> HttpRequest:
        """Begin a poll."""
        return start_http(self.app, "GET", self.query + query)

    async def poll(self, query: str = "") -> Response:
        """Poll, and wait for the response."""
        return await self.start_poll(query).response()

    async def send(self, body: bytes, headers: Sequence[tuple[str, str]] = (), query: str = "") -> Response:
        """Post a body."""
        given = [("content-length", str(len(body))), *headers]
        return await start_http(self.app, "POST", self.query + query, body, headers=given).response()


async def open_polling(app: Application, query: str = "") -> Poller:
    """Open a session on the polling transport."""
    return Poller(app, await start_http(app, "GET", "EIO=3&transport=polling" + query).response())


async def open_websocket(app: Application, query: str = "") -> tuple[WebSocketClient, str]:
    """Open a session on the websocket transport."""
    client = WebSocketClient(app, "EIO=3&transport=websocket" + query)
    return client, await client.opened()


async def start_upgrade(poller: Poller, query: str = "") -> WebSocketClient:
    """Open a websocket for a polling session, up to the answered probe."""
    websocket = WebSocketClient(poller.app, f"EIO=3&transport=websocket&sid={poller.sid}{query}")
    assert (await soon(websocket._outgoing.get()))["type"] == "websocket.accept"
    websocket.say("2probe")
    assert await websocket.frame() == "3probe"
    return websocket


# The handshake.


async def test_the_handshake_is_a_payload_with_the_options():
    """C-78: the first answer is OPEN with its length; times are whole milliseconds; the environ says the protocol."""
    app = Application(allow_eio3=True, ping_interval=0.3, ping_timeout=0.25, max_http_buffer_size=1234)

    client = await open_polling(app)

    assert client.opened == {
        "sid": client.sid,
        "upgrades": ["websocket"],
        "pingInterval": 300,
        "pingTimeout": 250,
        "maxPayload": 1234,
    }
    assert app.environs[0]["engineio.protocol"] == 3


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_engine_io_3_is_refused_unless_allowed(transport):
    """It is off by default."""
    app = Application()
    kind = {"headers": [("upgrade", "websocket")]} if transport == "websocket" else {}

    response = await start_http(app, "GET", f"EIO=3&transport={transport}", **kind).response()

    assert (response.status, response.code) == (400, 5)


@pytest.mark.parametrize("query", ["transport=polling", "EIO=2&transport=polling", "EIO=3&EIO=4&transport=polling"])
async def test_other_revisions_are_refused(app, query):
    """Only 3 and 4 exist, and a client says which."""
    response = await start_http(app, "GET", query).response()

    assert (response.status, response.code) == (400, 5)


async def test_clients_of_engine_io_4_are_served_as_ever(app):
    """C-78: what they get does not change, and their environ does not say anything."""
    client = await connect_polling(app)
    app.post(client.sid, "ü", b"\xff")

    assert (await client.poll()).packets == ["4ü", "b/w=="]
    assert "engineio.protocol" not in app.environs[0]
    assert (await client.send("x", content_type="application/octet-stream")).status == 400


@pytest.mark.parametrize("value", [1, "yes", None])
def test_the_option_is_true_or_false(value):
    """Anything else is an error at construction."""
    with pytest.raises(ValueError, match="allow_eio3 must be True or False"):
        Application(allow_eio3=value)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_request_does_not_change_the_protocol_of_its_session(app, method):
    """It is refused, and the session goes on."""
    client = await open_polling(app)
    app.post(client.sid, "hi")

    response = await start_http(app, method, f"EIO=4&transport=polling&sid={client.sid}", b"4hi").response()

    assert (response.status, response.code) == (400, 3)
    assert (await client.poll()).text == "3:4hi"


# Polling.


async def test_polls_are_answered_with_text_or_bytes(app):
    """ASCII is text; what client versions would read differently, and binary, is bytes."""
    client = await open_polling(app)

    app.post(client.sid, "hi", "ho")
    plain = await client.poll()
    app.post(client.sid, "ü", b"\xff")
    mixed = await client.poll()

    assert (plain.text, plain.headers["content-type"]) == ("3:4hi3:4ho", "text/plain; charset=UTF-8")
    assert mixed.body == b"\x00\x03\xff4\xc3\xbc\x01\x02\xff\x04\xff"
    assert mixed.headers["content-type"] == "application/octet-stream"


async def test_a_client_without_binary_is_answered_with_text_for_good(app):
    """Only its handshake says b64."""
    client = await open_polling(app, "&b64=1")

    app.post(client.sid, "ü😀", b"\xff")

    assert (await client.poll()).text == "4:4ü😀6:b4/w=="


async def test_posts_are_text_or_bytes(app):
    """Both forms carry text and binary, in order."""
    client = await open_polling(app)

    text = await client.send("3:4hi4:4ü😀6:b4/w==".encode())
    octets = await client.send(b"\x00\x03\xff4hi\x01\x02\xff\x04\xfe", OCTETS)

    assert (text.status, text.text, octets.status) == (200, "ok", 200)
    assert [await app.message() for _ in range(5)] == ["hi", "ü😀", b"\xff", "hi", b"\xfe"]


async def test_script_tags_poll_and_post(app):
    """JSONP gets a call with text in it, and posts a form."""
    client = Poller(app, _unwrapped(await start_http(app, "GET", "EIO=3&transport=polling&j=0&b64=1").response()))

    app.post(client.sid, "ü", b"\xff")
    answer = await client.poll("&j=0")
    posted = await client.send(b"d=4%3A4h+i", query="&j=0")

    assert answer.text == '___eio[0]("2:4\\u00fc6:b4/w==");'
    assert answer.headers["content-type"] == "text/javascript; charset=UTF-8"
    assert posted.status == 200
    assert await app.message() == "h i"


async def test_script_tags_post_newlines(app):
    """An escaped newline is one, and an escaped backslash before an n is not."""
    client = await open_polling(app, "&b64=1")

    response = await client.send(rb"d=6%3A4a%5Cnb%5C%5Cn", query="&j=0")

    assert response.status == 200
    assert await app.message() == "a\nb\\n"


def _unwrapped(response: Response) -> Response:
    """Take the payload out of a JSONP answer."""
    assert response.text.startswith("___eio[0](")
    response.body = json.loads(response.text.removeprefix("___eio[0](").removesuffix(");")).encode()
    return response


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"hello", []),
        (b"9:4hi", []),
        (b"0:", []),
        (b"1:9", []),
        (b"1:3", []),
        (b"6:b4/w=!", []),
        (b"1:4" * 17, []),
        (b"\xff", []),
        (b"3:4hi", OCTETS),
        (b"\x00\x09\xff4", OCTETS),
        (b"\x01\x01\xff\x02", OCTETS),
        (b"\x00\x01\xff4" * 17, OCTETS),
    ],
)
async def test_a_malformed_post_closes_that_session(app, body, headers):
    """The answer is 400, disconnect runs, and another session is not disturbed."""
    client, other = await open_polling(app), await open_polling(app)

    response = await client.send(body, headers)

    assert (response.status, response.code) == (400, 3)
    assert await app.reason() == "transport error"
    assert (await client.poll()).code == 1
    app.post(other.sid, "hi")
    assert (await other.poll()).text == "3:4hi"


@pytest.mark.parametrize("headers", [[], OCTETS])
async def test_a_body_over_the_limit_closes_the_session(headers):
    """The answer is 413, whichever form the body has."""
    app = Application(allow_eio3=True, max_http_buffer_size=10)
    client = await open_polling(app)

    response = await client.send(b"x" * 11, headers)

    assert response.status == 413
    assert await app.reason() == "transport error"


async def test_polls_are_bounded_by_the_payload_size():
    """What is beyond waits for the next poll."""
    app = Application(allow_eio3=True, max_http_buffer_size=10)
    client = await open_polling(app)

    app.post(client.sid, b"x" * 6, b"y" * 6)

    assert (await client.poll()).body == b"\x01\x07\xff\x04" + b"x" * 6
    assert (await client.poll()).body == b"\x01\x07\xff\x04" + b"y" * 6


async def test_both_ends_close_a_polling_session(app):
    """The client posts a close packet; the server's close is in the pending poll."""
    leaving, kicked = await open_polling(app), await open_polling(app)
    pending = [leaving.start_poll(), kicked.start_poll()]
    await settle()

    await leaving.send(b"1:1")
    reasons = [await app.reason()]
    await app.engine.disconnect(kicked.sid)
    reasons.append(await app.reason())

    assert reasons == ["client disconnect", "server disconnect"]
    assert [(await poll.response()).text for poll in pending] == ["1:6", "1:1"]


# The websocket.


async def test_binary_frames_start_with_their_type(app):
    """Messages go both ways as text and as binary."""
    client, sid = await open_websocket(app)

    client.say("4ü")
    client.say(b"\x04\x01\x02")
    received = [await app.message(), await app.message()]
    app.post(sid, "ü", b"\x01\x02", b"")

    assert received == ["ü", b"\x01\x02"]
    assert [await client.frame() for _ in range(3)] == ["4ü", b"\x04\x01\x02", b"\x04"]


async def test_a_client_without_binary_frames_gets_base64(app):
    """Its handshake says b64, and it may send base64 too, as any client may."""
    client, sid = await open_websocket(app, "&b64=1")

    client.say("b4AQI=")
    app.post(sid, "hi", b"\x01\x02")

    assert await app.message() == b"\x01\x02"
    assert [await client.frame(), await client.frame()] == ["4hi", "b4AQI="]


async def test_a_broadcast_of_binary_is_written_as_base64_once(app):
    """Clients that read no binary share the text."""
    clients = [await open_websocket(app, "&b64=1") for _ in range(3)]
    packet = MessagePacket(b"\x01\x02")

    for _, sid in clients:
        app.engine.post(sid, [packet])

    frames = [await client.frame() for client, _ in clients]
    assert frames[0] == "b4AQI="
    assert all(frame is frames[0] for frame in frames)


@pytest.mark.parametrize("frame", ["", "9", "3", "0", "5", "6", "b", "b2AQI=", "b4AQ", b"", b"\x02hi", b"\x00"])
async def test_a_malformed_frame_closes_that_session(app, frame):
    """The websocket is closed, disconnect runs, and another session is not disturbed."""
    client, _ = await open_websocket(app)
    other, other_sid = await open_websocket(app)

    client.say(frame)

    assert await app.reason() == "transport error"
    await client.closed()
    app.post(other_sid, "hi")
    assert await other.frame() == "4hi"


@pytest.mark.parametrize("frame", ["4" + "x" * 10, "4" + "ü" * 5, "b4" + "AAAA" * 3, b"\x04" + b"x" * 10])
async def test_a_frame_over_the_limit_closes_the_session(frame):
    """Text, base64 and binary have the same limit."""
    app = Application(allow_eio3=True, max_http_buffer_size=10)
    client, _ = await open_websocket(app)

    client.say(frame)

    assert await app.reason() == "transport error"
    await client.closed()


@pytest.mark.parametrize("frame", ["4" + "x" * 9, "4" + "ü" * 4, b"\x04" + b"x" * 9])
async def test_a_frame_at_the_limit_is_a_message(frame):
    """One byte less is taken."""
    app = Application(allow_eio3=True, max_http_buffer_size=10)
    client, _ = await open_websocket(app)

    client.say(frame)

    assert await app.message() == frame[1:]


@pytest.mark.parametrize("frame", ["1", None])
async def test_the_client_leaves(app, frame):
    """A close packet is a 'client disconnect', a lost connection a 'transport close'."""
    client, _ = await open_websocket(app)

    client.leave() if frame is None else client.say(frame)

    assert await app.reason() == ("transport close" if frame is None else "client disconnect")
    await client.ended()


async def test_one_packet_serves_clients_of_both_revisions(app):
    """A broadcast is encoded once for each kind of client; each gets its form."""
    new, new_sid = await connect_websocket(app)
    old, old_sid = await open_websocket(app)
    packets = [MessagePacket("hi"), MessagePacket(b"\xff")]

    for sid in (new_sid, old_sid):
        assert app.engine.post(sid, packets)

    assert [await new.frame(), await new.frame()] == ["4hi", b"\xff"]
    assert [await old.frame(), await old.frame()] == ["4hi", b"\x04\xff"]


# The upgrade.


async def test_packets_of_the_upgrade_arrive_over_the_websocket(app):
    """The pending poll ends with a noop; what is sent meanwhile follows over the websocket, in its form."""
    poller = await open_polling(app)
    pending = poller.start_poll()
    await settle()

    websocket = await start_upgrade(poller)
    app.post(poller.sid, "ü", b"\xff")
    assert (await poller.send(b"3:4hi")).status == 200
    websocket.say("5")

    assert (await pending.response()).text == "1:6"
    assert [await websocket.frame(), await websocket.frame()] == ["4ü", b"\x04\xff"]
    assert await app.message() == "hi"
    assert app.engine.transport(poller.sid) == "websocket"
    assert (await poller.poll()).status == 400


async def test_each_transport_says_for_itself_whether_it_takes_binary(app):
    """A client that polls as text may have binary frames, and the other way round."""
    text_polls, text_frames = await open_polling(app, "&b64=1"), await open_polling(app)

    binary, base64 = await start_upgrade(text_polls), await start_upgrade(text_frames, "&b64=1")
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


async def test_pings_are_answered(app):
    """The client pings, over polling and over the websocket."""
    poller = await open_polling(app)
    websocket, _ = await open_websocket(app)

    await poller.send(b"1:2")
    websocket.say("2")

    assert (await poller.poll()).text == "1:3"
    assert await websocket.frame() == "3"


async def test_pings_keep_a_session_and_silence_ends_it():
    """The server sends no pings; the session lives as long as pings come within interval and timeout."""
    app = Application(allow_eio3=True, ping_interval=0.1, ping_timeout=0.1)
    websocket, _ = await open_websocket(app)
    loop = asyncio.get_running_loop()
    started = loop.time()

    for _ in range(4):
        await asyncio.sleep(0.1)
        websocket.say("2")
        assert await websocket.frame() == "3"
    last_ping = loop.time()

    assert app.disconnects.empty()
    assert await app.reason() == "ping timeout"
    assert loop.time() - last_ping >= 0.19
    assert loop.time() - started >= 0.59
    assert await websocket.closed() == ["1"]


async def test_messages_are_no_pings():
    """As in the JavaScript server, only a ping tells that the client still waits for answers."""
    app = Application(allow_eio3=True, ping_interval=0.1, ping_timeout=0.1)
    websocket, _ = await open_websocket(app)

    async def talk() -> None:
        while True:
            websocket.say("4hi")
            await asyncio.sleep(0.02)

    talking = asyncio.create_task(talk())
    try:
        assert await app.reason() == "ping timeout"
    finally:
        talking.cancel()


async def test_a_client_that_pings_without_reading_is_cut_off():
    """Pongs that nobody reads count against the buffer."""
    app = Application(allow_eio3=True, max_buffer_packets=20)
    websocket, _ = await open_websocket(app)
    websocket.stall()

    for _ in range(40):
        websocket.say("2")

    assert await app.reason() == "transport error"
