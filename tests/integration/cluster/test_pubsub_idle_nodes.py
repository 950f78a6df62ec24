"""A server without a client for an event that another one emits: it looks that up, and does nothing else."""

from __future__ import annotations

import json

import msgpack
import pytest

from fastsio.protocol import Packet
from tests.integration.memory_bus import MemoryBus, make_node
from tests.shells.aio.fake_engine import settled

BEGINNING = {"method": "emit", "event": "e", "namespace": "/", "host_id": "other"}
#: Whoever unpacks it finds that it is no Base64, or no MessagePack.
UNPACKABLE = {"json": {"data": [{"_placeholder": True, "num": 0}, "?"], "binary": True}, "msgpack": {"data": b"\xc1"}}
WRITERS = {"json": json.dumps, "msgpack": msgpack.packb}


class CountingPacket(Packet):
    """Counts the packets that are made to be sent."""

    __slots__ = ()
    made = 0

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        CountingPacket.made += 1


@pytest.fixture(params=WRITERS)
def say(request, bus):
    """Put an emit of another server onto the bus: with a payload that cannot be unpacked, or a good one."""
    write = WRITERS[request.param]

    def emit(room, *, is_good=False):
        good = {"data": [1] if request.param == "json" else msgpack.packb([1])}
        bus.inject(write({**BEGINNING, "room": room, **(good if is_good else UNPACKABLE[request.param])}))

    return emit


@pytest.fixture
def bus() -> MemoryBus:
    """The bus of the test."""
    return MemoryBus()


@pytest.fixture
async def node(bus):
    """A server that listens, with one client."""
    node = make_node(bus, "a", serializer=CountingPacket)
    yield node
    await node.server.shutdown()


@pytest.fixture
async def client(node, bus):
    """The client, in the room "mine"."""
    client = await node.join()
    await node.server.enter_room(client.sid, "mine")
    await settled(lambda: bus.listeners == 1)
    return client


@pytest.mark.parametrize("room", ["theirs", ["theirs", "others"], "sid-of-somebody"])
async def test_a_node_without_a_member_unpacks_and_encodes_nothing(node, client, say, room, caplog):
    """The payload could not even be unpacked, which nobody notices; no packet is made and no task begins."""
    tasks = []
    node.start_background_task = lambda *args: tasks.append(args)
    made = CountingPacket.made

    say(room)
    say("mine", is_good=True)

    assert await client.receive() == '2["e",1]'
    assert CountingPacket.made - made == 1
    assert tasks == []
    assert "dropped" not in caplog.text


async def test_a_node_with_a_member_unpacks(client, say, caplog):
    """So the payload of the test above is one that is noticed."""
    say("mine")
    say("mine", is_good=True)

    assert await client.receive() == '2["e",1]'
    assert caplog.text.count(" dropped: ") == 1


async def test_a_node_without_the_namespace_unpacks_nothing(client, say, bus, caplog):
    """Everybody in it is nobody here."""
    bus.inject(json.dumps({**BEGINNING, "namespace": "/other", **UNPACKABLE["json"]}))
    say("mine", is_good=True)

    assert await client.receive() == '2["e",1]'
    assert "dropped" not in caplog.text
