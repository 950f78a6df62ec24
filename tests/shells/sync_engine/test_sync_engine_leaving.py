"""Threads: a client that leaves is noticed while the thread that reads it handles a message."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from fastsio.engine import hang_watch, message_reader
from fastsio.sync.engine import socketlink
from tests.shells.sync_engine.wire import Application, PollingClient, WebSocketClient, until
from tests.support.waiting import WAIT_S

GRACE_S = 0.05
MASK = b"\x00" * 4


class Hanging:
    """
    An application whose message handler waits until it is released, and keeps what it has handled.

    Its heartbeat plays no part.
    """

    def __init__(self, app: Application) -> None:
        self.app = app
        self.release = threading.Event()
        self.handled: list[Any] = []
        self.begun: list[Any] = []
        app.on_message = self._handle

    def _handle(self, sid: str, data: Any) -> None:
        self.begun.append(data)
        assert self.release.wait(WAIT_S)
        self.handled.append(data)

    def open(self) -> WebSocketClient:
        """Connect a client whose first message hangs."""
        client = WebSocketClient.open(self.app)
        client.say("4hang")
        until(lambda: self.begun)
        return client


@pytest.fixture
def hanging(make_app, monkeypatch):
    """Make such applications, which look often."""
    monkeypatch.setattr(hang_watch, "CHECK_INTERVAL_S", 0.01)
    made: list[Hanging] = []

    def make(**options: Any) -> Hanging:
        made.append(Hanging(make_app(**{"handler_grace": GRACE_S, **options})))
        return made[-1]

    yield make
    for one in made:
        one.release.set()


@pytest.mark.parametrize(
    ("how", "reason"),
    [("vanishes", "transport close"), ("closes", "transport close"), ("says goodbye", "client disconnect"),
     ("breaks a rule", "transport error")],
)  # fmt: skip
def test_a_client_that_leaves_is_noticed_under_a_handler_that_hangs(hanging, how, reason):
    """Its session ends after ``handler_grace``, with the reason that it would have had, long before its heartbeat."""
    one = hanging()
    client = one.open()

    if how == "vanishes":
        client.vanish()
    elif how == "closes":
        client.say_close()
    elif how == "says goodbye":
        client.say("1")
    else:
        client.sock.sendall(b"\x81\x01x")  # a frame without a mask

    assert one.app.reason() == reason
    until(lambda: not one.app.engine.sockets)
    one.release.set()
    until(lambda: one.handled)


def test_what_a_client_sent_before_it_left_is_handled(hanging):
    """In its order, as far as ``handler_grace`` goes; the session ends when it is done."""
    one = hanging(handler_grace=WAIT_S)
    client = one.open()
    client.say("4second", "4third")
    client.say_close()
    until(lambda: one.app.engine.hang_watch.left_clients)

    one.release.set()

    assert one.app.reason() == "transport close"
    assert one.handled == ["hang", "second", "third"]


def test_what_comes_after_the_grace_is_dropped(hanging):
    """The handler under way runs to its end: a thread cannot be stopped."""
    one = hanging()
    client = one.open()
    client.say("4second")
    client.vanish()
    assert one.app.reason() == "transport close"

    one.release.set()

    until(lambda: one.handled)
    client.served.result(WAIT_S)
    assert one.handled == ["hang"]


def test_what_was_read_ahead_is_handled_in_order(hanging):
    """Text, bytes, messages in fragments, and those that come later; pings are answered meanwhile."""
    one = hanging()
    client = one.open()
    link = one.app.engine.sockets[client.sid]
    client.say("4a", b"b")
    client.sock.sendall(b"\x01\x82" + MASK + b"4c")
    client.ping(b"there?")
    assert client.pong() == b"there?"
    client.sock.sendall(b"\x80\x81" + MASK + b"d" + b"\x81\x82" + MASK + b"4e")
    until(lambda: link.unread() == 0)

    one.release.set()
    client.say("4f")

    until(lambda: len(one.handled) == 6)
    assert one.handled == ["hang", "a", b"b", "cd", "e", "f"]


def test_pongs_are_found_under_a_handler_that_hangs(hanging):
    """The client lives on, whatever the handler does."""
    one = hanging(ping_interval=0.05, ping_timeout=5.0)
    client = one.open()

    for _ in range(5):
        assert client.frame() == "2"
        client.say("3")

    assert one.app.disconnects.empty()
    assert one.handled == []


def test_each_heartbeat_has_a_second_look_under_a_handler_that_hangs(hanging):
    """What stood unread in the one before counts no more: the client may be as late as it was then."""
    one = hanging()
    client = one.open()
    session = one.app.engine.sockets[client.sid]
    for _ in range(2):
        session.on_deadline()  # it is pinged
        assert session.is_excused()
        session.on_deadline()  # it is pinged once more
        client.say("3")
        until(lambda: not session.awaiting_pong)

    assert one.app.disconnects.empty()
    assert one.handled == []


def test_no_more_than_a_little_is_read_ahead(hanging, monkeypatch):
    """A client that sends without end is slowed down by its transport; all of it is handled in the end."""
    monkeypatch.setattr(message_reader, "MAX_FRAMES", 3)
    one = hanging()
    client = one.open()
    link = one.app.engine.sockets[client.sid]
    for number in range(8):
        client.say(f"4{number}")
        time.sleep(0.005)  # each in a segment of its own, so that they are not read at once
    until(lambda: link.unread() > 0)
    client.say_close()

    assert one.app.disconnects.empty()
    one.release.set()

    assert one.app.reason() == "transport close"
    assert one.handled == ["hang", *map(str, range(8))]


def test_what_is_too_large_ends_the_session_too(hanging):
    """After what came before it."""
    one = hanging(max_http_buffer_size=100, handler_grace=WAIT_S)
    client = one.open()
    client.say("4a", "4" + "x" * 200)
    until(lambda: one.app.engine.hang_watch.left_clients)

    one.release.set()

    assert one.app.reason() == "transport error"
    assert one.handled == ["hang", "a"]
    assert client.closed() == []


@pytest.fixture(params=["nothing is told", "the amount is told"])
def unreadable(request, monkeypatch):
    """Let nothing be read ahead, as with TLS in the web server, which tells how much stands unread, or on Windows."""
    monkeypatch.setattr(socketlink, "_raw_socket", lambda sock: None)
    if request.param == "nothing is told":
        monkeypatch.setattr(socketlink, "system_socket", lambda sock: None)
    return request.param


@pytest.mark.parametrize("leaves", [True, False])
def test_where_nothing_can_be_read_ahead_the_session_ends_with_the_heartbeat(hanging, unreadable, leaves):
    """After one interval and two timeouts at the latest, whether the client has left or is silent."""
    one = hanging(ping_interval=0.1, ping_timeout=0.6)
    client = one.open()
    begun = time.monotonic()
    if leaves:
        client.vanish()

    assert one.app.reason() in ("ping timeout", "transport close")
    assert time.monotonic() - begun < WAIT_S / 2  # which the handler takes
    until(lambda: not one.app.engine.sockets)


def test_a_client_that_answers_lives_on_where_more_and_more_stands_unread(hanging, monkeypatch):
    """Each ping has an answer, though nobody reads it before the handler is done."""
    monkeypatch.setattr(socketlink, "_raw_socket", lambda sock: None)
    one = hanging(ping_interval=0.05, ping_timeout=2.0)
    client = one.open()

    for _ in range(3):
        assert client.frame() == "2"
        client.say("3")

    assert one.app.disconnects.empty()
    one.release.set()
    until(lambda: one.handled)
    assert one.app.engine.sockets


def test_a_client_that_polls_and_leaves_misses_its_heartbeat(hanging):
    """Its POST is what the handler runs in, and no poll comes: after one interval and two timeouts at the latest."""
    one = hanging(ping_interval=0.1, ping_timeout=0.6)
    client = PollingClient(one.app)
    begun = time.monotonic()
    post = one.app.pool.submit(client.send, "4hang")

    assert one.app.reason() == "ping timeout"
    assert time.monotonic() - begun < WAIT_S / 2  # which the handler takes
    one.release.set()
    assert post.result(WAIT_S).status == 200


def test_who_watches_is_there_while_messages_are_handled(hanging, monkeypatch):
    """One look for all clients, which ends when it finds nothing for a while, and with the server."""
    monkeypatch.setattr(hang_watch, "QUIET_CHECKS", 2)
    one = hanging()
    watch = one.app.engine.hang_watch
    one.open()
    one.open()
    assert watch.is_running
    one.release.set()
    until(lambda: not watch.is_running)

    one.release.clear()
    one.begun.clear()
    one.open()
    assert watch.is_running
    one.app.engine.shutdown()
    until(lambda: not watch.is_running)


def test_messages_are_handled_where_no_thread_can_be_started_to_watch(hanging, monkeypatch, caplog):
    """Then leaving is noticed with the heartbeat; the next message tries again."""
    one = hanging()
    deadlines, failures = one.app.engine.deadlines, iter([RuntimeError("can't start new thread")])
    set_deadline = deadlines.set

    def set_or_fail(member: Any, delay_s: float) -> None:
        if member is one.app.engine.hang_watch:
            for failure in failures:
                raise failure
        set_deadline(member, delay_s)

    monkeypatch.setattr(deadlines, "set", set_or_fail)
    one.release.set()
    client = WebSocketClient.open(one.app)
    client.say("4a")
    until(lambda: one.handled == ["a"])
    assert not one.app.engine.hang_watch.is_running

    client.say("4b")
    until(lambda: one.handled == ["a", "b"])
    assert one.app.engine.hang_watch.is_running


def test_a_look_that_fails_is_logged_and_ends_nothing(hanging, monkeypatch, caplog):
    """The others are looked at all the same."""
    one = hanging()
    first, second = one.open(), one.open()
    broken = one.app.engine.sockets[first.sid]
    monkeypatch.setattr(type(broken), "read_ahead", failing(broken, type(broken).read_ahead))

    second.vanish()

    assert one.app.reason() == "transport close"
    assert first.sid in one.app.engine.sockets
    assert "could not be checked" in caplog.text


def failing(broken: Any, read_ahead: Any) -> Any:
    """Make a method that fails for one outbox."""

    def method(self: Any, take: Any) -> Any:
        if self is broken:
            raise ValueError("a defect")
        return read_ahead(self, take)

    return method
