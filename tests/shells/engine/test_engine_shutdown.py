"""How transports end when the server shuts down: clients are not told to stay away."""

from __future__ import annotations

import asyncio

import pytest

from tests.shells.engine.wire import (
    Application,
    connect_polling,
    connect_websocket,
    settle,
    soon,
    start_http,
    start_upgrade,
    until,
)

BROWSER = [("user-agent", "Mozilla/5.0 (X11; Linux x86_64)")]
PYTHON = [("user-agent", "Python/3.11 aiohttp/3.9.1")]


async def test_a_websocket_is_closed_with_going_away():
    """Without a packet, which some clients take for a farewell; the disconnect handler is the caller's."""
    app = Application()
    client, sid = await connect_websocket(app)

    app.engine.stop_admitting(1)
    app.engine.leave_client(sid)

    assert await client.closed() == []
    await client.ended()
    assert client.code == 1001
    assert app.disconnects.empty()
    assert not app.post(sid, "late")


@pytest.mark.parametrize(("headers", "status", "body"), [(BROWSER, 200, "1"), (PYTHON, 503, None)])
async def test_a_pending_poll_is_answered_at_once(headers, status, body):
    """A JavaScript client connects again after a close packet; a Python client stays away, so it gets an error."""
    app = Application()
    client = await connect_polling(app)
    session = app.engine.sockets[client.sid]
    poll = start_http(app, "GET", client.query, headers=headers)
    await until(lambda: session.poll_waiter is not None)

    app.engine.leave_client(client.sid)
    response = await poll.response()

    assert response.status == status
    assert body in (None, response.text)
    assert (await client.poll()).code == 1


@pytest.mark.parametrize(("headers", "packets"), [(BROWSER, ["4last", "1"]), (PYTHON, ["4last"])])
async def test_the_next_poll_gets_the_last_packets(headers, packets):
    """A client that did not poll when the server shut down is answered too, and loses nothing."""
    app = Application()
    client = await connect_polling(app)

    app.post(client.sid, "last")
    app.engine.leave_client(client.sid)

    assert (await start_http(app, "GET", client.query, headers=headers).response()).packets == packets
    assert (await client.poll()).code == 1


async def test_last_packets_that_nobody_fetched_are_forgotten_when_the_server_starts_anew():
    """The shutdown has dropped the deadlines at which they would be."""
    app = Application()
    client = await connect_polling(app)
    app.engine.stop_admitting(1)
    app.engine.leave_client(client.sid)
    await app.engine.shutdown()

    app.engine.admit()

    assert app.engine._last_polls == {}


async def test_a_client_of_engine_io_3_gets_the_close_packet():
    """In the form that it reads."""
    app = Application(allow_eio3=True)
    opened = await start_http(app, "GET", "EIO=3&transport=polling", headers=BROWSER).response()
    sid = opened.text.split('"')[3]

    app.engine.leave_client(sid)
    response = await start_http(app, "GET", f"EIO=3&transport=polling&sid={sid}", headers=BROWSER).response()

    assert response.text == "1:1"


async def test_a_handshake_is_refused_for_a_while():
    """With status 503, and a hint when to try again; requests of clients that are there are served."""
    app = Application()
    client = await connect_polling(app)

    app.engine.stop_admitting(1)
    response = await start_http(app, "GET", "EIO=4&transport=polling").response()

    assert (response.status, response.headers["retry-after"]) == (503, "5")
    assert (await client.send("4hi")).text == "ok"
    app.post(client.sid, "ho")
    assert (await client.poll()).packets == ["4ho"]


async def test_an_upgrade_that_has_begun_goes_through_and_ends():
    """The client has paused its polls; it notices the end of the WebSocket that it has moved to."""
    app = Application()
    client = await connect_polling(app)
    websocket = await start_upgrade(client)
    websocket.say("2probe")
    assert await websocket.frame() == "3probe"

    app.engine.stop_admitting(5)
    app.engine.leave_client(client.sid)
    await settle()
    websocket.say("5")

    assert await websocket.closed() == []
    await websocket.ended()


async def test_a_session_that_is_over_is_left_alone():
    """Whether it has ended before, or ends for the second time."""
    app = Application()
    client, sid = await connect_websocket(app)
    session = app.engine.sockets[sid]

    assert session.leave_client()
    assert not session.leave_client()
    await soon(session.finish("transport close", abort=True))

    assert await client.closed() == []
    assert app.disconnects.empty()


async def test_a_client_whose_connect_handler_has_not_decided_is_refused():
    """It is not there yet: its handshake fails, and its disconnect handler runs, for it was accepted."""
    app = Application()

    async def on_connect(sid):
        app.engine.leave_client(sid)

    app.on_connect = on_connect
    response = await start_http(app, "GET", "EIO=4&transport=polling").response()

    assert response.code == 1
    assert await app.reason() == "server shutting down"
    assert not app.engine.sockets


# Only asyncio:
async def test_a_message_handler_under_way_has_the_grace_time():
    """Then it is cancelled, and the WebSocket is closed; a POST that it is handled for is answered."""
    app = Application()
    ended: asyncio.Queue[str] = asyncio.Queue()

    async def on_message(sid, data):
        try:
            await asyncio.Event().wait()
        finally:
            ended.put_nowait(data)

    app.on_message = on_message
    websocket, sid = await connect_websocket(app)
    polling = await connect_polling(app)
    websocket.say("4over a websocket")
    posting = start_http(app, "POST", polling.query, b"4in a post", headers=[("content-length", "10")])
    assert {await app.message(), await app.message()} == {"over a websocket", "in a post"}

    app.engine.stop_admitting(0.05)
    app.engine.leave_client(sid)
    app.engine.leave_client(polling.sid)
    await settle()
    assert ended.empty()

    assert {await soon(ended.get()), await soon(ended.get())} == {"over a websocket", "in a post"}
    assert await websocket.closed() == []
    assert (await posting.response()).status == 200


# Both:
