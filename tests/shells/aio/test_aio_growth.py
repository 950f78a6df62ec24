"""What a connection costs, in things that can be counted: it must not depend on how many others there are."""

from __future__ import annotations

import asyncio
import json
import weakref
from typing import TYPE_CHECKING, Any

import fastsio
from tests.shells.engine.wire import WebSocketClient, settle
from tests.support.garbage import circles, what_there_is

if TYPE_CHECKING:
    import pytest

FEW = 20
MANY = 200


class Counter:
    """Counts what is scheduled on the running loop."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        self.soon = self.timers = 0
        call_soon, call_at = loop.call_soon, loop.call_at

        def count_soon(*args: Any, **kwargs: Any) -> Any:
            self.soon += 1
            return call_soon(*args, **kwargs)

        def count_timer(*args: Any, **kwargs: Any) -> Any:
            self.timers += 1
            return call_at(*args, **kwargs)

        monkeypatch.setattr(loop, "call_soon", count_soon)
        monkeypatch.setattr(loop, "call_at", count_timer)


class Text(str):
    """Text that tells when it is freed."""

    __slots__ = ("__weakref__",)


class Site:
    """A server and its clients, each on an ASGI WebSocket without a network."""

    def __init__(self) -> None:
        self.sio = fastsio.AsyncServer(async_mode="asgi")
        self.sids: list[str] = []
        self.clients: list[WebSocketClient] = []

        @self.sio.event
        async def connect(sid, environ):
            await self.sio.enter_room(sid, "all")

        @self.sio.event
        async def echo(sid, data):
            return data

    @property
    def engine(self) -> Any:
        """What the wire calls the Engine.IO server."""
        return self.sio.eio

    async def join(self, count: int) -> None:
        """Let clients join, and wait until they have."""
        clients = [WebSocketClient(self) for _ in range(count)]
        for client in clients:
            await client.opened()
            client.say("40")
        for client in clients:
            answer = await client.frame()
            self.sids.append(json.loads(answer[2:])["sid"])
        self.clients += clients
        await settle()

    async def leave(self) -> None:
        """Let all clients leave, and wait until they have."""
        for client in self.clients:
            client.leave()
        for client in self.clients:
            await client.ended()
        self.clients.clear()
        await settle()


async def test_an_idle_connection_has_no_task_but_the_servers_own():
    """No task reads, writes or pings for a connection that does nothing."""
    site = Site()
    before = len(asyncio.all_tasks())

    await site.join(MANY)

    assert len(asyncio.all_tasks()) - before == MANY  # one for each, as the ASGI server has made it
    await site.leave()


async def test_connections_share_their_timers(monkeypatch):
    """Pings and time limits of all clients take as many timers of the loop as those of a few."""
    site = Site()
    await site.join(FEW)
    counter = Counter(monkeypatch)

    await site.join(MANY)
    armed = counter.timers - MANY * 3  # the wire sets a time limit for each frame that it waits for
    await site.leave()

    assert armed < FEW


async def test_an_emit_to_one_costs_the_same_among_few_and_among_many(monkeypatch):
    """What is scheduled for a packet does not depend on who else is there."""
    costs = []
    site = Site()
    for count in (FEW, MANY):
        await site.join(count)
        counter = Counter(monkeypatch)
        await site.sio.emit("news", 1, to=site.sids[0])
        costs.append((counter.soon, counter.timers))
        monkeypatch.undo()
        assert await site.clients[0].frame() == '42["news",1]'

    assert costs[0] == costs[1]
    await site.leave()


async def test_a_broadcast_schedules_no_task_for_clients_that_keep_up(monkeypatch):
    """The packet is written to each as it is posted: the wire's own wake-ups are all that is scheduled."""
    site = Site()
    await site.join(MANY)
    counter = Counter(monkeypatch)
    before = asyncio.all_tasks()

    await site.sio.emit("news", 1, room="all")

    assert asyncio.all_tasks() == before
    assert counter.timers == 0
    frames = {await client.frame() for client in site.clients}
    assert frames == {'42["news",1]'}
    await site.leave()


async def test_one_more_client_changes_the_tables_by_one(monkeypatch):
    """Joining and leaving leave nothing behind, and touch no other client's entry."""
    site = Site()
    await site.join(FEW)
    sio: Any = site.sio
    sizes = [len(table) for table in (sio._connections, sio.environ, sio.eio.sockets)]
    first = site.clients.copy()

    await site.join(1)
    assert [len(table) for table in (sio._connections, sio.environ, sio.eio.sockets)] == [size + 1 for size in sizes]
    site.clients[-1].leave()
    await site.clients[-1].ended()
    await settle()

    assert [len(table) for table in (sio._connections, sio.environ, sio.eio.sockets)] == sizes
    site.clients = first
    await site.leave()
    assert not sio.manager.rooms
    assert not (sio._connections)
    assert not (sio.environ)
    assert not (sio.eio.sockets)


async def test_a_connection_that_is_over_is_freed_without_the_garbage_collector():
    """Nothing of a connection refers to itself in a circle: memory of clients that left is there at once."""
    before = what_there_is()
    site = Site()
    await site.join(FEW)
    client = site.clients[0]
    client.say('421["echo",1]')
    assert await client.frame() == "431[1]"
    with circles(before) as names:
        await site.leave()
        del client

    assert not names & {"Client", "Connection", "Session", "Decoder", "Link", "Body", "Context"}


async def test_an_idle_connection_keeps_nothing_of_its_last_frame():
    """A large message is gone when it has been handled, however long the client says nothing more."""
    site = Site()
    await site.join(1)
    text = Text('421["echo","' + "x" * 1000 + '"]')
    gone = weakref.ref(text)

    site.clients[0].say(text)
    del text
    await site.clients[0].frame()
    await settle()

    assert gone() is None
    await site.leave()


def test_the_attributes_of_a_server_stay_few() -> None:
    """CPython keeps up to 30 attributes of an object outside of a dict, where they are reached soonest."""
    assert len(vars(fastsio.AsyncServer(async_mode="asgi"))) <= 30
