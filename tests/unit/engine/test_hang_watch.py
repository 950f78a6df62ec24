"""The watch for clients that leave while a message of theirs is handled, without threads."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from fastsio.engine.hang_watch import CHECK_INTERVAL_S, QUIET_CHECKS, HangWatch
from fastsio.exceptions import PacketError


class Session:
    """A session that handles a message."""

    progress = 1
    handling = True
    closing = False
    is_attached = True


class Lab:
    """A server with one session, and the watch over it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.session = Session()
        self.left: Exception | None = None
        self.looks = 0
        self.delays: list[float] = []
        self.ended: list[Any] = []
        self.server = SimpleNamespace(
            clock=lambda: self.now,
            sockets={"id": self.session},
            handler_grace=1.0,
            deadlines=SimpleNamespace(set=self.set),
            start_background_task=lambda function, *args: function(*args),
            logger=logging.getLogger("watch"),
        )
        self.watch = HangWatch(self.server, self.how_client_left, lambda *args: self.ended.append(args))

    def set(self, member: Any, delay_s: float) -> None:
        """Keep the deadline."""
        assert member is self.watch
        self.delays.append(delay_s)

    def how_client_left(self, session: Session) -> Exception | None:
        """Look at a session."""
        assert session is self.session
        self.looks += 1
        if isinstance(self.left, OSError):
            raise self.left
        return self.left


@pytest.fixture
def lab() -> Lab:
    """A watch that has begun to look, and seen the session once."""
    made = Lab()
    made.watch.start()
    made.watch.on_deadline()
    return made


def test_only_a_message_that_is_handled_at_two_looks_takes_long(lab):
    """One that is done in between was another one."""
    lab.session.progress += 1
    lab.watch.on_deadline()
    assert lab.looks == 0

    lab.watch.on_deadline()
    assert (lab.looks, lab.watch.left_clients) == (1, {})
    assert lab.delays == [CHECK_INTERVAL_S] * 4


def test_the_session_of_a_client_that_left_ends_when_its_handler_has_had_its_grace(lab):
    """It is looked at once, and ended once."""
    lab.left = PacketError("gone")
    lab.watch.on_deadline()
    assert (lab.watch.left_clients, lab.ended) == ({lab.session: (100.0, lab.left)}, [])

    lab.now = 101.0
    lab.watch.on_deadline()
    assert (lab.looks, lab.ended, lab.watch.left_clients) == (1, [(lab.session, lab.left)], {})


def test_a_session_that_ends_by_itself_is_left_alone(lab):
    """Its handler was done in time, or ended it."""
    lab.left = PacketError("gone")
    lab.watch.on_deadline()
    lab.session.closing, lab.now = True, 101.0

    lab.watch.on_deadline()
    assert (lab.ended, lab.watch.left_clients) == ([], {})


def test_a_handler_that_is_done_in_time_leaves_the_end_to_its_thread(lab):
    """The thread reads on, and finds the end."""
    lab.left = PacketError("gone")
    lab.watch.on_deadline()
    lab.session.handling, lab.now = False, 101.0

    lab.watch.on_deadline()
    assert lab.ended == []


def test_a_session_that_cannot_be_looked_at_does_not_end_the_watch(lab, caplog):
    """The error is logged."""
    lab.left = OSError("no socket")
    lab.watch.on_deadline()

    assert "could not be checked" in caplog.text
    assert lab.delays == [CHECK_INTERVAL_S] * 3


def test_the_watch_ends_when_nothing_was_handled_for_a_while(lab):
    """The next message starts it again."""
    lab.session.handling = False
    for _ in range(QUIET_CHECKS):
        assert lab.watch.is_running
        lab.watch.on_deadline()

    assert (lab.watch.is_running, len(lab.delays)) == (False, 1 + QUIET_CHECKS)
    lab.watch.start()
    assert lab.watch.is_running


def test_a_message_that_begins_at_the_last_look_keeps_the_watch_running(lab):
    """Its thread saw the watch run, and did not start it."""
    lab.session.handling = False
    for _ in range(QUIET_CHECKS - 1):
        lab.watch.on_deadline()
    late = Session()
    looked = lab.watch._check_sessions
    lab.watch._check_sessions = lambda: looked() or lab.server.sockets.update(late=late)

    lab.watch.on_deadline()
    assert lab.watch.is_running


def test_without_a_thread_there_is_no_watch(lab, caplog):
    """Clients that leave are noticed with their heartbeat."""

    def refuse(member: Any, delay_s: float) -> None:
        raise RuntimeError("no thread")

    lab.server.deadlines.set = refuse
    lab.watch.start()

    assert not lab.watch.is_running
    assert "no thread could be started" in caplog.text


def test_a_server_that_shuts_down_has_no_watch(lab):
    """The deadlines are gone."""
    lab.watch.on_shutdown()

    assert not lab.watch.is_running
