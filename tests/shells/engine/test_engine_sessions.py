"""How a session on a WebSocket begins and ends, over an in-process ASGI wire."""

from __future__ import annotations

import asyncio
import re

import pytest

from fastsio.aio.engine import MessagePacket
from tests.shells.engine.wire import (
    Application,
    Gate,
    WebSocketClient,
    connect_websocket,
    scope_of,
    settle,
    soon,
    start_http,
)


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
    finished = Gate()

    async def on_message(sid, data):
        await app.engine.disconnect(sid)
        finished.set()

    app.on_message = on_message
    client, _ = await connect_websocket(app)

    client.say("4end")
    client.say("4late")

    assert await app.reason() == "server disconnect"
    assert await client.closed() == ["1"]
    await client.ended()
    assert finished.is_set()
    assert await app.message() == "end"
    assert app.messages.empty()


# Only asyncio:
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


# Both:
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


# Only asyncio:
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


async def test_environs_share_what_is_equal_in_most():
    """They last as long as their clients: texts that most requests have are in memory once."""
    app = Application()
    for _ in range(2):
        await WebSocketClient(app).opened()

    one, other = app.environs

    for key in ("PATH_INFO", "QUERY_STRING", "RAW_URI", "SERVER_PROTOCOL", "SERVER_PORT"):
        assert one[key] is other[key], key


async def test_long_paths_are_in_no_environ_but_their_own():
    """What is shared is kept, so a client must not decide how much."""
    app = Application()
    for _ in range(2):
        await WebSocketClient(app, path=f"/{'x' * 300}").opened()

    one, other = app.environs

    assert one["RAW_URI"] == other["RAW_URI"] == f"/{'x' * 300}?EIO=4&transport=websocket"
    assert one["RAW_URI"] is not other["RAW_URI"]


async def test_write_returns_false_for_a_client_that_is_gone():
    """Both ways to send say so instead of raising."""
    app = Application()

    assert await app.engine.write("nobody", [MessagePacket("x")]) is None
    assert not app.engine.post("nobody", [MessagePacket("x")])


@pytest.mark.parametrize("query", ["EIO=4&transport=polling", "EIO=4&transport=websocket"])
async def test_a_handshake_that_fails_after_the_client_was_accepted_leaves_no_session(query, monkeypatch):
    """The application is told that the client is gone, whatever it was that failed."""
    app = Application()
    monkeypatch.setattr(app.engine.deadlines, "set", failing)
    request = WebSocketClient(app, query) if "websocket" in query else start_http(app, "GET", query)

    with pytest.raises(RuntimeError, match="no more timers"):
        await soon(request.task)

    assert await app.reason() == "transport error"
    assert app.engine.sockets == {}


async def test_a_handshake_that_is_cancelled_after_the_client_was_accepted_leaves_no_session(monkeypatch):
    """A request may be given up at any time."""
    app = Application()

    def cancelled(*_args, **_kwargs):
        raise asyncio.CancelledError

    monkeypatch.setattr(app.engine, "_cookies", cancelled)

    with pytest.raises(asyncio.CancelledError):
        await start_http(app, "GET", "EIO=4&transport=polling").response()

    assert await app.reason() == "transport error"
    assert app.engine.sockets == {}
    assert app.engine._last_polls == {}


async def test_a_disconnect_handler_that_is_cancelled_leaves_no_session():
    """The end of a session does not depend on how its handler ends."""
    app = Application()

    async def on_disconnect(sid, reason):
        raise asyncio.CancelledError

    app.on_disconnect = on_disconnect
    client, _ = await connect_websocket(app)

    client.leave()

    assert await app.reason() == "transport close"
    await settle()
    assert app.engine.sockets == {}


def failing(*_args, **_kwargs):
    """Fail."""
    raise RuntimeError("no more timers")


# Both:


async def test_ids_are_long_fresh_and_fit_into_urls():
    """As long as python-engineio's, and of the same characters."""
    engine = Application().engine
    ids = {engine.generate_id() for _ in range(1000)}

    assert len(ids) == 1000
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{20}", each) for each in ids)
