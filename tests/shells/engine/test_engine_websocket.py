"""The WebSocket transport over an in-process ASGI wire."""

from __future__ import annotations

import asyncio

import pytest

from fastsio.aio.engine import MessagePacket
from fastsio.aio.engine.websocket import FAIR_SHARE
from tests.shells.engine.wire import Application, WebSocketClient, connect_websocket, scope_of, soon, until


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


@pytest.mark.parametrize("frame", ["", "x", "2", "2probe", "5", "6", "0{}", "7"])
async def test_a_frame_that_is_no_packet_closes_the_connection(frame, caplog):
    """The disconnect handler runs at once and the log says why."""
    app = Application()
    client, _ = await connect_websocket(app)

    client.say(frame)

    assert await app.reason() == "transport error"
    assert await client.closed() == []
    await client.ended()
    assert "Closing a websocket session" in caplog.text


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


async def test_the_server_ends_a_session_with_a_close_packet():
    """``1`` is sent after the disconnect handler, then the WebSocket is closed."""
    app = Application()
    client, sid = await connect_websocket(app)

    await soon(app.engine.close_client(sid, "server disconnect"))

    assert await app.reason() == "server disconnect"
    assert await client.closed() == ["1"]
    await client.ended()
    assert not app.post(sid, "late")


async def test_what_the_disconnect_handler_sends_goes_out_before_the_close_packet():
    """The client is still there while the handler of a server disconnect runs."""
    app = Application()

    async def on_disconnect(sid, reason):
        app.post(sid, "bye")

    app.on_disconnect = on_disconnect
    client, sid = await connect_websocket(app)

    await soon(app.engine.disconnect(sid))

    assert await client.closed() == ["4bye", "1"]


async def test_an_aborted_session_ends_without_a_close_packet():
    """``abort`` does not tell the client."""
    app = Application()
    client, sid = await connect_websocket(app)

    await soon(app.engine.close_client(sid, "transport error", abort=True))

    assert await app.reason() == "transport error"
    assert await client.closed() == []
    await client.ended()


async def test_a_message_handler_can_end_its_own_session():
    """The handler runs to its end, later messages are not handled."""
    app = Application()
    finished = asyncio.Event()

    async def on_message(sid, data):
        await app.engine.disconnect(sid)
        finished.set()

    app.on_message = on_message
    client, _ = await connect_websocket(app)

    client.say("4end")
    client.say("4late")

    assert await app.reason() == "server disconnect"
    await client.ended()
    assert finished.is_set()
    assert await app.message() == "end"
    assert app.messages.empty()


async def test_a_session_ended_from_two_sides_runs_its_handler_once():
    """The disconnect handler runs exactly once."""
    app = Application()
    client, sid = await connect_websocket(app)

    client.leave()
    await soon(asyncio.gather(app.engine.disconnect(sid), app.engine.close_client(sid, "transport error")))
    await client.ended()

    assert app.disconnects.qsize() == 1


async def test_the_disconnect_handler_survives_the_cancellation_of_the_request():
    """An ASGI server that cancels the application does not cut the handler short."""
    app = Application()
    release = asyncio.Event()
    done = asyncio.Event()

    async def on_disconnect(sid, reason):
        await release.wait()
        done.set()

    app.on_disconnect = on_disconnect
    client, _ = await connect_websocket(app)

    client.task.cancel()
    assert await app.reason() == "transport close"
    client.task.cancel()
    release.set()

    await soon(done.wait())
    with pytest.raises(asyncio.CancelledError):
        await client.task


async def test_the_session_data_is_readable_in_the_disconnect_handler():
    """What was saved under the sid is there until the handler has run."""
    app = Application()
    seen: list[dict[str, int]] = []

    async def on_disconnect(sid, reason):
        seen.append(await app.engine.get_session(sid))

    app.on_disconnect = on_disconnect
    client, sid = await connect_websocket(app)
    await app.engine.save_session(sid, {"a": 1})

    client.leave()
    await client.ended()

    assert seen == [{"a": 1}]
    with pytest.raises(KeyError):
        await app.engine.get_session(sid)


async def test_what_the_connect_handler_sends_follows_the_open_packet():
    """The handshake comes first, then the messages in order."""
    app = Application()

    async def on_connect(sid):
        app.post(sid, "one", b"two")
        app.post(sid, "three")

    app.on_connect = on_connect
    client, _ = await connect_websocket(app)

    assert [await client.frame() for _ in range(3)] == ["4one", b"two", "4three"]


@pytest.mark.parametrize(("verdict", "body"), [(False, b'"Unauthorized"'), ("not you", b'"not you"')])
async def test_a_refused_handshake_gets_a_status_where_the_server_can_send_one(verdict, body):
    """With the extension ``websocket.http.response`` the refusal is a proper response."""
    app = Application()

    async def on_connect(sid):
        return verdict

    app.on_connect = on_connect
    client = WebSocketClient(app, extensions={"websocket.http.response": {}})

    await client.ended()

    assert [event["type"] for event in client.events] == [
        "websocket.http.response.start",
        "websocket.http.response.body",
    ]
    assert client.events[0]["status"] == 401
    assert client.events[1]["body"] == body
    assert app.engine.sockets == {}
    assert app.disconnects.empty()


async def test_a_refused_handshake_is_closed_where_the_server_cannot_send_a_status():
    """Without the extension the WebSocket is closed before it is accepted."""
    app = Application()

    async def on_connect(sid):
        raise RuntimeError("no")

    app.on_connect = on_connect
    client = WebSocketClient(app)

    await client.ended()

    assert [event["type"] for event in client.events] == ["websocket.close"]


async def test_a_websocket_that_cannot_be_accepted_runs_the_disconnect_handler():
    """A client that vanished during the connect handler leaves nothing behind."""
    app = Application()
    client = WebSocketClient(app)
    client.broken = OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await client.ended()

    assert await app.reason() == "transport close"
    assert app.engine.sockets == {}


async def test_a_session_ended_by_its_connect_handler_is_refused_and_disconnected():
    """The application accepted it, so its disconnect handler runs."""
    app = Application()

    async def on_connect(sid):
        await app.engine.disconnect(sid)

    app.on_connect = on_connect
    client = WebSocketClient(app)

    await client.ended()

    assert await app.reason() == "server disconnect"
    assert [event["type"] for event in client.events] == ["websocket.close"]
    assert app.engine.sockets == {}


async def test_a_cancelled_connect_handler_leaves_no_session():
    """A request that is cancelled before it is accepted is forgotten."""
    app = Application()
    never = asyncio.Event()

    async def on_connect(sid):
        await never.wait()

    app.on_connect = on_connect
    client = WebSocketClient(app)
    await asyncio.sleep(0)

    client.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await client.task

    assert app.engine.sockets == {}


async def test_a_client_that_leaves_before_the_handshake_is_read_gets_nothing():
    """No session begins without ``websocket.connect``."""
    app = Application()

    async def receive():
        return {"type": "websocket.disconnect"}

    async def send(event):
        raise AssertionError(event)

    assert await app.engine.handle_request(scope_of("websocket", "EIO=4&transport=websocket"), receive, send) is None
    assert app.environs == []


async def test_the_environ_tells_who_the_client_is():
    """Addresses come from the scope, never from a header."""
    app = Application()
    client = WebSocketClient(app, headers=[(b"x-forwarded-for", b"203.0.113.9"), (b"x-a", b"1"), (b"x-a", b"2")])
    await client.opened()

    environ = app.environs[0]

    assert environ["REMOTE_ADDR"] == "192.0.2.7"
    assert environ["REMOTE_PORT"] == "4711"
    assert environ["SERVER_NAME"] == "testserver"
    assert environ["SERVER_PORT"] == "8443"
    assert environ["wsgi.url_scheme"] == "https"
    assert environ["RAW_URI"] == "/engine.io/?EIO=4&transport=websocket"
    assert environ["HTTP_X_A"] == "1,2"
    assert environ["asgi.scope"]["type"] == "websocket"


async def test_the_packet_log_names_no_session_in_full(caplog):
    """``engineio_logger=True`` shows packets; the session id is a secret and is shortened."""
    app = Application(logger=True)
    caplog.set_level("INFO", "engineio.server")
    client, sid = await connect_websocket(app)

    client.say("4in")
    await app.message()
    app.post(sid, "out", b"\x00")
    client.leave()
    await client.ended()
    app.engine.logger.setLevel("ERROR")

    assert "Received packet MESSAGE data in" in caplog.text
    assert "Sending packet 4out" in caplog.text
    assert sid not in caplog.text


async def test_write_returns_false_for_a_client_that_is_gone():
    """Both ways to send say so instead of raising."""
    app = Application()

    assert await app.engine.write("nobody", [MessagePacket("x")]) is None
    assert not app.engine.post("nobody", [MessagePacket("x")])


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
