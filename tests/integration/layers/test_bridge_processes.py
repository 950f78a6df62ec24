"""Clients of both kinds at two servers that are two processes."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import connect

from fastsio import AsyncClient, broadcast
from fastsio.layers import override
from fastsio.layers.manager import LayerManager
from tests.support.bridge import Posted
from tests.support.bridge_layers import LAYERS
from tests.support.brokers import nats_server, redis_server
from tests.support.ports import reserved_port
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from websockets.asyncio.client import ClientConnection

ROOT = Path(__file__).parents[3]


@contextmanager
def server(environment: dict[str, str]) -> Iterator[int]:
    """Run a server until the end of the block, which begins when it listens; gives its port."""
    with reserved_port() as port:
        command = [sys.executable, "-m", "uvicorn", "tests.support.bridge_server:app", "--port", str(port)]
        command += ["--timeout-graceful-shutdown", "2"]
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        log = []
        try:
            for line in process.stderr:
                log.append(line)
                if "Uvicorn running on" in line:
                    break
            else:
                pytest.fail(f"the server did not start:\n{''.join(log)}")
            yield port
        finally:
            process.terminate()
            process.communicate(timeout=WAIT_S)


class Visitor:
    """A client of Socket.IO that keeps what it hears."""

    def __init__(self) -> None:
        self.client = AsyncClient()
        self.heard: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self.client.on("*", self._hear)
        self.client.on("question", lambda question: f"answer to {question}")

    async def connect(self, port: int, user: str, *rooms: str) -> None:
        """Connect, and enter rooms."""
        await self.client.connect(f"http://127.0.0.1:{port}", auth=user, transports=["websocket"])
        for room in rooms:
            await self.client.call("join", room)

    def _hear(self, event: str, *args: Any) -> None:
        self.heard.put_nowait((event, *args))

    async def until(self, event: str) -> list[tuple[str, Any]]:
        """Return what was heard before an event."""
        async with asyncio.timeout(WAIT_S):
            heard = [await self.heard.get()]
            while heard[-1][0] != event:
                heard.append(await self.heard.get())
        return [each for each in heard if each[0] not in (event, "presence", "joined")]


async def ask(socket: ClientConnection, frame: dict[str, Any]) -> Any:
    """Send a frame and return the next one."""
    await socket.send(json.dumps(frame))
    return json.loads(await asyncio.wait_for(socket.recv(), WAIT_S))


async def until(socket: ClientConnection, action: str) -> list[Any]:
    """Return the frames before one."""
    frames = []
    while (frame := json.loads(await asyncio.wait_for(socket.recv(), WAIT_S)))["action"] != action:
        frames.append((frame["action"], frame["payload"]))
    return [frame for frame in frames if frame[0] != "presence"]


@pytest.fixture(params=["pubsub", "queue", "nats"])
def world(request) -> Iterator[tuple[str, str, list[int]]]:
    """Two servers on a broker."""
    with nats_server() if request.param == "nats" else redis_server() as broker:
        environment = {"LAYER": request.param, "BROKER_URL": broker.url}
        with server(environment) as first, server(environment) as second:
            yield request.param, broker.url, [first, second]


@pytest.fixture
async def people(world) -> AsyncIterator[tuple[list[Visitor], list[ClientConnection]]]:
    """A client of each kind at each server, in the room lobby and in chat 5."""
    async with AsyncExitStack() as stack:
        visitors, sockets = [], []
        for port, names in zip(world[2], (("ann", "ben"), ("cleo", "dan")), strict=True):
            visitor = Visitor()
            await visitor.connect(port, names[0], "lobby")
            stack.push_async_callback(visitor.client.disconnect)
            assert await visitor.client.call("join_chat", {"id": 5}) == {"room": "chat|5"}
            socket = await stack.enter_async_context(connect(f"ws://127.0.0.1:{port}/?{names[1]}"))
            assert "joined" in await ask(socket, {"action": "join", "payload": "lobby"})
            await socket.send('{"action": "subscribe", "payload": {"room": "chat", "data": {"id": 5}}}')
            assert await until(socket, "subscribed") == []
            visitors.append(visitor)
            sockets.append(socket)
        yield visitors, sockets


async def test_both_kinds_hear_what_is_said_in_either_process_once(world, people):
    """A consumer's broadcast, a worker's event and its end reach everybody in the room once each."""
    kind, url, _ = world
    visitors, sockets = people
    said = {"action": "say", "payload": "hi", "groups": ["lobby"], "exclude_current": True}
    layer = LAYERS[kind](hosts=[url], prefix="processes")
    with override("worker", layer):
        worker = LayerManager("worker", write_only=True)
        await sockets[0].send(json.dumps(said))
        assert await until_said(sockets[1]) == {"action": "said", "payload": "hi"}
        await broadcast(Posted(text="done"), via=worker)
        await worker.emit("end", None, room=["lobby", "chat|5"])

        for visitor in visitors:
            assert await visitor.until("end") == [("said", "hi"), ("posted", {"text": "done"})]
        for socket in sockets:
            assert await until(socket, "end") == [("posted", {"text": "done"})]
    await layer.close()


async def until_said(socket: ClientConnection) -> Any:
    """Return the next frame that is no presence."""
    while (frame := json.loads(await asyncio.wait_for(socket.recv(), WAIT_S)))["action"] == "presence":
        pass
    return frame


async def test_an_acknowledgement_crosses_processes(people):
    """Who asks is at one server, who answers at the other."""
    (ann, cleo), _ = people

    answer = await ann.client.call("ask", (cleo.client.get_sid(), "life"))

    assert answer == "answer to life"
