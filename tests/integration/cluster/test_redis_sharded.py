"""Servers with a channel for each room, on one Redis and on a Redis Cluster of three masters."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

import fastsio
from fastsio.cluster.sharding import MOST_COPIES
from tests.integration.clients import eventually, open_websocket
from tests.integration.redis_nodes import Cluster
from tests.integration.sharded_nodes import CHANNELS, RecordingManager, ShardedNodes, subscribers
from tests.support.brokers import redis_server
from tests.support.cluster_nodes import acquainted, exchange
from tests.support.redis_cluster import redis_cluster
from tests.support.servers import serve

ROOMS = [f"room {number}" for number in range(12)]


@pytest.fixture(scope="module", params=["server", "cluster"])
def broker(request):
    """A Redis, and a Redis Cluster."""
    with (redis_server if request.param == "server" else redis_cluster)() as broker:
        yield broker


@pytest.fixture
async def nodes(broker):
    """Servers on it."""
    async with ShardedNodes(broker.url) as nodes:
        yield nodes


def rooms_heard(node):
    """Return the rooms of the events of others that a server has read."""
    manager = node.sio.manager
    return [message["room"] for message in manager.heard if message["host_id"] != manager.host_id]


def is_list(room):
    """Whether an event was for several rooms."""
    return isinstance(room, list)


@pytest.mark.parametrize("package", ["redis", "valkey"])
@pytest.mark.parametrize("bus_format", ["json", "msgpack"])
async def test_servers_exchange_everything(broker, package, bus_format):
    """Rooms, binary payloads, callbacks and calls, both ways, with either package."""
    async with ShardedNodes(broker.url.replace("redis", package, 1)) as nodes:
        a, b = await nodes.node(bus_format=bus_format), await nodes.node()
        await acquainted(a, b)

        await exchange(a, b, is_ordered=False)
        await exchange(b, a, is_ordered=False)


async def test_a_node_receives_only_the_rooms_it_has(nodes):
    """Of emits to one room and to several."""
    a, b = await nodes.nodes()
    await b.do("enter_room", b.sid, "mine")

    await a.do("emit", "e", 1, to="theirs")
    await a.do("emit", "e", 2, to=["theirs", "others"])
    await a.do("emit", "e", 3, to="mine")
    await a.do("emit", "e", 4, to=["theirs", "mine"])
    await a.do("emit", "e", 5)

    assert sorted([await b.receive() for _ in range(3)]) == [["e", 3], ["e", 4], ["e", 5]]
    assert sorted(map(str, rooms_heard(b))) == sorted(map(str, ["mine", ["theirs", "mine"], None]))
    assert await a.receive() == ["e", 5]


async def test_a_client_in_several_of_the_rooms_has_an_event_once(nodes):
    """Its server gets a copy for each room, or, for many, one that everybody gets."""
    a, b = await nodes.nodes()
    for room in ROOMS:
        await b.do("enter_room", b.sid, room)

    await a.do("emit", "few", 1, to=ROOMS[:MOST_COPIES])
    await a.do("emit", "many", 2, to=ROOMS)
    for room in ROOMS:  # in each channel after the copy
        await a.do("emit", "end", room, to=room)

    events = [await b.receive() for _ in range(2 + len(ROOMS))]
    assert sorted(map(str, events)) == sorted(map(str, [["few", 1], ["many", 2], *(["end", room] for room in ROOMS)]))
    assert sorted(map(len, filter(is_list, rooms_heard(b)))) == [MOST_COPIES] * MOST_COPIES + [len(ROOMS)]


async def test_each_client_of_the_rooms_has_the_event_but_those_that_are_skipped(nodes):
    """Whatever rooms a client is in, here and there."""
    a, b = await nodes.nodes()
    await a.do("enter_room", a.sid, "r")
    await b.do("enter_room", b.sid, "s")

    await a.do("emit", "e", 1, to=["r", "s"])
    await a.do("emit", "e", 2, to=["r", "s"], skip_sid=b.sid)
    await b.do("emit", "e", 3, to=["r", "s"], skip_sid=[a.sid, "nobody"])
    await b.do("emit", "e", 4, to=["s", "r"])

    assert [await a.receive() for _ in range(3)] == [["e", 1], ["e", 2], ["e", 4]]
    assert sorted([await b.receive() for _ in range(3)]) == [["e", 1], ["e", 3], ["e", 4]]


async def test_a_client_in_a_room_hears_it_at_once(nodes):
    """The subscription is in force when enter_room() returns."""
    a, b = await nodes.nodes()

    for number in range(40):
        await b.do("enter_room", b.sid, f"r{number}")
        await a.do("emit", "e", number, to=f"r{number}")

        assert await b.receive() == ["e", number]


async def test_many_enter_at_once(nodes):
    """Each waits for its own subscription."""
    a, b = await nodes.nodes()

    await asyncio.gather(*(b.do("enter_room", b.sid, f"r{number}") for number in range(200)))
    await asyncio.gather(*(a.do("emit", "e", number, to=f"r{number}") for number in range(200)))

    assert sorted([await b.receive() for _ in range(200)]) == [["e", number] for number in range(200)]


async def test_a_node_unsubscribes_when_the_last_member_leaves(nodes, broker):
    """By leaving, when the room is closed from elsewhere, and when the client is disconnected."""
    a, b = await nodes.nodes()
    for room in ("left", "closed", "ended", "kept"):
        await b.do("enter_room", b.sid, room)
    await a.do("enter_room", a.sid, "kept")

    await b.do("leave_room", b.sid, "left")
    await eventually(lambda: subscribers(broker, CHANNELS.of_room("/", "left")) == 0)
    await a.do("close_room", "closed")
    await eventually(lambda: subscribers(broker, CHANNELS.of_room("/", "closed")) == 0)
    assert subscribers(broker, CHANNELS.of_room("/", "ended")) == 1
    await a.do("disconnect", b.sid)
    await eventually(lambda: subscribers(broker, CHANNELS.of_room("/", "ended")) == 0)

    await eventually(lambda: subscribers(broker, CHANNELS.of_room("/", "kept")) == 1)
    assert subscribers(broker, CHANNELS.of_all_nodes) == 2


async def test_who_enters_and_leaves_all_the_time_is_where_it_was_last(nodes):
    """One request at a time for each room."""
    a, b = await nodes.nodes()
    for _ in range(20):
        await asyncio.gather(*(b.do(way, b.sid, "r") for way in ("enter_room", "leave_room", "enter_room")))
        await b.do("leave_room", b.sid, "r")
    await b.do("enter_room", b.sid, "r")

    await a.do("emit", "e", 1, to="r")

    assert await b.receive() == ["e", 1]


@pytest.mark.parametrize("room", [5, 5.0, 1.5, "5", "ü {tag} x", "x" * 20])
async def test_rooms_of_any_name_are_heard(nodes, room):
    """Numbers, tags, and what looks like a sid."""
    a, b = await nodes.nodes()
    await b.do("enter_room", b.sid, room)

    await a.do("emit", "e", 1, to=5 if room == 5.0 else room)

    assert await b.receive() == ["e", 1]


async def test_a_room_that_only_one_server_can_name_is_its_own(nodes):
    """As with one channel."""
    (a,) = await nodes.nodes(1)
    await a.do("enter_room", a.sid, UUID(int=1))

    await a.do("emit", "e", 1, to=UUID(int=1), ignore_queue=True)

    assert await a.receive() == ["e", 1]


async def test_clients_with_other_names_are_reached(nodes, monkeypatch):
    """A sid that does not look like one has a channel."""
    a = await nodes.node()
    names = iter(["ada", "eio-ada"])
    monkeypatch.setattr(RecordingManager, "_make_sid", lambda _manager: next(names))
    b = await nodes.node()
    await b.sio.manager._sharded.wait_until_subscribed("/", "ada")

    await a.do("emit", "e", 1, to="ada")

    assert b.sid == "ada"
    assert await b.receive() == ["e", 1]


async def test_answers_go_to_who_asked_only(nodes):
    """Other servers do not read them."""
    a, b, c = await nodes.nodes(3)
    await b.do("enter_room", b.sid, "r")
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    await a.do("emit", "ask", 1, to="r", callback=answer.set_result)
    assert await b.acknowledge("yes") == ["ask", 1]

    assert await answer == "yes"
    await a.do("emit", "e", 2)
    assert await c.receive() == ["e", 2]
    assert [message["method"] for message in c.sio.manager.heard] == ["emit"]


async def test_a_program_without_clients_emits(nodes, broker):
    """From one event loop after another."""
    (node,) = await nodes.nodes(1)
    await node.do("enter_room", node.sid, "r")
    emitter = fastsio.AsyncRedisManager(broker.url, "test", write_only=True, sharded=True)

    async def emit(number):
        await emitter.emit("e", number, room="r")
        await emitter.shutdown()

    await emit(1)
    await asyncio.to_thread(lambda: asyncio.run(emit(2)))

    assert [await node.receive(), await node.receive()] == [["e", 1], ["e", 2]]


async def test_events_of_one_moment_are_pipelined_in_their_order(nodes):
    """In each room."""
    a, b = await nodes.nodes()
    for room in ROOMS:
        await b.do("enter_room", b.sid, room)

    await asyncio.gather(*(a.do("emit", room, n, to=room) for n in range(30) for room in ROOMS))
    received = [await b.receive() for _ in range(30 * len(ROOMS))]

    for room in ROOMS:
        assert [n for name, n in received if name == room] == list(range(30))


async def test_who_is_in_a_room_is_known(nodes):
    """The question goes to the servers that have the room."""
    a, b = await nodes.nodes()
    await b.do("enter_room", b.sid, "r")
    await a.do("enter_room", a.sid, "r")

    members = await a.sio.manager.members_elsewhere("r", "/", 2.0)

    assert members == [(b.sid, None)]


async def test_the_first_client_of_a_server_hears_the_room_it_enters_while_it_connects(nodes, broker):
    """The server has only begun to listen then."""
    sio = fastsio.AsyncServer(async_mode="asgi", client_manager=RecordingManager(broker.url))

    @sio.event
    async def connect(sid, _environ):
        await sio.enter_room(sid, "r")

    a = await nodes.node()

    async with serve(fastsio.ASGIApp(sio)) as address, open_websocket(address) as client:
        await client.join()
        await a.do("emit", "e", 1, to="r")

        assert await client.receive() == '42["e",1]'
        await sio.shutdown()


@pytest.mark.parametrize("kind", ["fastsio", "python-socketio"])
async def test_nodes_of_the_default_bus_are_neither_heard_nor_disturbed(nodes, broker, kind):
    """Of whichever package: they have one channel, of another name."""
    a = await nodes.node()

    async with Cluster(broker.url, "test") as cluster:
        other = await cluster.node(kind)
        await a.do("emit", "sharded", 1)
        await other.server.emit("plain", 2)
        await a.do("emit", "sharded", 3)

        assert [await a.receive(), await a.receive()] == [["sharded", 1], ["sharded", 3]]
        assert await other.client.receive() == '42["plain",2]'
