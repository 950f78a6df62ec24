"""Threads: a message handler that never returns does not keep its session from ending with the heartbeat."""

from __future__ import annotations

import queue
import threading

import pytest

from tests.shells.sync_engine.wire import PollingClient, WebSocketClient, until
from tests.support.waiting import WAIT_S


@pytest.fixture
def hanging(make_app):
    """Make an application whose message handler waits until it is released."""

    def make(**options):
        app = make_app(**{"ping_interval": 0.1, "ping_timeout": 0.6, **options})
        app.release = threading.Event()
        app.busy = threading.Event()

        def on_message(sid, data):
            app.busy.set()
            app.release.wait(WAIT_S)

        app.on_message = on_message
        return app

    return make


@pytest.mark.parametrize("leaves", [True, False])
def test_a_client_that_is_gone_or_silent_misses_its_heartbeat_under_a_handler_that_hangs(hanging, leaves):
    """The disconnect handler runs, and nothing is left of the session; the handler's thread ends when it does."""
    app = hanging()
    client = WebSocketClient.open(app)
    client.say("4hang")
    assert app.busy.wait(WAIT_S)
    if leaves:
        client.sock.close()

    assert app.disconnects.get(timeout=WAIT_S) in ("ping timeout", "transport close")
    until(lambda: not app.engine.sockets)
    app.release.set()


def test_a_client_that_answers_lives_on_under_a_handler_that_takes_long(hanging):
    """Its pongs stand unread behind the message, more of them each time."""
    app = hanging(ping_timeout=2.0)
    client = WebSocketClient.open(app)
    client.say("4hang")
    for _ in range(3):
        assert client.frame() == "2"
        client.say("3")
    with pytest.raises(queue.Empty):
        app.disconnects.get_nowait()
    app.release.set()
    while client.frame() != "2":
        pass

    assert app.engine.sockets


def test_a_polling_client_that_is_silent_misses_its_heartbeat_under_a_handler_that_hangs(hanging):
    """It does not poll any more, so it is not waited for."""
    app = hanging()
    client = PollingClient(app)
    posting = threading.Thread(target=client.send, args=("4hang",), daemon=True)
    posting.start()
    assert app.busy.wait(WAIT_S)

    assert app.disconnects.get(timeout=WAIT_S) == "ping timeout"
    app.release.set()
    posting.join(WAIT_S)
