"""Connection state recovery in threads: what threads that do things at the same time must not do to each other."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

import fastsio
from fastsio.base import lost_sessions
from fastsio.exceptions import ClientLeftError
from tests.shells.sync.fake_engine import FakeClient, Wire, wired
from tests.support.waiting import WAIT_S


class Seat:
    """A client that can be lost and come back."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.offset: str | None = None
        self.client: FakeClient
        self.pid = self.sid = ""

    def connect(self) -> Seat:
        """Connect as a new client."""
        assert self._join(None) == []
        return self

    def back(self) -> list[Any]:
        """Come back; return the events that came before the answer to CONNECT."""
        offset = {} if self.offset is None else {"offset": self.offset}
        return self._join({"pid": self.pid, **offset})

    def event(self) -> list[Any]:
        """Return the next event, without its offset."""
        return self._read(self.client.receive())

    def _join(self, auth: Any) -> list[Any]:
        self.client = self.wire.open()
        self.client.send("0" if auth is None else f"0{json.dumps(auth)}")
        missed = []
        while not (frame := self.client.receive()).startswith("0"):
            missed.append(self._read(frame))
        payload = json.loads(frame[1:])
        self.pid, self.sid = payload["pid"], payload["sid"]
        return missed

    def _read(self, frame: str) -> list[Any]:
        *event, self.offset = json.loads(frame[1:])
        return event


@pytest.fixture
def recovering():
    """A server that recovers connections, and its wire."""
    sio, wire = wired(connection_state_recovery=True)
    yield sio, wire
    sio.shutdown()


def together(*calls: Any) -> None:
    """Call functions in threads of their own, at the same time, and wait for all."""
    barrier = threading.Barrier(len(calls))

    def run(call: Any) -> None:
        barrier.wait(WAIT_S)
        call()

    threads = [threading.Thread(target=run, args=(call,), daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert not any(thread.is_alive() for thread in threads)


def test_a_lost_client_comes_back(recovering):
    """It has its sid, rooms and session data, and gets what it missed before the answer to CONNECT."""
    sio, wire = recovering
    seen: list[Any] = []

    @sio.event
    def connect(sid: fastsio.SocketID, recovered: fastsio.Recovered) -> None:
        seen.append((bool(recovered), dict(recovered.session)))

    seat = Seat(wire).connect()
    sid = seat.sid
    sio.enter_room(sid, "tea")
    sio.save_session(sid, {"user": "ann"})
    sio.emit("news", 1, room="tea")
    assert seat.event() == ["news", 1]
    seat.client.lose()
    sio.emit("news", 2, room="tea")
    sio.emit("news", 3, to=sid)

    assert seat.back() == [["news", 2], ["news", 3]]
    assert (seat.sid, sio.rooms(sid)) == (sid, [sid, "tea"])
    assert seen == [(False, {}), (True, {"user": "ann"})]


def test_threads_that_emit_do_not_mix_up_offsets(recovering):
    """Each client gets events in the order of their offsets, so that it never comes back to less than it has seen."""
    sio, wire = recovering
    seats = [Seat(wire).connect() for _ in range(3)]

    together(*[lambda name=name: [sio.emit("news", [name, turn]) for turn in range(100)] for name in range(4)])

    for seat in seats:
        offsets = []
        for _ in range(400):
            seat.event()
            offsets.append(int((seat.offset or "").strip("~")))
        assert offsets == sorted(set(offsets))


def test_no_event_is_lost_or_doubled_while_clients_come_and_go(recovering):
    """While one thread emits, clients are lost and come back; each has every number once, in order."""
    sio, wire = recovering
    seats = [Seat(wire).connect() for _ in range(3)]
    is_over = threading.Event()
    seen: list[list[int]] = [[] for _ in seats]

    def emit() -> None:
        for number in range(2000):
            sio.emit("news", number)
        is_over.set()

    def go(seat: Seat, numbers: list[int]) -> None:
        sid = seat.sid
        while not is_over.is_set():
            while not seat.client.frames.empty():
                numbers.append(seat.event()[1])
            seat.client.lose()
            numbers.extend(event[1] for event in seat.back())
            assert seat.sid == sid
        while not seat.client.frames.empty():
            numbers.append(seat.event()[1])

    together(
        emit, *[lambda seat=seat, numbers=numbers: go(seat, numbers) for seat, numbers in zip(seats, seen, strict=True)]
    )

    for numbers in seen:
        lost = sorted(set(range(2000)) - set(numbers))
        assert (lost, len(numbers) - len(set(numbers)), numbers == sorted(numbers)) == ([], 0, True)


def test_one_of_several_threads_gets_the_session(recovering):
    """However many ask with one pid at the same time, there is one client with the sid."""
    sio, wire = recovering
    seat = Seat(wire).connect()
    sid = seat.sid
    for _ in range(20):
        seat.client.lose()
        others = [Seat(wire) for _ in range(4)]
        for other in others:
            other.pid = seat.pid

        together(*[other.back for other in others])

        here = [each for each, _ in sio.manager.get_participants("/", None)]
        assert here.count(sid) == 1
        (seat,) = [other for other in others if other.sid == sid and other.client.eio_sid in wire.clients]
        for other in others:
            if other is not seat and other.client.eio_sid in wire.clients:
                other.client.lose()


def test_a_client_is_taken_out_of_a_room_in_the_moment_of_its_loss(recovering, monkeypatch):
    """Another thread takes it out while its session is made; it is not in the room when it is back."""
    sio, wire = recovering
    seat = Seat(wire).connect()
    sio.enter_room(seat.sid, "tea")
    recovery = sio.__fastsio__.recovery_state
    session_of = recovery.session_of
    leaving = threading.Thread(target=sio.leave_room, args=(seat.sid, "tea"), daemon=True)

    def session_while_it_leaves(client: Any) -> Any:
        session = session_of(client)
        leaving.start()
        leaving.join(0.1)  # as much as it can do now
        return session

    monkeypatch.setattr(recovery, "session_of", session_while_it_leaves)
    seat.client.lose()
    leaving.join(WAIT_S)
    monkeypatch.undo()
    sid = seat.sid
    seat.back()

    assert (seat.sid, sio.rooms(sid)) == (sid, [sid])


def test_a_takeover_waits_for_the_disconnect_handler(recovering):
    """The connect handler of the new connection runs after the disconnect handler of the old one."""
    sio, wire = recovering
    may_end, is_ending, seen = threading.Event(), threading.Event(), []

    @sio.event
    def connect(sid: str, environ: dict[str, Any]) -> None:
        seen.append("connect")

    @sio.event
    def disconnect(sid: str) -> None:
        is_ending.set()
        may_end.wait(WAIT_S)
        seen.append("disconnect")

    seat = Seat(wire).connect()
    coming = threading.Thread(target=seat.back, daemon=True)
    coming.start()
    assert is_ending.wait(WAIT_S)
    assert seen == ["connect"]
    may_end.set()
    coming.join(WAIT_S)

    assert seen == ["connect", "disconnect", "connect"]


def test_a_disconnect_handler_that_hangs():
    """The client that is back is a new one after a while."""
    sio, wire = wired(connection_state_recovery={"takeover_timeout": 0.02})
    may_end = threading.Event()
    sio.on("disconnect", lambda sid, reason: may_end.wait(WAIT_S))
    seat = Seat(wire).connect()
    sid = seat.sid

    seat.back()

    assert seat.sid != sid
    may_end.set()
    sio.shutdown()


def test_a_client_may_be_back_only_when_the_old_one_has_left(recovering):
    """The rooms of room classes that the old connection leaves behind are not left by the new one."""
    sio, wire = recovering
    left: list[Any] = []

    class Club(fastsio.Room):
        """A room that everybody may join."""

        @classmethod
        def extract_room_identifier(cls, session, data):
            return data["id"]

        @classmethod
        def on_leave(cls, room):
            left.append(room)

    sio.register_room(Club)
    recovery, is_back, threads = sio.__fastsio__.recovery_state, threading.Event(), []
    forget = recovery.forget

    def slow_forget(client: Any) -> None:
        forget(client)
        if client is old:
            threads.append(threading.current_thread())
            is_back.wait(WAIT_S)  # the thread that ends the old connection is slow

    seat = Seat(wire).connect()
    old = sio.manager.client_of(seat.sid, "/")
    seat.client.send('2["join_club",{"id":5}]')
    assert seat.event() == ["joined", {"room": "club|5"}]
    recovery.forget = slow_forget
    seat.back()
    is_back.set()
    threads[0].join(WAIT_S)

    assert left == []
    assert [member.sid for member in Club(5).members()] == [seat.sid]


def test_a_call_ends_with_the_connection(recovering):
    """Acknowledgements are not waited for across a loss."""
    sio, wire = recovering
    seat = Seat(wire).connect()
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            sio.call("question", to=seat.sid)
        except ClientLeftError as error:
            failures.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    seat.client.receive()
    seat.client.lose()
    asking.join(WAIT_S)

    assert len(failures) == 1
    assert seat.back() == []


def test_a_late_answer_is_not_taken_for_that_to_a_later_question(recovering):
    """A client that is back may still answer what it was asked before: the ids of questions are not used again."""
    sio, wire = recovering
    seat = Seat(wire).connect()
    sio.emit("first", to=seat.sid, callback=lambda *_: None)
    assert seat.client.receive() == '21["first"]'
    seat.client.lose()
    seat.back()
    answers: list[Any] = []
    is_answered = threading.Event()

    def note(answer: Any) -> None:
        answers.append(answer)
        is_answered.set()

    sio.emit("second", to=seat.sid, callback=note)
    ack_id = seat.client.receive()[1:].removesuffix('["second"]')
    seat.client.send('31["the answer to the first"]')
    seat.client.send(f'3{ack_id}["the answer to the second"]')

    assert is_answered.wait(WAIT_S)
    assert answers == ["the answer to the second"]


def test_sessions_are_forgotten_in_time():
    """After the time the pid is unknown, and on_leave has run."""
    sio, wire = wired(connection_state_recovery={"max_disconnection_duration": 0.05})
    left = threading.Event()

    class Club(fastsio.Room):
        """A room that everybody may join."""

        @classmethod
        def extract_room_identifier(cls, session, data):
            return data["id"]

        @classmethod
        def on_leave(cls, room):
            left.set()

    sio.register_room(Club)
    seat = Seat(wire).connect()
    sid = seat.sid
    seat.client.send('21["join_club",{"id":5}]')
    seat.client.lose()

    assert left.wait(WAIT_S)
    seat.back()
    assert seat.sid != sid
    sio.shutdown()


@pytest.fixture
def club():
    """A class of rooms that everybody may join; it notes that somebody has left."""

    class Club(fastsio.Room):
        left = threading.Event()

        @classmethod
        def extract_room_identifier(cls, session, data):
            return data["id"]

        @classmethod
        def on_leave(cls, room):
            cls.left.set()

    return Club


@pytest.fixture
def threads(monkeypatch):
    """The names of functions for which the system has no thread at present, and what is set when one was wanted."""
    lacking: set[str] = set()
    tried = threading.Event()

    def replace(kind: Any) -> None:
        start = kind.start_background_task

        def start_background_task(self: Any, target: Any, *args: Any, **kwargs: Any) -> Any:
            if target.__qualname__ in lacking:
                tried.set()
                raise RuntimeError("can't start new thread")
            return start(self, target, *args, **kwargs)

        monkeypatch.setattr(kind, "start_background_task", start_background_task)

    replace(Wire)
    replace(type(fastsio.Server(async_mode="threading").eio))  # it has the timers
    return lacking, tried


@pytest.mark.parametrize("what", ["presence", "session"])
def test_a_session_ends_though_there_was_no_thread_for_it(threads, club, monkeypatch, caplog, what):
    """It is tried again: the client leaves its rooms, and all sessions that were due are gone in the end."""
    monkeypatch.setattr(lost_sessions, "RETRY_S", 0.02)
    lacking, tried = threads
    times = {"presence_grace": 0.1} if what == "presence" else {"max_disconnection_duration": 0.1}
    sio, wire = wired(connection_state_recovery=times)
    sio.register_room(club)
    seats = [Seat(wire).connect() for _ in range(3)]
    for seat in seats:
        seat.client.send('2["join_club",{"id":5}]')
        assert seat.event() == ["joined", {"room": "club|5"}]
        seat.client.lose()
    recovery = sio.__fastsio__.recovery_state

    lacking.add("HandlerRunner._start.<locals>.run")
    assert tried.wait(WAIT_S)
    lacking.clear()

    assert club.left.wait(WAIT_S)
    until(lambda: not club(5).members())
    if what == "session":
        until(lambda: not recovery.has_sessions())
    assert "cannot be ended yet" in caplog.text
    sio.shutdown()


def test_a_client_is_lost_while_there_is_no_thread_for_the_timer(threads, club, caplog):
    """Its session is not kept, because it would never end; the client leaves its rooms."""
    lacking, _ = threads
    sio, wire = wired(connection_state_recovery=True)
    sio.register_room(club)
    seat = Seat(wire).connect()
    sid = seat.sid
    seat.client.send('2["join_club",{"id":5}]')
    assert seat.event() == ["joined", {"room": "club|5"}]
    sio.__fastsio__.recovery_state.lost._deadlines.stop()
    until(lambda: sio.__fastsio__.recovery_state.lost._deadlines._wake is None)

    lacking.add("Deadlines._run")
    seat.client.lose()
    lacking.clear()

    assert club.left.is_set()
    assert "can't start new thread" in caplog.text
    assert not sio.__fastsio__.recovery_state.has_sessions()
    seat.back()
    assert seat.sid != sid
    sio.shutdown()


def test_an_event_is_sent_while_there_is_no_thread_for_the_timer(threads):
    """Old events are dropped with the next ones."""
    lacking, tried = threads
    sio, wire = wired(connection_state_recovery=True)
    seat = Seat(wire).connect()

    lacking.add("Deadlines._run")
    sio.emit("news", 1)

    assert tried.is_set()
    assert seat.event() == ["news", 1]
    sio.shutdown()


def test_a_session_is_dropped_while_there_is_no_thread_for_its_hooks(threads, club):
    """The thread of the client that takes its place runs them."""
    lacking, tried = threads
    sio, wire = wired(connection_state_recovery={"max_sessions": 1})
    sio.register_room(club)
    member, other = Seat(wire).connect(), Seat(wire).connect()
    member.client.send('2["join_club",{"id":5}]')
    assert member.event() == ["joined", {"room": "club|5"}]
    member.client.lose()

    lacking.add("HandlerRunner._start.<locals>.run")
    other.client.lose()

    assert tried.is_set()
    assert club.left.is_set()
    assert not club(5).members()
    sio.shutdown()


def until(condition: Any) -> None:
    """Wait until *condition* holds."""
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)
