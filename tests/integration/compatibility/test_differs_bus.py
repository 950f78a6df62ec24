"""
Rows of ``docs/reference/compatibility.md`` about servers on one bus, shown on both packages.

``shown`` is what each of them does; a row that only fastsio has is in the tests of its broker.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.clients import eventually, open_websocket
from tests.support.servers import serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.clients import WebSocketClient

THEIRS, OURS = "socketio", "fastsio"


@dataclass
class Bus:
    """A bus in memory, which carries text as a broker does, and keeps what was published."""

    published: list[dict[str, Any]] = field(default_factory=list)
    queues: list[asyncio.Queue[str]] = field(default_factory=list)

    def publish(self, data: dict[str, Any]) -> None:
        """Hand a message to all listeners."""
        text = json.dumps(data)
        self.published.append(json.loads(text))
        for queue in self.queues:
            queue.put_nowait(text)

    @property
    def methods(self) -> list[str]:
        """What was published, by method."""
        return [message["method"] for message in self.published]


def on_bus(package: str, bus: Bus, **options: Any) -> Any:
    """Make a manager on the bus."""
    base: Any = importlib.import_module(f"{package}.async_pubsub_manager").AsyncPubSubManager

    class Manager(base):
        name = "memory"

        async def _publish(self, data: dict[str, Any]) -> None:
            bus.publish(data)

        async def _listen(self) -> AsyncIterator[str]:
            queue: asyncio.Queue[str] = asyncio.Queue()
            bus.queues.append(queue)
            while True:
                yield await queue.get()

    return Manager(**options)


@dataclass
class Node:
    """A server on the bus and a client of it."""

    sio: Any
    client: WebSocketClient
    sid: str

    async def received(self) -> list[Any]:
        """Return what the client was sent, up to an event of its own that comes back after it."""
        await self.sio.emit("last", to=self.sid)
        frames = []
        while (frame := await self.client.receive()) != '42["last"]':
            frames.append(frame)
        return frames


@dataclass
class Pair:
    """Two servers of one package on a bus."""

    package: str
    bus: Bus
    a: Node
    b: Node

    def shown(self, theirs: Any, ours: Any) -> Any:
        """Pick what the package under test shows."""
        return theirs if self.package == THEIRS else ours

    async def delivered(self) -> None:
        """Wait until the other server has heard everything that was said before."""
        entered = len(self.bus.published)
        await self.a.sio.manager.enter_room(self.b.sid, "/", f"after {entered}")
        await eventually(lambda: f"after {entered}" in self.b.sio.rooms(self.b.sid))


@pytest.fixture(params=[THEIRS, OURS])
async def pair(request) -> AsyncIterator[Pair]:
    """Two servers that listen, each with a client."""
    package, bus, nodes = importlib.import_module(request.param), Bus(), []
    async with AsyncExitStack() as stack:
        for _ in range(2):
            logger = logging.getLogger("tests.socketio")
            sio = package.AsyncServer(async_mode="asgi", client_manager=on_bus(request.param, bus), logger=logger)
            address = await stack.enter_async_context(serve(package.ASGIApp(sio)))
            stack.push_async_callback(sio.shutdown)
            client = await stack.enter_async_context(open_websocket(address))
            nodes.append(Node(sio, client, await client.join()))
        await eventually(lambda: len(bus.queues) == 2)
        yield Pair(request.param, bus, *nodes)
        for node in nodes if request.param == THEIRS else ():
            node.sio.manager.thread.cancel()


async def outcome(call: Any) -> str:
    """Return the name of what a call raises, or "done"."""
    try:
        await call
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the row is about
        return type(error).__name__
    return "done"


@pytest.mark.parametrize("several", [False, True])
async def test_what_is_for_clients_of_this_process_alone_is_not_published(pair, several):
    """C-80: python-socketio publishes it all the same."""
    await pair.a.sio.emit("e", 1, to=[pair.a.sid] if several else pair.a.sid)

    assert await pair.a.client.receive() == '42["e",1]'
    assert pair.bus.methods == pair.shown(["emit"], [])


async def test_a_none_that_was_given_arrives(pair):
    """C-81: nothing given is nothing, on both."""
    await pair.a.sio.emit("given", (None,))
    await pair.a.sio.emit("nothing")

    frames = [pair.shown('42["given"]', '42["given",null]'), '42["nothing"]']
    assert [await pair.a.client.receive(), await pair.a.client.receive()] == frames
    assert [await pair.b.client.receive(), await pair.b.client.receive()] == frames


async def test_a_binary_acknowledgement_comes_back(pair):
    """C-83: as a message of its own kind, which python-socketio does not know."""
    answers: list[bytes] = []
    await pair.a.sio.emit("ask", 1, to=pair.b.sid, callback=answers.append)
    asked = await pair.b.client.receive()
    await pair.b.client.send(f'461-{asked[2]}[{{"_placeholder":true,"num":0}}]')
    await pair.b.client.send(b"\x01")
    if pair.package == OURS:
        await eventually(lambda: answers)
    await pair.delivered()

    assert answers == pair.shown([], [b"\x01"])
    assert pair.bus.methods[1:-1] == pair.shown([], ["binary_callback"])


async def test_numbers_that_json_does_not_have_become_null_everywhere(pair):
    """C-85: python-socketio publishes and sends them as they are."""
    await pair.a.sio.emit("e", [float("nan"), float("inf")])

    frame = pair.shown('42["e",[NaN,Infinity]]', '42["e",[null,null]]')
    assert [await pair.a.client.receive(), await pair.b.client.receive()] == [frame, frame]


@pytest.mark.parametrize("room", [b"r", object()])
async def test_a_room_that_cannot_be_named_to_others_is_a_value_error(pair, room):
    """C-86: nobody gets the event on either."""
    manager = pair.a.sio.manager

    calls = [manager.emit("e", 1, room=room), manager.close_room(room, "/"), manager.enter_room(pair.b.sid, "/", room)]

    assert [await outcome(call) for call in calls] == [pair.shown("TypeError", "ValueError")] * 3
    assert await pair.a.received() == []


async def test_a_program_that_only_writes_can_disconnect(pair):
    """C-87: the process that has the client does it."""
    writer = on_bus(pair.package, pair.bus, write_only=True)

    assert await outcome(writer.disconnect(pair.b.sid, namespace="/")) == pair.shown("AttributeError", "done")
    if pair.package == OURS:
        assert await pair.b.client.receive() == "41"


async def test_the_room_of_a_client_here_is_not_entered_by_clients_elsewhere(pair):
    """C-94: whoever asks knows whose room it is."""
    assert await outcome(pair.a.sio.manager.enter_room(pair.b.sid, "/", pair.a.sid)) == pair.shown("done", "ValueError")
    await pair.delivered()

    assert (pair.a.sid in pair.b.sio.rooms(pair.b.sid)) is pair.shown(True, False)
