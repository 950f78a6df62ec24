"""What servers on one bus, and programs that only write to it, send to each other's clients."""

from __future__ import annotations

import asyncio
import json
from datetime import date

import pytest
from pydantic import BaseModel

import fastsio
from tests.integration.memory_bus import MemoryManager, make_node, quiet
from tests.shells.aio.fake_engine import settled
from tests.support.waiting import WAIT_S


class Move(BaseModel):
    piece: str
    to: tuple[int, int]


async def test_an_event_reaches_the_clients_of_all_servers_once(both, bus):
    """The sender's own are served by itself; the echo of its message is ignored."""
    a, first, _, second = both

    await a.server.emit("news", {"id": 1})

    assert await first.receive() == '2["news",{"id":1}]'
    assert await second.receive() == '2["news",{"id":1}]'
    assert bus.methods() == ["emit"]
    await quiet(first, second)


async def test_a_reply_to_a_client_of_this_server_is_not_told_to_others(both, bus):
    """Nobody else can have it."""
    a, first, _, _ = both

    await a.server.emit("reply", 1, to=first.sid)
    await a.server.emit("reply", 2, to=[first.sid])

    assert [await first.receive(), await first.receive()] == ['2["reply",1]', '2["reply",2]']
    assert bus.published == []


async def test_an_empty_list_of_rooms_reaches_no_client(both, bus):
    """An empty list of rooms reaches no client of any server."""
    a, first, _, second = both

    await a.server.emit("news", 1, to=[])
    bus.inject(json.dumps({"method": "emit", "event": "news", "data": [1], "room": [], "host_id": "x"}))

    assert bus.published == []
    await quiet(first, second)


async def test_rooms_span_servers(both):
    """A room, several of them with a common member, and one that is skipped."""
    a, first, b, second = both
    await a.server.enter_room(first.sid, "r")
    await b.server.enter_room(second.sid, "r")
    await b.server.enter_room(second.sid, "s")

    await a.server.emit("to", 1, room="r")
    await a.server.emit("to", 2, room=["r", "s"])
    assert [await second.receive() for _ in range(2)] == ['2["to",1]', '2["to",2]']
    await b.server.emit("to", 3, room="r", skip_sid=first.sid)
    await b.server.emit("to", 4, room="r", skip_sid={second.sid, "nobody"})
    await a.server.emit("to", 5, to=second.sid)

    assert [await first.receive() for _ in range(3)] == ['2["to",1]', '2["to",2]', '2["to",4]']
    assert [await second.receive() for _ in range(2)] == ['2["to",3]', '2["to",5]']
    await quiet(first, second)


@pytest.mark.parametrize(
    ("data", "frames"),
    [
        (None, ['2["e"]']),
        ((), ['2["e"]']),
        ((None,), ['2["e",null]']),
        (("x", 1, None), ['2["e","x",1,null]']),
        ([1, 2], ['2["e",[1,2]]']),
        (Move(piece="pawn", to=(1, 2)), ['2["e",{"piece":"pawn","to":[1,2]}]']),
        ({"on": date(2024, 5, 6)}, ['2["e",{"on":"2024-05-06"}]']),
        (bytearray(b"\x00"), ['51-["e",{"_placeholder":true,"num":0}]', b"\x00"]),
        (({"a": b"a"}, b"b"), ['52-["e",{"a":{"_placeholder":true,"num":0}},{"_placeholder":true,"num":1}]', b"a", b"b"]),
    ],
)  # fmt: skip
async def test_clients_of_all_servers_receive_the_same(both, data, frames):
    """Whatever the payload, and although it travels as JSON."""
    a, first, _, second = both

    await a.server.emit("e", data)

    assert [await first.receive() for _ in frames] == frames
    assert [await second.receive() for _ in frames] == frames


async def test_an_event_that_python_socketio_emits_without_data_has_none(both, bus):
    """It writes a null for it, which its own servers leave out."""
    _, first, _, second = both

    bus.inject(json.dumps({"method": "emit", "event": "e", "data": [None], "binary": False, "host_id": "x"}))

    assert await first.receive() == '2["e"]'
    assert await second.receive() == '2["e"]'


async def test_the_queue_can_be_ignored(both, bus):
    """Only this server's clients get the event then."""
    a, first, _, second = both

    await a.server.emit("news", 1, ignore_queue=True)

    assert await first.receive() == '2["news",1]'
    assert bus.published == []
    await quiet(second)


async def test_namespaces_are_kept_apart(nodes):
    """Under one channel."""
    a, b = nodes
    b.server.namespaces = "*"
    client = await b.join("/n")
    other = await b.join("/")

    await a.server.emit("e", 1, namespace="/n")

    assert await client.receive() == '2/n,["e",1]'
    await quiet(other)


@pytest.mark.parametrize("room", [b"r", object()])
async def test_a_room_that_cannot_be_named_to_others_is_an_error(both, room, bus):
    """Before anybody gets the event."""
    a, first, _, _ = both

    with pytest.raises(ValueError, match="use text or a number"):
        await a.server.emit("e", 1, room=room)

    assert bus.published == []
    await quiet(first)


async def test_a_program_without_a_server_reaches_all_clients(both, bus):
    """As an external process does."""
    _, first, _, second = both
    writer = MemoryManager(bus, write_only=True)

    await writer.emit("e", ("x", b"y"))
    await writer.emit("e", 2, room=first.sid)

    assert await first.receive() == '51-["e","x",{"_placeholder":true,"num":0}]'
    assert await first.receive() == b"y"
    assert await first.receive() == '2["e",2]'
    assert await second.receive() == '51-["e","x",{"_placeholder":true,"num":0}]'


async def test_a_program_without_a_server_steers_clients(both, bus):
    """Rooms and disconnecting."""
    a, first, _, second = both
    writer = MemoryManager(bus, write_only=True)

    await writer.enter_room(first.sid, "/", "r")
    await writer.enter_room(second.sid, "/", "r")
    await writer.leave_room(second.sid, "/", "r")
    await writer.emit("in", 1, room="r")
    await settled(lambda: first.frames)
    assert await first.receive() == '2["in",1]'
    await writer.close_room("r")
    await settled(lambda: a.server.rooms(first.sid) == [first.sid])
    await writer.disconnect(first.sid)
    assert await writer.can_disconnect(second.sid, "/") is False

    assert await first.receive() == "1"
    assert await second.receive() == "1"


async def test_a_program_without_a_server_cannot_ask(bus):
    """Nobody would hear the answer."""
    writer = MemoryManager(bus, write_only=True)

    with pytest.raises(RuntimeError, match="context of a server"):
        await writer.emit("e", 1, room="s", callback=print)
    with pytest.raises(ValueError, match="reserved"):
        await writer.emit("disconnect", 1)

    assert bus.published == []


async def test_a_server_that_only_writes_does_not_listen(bus):
    """Its own clients are served."""
    server = fastsio.AsyncServer(async_mode="asgi", client_manager=MemoryManager(bus, write_only=True))
    node = make_node(bus, "w")
    server.eio = node
    node.server = server
    client = await node.join()

    await server.emit("e", 1)

    assert await client.receive() == '2["e",1]'
    assert bus.entered == 0
    assert bus.methods() == ["emit"]


async def test_a_client_that_is_behind_does_not_delay_what_other_servers_say(both):
    """What the bus brings is handed to the clients here, whoever of them reads or not."""
    a, first, b, second = both
    a.congested.add(first.eio_sid)
    other = await a.join()

    for number in range(3):
        await b.server.emit("news", number)

    for client in (first, second, other):
        assert [await client.receive() for _ in range(3)] == [f'2["news",{number}]' for number in range(3)]


async def test_other_servers_are_told_before_anybody_waits_for_a_client(both):
    """One client that is behind delays the sender, and nobody elsewhere."""
    a, first, _, second = both
    a.congested.add(first.eio_sid)

    sending = asyncio.create_task(a.server.emit("news"))

    assert await second.receive() == '2["news"]'
    assert await first.receive() == '2["news"]'
    assert not sending.done()
    a.congested.clear()
    a.reads.set()
    await asyncio.wait_for(sending, WAIT_S)
    a.congested.add(first.eio_sid)
    await a.server.emit("more", wait=False)
    assert await second.receive() == '2["more"]'
