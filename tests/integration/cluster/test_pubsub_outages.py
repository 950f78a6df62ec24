"""A bus that breaks down while it is listened to, or carries nonsense."""

from __future__ import annotations

import asyncio
import json

import pytest

from fastsio.aio import bus as aio_bus
from tests.integration.memory_bus import GOOD, Breakdown, MemoryManager, make_node
from tests.shells.aio.fake_engine import settled, turns

pytestmark = pytest.mark.usefixtures("quick_bus")


async def test_listening_begins_anew_after_a_breakdown(node, bus, caplog):
    """C-92: both changes are logged, once each, at a level that loggers show by default."""
    client = await node.join()
    await settled(lambda: bus.listeners == 1)
    bus.inject(GOOD)
    assert await client.receive() == '2["good",1]'
    assert node.manager.listening

    bus.refuses = True
    bus.inject(Breakdown("torn"))
    await settled(lambda: bus.entered >= 4)
    assert not node.manager.listening
    bus.refuses = False
    await settled(lambda: bus.listeners == 1)
    bus.inject(GOOD)
    bus.inject(GOOD)

    assert [await client.receive() for _ in range(2)] == ['2["good",1]'] * 2
    logged = [(record.levelname, record.getMessage()) for record in caplog.records if "memory" in record.getMessage()]
    assert logged == [
        ("ERROR", "memory: other servers are not heard, trying to listen to 'socketio' again: Breakdown: torn"),
        ("ERROR", "memory: listening to 'socketio' again"),
    ]


async def test_a_bus_that_is_down_at_first_is_found_later(node, bus):
    """The server serves its clients meanwhile."""
    bus.refuses = True
    client = await node.join()
    await node.server.emit("e", 1)
    assert await client.receive() == '2["e",1]'
    await settled(lambda: bus.entered >= 3)

    bus.refuses = False
    await settled(lambda: bus.listeners == 1)
    bus.inject(GOOD)

    assert await client.receive() == '2["good",1]'


async def test_delays_grow_and_begin_anew(bus, monkeypatch):
    """From one second to sixty, with jitter, until messages arrive again."""
    monkeypatch.undo()
    delays = []

    async def note(seconds):
        delays.append(seconds)
        if len(delays) == 9:
            bus.refuses = False
        await asyncio.sleep(0)

    monkeypatch.setattr(aio_bus.concurrency, "sleep", note)
    bus.refuses = True
    node = make_node(bus, "a")
    node.manager.initialize()
    await settled(lambda: bus.listeners == 1)
    bus.inject(GOOD)
    await turns()
    bus.inject(Breakdown())
    await settled(lambda: len(delays) == 10)
    await node.server.shutdown()

    expected = [1, 2, 4, 8, 16, 32, 60, 60, 60, 1]
    assert all(abs(delay - middle) <= 0.5 for delay, middle in zip(delays, expected, strict=True))
    assert len(set(delays)) > 6


async def test_a_listener_that_ends_is_started_again(node, bus, monkeypatch):
    """As one that raises; so is one that cannot be closed."""
    original = MemoryManager._listen
    beginnings = []

    async def brief(manager):
        beginnings.append(1)
        try:
            if len(beginnings) == 1:
                return
            if len(beginnings) == 2:
                raise Breakdown
            async for message in original(manager):
                yield message
        finally:
            if len(beginnings) == 2:
                raise RuntimeError("cannot be closed")

    monkeypatch.setattr(MemoryManager, "_listen", brief)
    client = await node.join()
    await settled(lambda: bus.listeners == 1)
    bus.inject(GOOD)

    assert await client.receive() == '2["good",1]'


@pytest.mark.parametrize(
    "nonsense",
    [
        "not json", b"\xff\xfe", "5", "null", "[]", "{}", b"\x80\x04\x95pickle", None, 5,
        '{"method": "shout"}', '{"method": 5}', '{"method": "emit"}', '{"method": "emit", "event": ["e"]}',
        '{"method": "emit", "event": "e", "room": {}}', '{"method": "emit", "event": "e", "skip_sid": {"a": 1}}',
        '{"method": "emit", "event": "connect", "data": []}',
        '{"method": "emit", "event": "e", "binary": true, "data": [[{"_placeholder": true, "num": 7}], "AA=="]}',
        '{"method": "emit", "event": "e", "binary": true, "data": [[], "no base64"]}',
        '{"method": "emit", "event": "e", "callback": [1]}',
        '{"method": "disconnect"}', '{"method": "enter_room", "sid": 5, "room": "r"}',
        '{"method": "close_room", "room": ["r"]}', '{"method": "emit", "event": "e", "data": ' + "[" * 100_000,
    ],
)  # fmt: skip
async def test_nonsense_is_logged_and_dropped(node, bus, nonsense, caplog):
    """What comes after it arrives."""
    client = await node.join()
    await settled(lambda: bus.listeners == 1)

    bus.inject(nonsense)
    bus.inject(GOOD)

    assert await client.receive() == '2["good",1]'
    assert "dropped" in caplog.text
    assert bus.entered == 1


async def test_a_failing_message_is_logged_and_the_next_one_arrives(node, bus, caplog):
    """Whatever the server raises."""
    client = await node.join()
    await settled(lambda: bus.listeners == 1)
    original = node.post

    def fail(*_):
        node.post = original
        raise RuntimeError("unforeseen")

    node.post = fail
    bus.inject(GOOD)
    bus.inject(GOOD)

    assert await client.receive() == '2["good",1]'
    assert "unforeseen" in caplog.text
    assert bus.entered == 1


async def test_a_disconnect_that_fails_is_logged(node, bus, caplog, monkeypatch):
    """At the top of its task."""
    client = await node.join()
    await settled(lambda: bus.listeners == 1)

    async def fail(*_, **__):
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(node.server, "disconnect", fail)
    bus.inject(json.dumps({"method": "disconnect", "sid": client.sid, "namespace": "/", "host_id": "x"}))

    await settled(lambda: "unforeseen" in caplog.text)


async def test_nothing_is_heard_after_the_shutdown(bus):
    """The listener is gone, and nothing is logged about it."""
    node = make_node(bus, "a")
    await node.join()
    await settled(lambda: bus.listeners == 1)

    await node.server.shutdown()

    assert bus.listeners == 0
    assert not node.manager.listening
    assert node.manager.is_stopping


async def test_a_process_gets_its_name_when_it_begins_to_listen(bus):
    """A manager made before a fork would have the name of several, and each would ignore the others."""
    node = make_node(bus, "a")
    inherited = node.manager.host_id

    node.manager.initialize()
    node.manager.initialize()

    assert node.manager.host_id != inherited
    await settled(lambda: bus.entered)
    assert bus.entered == 1
    await node.server.shutdown()


async def test_a_backend_can_say_that_it_listens(bus):
    """Also outside of a server's life, as tests of backends do."""
    manager = MemoryManager(bus)
    manager._on_listening()

    assert manager.listening


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
async def test_a_message_for_a_room_that_json_does_not_have_reaches_nobody(node, bus, caplog, number):
    """It is dropped, and not taken for one to everybody; the next message arrives."""
    client = await node.join()
    await settled(lambda: bus.listeners == 1)

    bus.inject(f'{{"method":"emit","event":"e","data":[1],"namespace":"/","host_id":"other","room":{number}}}')
    bus.inject(GOOD)

    assert await client.receive() == '2["good",1]'
    assert caplog.text.count("dropped") == 1
