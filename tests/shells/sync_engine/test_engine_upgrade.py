# Written by tools/unasync.py from tests/shells/engine/test_engine_upgrade.py; change that one.
"""The upgrade from polling to WebSocket, over an in-process WSGI wire."""

from __future__ import annotations

import pytest

from tests.shells.sync_engine.wire import (
    Application,
    Gate,
    connect_polling,
    settle,
    soon,
    start_upgrade,
    until,
    upgrade,
)


def test_a_session_moves_to_the_websocket():
    """The pending poll ends with a noop, then the WebSocket carries both directions."""
    app = Application()
    client = connect_polling(app)
    poll = client.start_poll()
    settle()

    websocket = upgrade(client)

    assert (poll.response()).packets == ["6"]
    websocket.say("4up")
    assert app.message() == "up"
    app.post(client.sid, "down")
    assert websocket.frame() == "4down"
    assert app.engine.transport(client.sid) == "websocket"
    websocket.leave()
    assert app.reason() == "transport close"


def test_messages_posted_during_the_upgrade_are_sent_once_and_in_order():
    """They wait for the WebSocket, and no noop follows."""
    app = Application()
    client = connect_polling(app)
    websocket = start_upgrade(client)
    websocket.say("2probe")
    websocket.frame()

    app.post(client.sid, "one")
    poll = client.poll()
    app.post(client.sid, "two", b"\x01")
    websocket.say("5")

    assert poll.packets == ["6"]
    assert [websocket.frame() for _ in range(3)] == ["4one", "4two", b"\x01"]
    app.post(client.sid, "three")
    assert websocket.frame() == "4three"


def test_messages_can_be_posted_by_the_client_during_the_upgrade():
    """A POST under way when the WebSocket opens is taken."""
    app = Application()
    client = connect_polling(app)
    websocket = start_upgrade(client)
    websocket.say("2probe")
    websocket.frame()

    assert (client.send("4a")).status == 200
    assert app.message() == "a"


def test_an_upgrade_needs_no_probe():
    """Some clients send ``5`` alone; a pending poll ends with a noop."""
    app = Application()
    client = connect_polling(app)
    poll = client.start_poll()
    settle()
    websocket = start_upgrade(client)

    websocket.say("5")
    websocket.say("4up")

    assert app.message() == "up"
    assert (poll.response()).packets == ["6"]
    app.post(client.sid, "down")
    assert websocket.frame() == "4down"


def test_an_upgraded_session_refuses_http_and_closes_a_second_websocket():
    """The second WebSocket is accepted first, as by the JavaScript server; the live one is untouched."""
    app = Application()
    client = connect_polling(app)
    websocket = upgrade(client)
    websocket.say("4x")
    app.message()

    second = start_upgrade(client)
    assert second.closed() == []
    second.ended()

    assert (client.poll()).code == 3
    assert (client.send("4a")).code == 3
    app.post(client.sid, "alive")
    assert websocket.frame() == "4alive"


def test_a_second_websocket_during_an_upgrade_is_closed():
    """Only one WebSocket can take a session over."""
    app = Application()
    client = connect_polling(app)
    websocket = start_upgrade(client)

    second = start_upgrade(client)
    assert second.closed() == []
    second.ended()
    websocket.say("2probe")

    assert websocket.frame() == "3probe"


def test_a_poll_that_waits_for_an_upgrade_goes_on_when_that_fails():
    """The session stays on polling, and the poll gets what comes."""
    app = Application()
    client = connect_polling(app)
    websocket = start_upgrade(client)
    websocket.say("2probe")
    websocket.frame()
    poll = client.start_poll()
    settle()

    websocket.leave()
    websocket.ended()
    app.post(client.sid, "still here")

    assert (poll.response()).packets == ["4still here"]


@pytest.mark.parametrize("frames", [["4hello"], ["2"], [b"2probe"], ["2probe", "4early"], ["2probe", "2probe"]])
def test_a_websocket_that_probes_wrongly_is_closed_and_the_session_stays_on_polling(frames):
    """What a connection says that has not taken the session over does not end the session."""
    app = Application()
    client = connect_polling(app)
    websocket = start_upgrade(client)

    for frame in frames:
        websocket.say(frame)
    websocket.closed()
    websocket.ended()

    app.post(client.sid, "still here")
    assert (client.poll()).packets == ["4still here"]
    assert (client.send("4me too")).status == 200
    assert app.disconnects.empty()
    upgrade(client)


@pytest.mark.parametrize("frames", [[], ["2probe"]])
def test_a_websocket_that_vanishes_leaves_the_session_on_polling(frames):
    """A failed upgrade is no reason to lose the session."""
    app = Application()
    client = connect_polling(app)
    websocket = start_upgrade(client)
    for frame in frames:
        websocket.say(frame)

    websocket.leave()
    websocket.ended()
    app.post(client.sid, "still here")

    assert (client.poll()).packets == ["4still here"]
    assert app.disconnects.empty()
    upgrade(client)


def test_what_was_posted_before_an_upgrade_is_handled_before_what_follows_it():
    """The WebSocket is not read while the packets of a POST are handled: they are taken one after the other."""
    app = Application()
    client = connect_polling(app)
    begun, may_go_on, order = Gate(), Gate(), []

    def record(sid, data):
        order.append(data)
        begun.set()
        may_go_on.wait()
        order.append(f"{data} done")

    app.on_message = record
    post = app.start(client.send, "4one\x1e4two")
    soon(begun.wait())
    websocket = start_upgrade(client)
    websocket.say("2probe")
    websocket.frame()
    websocket.say("5")
    websocket.say("4three")
    settle()
    assert order == ["one"]

    may_go_on.set()
    assert (soon(post)).status == 200
    until(lambda: len(order) == 6)

    assert order == ["one", "one done", "two", "two done", "three", "three done"]
