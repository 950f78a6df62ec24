"""shutdown() and drain() of the server for threads: connections end, handlers are waited for."""

from __future__ import annotations

import threading

import pytest

from fastsio.sync.runner import MAX_ENDING
from tests.shells.sync.fake_engine import wired
from tests.support.waiting import WAIT_S


def test_server_disconnect_and_shutdown():
    """disconnect() runs the handler before it returns; shutdown() lets everybody go and nobody in."""
    sio, wire = wired()
    left = []
    sio.on("disconnect", lambda sid, reason: left.append((sid, reason)))
    one, two = wire.join(), wire.join()
    sio.disconnect(one.sid)
    assert one.receive() == "1"
    sio.shutdown(timeout=1)
    assert left == [(one.sid, "server disconnect"), (two.sid, "server shutting down")]
    assert two.frames.empty()
    assert wire.stopped
    assert not sio.is_ready
    with pytest.raises(ConnectionRefusedError):
        wire.open()


def test_shutdown_may_dismiss_the_clients():
    """They get DISCONNECT then, after which they stay away."""
    sio, wire = wired()
    left = []
    sio.on("disconnect", lambda _sid, reason: left.append(reason))
    client = wire.join()

    sio.shutdown(dismiss=True)

    assert list(client.frames.queue) == ["1"]
    assert left == ["server disconnect"]


def test_disconnect_handlers_that_hang_do_not_hold_up_the_end():
    """All transports end at once, the handlers of others run meanwhile, and shutdown() returns after its time."""
    sio, wire = wired()
    gate, ended = threading.Event(), []

    @sio.event
    def disconnect(sid, reason):
        if sid == first.sid:
            gate.wait(WAIT_S)
        ended.append((sid, len(wire.closed)))

    first, *others = [wire.join() for _ in range(4)]
    sio.shutdown(timeout=1.0)
    ended_in_time = sorted(ended)
    gate.set()

    assert ended_in_time == sorted((client.sid, 4) for client in others)


def test_connections_that_cannot_be_ended_do_not_keep_the_others(monkeypatch, caplog):
    """However many there are: each error is logged, and all the others end."""
    sio, wire = wired()
    clients = [wire.join() for _ in range(MAX_ENDING + 8)]
    ended, end_client = [], sio.eio.run_disconnect

    def run_disconnect(eio_sid, reason):
        if len(ended) < MAX_ENDING:
            ended.append(None)
            raise IndexError("of the application")
        ended.append(eio_sid)
        end_client(eio_sid, reason)

    monkeypatch.setattr(sio.eio, "run_disconnect", run_disconnect)
    sio.shutdown(timeout=WAIT_S)

    assert len(ended) == len(clients)
    assert caplog.text.count("A connection could not be ended") == MAX_ENDING


def test_a_drain_spreads_the_end_of_connections(monkeypatch):
    """In random order over its time; shutdown() finds nobody left."""
    sio, wire = wired()
    now, ends, seen = [0.0], [], []
    clients = [wire.join() for _ in range(20)]
    sio.on("disconnect", lambda sid, reason: seen.append((sid, reason)))
    start_for_each = sio._runner.start_for_each

    def start(function, connections, *until):
        ends.extend(now * len(connections))
        start_for_each(function, connections, *until)

    monkeypatch.setattr("fastsio.sync.server.monotonic", lambda: now[0])
    monkeypatch.setattr(sio._runner, "start_for_each", start)
    monkeypatch.setattr(sio.eio, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))

    sio.drain(0.4)
    sio.shutdown()

    assert not sio.is_ready
    assert sorted(sid for sid, _ in seen) == sorted(client.sid for client in clients)
    assert {reason for _, reason in seen} == {"server shutting down"}
    assert sum(when < 0.2 for when in ends) in range(6, 13)
    assert max(ends) >= 0.4
    assert all(client.frames.empty() for client in clients)


def test_a_drain_at_once_takes_a_bounded_number_of_threads():
    """However many clients there are; their disconnect handlers run a few at a time."""
    sio, wire = wired()
    clients = [wire.join() for _ in range(4 * MAX_ENDING)]
    lock, is_full, under_way, most, ended = threading.Lock(), threading.Event(), set(), [], []

    @sio.event
    def disconnect(sid, reason):
        with lock:
            under_way.add(sid)
            most.append(len(under_way))
        if len(under_way) >= MAX_ENDING:
            is_full.set()
        is_full.wait(WAIT_S)
        with lock:
            under_way.discard(sid)
            ended.append(sid)

    sio.drain(0)
    sio.shutdown(timeout=WAIT_S)

    assert sorted(ended) == sorted(client.sid for client in clients)
    assert max(most) <= MAX_ENDING


@pytest.mark.parametrize("is_lost", [False, True])
def test_shutdown_waits_for_handlers(is_lost):
    """An event handler under way ends before shutdown() returns, also one of a client that has gone."""
    sio, wire = wired()
    begun, gate, ended = threading.Event(), threading.Event(), threading.Event()

    @sio.event
    def work(sid):
        begun.set()
        gate.wait(WAIT_S)
        ended.set()

    client = wire.join()
    client.send('2["work"]')
    assert begun.wait(WAIT_S)
    if is_lost:
        client.lose()
    sio.eio.sleep = lambda _seconds: gate.set() or ended.wait(WAIT_S)  # what shutdown() does while it waits
    sio.shutdown()

    assert ended.is_set()


@pytest.mark.parametrize("event", ["work", "disconnect"])
def test_a_handler_that_shuts_the_server_down_does_not_wait_for_itself(event):
    """It waits for the other handlers, and then goes on."""
    sio, wire = wired()
    gate, begun, log = threading.Event(), threading.Event(), []

    @sio.on("other")
    def other(sid):
        begun.set()
        gate.wait(WAIT_S)
        log.append("other")

    @sio.on(event)
    def stop(sid, *reason):
        if sid == first.sid:
            sio.shutdown(timeout=2 * WAIT_S)
            log.append("shut down")
            is_over.set()

    first, second, is_over = wire.join(), wire.join(), threading.Event()
    second.send('2["other"]')
    assert begun.wait(WAIT_S)
    sio.eio.sleep = lambda _seconds: gate.set()  # what shutdown() does while it waits
    if event == "work":
        first.send('2["work"]')
    else:
        sio.start_background_task(sio.drain, 0)

    assert is_over.wait(WAIT_S)
    assert log == ["other", "shut down"]


@pytest.mark.parametrize("event", ["work", "disconnect"])
def test_two_handlers_may_shut_the_server_down_at_once(event):
    """They do not wait for each other, and each goes on when the server has stopped."""
    sio, wire = wired()
    both, log, are_over = threading.Barrier(2), [], threading.Semaphore(0)

    @sio.on(event)
    def stop(sid, *_):
        both.wait(WAIT_S)
        sio.shutdown(timeout=2 * WAIT_S)
        log.append(wire.stopped)
        are_over.release()

    clients = [wire.join() for _ in range(2)]
    if event == "work":
        for client in clients:
            client.send('2["work"]')
    else:
        sio.start_background_task(sio.drain, 0)

    assert all(are_over.acquire(timeout=WAIT_S) for _ in clients)
    assert log == [True, True]


def test_endless_background_tasks_do_not_delay_the_end():
    """Threads that the application started are not waited for, however long handlers may have."""
    sio, wire = wired(shutdown_timeout=WAIT_S)
    release = threading.Event()
    sio.start_background_task(release.wait)
    wire.join()
    stopping = threading.Thread(target=sio.shutdown)
    stopping.start()
    stopping.join(WAIT_S / 2)

    assert not stopping.is_alive()
    release.set()
