"""
Servers of fastsio and of python-socketio on one Redis: everything one can do to the clients of the other.

"threads" is fastsio's sync server.
"""

from __future__ import annotations

import asyncio
import json

import pytest
import socketio

import fastsio
from tests.integration.clients import eventually
from tests.integration.redis_nodes import Cluster, writer
from tests.support.brokers import redis_server
from tests.support.waiting import WAIT_S

#: Which server does something, and which has the client that it is about.
PAIRS = [
    ("fastsio", "fastsio"),
    ("fastsio", "python-socketio"),
    ("python-socketio", "fastsio"),
    ("threads", "fastsio"),
    ("fastsio", "threads"),
    ("threads", "python-socketio"),
    ("python-socketio", "threads"),
]
KINDS = ["fastsio", "python-socketio"]


@pytest.fixture(scope="module")
def broker():
    """A Redis for all tests of this module."""
    with redis_server() as broker:
        yield broker


@pytest.fixture
async def cluster(broker, request):
    """A channel of the test's own."""
    async with Cluster(broker.url, request.node.name) as cluster:
        yield cluster


@pytest.fixture(params=PAIRS, ids="-to-".join)
async def pair(request, cluster):
    """A server that does something, and one with the client it is about."""
    here, there = request.param
    return await cluster.node(here), await cluster.node(there)


async def received(client, count):
    """Return the next frames of a client."""
    return [await client.receive() for _ in range(count)]


def unescaped(frame):
    """Read the escapes of a frame: python-socketio writes them."""
    if not isinstance(frame, str) or "\\u" not in frame:
        return frame
    head, bracket, tail = frame.partition("[")
    return head + json.dumps(json.loads(bracket + tail), ensure_ascii=False, separators=(",", ":"))


async def test_events_reach_the_clients_of_both(pair):
    """Everybody, a room, a sid, several of them, all but some; each client once."""
    here, there = pair
    await here.server.enter_room(here.sid, "r")
    await there.server.enter_room(there.sid, "r")
    await there.server.enter_room(there.sid, "s")

    await here.server.emit("e", 1)
    await here.server.emit("e", 2, room="r")
    await here.server.emit("e", 3, to=there.sid)
    await here.server.emit("e", 4, room=["r", "s"])
    await here.server.emit("e", 5, skip_sid=there.sid)
    await here.server.emit("e", 6, skip_sid=[here.sid, "nobody"])
    await here.server.emit("e", 7, to=here.sid)
    await here.server.emit("e", 8)

    assert await received(here.client, 6) == [f'42["e",{n}]' for n in (1, 2, 4, 5, 7, 8)]
    assert await received(there.client, 6) == [f'42["e",{n}]' for n in (1, 2, 3, 4, 6, 8)]


@pytest.mark.parametrize(
    ("data", "frames"),
    [
        (("x", 1, {"y": None}), ['42["e","x",1,{"y":null}]']),
        ((), ['42["e"]']),
        ("äöü😀", ['42["e","äöü😀"]']),
        ([1, [2.5, True]], ['42["e",[1,[2.5,true]]]']),
        (b"\x00\xff", ['451-["e",{"_placeholder":true,"num":0}]', b"\x00\xff"]),
        (
            ({"a": bytearray(b"a"), "b": [b"b"]}, "t"),
            ['452-["e",{"a":{"_placeholder":true,"num":0},"b":[{"_placeholder":true,"num":1}]},"t"]', b"a", b"b"],
        ),
    ],
    ids=["arguments", "no arguments", "text", "list", "bytes", "nested bytes"],
)
async def test_payloads_arrive_as_they_were(pair, data, frames):
    """Several arguments, text of any script, bytes anywhere."""
    here, there = pair

    await here.server.emit("e", data, to=there.sid)

    assert list(map(unescaped, await received(there.client, len(frames)))) == frames


@pytest.mark.parametrize("data", [None, ()], ids=["None", "empty tuple"])
async def test_events_without_data_have_none_anywhere(pair, data):
    """Whichever package emits and whichever delivers."""
    here, there = pair

    await here.server.emit("e", data)

    assert [await here.client.receive(), await there.client.receive()] == ['42["e"]', '42["e"]']


async def test_namespaces_are_kept_apart(pair, cluster):
    """On one channel."""
    here, there = pair
    client, _ = await cluster.client(there, "/n")

    await here.server.emit("e", 1, namespace="/n")
    await here.server.emit("e", 2)

    assert await client.receive() == '42/n,["e",1]'
    assert await there.client.receive() == '42["e",2]'


async def test_callbacks_come_back(pair):
    """With what the client answered, several arguments or none."""
    here, there = pair
    answers = []

    await here.server.emit("ask", 1, to=there.sid, callback=lambda *arguments: answers.append(arguments))
    assert await there.client.receive() == '421["ask",1]'
    await there.client.send('431["a",{"b":1}]')
    await eventually(lambda: len(answers) == 1)
    await here.server.emit("ask", 2, room=there.sid, callback=lambda *arguments: answers.append(arguments))
    assert await there.client.receive() == '422["ask",2]'
    await there.client.send("432[]")
    await eventually(lambda: len(answers) == 2)

    assert answers == [("a", {"b": 1}), ()]


async def test_calls_are_answered(pair):
    """By the client of the other server."""
    here, there = pair
    call = asyncio.create_task(here.server.call("ask", {"q": 1}, to=there.sid, timeout=WAIT_S))

    assert await there.client.receive() == '421["ask",{"q":1}]'
    await there.client.send('431["yes"]')

    assert await call == "yes"


async def test_calls_of_both_directions_do_not_mix(pair):
    """Each server counts its questions by itself."""
    here, there = pair
    calls = [
        asyncio.create_task(here.server.call("ask", 1, to=there.sid, timeout=WAIT_S)),
        asyncio.create_task(there.server.call("ask", 2, to=here.sid, timeout=WAIT_S)),
    ]

    assert await there.client.receive() == '421["ask",1]'
    assert await here.client.receive() == '421["ask",2]'
    await here.client.send('431["from here"]')
    await there.client.send('431["from there"]')

    assert await asyncio.gather(*calls) == ["from there", "from here"]


async def test_rooms_of_the_others_clients_can_be_changed(pair):
    """Enter, leave, close."""
    here, there = pair

    await here.server.enter_room(there.sid, "r")
    await eventually(lambda: "r" in there.server.rooms(there.sid))
    await here.server.emit("e", 1, room="r")
    assert await there.client.receive() == '42["e",1]'
    await here.server.leave_room(there.sid, "r")
    await eventually(lambda: "r" not in there.server.rooms(there.sid))
    await there.server.enter_room(there.sid, "s")
    await here.server.close_room("s")

    await eventually(lambda: there.server.rooms(there.sid) == [there.sid])


async def test_the_others_clients_can_be_disconnected(pair):
    """Their disconnect handler runs where they are."""
    here, there = pair
    seen = []
    there.server.on("disconnect", lambda sid, reason: seen.append((sid, reason)))

    await here.server.disconnect(there.sid)

    assert await there.client.receive() == "41"
    await eventually(lambda: seen)
    assert seen == [(there.sid, "server disconnect")]
    assert not there.server.manager.is_connected(there.sid, "/")


# Programs that are no server


@pytest.mark.parametrize("node_kind", KINDS)
@pytest.mark.parametrize("writer_kind", KINDS)
async def test_programs_reach_clients_of_both(cluster, writer_kind, node_kind):
    """With asyncio."""
    node = await cluster.node(node_kind)

    async with writer(writer_kind, cluster.url, cluster.channel) as manager:
        await manager.emit("e", ("x", b"y"), namespace="/")
        await manager.emit("e", 2, room=node.sid)
        await manager.enter_room(node.sid, "/", "r")
        await eventually(lambda: "r" in node.server.rooms(node.sid))
        await manager.emit("e", 3, room=["r", "s"])
        await manager.leave_room(node.sid, "/", "r")
        await eventually(lambda: "r" not in node.server.rooms(node.sid))
        await manager.can_disconnect(node.sid, "/")

    assert await received(node.client, 5) == [
        '451-["e","x",{"_placeholder":true,"num":0}]', b"y", '42["e",2]', '42["e",3]', "41",
    ]  # fmt: skip


@pytest.mark.parametrize("node_kind", KINDS)
@pytest.mark.parametrize("package", [fastsio, socketio], ids=KINDS)
async def test_threads_reach_clients_of_both(cluster, package, node_kind):
    """With the sync manager."""
    node = await cluster.node(node_kind)
    manager = package.RedisManager(cluster.url, channel=cluster.channel, write_only=True)

    def write():
        manager.emit("e", ("x", b"y"), namespace="/")
        manager.emit("e", 2, room=node.sid)
        manager.enter_room(node.sid, "/", "r")
        manager.emit("e", 3, room="r")
        manager.redis.close() if package is socketio else manager.shutdown()

    await asyncio.to_thread(write)

    assert await received(node.client, 4) == [
        '451-["e","x",{"_placeholder":true,"num":0}]', b"y", '42["e",2]', '42["e",3]',
    ]  # fmt: skip


async def test_what_python_socketio_writes_that_is_no_json_arrives(cluster):
    """NaN becomes null, as for the clients of one server."""
    node = await cluster.node("fastsio")

    async with writer("python-socketio", cluster.url, cluster.channel) as manager:
        await manager.emit("e", [float("nan"), 1], namespace="/")

    assert await node.client.receive() == '42["e",[null,1]]'
