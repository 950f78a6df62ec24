"""How many bytes one connection can have the server keep: auth, packets that wait, events under way."""

from __future__ import annotations

import asyncio
import json

import pytest

from fastsio.engine.request import PROTOCOL_KEY
from fastsio.exceptions import ConnectionRefusedError
from tests.shells.aio.fake_engine import settled, turns
from tests.support.waiting import WAIT_S


def event(name: str, size: int, *, filler: str = "x") -> str:
    """Return the frame of an event of a size."""
    frame = json.dumps([name, ""], separators=(",", ":"), ensure_ascii=False)
    return f"2{frame[:-2]}{filler * ((size - len(frame) - 1) // len(filler.encode()))}{frame[-2:]}"


async def test_too_much_auth_is_refused_and_the_connection_lives_on(make):
    """The auth of all namespaces of a connection counts together; what has left counts no more."""
    sio, wire = make(max_auth_bytes=300, namespaces=["/", "/a", "/b"])
    seen = []
    for namespace in sio.namespaces:
        sio.on("connect", lambda _sid, _environ, auth: seen.append(len(auth["x"])), namespace=namespace)
    client = await wire.join("/", {"x": "a" * 150})
    await client.send('0/a,{"x":"' + "b" * 150 + '"}')
    assert await client.receive() == '4/a,{"message":"Too much auth"}'
    await client.join("/b", {"x": "c" * 50})
    await client.send("1")
    await client.join("/a", {"x": "b" * 150})

    assert seen == [150, 50, 150]


async def test_the_query_of_a_client_of_engine_io_3_is_its_auth(make):
    """It counts as auth does, and what such a client sends counts like any other's."""
    sio, wire = make(max_auth_bytes=300, max_handler_bytes=3_000, namespaces=["/", "/a", "/b"])
    gate, log = asyncio.Event(), []

    @sio.event
    async def work(sid, data):
        log.append(len(data))
        await gate.wait()

    client = await wire.open(**{PROTOCOL_KEY: 3})
    assert await client.receive() == "0"
    await client.send("0/a?x=" + "a" * 150, "0/b?x=" + "b" * 150)
    assert await client.receive() == "0/a,"
    assert await client.receive() == '4/b,"Too much auth"'
    reading = asyncio.create_task(client.send(event("work", 2_000), event("work", 2_000)))
    await turns()
    assert len(log) == 1
    gate.set()
    await asyncio.wait_for(reading, WAIT_S)
    await settled(lambda: len(log) == 2)


@pytest.mark.parametrize("ends_by", ["refusal", "leaving", "kick"])
async def test_the_auth_of_a_client_that_is_gone_is_not_kept(sio, wire, ends_by):
    """The record of a client stays as long as its connection; what it sent does not."""

    @sio.event
    async def connect(sid, environ, auth):
        if ends_by == "refusal":
            raise ConnectionRefusedError("no")

    client = await wire.open()
    await client.send('0{"token":"secret"}')
    await client.receive()
    record = sio._connections[client.eio_sid].clients["/"]
    if ends_by == "leaving":
        await client.send("1")
    elif ends_by == "kick":
        await sio.disconnect(record.sid)

    await settled(lambda: record.auth is None)
    assert record.auth_bytes == 0


async def test_a_disconnect_handler_sees_the_auth(sio, wire):
    """It is dropped after the handler, not before."""
    seen = []
    sio.on("connect", lambda _sid, _environ, _auth: None)
    client = await wire.join("/", {"token": 1})
    record = sio._connections[client.eio_sid].clients["/"]
    sio.on("disconnect", lambda _sid, _reason: seen.append(record.auth))
    await client.lose()

    assert seen == [{"token": 1}]


@pytest.mark.parametrize("is_observed", [False, True])
async def test_the_next_large_event_waits_until_there_is_room(make, monkeypatch, is_observed):
    """Beyond max_handler_bytes the connection's reading pauses; small events go on, and order is kept."""
    sio, wire = make(max_handler_bytes=10_000)
    gates, log = [asyncio.Event() for _ in range(4)], []

    @sio.on("*")
    async def work(name, sid, *_data):
        log.append(name)
        await gates[int(name)].wait()

    if is_observed:
        handle = sio._handle_event_internal
        monkeypatch.setattr(sio, "_handle_event_internal", handle)
    client = await wire.join()
    other = await wire.join()
    frames = [event("0", 4_000), event("1", 5_000), '2["2"]', event("3", 2_000)]
    reading = asyncio.create_task(client.send(*frames))
    await settled(lambda: log == ["0", "1", "2"])
    await turns()
    assert log == ["0", "1", "2"]
    await other.send(event("3", 9_000))
    await settled(lambda: log == ["0", "1", "2", "3"])
    gates[0].set()
    await settled(lambda: log == ["0", "1", "2", "3", "3"])
    for gate in gates:
        gate.set()
    await asyncio.wait_for(reading, WAIT_S)
    await settled(lambda: not sio._connections[client.eio_sid].handler_bytes)


async def test_an_event_over_the_budget_is_handled_alone(make):
    """No event that the transport takes is too large to be handled."""
    sio, wire = make(max_handler_bytes=2_000)
    log = []
    sio.on("work", lambda _sid, data: log.append(len(data)))
    client = await wire.join()
    await client.send(event("work", 5_000), event("work", 3_000))
    await settled(lambda: len(log) == 2)

    assert log[0] > log[1] > 2_000


async def test_the_size_of_an_event_is_that_on_the_wire(make):
    """Characters count as the bytes they are sent in, attachments count too."""
    sio, wire = make(max_handler_bytes=10_000)
    gate = asyncio.Event()

    @sio.event
    async def work(sid, *data):
        await gate.wait()

    client = await wire.join()
    connection = sio._connections[client.eio_sid]
    text, head = event("work", 4_000, filler="é"), '51-["work",{"_placeholder":true,"num":0}]'
    await client.send(text)
    assert connection.handler_bytes == len(text.encode())
    await client.send(head, b"x" * 3_000)
    assert connection.handler_bytes == len(text.encode()) + len(head) + 3_000
    gate.set()
    await settled(lambda: not connection.handler_bytes)


async def test_an_event_without_a_handler_leaves_nothing_counted(make):
    """Nor does one whose handler fails, or whose client has left while it waited."""
    sio, wire = make(max_handler_bytes=2_000)
    gate = asyncio.Event()

    @sio.event
    async def work(sid, data):
        await gate.wait()
        raise RuntimeError

    client = await wire.join()
    connection = sio._connections[client.eio_sid]
    await client.send(event("nobody", 1_500))
    assert connection.handler_bytes == 0
    reading = asyncio.create_task(client.send(event("work", 1_500), event("work", 1_500)))
    await turns()
    assert connection.handler_bytes
    await sio.disconnect(client.sid)
    gate.set()
    await asyncio.wait_for(reading, WAIT_S)

    await settled(lambda: not connection.handler_bytes)


async def test_packets_that_wait_for_connect_are_bounded_in_bytes(make, caplog):
    """Under always_connect a client may send at once; more than max_held_bytes of it close the connection."""
    sio, wire = make(always_connect=True, max_held_bytes=3_000)

    @sio.event
    async def connect(sid, environ):
        await asyncio.Event().wait()

    client = await wire.join()
    await client.send(event("a", 5_000))  # the first is taken whatever its size
    assert wire.closed == {}
    await client.send(event("a", 100))

    assert wire.closed == {client.eio_sid: "transport error"}
    assert "too many events before connect was decided" in caplog.text


async def test_what_has_waited_counts_when_it_is_handled(make):
    """Large events that were held are under way like any other."""
    sio, wire = make(always_connect=True, max_held_bytes=5_000, max_handler_bytes=5_000)
    decide, gate, log = asyncio.Event(), asyncio.Event(), []

    @sio.event
    async def connect(sid, environ):
        await decide.wait()

    @sio.event
    async def work(sid, data):
        log.append(len(data))
        await gate.wait()

    client = await wire.join()
    frames = [event("work", 100), event("work", 2_000), event("work", 2_500)]
    await client.send(*frames)
    decide.set()
    await settled(lambda: len(log) == 3)
    assert sio._connections[client.eio_sid].handler_bytes == sum(map(len, frames[1:]))
    gate.set()
    await settled(lambda: not sio._connections[client.eio_sid].handler_bytes)


async def test_events_for_a_client_that_is_not_accepted_are_bounded_in_bytes(sio, wire, caplog):
    """What waits for one client is max_buffer_bytes at most, before it is accepted as after."""
    gate = asyncio.Event()

    @sio.event
    async def connect(sid, environ):
        await gate.wait()

    client = await wire.open()
    await client.send("0")
    await turns()
    for number in range(4):
        await sio.emit("news", str(number) * 2_000)
    gate.set()
    frames = [await client.receive() for _ in range(3)]

    assert [json.loads(frame[1:])[1][0] for frame in frames[1:]] == ["0", "1"]
    assert client.frames == []
    assert caplog.text.count("events are dropped") == 1
