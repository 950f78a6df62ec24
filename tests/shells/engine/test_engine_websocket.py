"""The WebSocket transport over an in-process ASGI wire: messages, their order and their limits."""

from __future__ import annotations

import asyncio

import pytest

from fastsio.aio.engine.websocket import FAIR_SHARE
from tests.shells.engine.wire import Application, WebSocketClient, connect_websocket, until


async def test_a_client_opens_talks_and_leaves():
    """The whole life of a session: handshake, a message each way, the disconnect handler once."""
    app = Application()
    client, sid = await connect_websocket(app)

    client.say("4hello")
    assert await app.message() == "hello"
    assert app.post(sid, "world")
    assert await client.frame() == "4world"
    client.leave()

    await client.ended()
    assert await app.reason() == "transport close"
    assert app.disconnects.empty()
    assert app.engine.sockets == {}


async def test_binary_messages_have_no_prefix_in_either_direction():
    """A binary frame is the message itself."""
    app = Application()
    client, sid = await connect_websocket(app)

    client.say(b"\x04\x00")
    app.post(sid, b"\x01\x02")

    assert await app.message() == b"\x04\x00"
    assert await client.frame() == b"\x01\x02"


async def test_messages_that_look_like_json_stay_text():
    """Nothing in the transport parses a message."""
    app = Application()
    client, _ = await connect_websocket(app)

    client.say('4{"a":1}')

    assert await app.message() == '{"a":1}'


async def test_messages_are_handled_one_after_the_other():
    """The next message waits until the handler of the one before has returned."""
    app = Application()
    release = asyncio.Event()
    order: list[str | bytes] = []

    async def on_message(sid, data):
        if data == "first":
            await release.wait()
        order.append(data)

    app.on_message = on_message
    client, _ = await connect_websocket(app)

    client.say("4first")
    client.say("4second")
    await app.message()
    release.set()
    await app.message()
    client.leave()
    await client.ended()

    assert order == ["first", "second"]


async def test_an_error_in_the_message_handler_does_not_end_the_session(caplog):
    """The error is logged and the next message is handled."""
    app = Application()

    async def on_message(sid, data):
        if data == "bad":
            raise RuntimeError("broken handler")

    app.on_message = on_message
    client, _ = await connect_websocket(app)

    client.say("4bad")
    client.say("4good")

    assert await app.message() == "bad"
    assert await app.message() == "good"
    assert "broken handler" in caplog.text


async def test_the_close_packet_of_the_client_ends_the_session():
    """``1`` is the client's goodbye."""
    app = Application()
    client, _ = await connect_websocket(app)

    client.say("1")

    assert await app.reason() == "client disconnect"
    assert await client.closed() == []
    await client.ended()


@pytest.mark.parametrize("frame", ["", "x", "2", "2probe", "7", "b%"])
async def test_a_frame_that_is_no_packet_closes_the_connection(frame, caplog):
    """The disconnect handler runs at once and the log says why."""
    app = Application()
    client, _ = await connect_websocket(app)

    client.say(frame)

    assert await app.reason() == "transport error"
    assert await client.closed() == []
    await client.ended()
    assert "Closing a websocket session" in caplog.text


async def test_each_way_to_break_the_protocol_is_logged(caplog):
    """A frame that is none does not keep the log from telling of one that is too large."""
    app = Application(max_http_buffer_size=100)
    for frame in ("x", "x", "4" + "a" * 100):
        client, _ = await connect_websocket(app)
        client.say(frame)
        await app.reason()
        await client.ended()

    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 2
    assert "over the size limit" in errors[1]


@pytest.mark.parametrize("frame", ["4" + "a" * 100, "4" + "\u00e9" * 50, b"a" * 101])
async def test_a_frame_over_the_limit_closes_the_connection(frame):
    """The limit counts bytes as they stand on the wire."""
    app = Application(max_http_buffer_size=100)
    client, _ = await connect_websocket(app)

    client.say(frame)

    assert await app.reason() == "transport error"
    assert app.messages.empty()


@pytest.mark.parametrize("frame", ["4" + "a" * 99, "4" + "\u00e9" * 49, b"a" * 100])
async def test_a_frame_of_the_limit_is_taken(frame):
    """The limit is the largest size allowed, not the smallest refused."""
    app = Application(max_http_buffer_size=100)
    client, _ = await connect_websocket(app)

    client.say(frame)

    assert await app.message() == (frame if isinstance(frame, bytes) else frame[1:])


async def test_the_size_limit_can_be_changed_while_the_server_runs():
    """``max_http_buffer_size`` takes effect on open sessions."""
    app = Application()
    client, _ = await connect_websocket(app)

    app.engine.max_http_buffer_size = 10
    client.say("4" + "a" * 10)

    assert await app.reason() == "transport error"


async def test_the_packet_log_names_no_session_in_full(caplog):
    """``engineio_logger=True`` shows packets; the session id is a secret and is shortened."""
    caplog.set_level("INFO", "engineio.server")  # whether packets are written is decided when the engine is made
    app = Application(logger=True)
    client, sid = await connect_websocket(app)

    client.say("4in")
    await app.message()
    app.post(sid, "out", b"\x00")
    client.leave()
    await client.ended()
    app.engine.logger.setLevel("ERROR")

    assert "Received packet MESSAGE data in" in caplog.text
    assert "Sending packet MESSAGE data out" in caplog.text
    assert sid not in caplog.text


async def test_a_client_that_sends_very_much_leaves_the_others_their_turn():
    """However many frames are ready, and though nothing is waited for, others are read after a bounded number."""
    app = Application()
    order: list[str] = []
    app.engine.on("message", lambda sid, _data: order.append(sid))
    flood, flood_sid = await connect_websocket(app)
    other, other_sid = await connect_websocket(app)

    for number in range(4 * FAIR_SHARE):
        flood.say(f"4{number}")
    other.say("4here")
    await until(lambda: len(order) == 4 * FAIR_SHARE + 1)

    assert order.index(other_sid) <= FAIR_SHARE
    assert order.count(flood_sid) == 4 * FAIR_SHARE


@pytest.mark.parametrize("frame", ["0{}", "5", "6"])
async def test_packets_that_mean_nothing_to_an_open_session_are_ignored(frame):
    """As in the JavaScript server; the session goes on."""
    app = Application()
    client, _ = await connect_websocket(app)

    client.say(frame)
    client.say("4x")

    assert await app.message() == "x"


async def test_a_client_that_wants_base64_sends_and_gets_binary_as_text():
    """Of the JavaScript client this is the option ``forceBase64``."""
    app = Application()
    client = WebSocketClient(app, "EIO=4&transport=websocket&b64=1")
    sid = await client.opened()

    client.say("bAQI=")
    app.post(sid, "text", b"\x01\x02")

    assert await app.message() == b"\x01\x02"
    assert [await client.frame(), await client.frame()] == ["4text", "bAQI="]


@pytest.mark.parametrize(("offered", "answer"), [(["v1", "v2"], {"subprotocol": "v1"}), (["", "b d"], {}), ([], {})])
async def test_an_offered_subprotocol_is_answered(offered, answer):
    """With the first, as by the JavaScript server; browsers give up otherwise."""
    app = Application()
    client = WebSocketClient(app, subprotocols=offered)
    await client.opened()

    assert client.events[0] == {"type": "websocket.accept", **answer}
