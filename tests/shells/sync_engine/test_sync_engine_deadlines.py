"""Heartbeats and handshakes of the threaded engine when something fails: nobody else is hurt, and nothing is left."""

from __future__ import annotations

import logging
import threading

import pytest

from fastsio.engine.deadlines import NEVER
from fastsio.sync.engine.session import Session
from fastsio.sync.engine.timers import Deadlines
from tests.shells.sync_engine.wire import PollingClient, WebSocketClient, until


class Member:
    """Something with a deadline."""

    def __init__(self) -> None:
        self.timer_key = NEVER


class Background:
    """Where a timer gets its thread from: of the first *failures* attempts none starts one."""

    logger = logging.getLogger("tests.deadlines")

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures

    def start_background_task(self, target, *args):
        if self.failures:
            self.failures -= 1
            raise RuntimeError("can't start new thread")
        thread = threading.Thread(target=target, args=args, daemon=True)
        thread.start()
        return thread

    def create_event(self) -> threading.Event:
        return threading.Event()


class Faulty(Session):
    """A session that cannot be served, the first time."""

    __slots__ = ()

    def on_deadline(self):
        self.__class__ = Session
        raise RuntimeError("can't start new thread")


def test_deadlines_are_met_after_a_thread_could_not_be_started():
    """Who set the deadline is told; the next one starts the thread."""
    met: list[Member] = []
    deadlines = Deadlines(met.extend, Background(failures=1))
    first, second = Member(), Member()

    with pytest.raises(RuntimeError, match="can't start new thread"):
        deadlines.set(first, 0.01)
    deadlines.set(second, 0.01)

    until(lambda: met == [second])
    assert first.timer_key == NEVER


def test_a_heartbeat_that_fails_costs_no_other_and_is_tried_again(make_app):
    """Clients that share a deadline do not share a fault."""
    app = make_app(ping_interval=0.1, ping_timeout=0.1)
    clients = [WebSocketClient.open(app) for _ in range(3)]
    app.engine.sockets[clients[0].sid].__class__ = Faulty

    assert clients[1].frame() == "2"
    assert clients[2].frame() == "2"
    assert clients[0].frame() == "2"


@pytest.mark.parametrize("client", [PollingClient, WebSocketClient.open])
def test_a_handshake_that_fails_after_the_client_was_accepted_leaves_no_session(app, client, monkeypatch):
    """The application is told that the client is gone, whatever it was that failed."""
    monkeypatch.setattr(app.engine.deadlines, "set", failing)

    with pytest.raises(RuntimeError, match="no more timers"):
        client(app)

    assert app.reason() == "transport error"
    assert app.engine.sockets == {}


def test_a_disconnect_handler_that_is_cut_off_leaves_no_session(app):
    """The end of a session does not depend on how its handler ends."""

    def on_disconnect(sid, reason):
        raise SystemExit

    app.on_disconnect = on_disconnect
    client = PollingClient(app)

    with pytest.raises(SystemExit):
        app.engine.close_client(client.sid, "transport error", abort=True)

    assert app.engine.sockets == {}


def failing(*_args, **_kwargs):
    """Fail."""
    raise RuntimeError("no more timers")
