"""How many bytes one connection can have the threaded server keep."""

from __future__ import annotations

import json
import threading

from tests.shells.sync.fake_engine import wired
from tests.support.waiting import WAIT_S


def event(name: str, size: int) -> str:
    """Return the frame of an event of a size."""
    return "2" + json.dumps([name, "x" * (size - len(name) - 8)], separators=(",", ":"))


def test_the_next_large_event_waits_until_there_is_room():
    """Beyond max_handler_bytes the connection's reading pauses until a handler is done; small events go on."""
    sio, wire = wired(max_handler_bytes=10_000)
    gate, begun, log = threading.Event(), threading.Semaphore(0), []

    @sio.event
    def work(sid, data):
        log.append(len(data))
        begun.release()
        assert gate.wait(WAIT_S)

    sio.on("ping", lambda _sid: "pong")
    client = wire.join()
    client.send(event("work", 4_000), event("work", 5_000))
    for _ in range(2):
        assert begun.acquire(timeout=WAIT_S)
    assert client.ask("ping") == ["pong"]
    reading = threading.Thread(target=client.send, args=(event("work", 3_000),))
    reading.start()
    assert not begun.acquire(timeout=0.05)
    gate.set()
    assert begun.acquire(timeout=WAIT_S)
    reading.join(WAIT_S)

    assert not reading.is_alive()
    assert len(log) == 3


def test_a_large_event_of_a_client_that_left_is_not_handled():
    """Nothing stays counted for it."""
    sio, wire = wired(max_handler_bytes=3_000)
    gate, begun, log = threading.Event(), threading.Event(), []

    @sio.event
    def work(sid, data):
        log.append(len(data))
        begun.set()
        assert gate.wait(WAIT_S)

    client = wire.join()
    connection = sio._connections[client.eio_sid]
    client.send(event("work", 2_000))
    assert begun.wait(WAIT_S)
    reading = threading.Thread(target=client.send, args=(event("work", 2_000),))
    reading.start()
    sio.disconnect(client.sid)
    gate.set()
    reading.join(WAIT_S)

    assert len(log) == 1
    assert connection.handler_bytes == 0


def test_what_waits_and_what_is_kept_is_bounded():
    """Auth is refused; it is dropped with its client."""
    sio, wire = wired(max_auth_bytes=300, namespaces=["/", "/a"])
    client = wire.join("/", {"x": "a" * 150})
    client.send('0/a,{"x":"' + "b" * 150 + '"}')
    assert client.receive() == '4/a,{"message":"Too much auth"}'
    client.send("1")
    assert sio._connections[client.eio_sid].auth_bytes == 0
    client.join("/a", {"x": "b" * 150})
