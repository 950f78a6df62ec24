"""Connection state recovery in threads: a client that takes what it missed slowly, or not at all."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.shells.sync.fake_engine import FakeClient, wired
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MISSED = 1_500


class Slow:
    """A client that is back, and reads nothing of what it missed before it is told to."""

    def __init__(self, **options: Any) -> None:
        self.sio, self.wire = wired(connection_state_recovery=True, **options)
        self.is_waited_for, self.reads = threading.Event(), threading.Event()
        self.other = self.wire.join()
        first = self.wire.open()
        first.send("0")
        self.payload = json.loads(first.receive()[1:])
        self.sid: str = self.payload["sid"]
        self.sio.enter_room(self.sid, "tea")
        first.lose()
        for number in range(MISSED):
            self.sio.emit("news", number, room="tea")
        self.client: FakeClient = self.wire.open()
        self.wire.let_read = self._let_read  # type: ignore[attr-defined] # only of the real one
        self.wire.congested.add(self.client.eio_sid)
        self.coming = self.start(lambda: self.client.send("0" + json.dumps({"pid": self.payload["pid"]})))
        assert self.is_waited_for.wait(WAIT_S)

    def _let_read(self, eio_sids: Sequence[str]) -> None:
        # Those that send to several do not wait here for one.
        if list(eio_sids) == [self.client.eio_sid]:
            self.is_waited_for.set()
            self.reads.wait(WAIT_S)

    @staticmethod
    def start(function: Callable[[], Any]) -> threading.Thread:
        """Call a function in a thread."""
        thread = threading.Thread(target=function, daemon=True)
        thread.start()
        return thread

    def go_on(self) -> list[str]:
        """Let the client read, and return all that it was sent."""
        self.reads.set()
        self.coming.join(WAIT_S)
        assert not self.coming.is_alive()
        return list(self.client.frames.queue)


@pytest.fixture
def slow() -> Iterator[Slow]:
    """A client that reads nothing."""
    slow = Slow()
    yield slow
    slow.reads.set()
    slow.sio.shutdown(timeout=0)


@pytest.mark.parametrize(
    "what",
    [
        lambda slow: slow.sio.emit("news", "late"),
        lambda slow: slow.sio.emit("news", "late", room="tea", wait=False),
        lambda slow: slow.sio.leave_room(slow.sid, "tea"),
        lambda slow: slow.sio.save_session(slow.sid, {"user": 1}),
        lambda slow: slow.client.send("0/other,"),
        lambda slow: slow.sio.disconnect(slow.sid),
        lambda slow: slow.client.lose(),
        lambda slow: slow.wire.join(),
    ],
    ids=["emit", "emit to its room", "leave_room", "save_session", "another namespace", "disconnect", "lose", "join"],
)
def test_nobody_waits_for_a_client_that_reads_nothing(slow, what):
    """Whatever another thread does to it or to others meanwhile."""
    doing = slow.start(lambda: what(slow))
    doing.join(WAIT_S / 2)

    assert not doing.is_alive()


def test_what_is_sent_to_it_meanwhile_comes_after_what_it_missed(slow):
    """More than may wait for a client comes out of the log; every event once, in order."""
    for number in range(MISSED, MISSED + 3_000):
        slow.sio.emit("news", number, room="tea", wait=False)

    events = [json.loads(frame[1:]) for frame in slow.go_on() if frame.startswith("2")]

    assert [event[1] for event in events] == list(range(MISSED + 3_000))
    slow.sio.emit("news", "late", room="tea")
    assert json.loads(slow.client.frames.queue[-1][1:])[1] == "late"


def test_a_client_that_is_disconnected_before_its_connect_is_answered_is_refused():
    """It gets no CONNECT afterwards, and nothing more of what it missed."""
    slow = Slow()

    slow.sio.disconnect(slow.sid)
    frames = slow.go_on()

    assert [frame[:1] for frame in frames if not frame.startswith("2")] == ["4"]
    assert slow.sid not in slow.sio.rooms(slow.sid)
    slow.sio.shutdown()


def test_threads_send_more_than_may_wait_while_clients_connect():
    """Each client gets every event that was sent since it connected, once and in order."""
    sio, wire = wired(connection_state_recovery=True, max_held_packets=3)
    in_handler, is_over = threading.Barrier(4), threading.Event()

    @sio.event
    def connect(sid: str, environ: Any) -> None:
        in_handler.wait(WAIT_S)

    def emit() -> None:
        in_handler.wait(WAIT_S)
        for number in range(3_000):
            sio.emit("news", number)
        is_over.set()

    clients = [wire.open() for _ in range(3)]
    threads = [Slow.start(emit), *[Slow.start(lambda client=client: client.send("0")) for client in clients]]
    for thread in threads:
        thread.join(WAIT_S)

    assert is_over.is_set()
    for client in clients:
        frames = list(client.frames.queue)
        assert [json.loads(frame[1:])[1] for frame in frames[1:]] == list(range(3_000))
    sio.shutdown()
