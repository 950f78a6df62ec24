"""Servers of one machine without a broker: AsyncLocalManager in one process and in several."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import fastsio
from fastsio.exceptions import BusError, SetupError
from tests.integration.clients import open_websocket
from tests.support.cluster_nodes import acquainted, cluster, exchange, node
from tests.support.servers import serve
from tests.support.waiting import WAIT_S


class AnswerRoom(fastsio.Room):
    """A room whose late clients get what was said."""

    history = fastsio.History(size=5)

    @classmethod
    async def extract_room_identifier(cls, session, data):
        return data["id"]


@pytest.fixture
def manager():
    """Make managers on one directory; its path is short, as those of Unix sockets are."""
    with TemporaryDirectory() as folder:
        yield lambda **options: fastsio.AsyncLocalManager(Path(folder, "app"), **options)


async def test_servers_exchange_everything(manager):
    """Rooms, binary payloads, callbacks and calls, both ways."""
    async with cluster(manager(), manager()) as (a, b):
        await acquainted(a, b)

        await exchange(a, b)
        await exchange(b, a)


async def test_nothing_is_missed_from_the_first_client_on(manager):
    """A server that has let its first client in hears what others emit from then on, and they hear it."""
    async with node(manager()) as a, node(manager()) as b:
        await a.sio.emit("news", 1)
        await b.sio.emit("news", 2)

        for each in (a, b):
            assert sorted([await each.receive(), await each.receive()]) == [["news", 1], ["news", 2]]


async def test_another_program_emits(manager):
    """A manager that only writes reaches the clients of all servers, also from a loop that ends at once."""
    emitter = manager(write_only=True)

    async def emit(number):
        await emitter.emit("news", number)

    async with cluster(manager(), manager()) as (a, b):
        await emit(1)
        assert [await a.receive(), await b.receive()] == [["news", 1], ["news", 1]]

        await asyncio.to_thread(lambda: asyncio.run(emit(2)))

        assert [await a.receive(), await b.receive()] == [["news", 2], ["news", 2]]
        await emitter.shutdown()


async def test_messages_of_any_size_arrive_in_their_order(manager):
    """Those of one sender, whatever their size; one that is too large fails alone."""
    sizes = [1, 70_000, 900_000, 10, 200_000]
    async with cluster(manager(max_pending_bytes=2_000_000), manager(max_pending_bytes=2_000_000)) as (a, b):
        emitter = a.sio.manager
        too_large = emitter.emit("news", "x" * 2_000_000, room=b.sid)
        emits = [emitter.emit("news", "x" * size, room=b.sid) for size in sizes]

        outcomes = await asyncio.gather(emits[0], too_large, *emits[1:], return_exceptions=True)

        assert [type(outcome) for outcome in outcomes] == [type(None), BusError, *[type(None)] * 4]
        assert [len((await b.receive())[1]) for _ in sizes] == sizes


async def test_histories_have_what_was_emitted_before_the_first_client(manager):
    """A server hears the others from its start."""
    quiet = fastsio.AsyncServer(async_mode="asgi", client_manager=manager())
    quiet.register_room(AnswerRoom)
    async with node(manager()) as a, serve(fastsio.ASGIApp(quiet), lifespan="on") as address:
        await a.sio.emit("said", 1, room="answer|5")
        await a.sio.emit("said", 2, room="answer|5")
        async with open_websocket(address) as client:
            await client.join()
            await client.send('42["join_answer",{"id":5,"since":null}]')
            heard = [json.loads((await client.receive())[2:])[:2] for _ in range(2)]
        await quiet.shutdown()

    assert heard == [["said", 1], ["said", 2]]


async def test_buses_of_other_names_are_apart(manager):
    """A channel has a directory of its own."""
    async with cluster(manager(), manager(channel="other")) as (a, b):
        await a.sio.emit("news", 1)
        await b.sio.emit("news", 2)

        assert [await a.receive(), await b.receive()] == [["news", 1], ["news", 2]]


async def test_members_are_known_at_once(manager):
    """A question is over when all servers have answered it, long before its time is."""

    class ChatRoom(fastsio.Room):
        @classmethod
        async def extract_room_identifier(cls, session, data):
            return "1"

        @classmethod
        async def can_join(cls, session, data):
            return True

    async with cluster(manager(), manager(), manager()) as nodes:
        for each in nodes:
            each.sio.register_room(ChatRoom)
            await each.client.send('42["join_chat",{}]')
            assert (await each.receive())[0] == "joined"
        async with asyncio.timeout(WAIT_S):
            members = await ChatRoom("1").on(nodes[0].sio).members(cluster=True, timeout=60)

        assert {member.sid for member in members} == {each.sid for each in nodes}


def test_a_path_that_is_too_long_is_refused():
    """Unix sockets have short paths on all systems."""
    with pytest.raises(SetupError, match="too long"):
        fastsio.AsyncLocalManager("/run/" + "x" * 80)


def test_a_manager_without_a_directory_is_refused(monkeypatch):
    """The error says how to name one."""
    monkeypatch.delenv("FASTSIO_WORKERS", raising=False)
    with pytest.raises(SetupError, match="path='/run/app'"):
        fastsio.AsyncLocalManager()
