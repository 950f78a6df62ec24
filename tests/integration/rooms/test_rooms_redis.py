"""Rooms on servers for asyncio and for threads that share a Redis."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fastsio import BroadcastEvent, Room, RoomMember, broadcast
from tests.integration.clients import eventually
from tests.integration.redis_nodes import THREADS, Cluster, Node, writer
from tests.support.brokers import redis_server


class ChatRoom(Room):
    @classmethod
    def extract_room_identifier(cls, data):
        return data["id"]


class Posted(BroadcastEvent):
    text: str

    def broadcast_on(self) -> Room:
        return ChatRoom(5)


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


async def joined(cluster: Cluster, kind: str) -> tuple[Node, Any]:
    """Return a server, itself and not what makes it awaitable, whose client is in the room."""
    node = await cluster.node(kind)
    server = node.server.server if kind == THREADS else node.server
    server.register_room(ChatRoom)
    await node.client.send('42["join_chat",{"id":5}]')
    assert await node.client.receive() == '42["joined",{"room":"chat|5"}]'
    return node, server


async def test_threads_and_tasks_share_rooms(cluster, broker):
    """Members are listed, events arrive, and a program without a server broadcasts to both."""
    here, sio = await joined(cluster, "fastsio")
    there, threads = await joined(cluster, THREADS)
    both = [RoomMember(here.sid), RoomMember(there.sid)]

    assert await ChatRoom(5).on(sio).members(cluster=True, timeout=2) == both
    members = await asyncio.to_thread(ChatRoom(5).on(threads).members, cluster=True, timeout=2)
    assert members == both[::-1]
    await asyncio.to_thread(threads.emit, "news", 1, room=ChatRoom(5))
    async with writer("fastsio", broker.url, cluster.channel) as manager:
        await broadcast(Posted(text="hi"), via=manager)
    for node in (here, there):
        assert {await node.client.receive(), await node.client.receive()} == {
            '42["news",1]',
            '42["posted",{"text":"hi"}]',
        }

    await ChatRoom(5).on(sio).close()
    await eventually(lambda: threads.rooms(there.sid) == [there.sid])
    assert sio.rooms(here.sid) == [here.sid]
