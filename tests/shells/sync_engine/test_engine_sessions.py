# Written by tools/unasync.py from tests/shells/engine/test_engine_sessions.py; change that one.
"""How a session on a WebSocket begins and ends, over an in-process WSGI wire."""

from __future__ import annotations

import re

import pytest

from tests.shells.sync_engine.wire import (
    Application,
    Gate,
    connect_websocket,
    soon,
)


def test_the_server_ends_a_session_with_a_close_packet():
    """``1`` is sent after the disconnect handler, then the WebSocket is closed."""
    app = Application()
    client, sid = connect_websocket(app)

    soon(app.engine.close_client(sid, "server disconnect"))

    assert app.reason() == "server disconnect"
    assert client.closed() == ["1"]
    client.ended()
    assert not app.post(sid, "late")


def test_what_the_disconnect_handler_sends_goes_out_before_the_close_packet():
    """The client is still there while the handler of a server disconnect runs."""
    app = Application()

    def on_disconnect(sid, reason):
        app.post(sid, "bye")

    app.on_disconnect = on_disconnect
    client, sid = connect_websocket(app)

    soon(app.engine.disconnect(sid))

    assert client.closed() == ["4bye", "1"]


def test_an_aborted_session_ends_without_a_close_packet():
    """``abort`` does not tell the client."""
    app = Application()
    client, sid = connect_websocket(app)

    soon(app.engine.close_client(sid, "transport error", abort=True))

    assert app.reason() == "transport error"
    assert client.closed() == []
    client.ended()


def test_a_message_handler_can_end_its_own_session():
    """The handler runs to its end, later messages are not handled."""
    app = Application()
    finished = Gate()

    def on_message(sid, data):
        app.engine.disconnect(sid)
        finished.set()

    app.on_message = on_message
    client, _ = connect_websocket(app)

    client.say("4end")
    client.say("4late")

    assert app.reason() == "server disconnect"
    assert client.closed() == ["1"]
    client.ended()
    assert finished.is_set()
    assert app.message() == "end"
    assert app.messages.empty()


def test_the_session_data_is_readable_in_the_disconnect_handler():
    """What was saved under the sid is there until the handler has run."""
    app = Application()
    seen: list[dict[str, int]] = []

    def on_disconnect(sid, reason):
        seen.append(app.engine.get_session(sid))

    app.on_disconnect = on_disconnect
    client, sid = connect_websocket(app)
    app.engine.save_session(sid, {"a": 1})

    client.leave()
    client.ended()

    assert seen == [{"a": 1}]
    with pytest.raises(KeyError):
        app.engine.get_session(sid)


def test_what_the_connect_handler_sends_follows_the_open_packet():
    """The handshake comes first, then the messages in order."""
    app = Application()

    def on_connect(sid):
        app.post(sid, "one", b"two")
        app.post(sid, "three")

    app.on_connect = on_connect
    client, _ = connect_websocket(app)

    assert [client.frame() for _ in range(3)] == ["4one", b"two", "4three"]


def test_ids_are_long_fresh_and_fit_into_urls():
    """As long as python-engineio's, and of the same characters."""
    engine = Application().engine
    ids = {engine.generate_id() for _ in range(1000)}

    assert len(ids) == 1000
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{20}", each) for each in ids)
