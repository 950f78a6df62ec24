"""Rooms whose members are on several servers."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
import socketio
from socketio.async_pubsub_manager import AsyncPubSubManager

from fastsio import Room, RoomMember
from fastsio.exceptions import BusError
from tests.integration.memory_bus import Breakdown, MemoryBus, make_node
from tests.shells.aio.fake_engine import settled, turns
from tests.support.members import end_with_answers
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: Messages of the bus in this process take turns of the loop, no time.


class ChatRoom(Room):
    log: list[Any]

    @classmethod
    def extract_room_identifier(cls, data):
        return data["id"]

    @classmethod
    def presence_key(cls, data):
        return data.get("user")

    @classmethod
    def on_leave(cls, room: Room):
        server, _ = room.where()
        cls.log.append(server)


@pytest.fixture
def bus() -> MemoryBus:
    """The bus of the test."""
    return MemoryBus()


@pytest.fixture
async def both(bus):
    """Two servers with the room and a client of each in it, as users ada and ben."""
    ChatRoom.log = []
    nodes = make_node(bus, "a"), make_node(bus, "b")
    found = []
    for node, user in zip(nodes, ("ada", "ben"), strict=True):
        node.server.register_room(ChatRoom)
        end_with_answers(node.manager)
        node.manager.initialize()
        client = await node.join()
        await client.send(f'2["join_chat",{json.dumps({"id": 5, "user": user})}]')
        assert await client.receive() == '2["joined",{"room":"chat|5"}]'
        found += [node, client]
    await settled(lambda: bus.listeners == 2)
    await turns()
    for client in found[1::2]:
        client.frames.clear()
    bus.published.clear()
    yield found
    for node in nodes:
        await node.server.shutdown()


async def test_the_members_of_all_servers_are_listed(both, bus):
    """Those of this one at once, those of the others when they are asked."""
    a, first, b, second = both
    here, there = RoomMember(first.sid, "ada"), RoomMember(second.sid, "ben")

    assert await ChatRoom(5).on(a.server).members() == [here]
    assert await ChatRoom(5).on(a.server).members(cluster=True) == [here, there]
    assert await ChatRoom(5).on(b.server).members(cluster=True) == [there, here]
    assert await ChatRoom(6).on(b.server).members(cluster=True) == []
    assert bus.methods() == ["room_members", "room_members_answer"] * 3


async def test_a_late_answer_is_dropped(both, bus):
    """Nobody waits for it any more."""
    a, first, _, _ = both
    await ChatRoom(5).on(a.server).members(cluster=True)
    answer = bus.published[-1]
    bus.inject(json.dumps(answer))
    await turns()

    assert await ChatRoom(6).on(a.server).members(cluster=True) == []
    await a.server.emit("alive", to=first.sid)
    assert await first.receive() == '2["alive"]'


async def test_a_broker_that_is_away_is_told_to_who_asks_and_to_the_log_of_who_answers(both, bus, caplog):
    """The one raises, the other cannot do more."""
    a, _, b, second = both
    bus.failures += [Breakdown("gone"), Breakdown("gone")]
    with pytest.raises(BusError):
        await ChatRoom(5).on(a.server).members(cluster=True)
    bus.failures += [Breakdown("gone"), Breakdown("gone")]
    with caplog.at_level(logging.WARNING):
        bus.inject('{"method":"room_members","room":"chat|5","namespace":"/","id":1,"host_id":"somebody"}')
        await settled(lambda: "a question could not be answered" in caplog.text)
    await b.server.emit("alive", to=second.sid)

    assert await second.receive() == '2["alive"]'


async def test_events_reach_the_members_of_all_servers(both):
    """By the room's name on the bus."""
    a, first, _, second = both

    await ChatRoom(5).on(a.server).emit("news", 1)
    await a.server.emit("more", 2, room=ChatRoom(5))

    for client in (first, second):
        assert [await client.receive(), await client.receive()] == ['2["news",1]', '2["more",2]']


@pytest.mark.parametrize("way", ["leave", "kick", "close", "by name"])
async def test_on_leave_runs_on_the_server_that_has_the_client(both, way):
    """Another server tells it to take the client out."""
    a, _, b, second = both
    room = ChatRoom(5).on(a.server)
    match way:
        case "leave":
            await room.leave(second.sid)
        case "kick":
            await room.kick(second.sid, "enough")
        case "close":
            await room.close()
        case "by name":
            await a.server.leave_room(second.sid, "chat|5")
    await settled(lambda: b.server in ChatRoom.log)

    assert ChatRoom.log.count(b.server) == 1
    assert ChatRoom.log.count(a.server) == (way == "close")
    assert b.server.rooms(second.sid) == [second.sid]
    if way == "kick":
        assert await second.receive() == '2["kicked",{"room":"chat|5","reason":"enough"}]'


async def test_presence_is_told_to_the_members_of_all_servers(both):
    """Each server counts its own."""
    _, first, b, second = both
    await second.lose()

    assert await first.receive() == '2["presence",{"room":"chat|5","user":"ben","state":"left","count":0}]'
    assert await ChatRoom(5).on(b.server).members() == []


class Peer(AsyncPubSubManager):
    """A manager of python-socketio on the same bus."""

    def __init__(self, bus: MemoryBus) -> None:
        super().__init__(logger=logging.getLogger("tests.peer"))
        self.bus = bus
        self.heard = asyncio.Queue()

    async def _publish(self, data):
        await self.bus.publish(json.dumps(data))

    async def _listen(self) -> AsyncIterator[Any]:
        async for message in self.bus.listen():
            yield message
            # It has done with it when it asks for the next one.
            self.heard.put_nowait(json.loads(message)["method"])


async def test_python_socketio_ignores_what_it_does_not_know(both, bus, caplog):
    """It says nothing of its members, and goes on listening without a complaint."""
    a, first, _, second = both
    peer = Peer(bus)
    server = socketio.AsyncServer(async_mode="asgi", client_manager=peer)
    peer.initialize()
    await settled(lambda: bus.listeners == 3)
    with caplog.at_level(logging.WARNING):
        members = await ChatRoom(5).on(a.server).members(cluster=True)
        await a.server.emit("news", 1, room=ChatRoom(5))
        heard = [await asyncio.wait_for(peer.heard.get(), WAIT_S) for _ in range(3)]

    assert [member.sid for member in members] == [first.sid, second.sid]
    assert heard == ["room_members", "room_members_answer", "emit"]
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    peer.thread.cancel()
    await asyncio.wait([peer.thread])
    assert server.manager is peer


class Guarded(Room):
    """A room whose ``can_join`` waits for the test."""

    asked: list[asyncio.Future[bool]]

    @classmethod
    def extract_room_identifier(cls, data):
        return data["id"]

    @classmethod
    async def can_join(cls):
        answer = asyncio.get_running_loop().create_future()
        cls.asked.append(answer)
        return await answer


@pytest.mark.parametrize("way", ["kick", "leave", "close", "by name", "recheck"])
async def test_what_another_server_takes_back_ends_a_join_that_waits(both, way):
    """A kick, a closed room or a recheck on one server counts for a join under way on the other."""
    a, _, b, second = both
    Guarded.asked = []
    for node in (a, b):
        node.server.register_room(Guarded)
    room = Guarded(5).on(a.server)
    await second.send('27["join_guarded",{"id":5}]')
    await settled(lambda: Guarded.asked)
    match way:
        case "kick":
            await room.kick(second.sid)
            assert await second.receive() == '2["kicked",{"room":"guarded|5","reason":null}]'
        case "leave":
            await room.leave(second.sid)
        case "close":
            await room.close()
        case "by name":
            await a.server.leave_room(second.sid, "guarded|5")
        case "recheck":
            assert await room.recheck() == []
    await turns()
    Guarded.asked[0].set_result(True)
    if way == "recheck":
        await settled(lambda: len(Guarded.asked) == 2)
        Guarded.asked[1].set_result(False)

    assert '"type":"forbidden"' in await second.receive()
    assert await Guarded(5).on(b.server).members() == []


async def test_a_recheck_asks_about_the_members_of_all_servers(both):
    """Those that the class refuses now are kicked, wherever they are."""
    a, _, b, second = both
    Guarded.asked = []
    for node in (a, b):
        node.server.register_room(Guarded)
    await second.send('2["join_guarded",{"id":5}]')
    await settled(lambda: Guarded.asked)
    Guarded.asked[0].set_result(True)
    assert await second.receive() == '2["joined",{"room":"guarded|5"}]'
    await Guarded(5).on(a.server).recheck()
    await settled(lambda: len(Guarded.asked) == 2)
    Guarded.asked[1].set_result(False)

    assert json.loads((await second.receive())[1:])[0] == "kicked"
    assert await Guarded(5).on(b.server).members() == []


async def test_no_server_of_the_cluster_puts_a_client_into_the_room_of_a_class_by_its_name(both, bus, caplog):
    """A python-socketio node cannot, nor one that does not have the class; a room object can, and names reach members."""
    a, _, b, second = both
    peer = Peer(bus)
    socketio.AsyncServer(async_mode="asgi", client_manager=peer)
    with pytest.raises(ValueError, match="is a room of ChatRoom"):
        await a.server.enter_room(second.sid, "chat|6")
    await peer.enter_room(second.sid, "/", "chat|6")
    await settled(lambda: "is a room of ChatRoom" in caplog.text)
    assert await ChatRoom(6).on(b.server).members() == []

    await a.server.enter_room(second.sid, ChatRoom(6))
    await settled(lambda: b.server.rooms(second.sid)[1:] == ["chat|5", "chat|6"])
    second.frames.clear()
    await peer.emit("news", 1, namespace="/", room="chat|6")
    assert await second.receive() == '2["news",1]'
