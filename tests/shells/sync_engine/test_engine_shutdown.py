# Written by tools/unasync.py from tests/shells/engine/test_engine_shutdown.py; change that one.
"""How transports end when the server shuts down: clients are not told to stay away."""

from __future__ import annotations

import pytest

from tests.shells.sync_engine.wire import (
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


def test_a_websocket_is_closed_with_going_away():
    """Without a packet, which some clients take for a farewell; the disconnect handler is the caller's."""
    app = Application()
    client, sid = connect_websocket(app)

    app.engine.stop_admitting(1)
    app.engine.leave_client(sid)

    assert client.closed() == []
    client.ended()
    assert client.code == 1001
    assert app.disconnects.empty()
    assert not app.post(sid, "late")


@pytest.mark.parametrize(("headers", "status", "body"), [(BROWSER, 200, "1"), (PYTHON, 503, None)])
def test_a_pending_poll_is_answered_at_once(headers, status, body):
    """A JavaScript client connects again after a close packet; a Python client stays away, so it gets an error."""
    app = Application()
    client = connect_polling(app)
    session = app.engine.sockets[client.sid]
    poll = start_http(app, "GET", client.query, headers=headers)
    until(lambda: session.poll_waiter is not None)

    app.engine.leave_client(client.sid)
    response = poll.response()

    assert response.status == status
    assert body in (None, response.text)
    assert (client.poll()).code == 1


@pytest.mark.parametrize(("headers", "packets"), [(BROWSER, ["4last", "1"]), (PYTHON, ["4last"])])
def test_the_next_poll_gets_the_last_packets(headers, packets):
    """A client that did not poll when the server shut down is answered too, and loses nothing."""
    app = Application()
    client = connect_polling(app)

    app.post(client.sid, "last")
    app.engine.leave_client(client.sid)

    assert (start_http(app, "GET", client.query, headers=headers).response()).packets == packets
    assert (client.poll()).code == 1


def test_last_packets_that_nobody_fetched_are_forgotten_when_the_server_starts_anew():
    """The shutdown has dropped the deadlines at which they would be."""
    app = Application()
    client = connect_polling(app)
    app.engine.stop_admitting(1)
    app.engine.leave_client(client.sid)
    app.engine.shutdown()

    app.engine.admit()

    assert app.engine._last_polls == {}


def test_a_client_of_engine_io_3_gets_the_close_packet():
    """In the form that it reads."""
    app = Application(allow_eio3=True)
    opened = start_http(app, "GET", "EIO=3&transport=polling", headers=BROWSER).response()
    sid = opened.text.split('"')[3]

    app.engine.leave_client(sid)
    response = start_http(app, "GET", f"EIO=3&transport=polling&sid={sid}", headers=BROWSER).response()

    assert response.text == "1:1"


def test_a_handshake_is_refused_for_a_while():
    """With status 503, and a hint when to try again; requests of clients that are there are served."""
    app = Application()
    client = connect_polling(app)

    app.engine.stop_admitting(1)
    response = start_http(app, "GET", "EIO=4&transport=polling").response()

    assert (response.status, response.headers["retry-after"]) == (503, "5")
    assert (client.send("4hi")).text == "ok"
    app.post(client.sid, "ho")
    assert (client.poll()).packets == ["4ho"]


def test_an_upgrade_that_has_begun_goes_through_and_ends():
    """The client has paused its polls; it notices the end of the WebSocket that it has moved to."""
    app = Application()
    client = connect_polling(app)
    websocket = start_upgrade(client)
    websocket.say("2probe")
    assert websocket.frame() == "3probe"

    app.engine.stop_admitting(5)
    app.engine.leave_client(client.sid)
    settle()
    websocket.say("5")

    assert websocket.closed() == []
    websocket.ended()


def test_a_session_that_is_over_is_left_alone():
    """Whether it has ended before, or ends for the second time."""
    app = Application()
    client, sid = connect_websocket(app)
    session = app.engine.sockets[sid]

    assert session.leave_client()
    assert not session.leave_client()
    soon(session.finish("transport close", abort=True))

    assert client.closed() == []
    assert app.disconnects.empty()


def test_a_client_whose_connect_handler_has_not_decided_is_refused():
    """It is not there yet: its handshake fails, and its disconnect handler runs, for it was accepted."""
    app = Application()

    def on_connect(sid):
        app.engine.leave_client(sid)

    app.on_connect = on_connect
    response = start_http(app, "GET", "EIO=4&transport=polling").response()

    assert response.code == 1
    assert app.reason() == "server shutting down"
    assert not app.engine.sockets
