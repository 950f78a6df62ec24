"""Rooms with a history on several servers that read one Redis Stream: a client goes on at any of them."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
import redis

import fastsio
from tests.integration.streams_lab import Lab, Peer
from tests.support.brokers import redis_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.brokers import Broker

names = count()


@pytest.fixture(scope="module")
def broker():
    """A Redis for all tests of this module."""
    with redis_server() as broker:
        yield broker


@pytest.fixture
async def lab(broker: Broker) -> AsyncIterator[Lab]:
    """Servers on a stream of the test's own."""
    async with AsyncExitStack() as stack:
        yield Lab(broker, f"history-{next(names)}", stack)


class Feed(fastsio.Room):
    history = fastsio.History(size=200)

    @classmethod
    def extract_room_identifier(cls, data: dict[str, Any]) -> Any:
        return data["id"]


async def node(lab: Lab, **options: Any) -> fastsio.AsyncServer:
    """Start a server with the room."""
    sio = await lab.node(**options)
    sio.register_room(Feed)
    return sio


async def join(lab: Lab, sio: fastsio.AsyncServer, since: Any = None) -> tuple[Peer, list[Any], dict[str, Any]]:
    """Connect and join; return the client, what it has missed, and the confirmation."""
    peer = await lab.join(sio)
    await peer.client.send(f'42["join_feed",{json.dumps({"id": 5, "since": since})}]')
    missed = []
    while (event := await received(peer))[0] != "joined":
        missed.append(event)
    return peer, missed, event[1]


async def received(peer: Peer) -> list[Any]:
    """Return the next event: without the offset of recovery, which those that were missed do not have."""
    event: list[Any] = json.loads((await peer.client.receive())[2:])
    return event[:-1] if isinstance(event[-1], str) and len(event) > 1 else event


async def test_a_client_goes_on_at_another_node(lab):
    """It gets what it has missed once and in order, also of a room without a member there."""
    one, other = await node(lab), await node(lab)
    await lab.join(other)  # a node begins to read with its first client
    peer, _, first = await join(lab, one)
    await other.emit("news", 1, room=Feed(5))
    name, value, seen = await received(peer)
    await peer.client.vanish()
    await one.emit("news", 2, room=[Feed(5), "tea"])
    await other.emit("news", 3, room=Feed(5))

    back, missed, told = await join(lab, other, seen["offsets"]["feed|5"])
    await one.emit("news", 4, room=Feed(5))

    assert (name, value, first["complete"]) == ("news", 1, True)
    assert ([event[1] for event in missed], told["complete"], told["epoch"]) == ([2, 3], True, first["epoch"])
    assert (await received(back))[:2] == ["news", 4]


@pytest.mark.parametrize("kind", ["node", "threads"])
async def test_a_node_reads_what_was_before_it(lab, kind):
    """A client that joins there gets the events of the room from before, and all that are sent later."""
    one = await node(lab)
    await lab.join(one)
    await one.emit("news", 1, room=[Feed(5), "tea"])
    await one.emit("news", "for another", room=[Feed(6), "tea"])
    await one.emit("news", 2, room=Feed(5))
    other = await getattr(lab, kind)()
    other.register_room(Feed)

    peer, missed, told = await join(lab, other)
    await one.emit("news", 3, room=Feed(5))

    assert ([event[1] for event in missed], told["complete"]) == ([1, 2], True)
    assert (await received(peer))[:2] == ["news", 3]


async def test_a_stream_that_was_cut(lab):
    """A client that has had nothing is told that there may have been more than a node finds in the stream."""
    one = await node(lab)
    peer, _, _ = await join(lab, one)
    await one.emit("news", 1, room=Feed(5))
    _, _, seen = await received(peer)
    await one.emit("news", 2, room=Feed(5))
    await one.emit("news", 3, room=Feed(5))
    with redis.Redis.from_url(lab.broker.url) as client:
        client.xtrim(lab.stream, maxlen=1, approximate=False)
    other = await node(lab)
    await lab.join(other)

    _, all_there, told = await join(lab, other)
    _, missed, told_later = await join(lab, other, seen["offsets"]["feed|5"])
    _, again, told_again = await join(lab, other, told["offset"])

    assert ([event[1] for event in all_there], told["complete"]) == ([3], False)
    assert ([event[1] for event in missed], told_later["complete"]) == ([3], False)
    assert (again, told_again["complete"]) == ([], True)


async def test_old_events_of_a_stream_are_not_sent(lab):
    """Those that are older than the history keeps them."""
    stale = int(time.time() * 1000) - 400_000
    data = {"packet": {"type": 2, "data": ["news", 1]}, "opts": {"rooms": ["feed|5"], "except": [], "flags": {}}}
    with redis.Redis.from_url(lab.broker.url) as client:
        for position, number in ((f"{stale}-0", 1), ("*", 2)):
            data["packet"]["data"][1] = number
            client.xadd(lab.stream, {"uid": "a", "nsp": "/", "type": "3", "data": json.dumps(data)}, id=position)
    _, missed, told = await join(lab, await node(lab))

    assert ([event[1] for event in missed], told["complete"]) == ([2], False)


@pytest.mark.parametrize("kind", ["node", "threads"])
async def test_events_that_leave_out_a_room_are_not_for_those_who_are_in_it_when_they_join(lab, kind):
    """Also of the time before the node: as with events that a lost client has missed, it counts where it is now."""

    def emit(number: int, without: list[Any]) -> None:
        data = {
            "packet": {"type": 2, "data": ["news", number]},
            "opts": {"rooms": ["feed|5"], "except": without, "flags": {}},
        }
        with redis.Redis.from_url(lab.broker.url) as client:
            client.xadd(lab.stream, {"uid": "a", "nsp": "/", "type": "3", "data": json.dumps(data)})

    emit(1, ["quiet"])
    emit(2, ["loud"])
    sio = await getattr(lab, kind)()
    sio.register_room(Feed)
    await lab.join(sio)
    emit(3, ["quiet"])
    emit(4, [])
    await sio.emit("last", room=Feed(6))  # this node has read the others when this returns

    quiet, other = await lab.join(sio), await lab.join(sio)
    await sio.enter_room(quiet.sid, "quiet")

    assert [await missed_by(each) for each in (quiet, other)] == [[2, 4], [1, 2, 3, 4]]


async def missed_by(peer: Peer) -> list[Any]:
    """Join with a client; return the numbers that it gets of the room's history."""
    await peer.client.send('42["join_feed",{"id":5,"since":""}]')
    missed = []
    while (event := await received(peer))[0] != "joined":
        missed.append(event[1])
    return missed


async def test_a_client_that_an_event_has_left_out_does_not_get_it_at_another_node(lab):
    """That node did not have it when the event came."""
    one, other = await node(lab), await node(lab)
    await lab.join(other)
    peer = await lab.join(one)
    await one.emit("news", 1, room=Feed(5), skip_sid=peer.sid)
    await one.emit("news", 2, room=Feed(5))
    await lab.lose(peer)

    back = await lab.join(other, peer)

    assert back.sid == peer.sid
    assert await missed_by(back) == [2]


async def test_clients_that_join_while_nodes_emit_get_each_event_once_in_one_order(lab):
    """Whichever node they join, and however often they change it."""
    nodes = [await node(lab), await node(lab)]
    await asyncio.gather(*(lab.join(each) for each in nodes))
    count_each = 40

    async def emit(sio: fastsio.AsyncServer, name: str) -> None:
        for number in range(count_each):
            await sio.emit("news", f"{name}{number}", room=Feed(5))

    async def read() -> list[Any]:
        values: list[Any] = []
        since, turn = None, 0
        while len(values) < 2 * count_each:
            peer, missed, told = await join(lab, nodes[turn % 2], since)
            assert told["complete"]
            turn += 1
            while len(missed) < 10 and len(values) + len(missed) < 2 * count_each:
                missed.append(await received(peer))
            values += [event[1] for event in missed]
            since = missed[-1][2]["offsets"]["feed|5"]
            await peer.client.vanish()
        return values

    *_, one, other = await asyncio.gather(emit(nodes[0], "a"), emit(nodes[1], "b"), read(), read())

    assert one == other
    assert sorted(one) == sorted(f"{name}{number}" for name in "ab" for number in range(count_each))
