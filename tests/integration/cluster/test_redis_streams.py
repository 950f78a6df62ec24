"""Servers on one Redis Stream: events in one order, and clients that come back to any of them."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from base64 import b64decode, b64encode
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import count, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis
from msgpack import packb, unpackb

import fastsio
from fastsio.aio.backends import stream_sessions
from fastsio.cluster import session_values
from tests.integration.clients import Closed, eventually, open_websocket
from tests.integration.streams_lab import Lab, Peer
from tests.support.brokers import redis_server
from tests.support.cluster_nodes import acquainted, administer, cluster
from tests.support.ports import HOST
from tests.support.servers import Address
from tests.support.waiting import START_S, WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.brokers import Broker

names = count()
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def broker():
    """A Redis for all tests of this module."""
    with redis_server() as broker:
        yield broker


@pytest.fixture
def stream() -> str:
    """The name of a stream that no other test uses."""
    return f"stream-{next(names)}"


@pytest.fixture
async def lab(broker, stream) -> AsyncIterator[Lab]:
    """Servers on a stream of the test's own."""
    async with AsyncExitStack() as stack:
        yield Lab(broker, stream, stack)


@pytest.mark.parametrize("there", [fastsio.AsyncRedisStreamsManager, fastsio.RedisStreamsManager])
async def test_an_administrator_is_told_of_clients_of_another_server(broker, stream, there):
    """Also of one that was connected before the administrator."""
    async with cluster(fastsio.AsyncRedisStreamsManager(broker.url, stream), there(broker.url, stream)) as (a, b):
        await acquainted(a, b)

        await administer(a, b)


async def test_a_client_comes_back_to_another_node(lab):
    """It has its sid, rooms and session data, and gets what it missed once, in order."""
    one, other = await lab.node(), await lab.node()
    peer, watcher = await lab.join(one), await lab.join(other)
    await one.enter_room(peer.sid, "tea")
    await one.save_session(peer.sid, {"user": 7, b"k": b"\x01"})
    await other.emit("news", 1, room="tea")
    assert await peer.event() == ["news", 1]

    await lab.lose(peer)
    await one.emit("news", 2, room="tea")
    await other.emit("news", 3)
    await one.emit("news", 4, room="coffee")
    await other.emit("news", 5, to=peer.sid)
    await one.emit("news", 6, skip_sid=peer.sid)
    back = await lab.join(other, peer)

    assert (back.sid, back.pid) == (peer.sid, peer.pid)
    assert back.missed == [["news", 2], ["news", 3], ["news", 5]]
    assert sorted(other.rooms(back.sid)) == sorted([back.sid, "tea"])
    assert await other.get_session(back.sid) == {"user": 7, b"k": b"\x01"}
    assert [await watcher.event() for _ in range(2)] == [["news", 3], ["news", 6]]
    await one.emit("news", 7, room="tea")
    assert await back.event() == ["news", 7]


async def test_emits_of_all_nodes_come_in_one_order(lab):
    """Clients of two servers see the events of both in the same order, with offsets that grow."""
    one, other = await lab.node(), await lab.node()
    peers = [await lab.join(one), await lab.join(other)]

    await asyncio.gather(
        *(sio.emit("n", (each, number)) for number in range(50) for each, sio in enumerate((one, other)))
    )

    seen = [[(await peer.event(), peer.offset) for _ in range(100)] for peer in peers]
    assert seen[0] == seen[1]
    offsets = [tuple(map(int, offset.split("-"))) for _, offset in seen[0]]
    assert offsets == sorted(set(offsets))


async def test_what_emit_has_returned_from_is_there(lab):
    """An event goes before what is done to its recipients next: it leaves a room, is disconnected."""
    one, other = await lab.node(), await lab.node()
    peer, _ = await lab.join(one), await lab.join(other)
    await other.enter_room(peer.sid, "tea")
    await other.emit("news", 1, room="tea")
    assert await peer.event() == ["news", 1]

    await one.emit("news", 2, room="tea")
    await one.leave_room(peer.sid, "tea")
    await one.emit("news", 3, room="tea")
    await one.emit("bye", to=peer.sid)
    await one.disconnect(peer.sid)

    assert [await peer.event() for _ in range(2)] == [["news", 2], ["bye"]]
    assert await peer.client.receive() == "41"


@pytest.fixture
def patient_nodes(monkeypatch):
    """Let nodes wait for each other's answers: a busy one is not taken for one that was killed."""
    monkeypatch.setattr(stream_sessions, "RELEASE_S", WAIT_S)


@pytest.mark.usefixtures("patient_nodes")
async def test_there_are_never_two_clients_with_one_sid(lab):
    """Of two that come with one pid to two nodes at once, one gets it: or the second after the first has lost it."""
    one, other = await lab.node(), await lab.node()
    peer = await lab.join(one)
    await lab.lose(peer)

    await asyncio.gather(lab.join(one, peer), lab.join(other, peer))

    seen = [entry[0] for entry in lab.journal if entry[1] == peer.sid]
    # One that the other node takes over before it is let in has a connect without a disconnect.
    assert (seen[0], seen[-1]) == ("connect", "connect")
    assert ("disconnect", "disconnect") not in pairwise(seen)
    assert [sio.manager.is_connected(peer.sid, "/") for sio in (one, other)].count(True) == 1


async def test_a_session_that_another_node_has_stored_last_is_the_present_one(lab):
    """Also if this node still has the one from before: a server of JavaScript tells nobody that it has the client."""
    one = await lab.node()
    peer = await lab.join(one)
    await one.enter_room(peer.sid, "tea")
    await one.save_session(peer.sid, {"user": 7})
    await one.emit("news", 1)
    await peer.event()
    await lab.lose(peer)
    # The client comes back to a server of JavaScript, where it enters another room, and is lost there.
    record = {"sid": peer.sid, "pid": peer.pid, "rooms": [peer.sid, "milk"], "data": {"user": 8}}
    with redis.Redis.from_url(lab.broker.url) as client:
        client.set(f"sio:session:{peer.pid}", b64encode(packb(record)), px=60_000)
    await one.emit("news", 2, room="milk")

    back = await lab.join(one, peer)

    assert (back.sid, back.pid, back.missed) == (peer.sid, peer.pid, [["news", 2]])
    assert sorted(one.rooms(back.sid)) == sorted([back.sid, "milk"])
    assert await one.get_session(back.sid) == {"user": 8}


async def test_a_session_is_claimed_once(lab):
    """Of nodes that claim it at the same moment one gets it, however often they try."""
    nodes = [await lab.node() for _ in range(3)]
    peers = [await lab.join(nodes[0]) for _ in range(100)]
    await asyncio.gather(*(lab.lose(peer) for peer in peers))
    for node in nodes[1:]:
        await lab.join(node)

    async def claims(peer: Any) -> int:
        found = [node.__fastsio__.recovery.find("/", peer.pid, None) for node in nodes]
        return sum(each is not None for each in await asyncio.gather(*found))

    assert await asyncio.gather(*map(claims, peers)) == [1] * len(peers)


@pytest.mark.usefixtures("patient_nodes")
async def test_a_session_that_is_stored_anew_while_it_is_claimed(lab, monkeypatch):
    """The node that was too late asks the one that was faster to close its connection: one has the client at a time."""
    one, other = await lab.node(), await lab.node()
    peer = await lab.join(one)
    await lab.join(other)
    await lab.lose(peer)
    post_all, arrived = other.manager.post_all, []

    async def post_all_late(commands: Any) -> Any:
        if not arrived and commands[0][:2] == ("EVAL", session_values.TAKE):
            arrived.append(await lab.join(one, peer))
            await eventually(lambda: (lab.record(peer) or {}).get("node") == one.manager.host_id)
        return await post_all(commands)

    monkeypatch.setattr(other.manager, "post_all", post_all_late)
    back = await lab.join(other, peer)

    assert (back.pid, arrived[0].pid) == (peer.pid, peer.pid)
    seen = [entry for entry in lab.journal if entry[1] == peer.sid]
    assert seen == [
        ("connect", peer.sid, False),
        ("disconnect", peer.sid, "transport close"),
        ("connect", peer.sid, True),
        ("disconnect", peer.sid, "transport close"),
        ("connect", peer.sid, True),
    ]


@pytest.mark.usefixtures("patient_nodes")
async def test_a_client_whose_old_connection_lives_on_another_node(lab):
    """Its node ends the old connection first; there are never two with one sid."""
    one, other = await lab.node(), await lab.node()
    peer = await lab.join(one)
    await one.emit("news", 1)
    await peer.event()
    await one.enter_room(peer.sid, "tea")

    back = await lab.join(other, peer)

    assert back.pid == peer.pid
    assert lab.journal[1:] == [
        ("disconnect", peer.sid, "transport close"),
        ("connect", peer.sid, True),
    ]
    assert sorted(other.rooms(back.sid)) == sorted([back.sid, "tea"])
    await eventually(lambda: not one.__fastsio__.recovery_state.has_sessions())


async def test_a_node_takes_its_time_to_give_a_session_up(lab, monkeypatch):
    """The client waits at the other node for what its old disconnect handler does, as on one node."""
    monkeypatch.setattr(stream_sessions, "RELEASE_S", 0.1)
    one, other = await lab.node(), await lab.node()
    monkeypatch.setattr(stream_sessions, "RELEASE_S", WAIT_S)  # in which the node answers that it begins
    is_ending, may_end = asyncio.Event(), asyncio.Event()

    @one.event
    async def disconnect(sid: fastsio.SocketID, reason: fastsio.Reason) -> None:
        is_ending.set()
        await may_end.wait()
        await one.enter_room(sid, "late")
        await one.save_session(sid, {"user": 7})
        lab.journal.note(("disconnect", sid, reason))

    peer = await lab.join(one)
    coming = asyncio.create_task(lab.join(other, peer))
    await is_ending.wait()
    done, _ = await asyncio.wait({coming}, timeout=0.5)
    assert not done
    assert other.manager.client_of(peer.sid, "/") is None
    await other.emit("news", 1, room="late")
    may_end.set()
    back = await coming

    assert (back.sid, back.pid, back.missed) == (peer.sid, peer.pid, [])
    assert lab.journal[1:] == [("disconnect", peer.sid, "transport close"), ("connect", peer.sid, True)]
    assert sorted(other.rooms(back.sid)) == sorted([back.sid, "late"])
    assert await other.get_session(back.sid) == {"user": 7}
    await eventually(lambda: one.manager.client_of(peer.sid, "/") is None)


@pytest.mark.parametrize("answers", [True, False])
async def test_a_node_that_does_not_give_a_session_up(lab, monkeypatch, answers):
    """After takeover_timeout the client is a new one; if its node did not answer at all, it comes back at once."""
    monkeypatch.setattr(stream_sessions, "RELEASE_S", 0.1)
    recovery = {"takeover_timeout": 0.3}
    one, other = await lab.node(recovery), await lab.node(recovery)
    if answers:
        monkeypatch.setattr(stream_sessions, "RELEASE_S", WAIT_S)  # in which the node answers that it begins
    is_ending, may_end = asyncio.Event(), asyncio.Event()

    @one.event
    async def disconnect(sid: fastsio.SocketID, reason: fastsio.Reason) -> None:
        is_ending.set()
        await may_end.wait()
        lab.journal.note(("disconnect", sid, reason))

    peer = await lab.join(one)
    await eventually(lambda: (lab.record(peer) or {"node": None})["node"])
    releases, take = [], one.manager._sessions.take

    def hear_late(message: Any) -> bool:
        if message.get("method") == "release" and not answers:
            releases.append(message)
            return True
        return take(message)

    monkeypatch.setattr(one.manager._sessions, "take", hear_late)
    back = await lab.join(other, peer)
    for message in releases:
        take(message)
    await is_ending.wait()
    await eventually(lambda: one.manager.client_of(peer.sid, "/").recovery.is_over)
    may_end.set()
    await lab.journal.until(("disconnect", peer.sid, "transport close"))
    await eventually(lambda: one.manager.client_of(peer.sid, "/") is None)

    assert (back.sid == peer.sid, back.pid == peer.pid) == (not answers, not answers)
    await eventually(lambda: (lab.record(back) or {"node": None})["node"] == other.manager.host_id)
    assert answers == (lab.record(peer) is None)


async def test_a_restart_keeps_sessions(lab):
    """A client of a server that has shut down comes back to one that was started later."""
    one = await lab.node()
    peer = await lab.join(one)
    await one.emit("news", 1)
    assert await peer.event() == ["news", 1]
    await one.shutdown()
    emitter = fastsio.AsyncRedisStreamsManager(lab.broker.url, lab.stream, write_only=True)
    await emitter.emit("news", 2)
    await emitter.shutdown()

    back = await lab.join(await lab.node(), peer)

    assert (back.pid, back.missed) == (peer.pid, [["news", 2]])


async def test_a_client_that_missed_what_is_gone(lab):
    """It is refused, whichever node it comes back to."""
    one, other = await lab.node(max_stream_length=5), await lab.node()
    peer = await lab.join(one)
    await one.emit("news", 1)
    await peer.event()
    await lab.lose(peer)
    with redis.Redis.from_url(lab.broker.url) as client:
        for _ in range(3):
            await one.emit("news", 2)
        client.xtrim(lab.stream, 1, approximate=False)

    back = await lab.join(other, peer)

    assert back.pid != peer.pid
    assert back.missed == []


async def test_a_quiet_client_of_a_busy_node_comes_back(lab):
    """Events to others that neither its node nor the stream has any more do not matter to it."""
    one = await lab.node({"max_packets": 5})
    peer, busy = await lab.join(one), await lab.join(one)
    await one.emit("news", 0)
    assert await peer.event() == await busy.event() == ["news", 0]
    for number in range(20):
        await one.emit("news", number, to=busy.sid)
        await busy.event()
    await lab.lose(peer)
    await one.emit("news", 1, to=peer.sid)
    with redis.Redis.from_url(lab.broker.url) as client:
        client.xtrim(lab.stream, 3, approximate=False)

    back = await lab.join(one, peer)

    assert (back.pid, back.missed) == (peer.pid, [["news", 1]])


async def test_calls_and_rooms_of_other_nodes(lab):
    """Acknowledgements, closed rooms and callbacks work between nodes as with the other managers."""
    one, other = await lab.node(), await lab.node()
    peer, _ = await lab.join(one), await lab.join(other)
    await other.enter_room(peer.sid, "tea")
    asked = asyncio.create_task(other.call("question", {"b": b"\x01"}, to=peer.sid, timeout=WAIT_S))
    frame = await peer.client.receive()
    assert frame.startswith("451-")
    assert await peer.client.receive() == b"\x01"
    await peer.client.send(f"43{frame[4 : frame.index('[')]}[[1,2]]")
    assert await asked == [1, 2]

    await other.emit("news", 1, room="tea")
    await other.close_room("tea")
    await other.emit("news", 2, room="tea")
    await other.emit("news", 3)

    assert [await peer.event() for _ in range(2)] == [["news", 1], ["news", 3]]
    assert one.rooms(peer.sid) == [peer.sid]


async def test_events_of_one_process_alone(lab):
    """They have the offset of the newest event, and are not kept."""
    one = await lab.node()
    peer = await lab.join(one)
    await one.emit("news", 1)
    assert await peer.event() == ["news", 1]
    offset = peer.offset
    await one.emit("news", "local", ignore_queue=True)
    assert await peer.event() == ["news", "local"]
    assert peer.offset == offset
    await lab.lose(peer)
    await one.emit("news", "local", ignore_queue=True)
    await one.emit("news", 2)

    assert (await lab.join(one, peer)).missed == [["news", 2]]


async def test_volatile_events_and_copies(lab):
    """What JavaScript emits as volatile is not sent later, and of an entry that was written twice one is sent."""
    one, other = await lab.node(), await lab.node()
    peer = await lab.join(one)

    def write(uid: str) -> None:
        fields = {"uid": uid, "nsp": "/", "type": "3"}
        for event, flags, copies in ("now", {"volatile": True}, 1), ("twice", {}, 2):
            packet = {"type": 2, "data": ["news", event]}
            data = json.dumps({"packet": packet, "opts": {"rooms": [], "except": [], "flags": flags}})
            for _ in range(copies):
                client.xadd(lab.stream, {**fields, "data": data, "id": event})

    with redis.Redis.from_url(lab.broker.url) as client:
        write("a")
        await one.emit("news", 1)
        assert [await peer.event() for _ in range(3)] == [["news", "now"], ["news", "twice"], ["news", 1]]
        await lab.lose(peer)
        write("b")

    # It is the first client there, which only then begins to read.
    assert (await lab.join(other, peer)).missed == [["news", "twice"]]


async def test_what_is_done_to_a_client_that_is_away(lab):
    """It is out of a room, or cannot come back, whichever node says so and whichever it comes back to."""
    one, other = await lab.node(), await lab.node()
    peer, gone, _ = await lab.join(one), await lab.join(one), await lab.join(other)
    for room in ("tea", "coffee", "milk"):
        await one.enter_room(peer.sid, room)
    await lab.lose(peer)
    await lab.lose(gone)

    await one.leave_room(peer.sid, "tea")
    await other.leave_room(peer.sid, "coffee")
    await other.disconnect(gone.sid)
    await other.emit("news", 1, room="coffee")
    await other.emit("news", 2, room="milk")
    await eventually(lambda: lab.record(gone) is None)

    back = await lab.join(other, peer)
    assert (back.pid, back.missed) == (peer.pid, [["news", 2]])
    assert sorted(other.rooms(back.sid)) == sorted([back.sid, "milk"])
    assert (await lab.join(other, gone)).pid != gone.pid


async def test_a_member_of_a_room_comes_back_to_another_node(lab):
    """It leaves the room at its old node and joins it at the new one, with the payload of its join."""
    journal = lab.journal

    class Tea(fastsio.Room):
        @classmethod
        def extract_room_identifier(cls, data):
            return data["table"]

        @classmethod
        def can_join(cls, data):
            journal.note(("may join", data["table"]))
            return True

        @classmethod
        def on_join(cls, data):
            journal.note(("joined", data["table"]))

        @classmethod
        def on_leave(cls):
            journal.note(("left",))

    one, other = await lab.node(), await lab.node()
    for sio in (one, other):
        sio.register_room(Tea)
    peer, _ = await lab.join(one), await lab.join(other)
    await peer.client.send('42["join_tea",{"table":5}]')
    await journal.until(("joined", 5))
    await lab.lose(peer)

    back = await lab.join(other, peer)

    await journal.until(("joined", 5), count=2)
    await journal.until(("left",))
    assert [entry for entry in journal if entry[0] == "may join"] == [("may join", 5)] * 2
    assert [member.sid for member in await Tea(5).on(other).members()] == [back.sid]
    assert await Tea(5).on(one).members() == []


async def test_a_session_that_cannot_be_stored(lab, caplog):
    """The client comes back as a new one, and the log says why, once."""
    one = await lab.node()
    peer, left = await lab.join(one), await lab.join(one)
    await one.save_session(peer.sid, {"lock": object()})
    await peer.client.vanish()
    await lab.journal.until(("disconnect", peer.sid, "transport close"))
    assert (await lab.join(one, peer)).pid != peer.pid
    messages = [record.message for record in caplog.records]
    assert [message.partition("back: ")[2] for message in messages if "cannot come back" in message] == [
        "an object of type object cannot be stored"
    ]

    await left.client.send("41")
    await eventually(lambda: lab.record(left) is None)
    assert (await lab.join(one, left)).pid != left.pid


@pytest.mark.parametrize("offset", ["", "nonsense", "~1~", "0-0", "1-1", "9999999999999-0", "1" * 40])
async def test_offsets_that_a_client_cannot_have(lab, offset):
    """They make it a new client."""
    one = await lab.node()
    peer = await lab.join(one)
    await lab.lose(peer)
    peer.offset = offset
    one.manager.publish_timeout = 0.2  # for which the server waits for an event that never comes

    assert (await lab.join(one, peer)).pid != peer.pid


@pytest.mark.parametrize("kind", ["node", "threads"])
async def test_texts_that_cannot_be_written_do_not_hurt_others(lab, kind, caplog):
    """A lone surrogate in a pid or in an event does not fail the commands that go to Redis with it."""
    one = await getattr(lab, kind)()
    peer = await lab.join(one)

    async def emit(number: int) -> None:
        await one.emit("news", number, to=peer.sid)

    strangers = [lab.join(one, Peer(peer.client, "", f"pid \ud800 {number}", [])) for number in range(50)]
    joined = await asyncio.gather(*strangers, *map(emit, range(50)))
    await one.emit("news", "\ud800", to=peer.sid)

    assert len({stranger.sid for stranger in joined[:50]}) == 50
    assert sorted([(await peer.event())[1] for _ in range(50)]) == list(range(50))
    assert await peer.event() == ["news", "\ud800"]
    assert caplog.records == []


async def test_wrong_entries_are_passed_by(lab, caplog):
    """Entries and messages that make no sense are logged, and the next ones are read."""
    one = await lab.node()
    peer = await lab.join(one)
    with redis.Redis.from_url(lab.broker.url) as client:
        client.xadd(lab.stream, {"nsp": "/", "type": "3", "data": "nonsense"})
        client.xadd(lab.stream, {"something": "else"})
        client.xadd(f"{{{lab.stream}}}:fastsio", {"message": "nonsense"})
        client.xadd(f"{{{lab.stream}}}:fastsio", {"message": '{"method": "other"}'})
    await one.emit("news", 1)

    assert await peer.event() == ["news", 1]
    assert len([record for record in caplog.records if "dropped" in record.message]) >= 2


LISTENERS = 20


@pytest.mark.parametrize(("kind", "before", "after"), [("streams", 300, 600), ("streams_threads", 100, 200)])
async def test_a_node_is_killed_under_load(broker, stream, kind, before, after):
    """Each client of it comes back to the other node with its room, and has had every event once, in order."""
    emitter = fastsio.AsyncRedisStreamsManager(broker.url, stream, write_only=True)
    async with AsyncExitStack() as stack:
        nodes = [process(broker, stream, kind) for _ in "12"]
        (doomed, at_doomed), (_, at_other) = await asyncio.gather(*map(stack.enter_async_context, nodes))
        listeners = [Listener(at_doomed, at_other) for _ in range(LISTENERS)]
        tasks = [asyncio.create_task(listener.listen()) for listener in listeners]
        await asyncio.gather(*(listener.joined.wait() for listener in listeners))
        await eventually(lambda: all(map(is_stored(broker), listeners)))
        for number in range(after):
            # To all, and to a room, of a node that is killed meanwhile.
            await emitter.emit("number", number, room=None if number % 2 else "listeners")
            if number == before:
                doomed.kill()
        await emitter.emit("end", after)
        await asyncio.gather(*tasks)
        await emitter.shutdown()

    assert [listener.has_recovered for listener in listeners] == [True] * LISTENERS
    assert all(listener.numbers == list(range(after)) for listener in listeners)


async def test_a_node_hangs(broker, stream):
    """Its client comes back to the other node; when it runs again, it neither keeps the client nor its session."""
    async with AsyncExitStack() as stack:
        nodes = [process(broker, stream) for _ in "12"]
        (hung, at_hung), (_, at_other) = await asyncio.gather(*map(stack.enter_async_context, nodes))
        ghost = await stack.enter_async_context(open_websocket(at_hung))
        await ghost.send("40")
        old = json.loads((await ghost.receive())[2:])
        await eventually(lambda: node_of(broker, old["pid"]))
        node = node_of(broker, old["pid"])

        hung.send_signal(signal.SIGSTOP)
        client = await stack.enter_async_context(open_websocket(at_other))
        await client.send(f"40{json.dumps({'pid': old['pid']})}")
        assert json.loads((await client.receive())[2:]) == old
        hung.send_signal(signal.SIGCONT)
        await ghost.closed()

        # The other node stores it after it has let the client in.
        await eventually(lambda: node_of(broker, old["pid"]) not in {None, node})


class Listener:
    """A client that comes back to another node when it has lost its own; it notes all numbers."""

    def __init__(self, first: Address, then: Address) -> None:
        self._addresses = first, then
        self.joined = asyncio.Event()
        self.has_recovered = self._has_ended = False
        self.numbers: list[int] = []
        self.auth: dict[str, str] = {}

    async def listen(self) -> None:
        """Listen until the end."""
        for address in self._addresses:
            async with open_websocket(address) as client:
                await client.send(f"40{json.dumps(self.auth)}")
                with suppress(Closed):
                    while not (self._has_ended and self.has_recovered):
                        self._take(await client.receive())

    def _take(self, frame: Any) -> None:
        if frame[:2] == "40":
            answer = json.loads(frame[2:])
            self.has_recovered = answer["pid"] == self.auth.get("pid")
            self.auth["pid"] = answer["pid"]
            self.joined.set()
            return
        event, number, self.auth["offset"] = json.loads(frame[2:])
        if event == "number":
            self.numbers.append(number)
        self._has_ended = event == "end"


def node_of(broker: Broker, pid: str) -> str | None:
    """Return the node that a client is connected to, as its stored session has it."""
    with redis.Redis.from_url(broker.url) as client:
        record = client.get(f"sio:session:{pid}")
    return None if record is None else unpackb(b64decode(record), strict_map_key=False)["node"]


def is_stored(broker: Broker) -> Any:
    """Return a function that tells whether the session of a listener is stored with its room."""

    def is_stored_of(listener: Listener) -> bool:
        with redis.Redis.from_url(broker.url) as client:
            record = client.get(f"sio:session:{listener.auth['pid']}")
        return record is not None and "listeners" in unpackb(b64decode(record))["rooms"]

    return is_stored_of


@asynccontextmanager
async def process(
    broker: Broker, stream: str, kind: str = "streams"
) -> AsyncIterator[tuple[asyncio.subprocess.Process, Address]]:
    """Run a node in a process of its own; its clients are in the room "listeners"."""
    command = [sys.executable, "-m", "tests.integration.redis_program", kind, broker.url, stream]
    program = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        async with asyncio.timeout(START_S):
            line = await program.stdout.readline()  # type: ignore[union-attr] # it is a pipe
        yield program, Address(HOST, int(line.split()[1]))
    finally:
        if program.returncode is None:
            program.kill()
        await program.communicate()
