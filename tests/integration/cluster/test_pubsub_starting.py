"""A server that has just started: its first clients wait until it hears the others, and no longer than need be."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from fastsio import Room, RoomMember
from tests.integration.memory_bus import GOOD, MemoryBus, MemoryManager, Node, make_node
from tests.shells.aio.fake_engine import settled, turns
from tests.support.members import end_with_answers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.shells.aio.fake_engine import FakeClient


class SlowManager(MemoryManager):
    """Its broker subscribes it when the test lets it, and says so."""

    serves_when_listening = True

    def __init__(self, bus: MemoryBus) -> None:
        super().__init__(bus)
        self.may_subscribe = asyncio.Event()

    async def _listen(self) -> AsyncIterator[Any]:
        await self.may_subscribe.wait()
        async for message in self.bus.listen(self._on_listening):
            yield message


@pytest.fixture
def bus() -> MemoryBus:
    """The bus of the test."""
    return MemoryBus()


@pytest.fixture
async def node(bus) -> AsyncIterator[Node]:
    """A server that has not been subscribed yet."""
    node = make_node(bus, "new", client_manager=SlowManager(bus))
    yield node
    await node.server.shutdown()


async def connecting(node: Node) -> tuple[FakeClient, asyncio.Task[None]]:
    """Return a client that has asked to be let in."""
    client = await node.open()
    return client, asyncio.create_task(client.send("0"))


async def test_clients_are_let_in_once_their_server_hears_the_others(node, bus):
    """What the others say from then on reaches each of them, the first included."""
    clients = [await connecting(node), await connecting(node)]
    await turns()
    assert [client.frames for client, _ in clients] == [[], []]

    node.manager.may_subscribe.set()
    for client, asking in clients:
        await asking
        assert (await client.receive()).startswith('0{"sid":')
    bus.inject(GOOD)

    for client, _ in clients:
        assert await client.receive() == '2["good",1]'
    assert (await node.join()).sid


class ChatRoom(Room):
    @classmethod
    def extract_room_identifier(cls, data):
        return data["id"]


async def test_who_has_joined_at_a_new_server_is_listed_by_the_others(node, bus):
    """The question reaches the new server, whose first client it is."""
    other = make_node(bus, "other")
    for each in (node, other):
        each.server.register_room(ChatRoom)
    await other.join()
    client, asking = await connecting(node)
    await turns()
    node.manager.may_subscribe.set()
    await asking
    end_with_answers(other.manager)
    await client.receive()
    await client.send('2["join_chat",{"id":5}]')
    assert await client.receive() == '2["joined",{"room":"chat|5"}]'

    (sid,) = [client.sid for client in node.server._connections["eio0"].clients.values()]
    assert await ChatRoom(5).on(other.server).members(cluster=True) == [RoomMember(sid)]
    await other.server.shutdown()


async def test_a_broker_that_is_away_keeps_nobody_from_connecting(node, bus):
    """The first attempt to listen has failed, and others follow."""
    bus.refuses = True
    node.manager.may_subscribe.set()

    assert (await node.join()).sid
    assert not node.manager.listening


async def test_a_broker_that_hangs_is_waited_for_once(node):
    """As long as it may take to accept a message; who comes later does not wait."""
    node.manager.publish_timeout = 0.05
    first, asking = await connecting(node)
    await asking
    assert (await first.receive()).startswith('0{"sid":')

    node.manager.publish_timeout = 3_600
    assert (await node.join()).sid


async def test_who_asks_others_waits_until_the_answers_can_be_heard(node, bus):
    """Not only the first one that asks."""
    other = make_node(bus, "other")
    for each in (node, other):
        each.server.register_room(ChatRoom)
    end_with_answers(node.manager)
    client = await other.join()
    await ChatRoom(5).on(other.server).enter(client.sid)
    await settled(lambda: bus.listeners == 1)
    room = ChatRoom(5).on(node.server)
    asking = [asyncio.create_task(room.members(cluster=True)) for _ in range(2)]
    await turns()

    node.manager.may_subscribe.set()

    assert await asyncio.gather(*asking) == [[RoomMember(client.sid)]] * 2
    await other.server.shutdown()
