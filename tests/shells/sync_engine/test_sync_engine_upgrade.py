"""The upgrade from polling to a WebSocket in threads, and what else of the protocol a WebSocket's handshake decides."""

from __future__ import annotations

import threading
from time import monotonic

import pytest

from tests.shells.sync_engine.wire import PollingClient, WebSocketClient, start_upgrade, until
from tests.support.waiting import WAIT_S


def test_a_poll_that_arrives_before_the_end_of_the_upgrade_is_read_is_refused(app):
    """The session has moved, whichever of the two is read first."""
    client = PollingClient(app)
    websocket = start_upgrade(client)
    websocket.say("2probe")
    assert websocket.frame() == "3probe"

    poll = client.start_poll()
    websocket.say("5")

    assert (poll.result(WAIT_S).status, poll.result(WAIT_S).code) == (400, 3)
    app.post(client.sid, "alive")
    assert websocket.frame() == "4alive"


def test_two_polls_during_an_upgrade_end_the_session(app):
    """Only one poll may wait, for whatever it waits."""
    client = PollingClient(app)
    websocket = start_upgrade(client)
    websocket.say("2probe")
    assert websocket.frame() == "3probe"
    client.start_poll()

    assert client.poll().status == 400

    assert app.reason() == "transport error"


def test_a_client_that_wants_base64_sends_and_gets_binary_as_text(app):
    """Of the JavaScript client this is the option ``forceBase64``; pings of the WebSocket stay what they are."""
    client = WebSocketClient(app, "EIO=4&transport=websocket&b64=1")
    client.frame()
    (sid,) = app.engine.sockets

    client.say("bAQI=")
    app.post(sid, "text", b"\x01\x02")

    assert app.message() == b"\x01\x02"
    assert [client.frame(), client.frame()] == ["4text", "bAQI="]
    client.ping(b"p")
    assert client.pong() == b"p"


@pytest.mark.parametrize(("offered", "answer"), [("v1, v2", b"v1"), (", v2", b"v2"), ("b d", None), ("", None)])
def test_an_offered_subprotocol_is_answered(app, offered, answer):
    """With the first, as by the JavaScript server; browsers give up otherwise."""
    client = WebSocketClient(app, HTTP_SEC_WEBSOCKET_PROTOCOL=offered)

    found = [line for line in client.head.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Protocol:")]
    assert found == ([] if answer is None else [b"Sec-WebSocket-Protocol: " + answer])


def test_a_request_at_the_moment_of_the_timeout_finds_the_session_closed(make_app):
    """A session without pongs is over when ``ping_interval`` and ``ping_timeout`` are, however late the timer is."""
    app = make_app(ping_interval=0.05, ping_timeout=1.5)
    client = PollingClient(app)
    over = monotonic() + 1.55
    assert client.poll().packets == ["2"]
    over = max(over, monotonic() + 1.5)  # on a busy machine the ping may have gone out late
    app.engine.deadlines.stop()
    until(lambda: monotonic() >= over)

    refused = [client.poll(), client.send("3")]

    assert [(response.status, response.code) for response in refused] == [(400, 1)] * 2
    assert app.reason() == "ping timeout"


def test_an_upgrade_that_waits_too_long_for_a_post_leaves_the_session_on_polling(make_app):
    """It has the time of an upgrade, like all the rest of it."""
    app = make_app(upgrade_timeout=0.5)
    client = PollingClient(app)
    begun, may_go_on = threading.Event(), threading.Event()

    def wait(sid, data):
        begun.set()
        may_go_on.wait(WAIT_S)

    app.engine.on("message", wait)
    post = threading.Thread(target=client.send, args=("4one",))
    post.start()
    assert begun.wait(WAIT_S)
    websocket = start_upgrade(client)
    websocket.say("5")

    websocket.ended()
    may_go_on.set()
    post.join(WAIT_S)
    assert app.engine.transport(client.sid) == "polling"
