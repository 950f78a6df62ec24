"""Consumers in several processes: Redis between servers, and between workers and clients."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.support.brokers import redis_server
from tests.support.ports import reserved_port
from tests.support.waiting import PROGRAM_S, WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

ROOT = Path(__file__).parents[3]
JOBS = (sys.executable, "-m", "tests.support.consumer_jobs")


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    """The URL of a Redis server."""
    with redis_server() as broker:
        yield f"redis://127.0.0.1:{broker.port}"


@contextmanager
def server(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    """Run a server until the end of the block, which begins when it listens."""
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    log = []
    try:
        for line in process.stderr:
            log.append(line)
            if "Uvicorn running on" in line:
                break
        else:
            pytest.fail(f"the server did not start:\n{''.join(log)}")
        yield
    finally:
        process.terminate()
        process.communicate(timeout=WAIT_S)


@asynccontextmanager
async def clients(*urls: str) -> AsyncIterator[list[ClientConnection]]:
    """Connect a client to each URL."""
    opened = [await connect(url) for url in urls]
    try:
        yield opened
    finally:
        for client in opened:
            await client.close()


async def hear(client: ClientConnection) -> Any:
    """Return the next frame of a client."""
    return await asyncio.wait_for(client.recv(), WAIT_S)


async def join(client: ClientConnection) -> None:
    """Wait until a client is in its groups, which it joins once it is let in: then it is answered."""
    await client.send('{"action": "job", "payload": "am I in?"}')
    await hear(client)


async def run(*command: str, environment: dict[str, str]) -> None:
    """Run a program to its end."""
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env={**os.environ, **environment})
    assert await asyncio.wait_for(process.wait(), PROGRAM_S) == 0


@pytest.mark.parametrize("layer", ["pubsub", "queue"])
@pytest.mark.parametrize("mode", ["work", "work-sync"])
async def test_a_worker_process_answers_the_one_client_that_asked(redis, layer, mode):
    """The worker knows the class and the channel's name, nothing else, and may do without an event loop."""
    environment = {"REDIS_URL": redis, "LAYER": layer}
    with reserved_port() as port, server([*JOBS, "serve", str(port)], environment):
        async with clients(f"ws://127.0.0.1:{port}", f"ws://127.0.0.1:{port}") as (ada, ben):
            await ada.send('{"action": "job", "payload": "hello"}')
            queued = json.loads(await hear(ada))
            await run(*JOBS, mode, queued["payload"]["channel"], "hola 🌍", environment=environment)
            result = json.loads(await hear(ada))
            await ben.send('{"action": "job", "payload": "mine"}')

            assert result == {"action": "job_status", "payload": {"status": "result", "message": "hola 🌍"}}
            assert json.loads(await hear(ben))["payload"]["status"] == "queued"


@pytest.mark.parametrize("layer", ["pubsub", "queue"])
async def test_broadcasts_cross_processes_and_leave_out_the_sender(redis, layer):
    """A broadcast of one server reaches the clients of another once; exclude_current holds across both."""
    environment = {"REDIS_URL": redis, "LAYER": layer}
    with (
        reserved_port() as here,
        reserved_port() as there,
        server([*JOBS, "serve", str(here)], environment),
        server([*JOBS, "serve", str(there)], environment),
    ):
        async with clients(*(f"ws://127.0.0.1:{port}" for port in (here, there, here))) as (ada, ben, eve):
            for client in (ada, ben, eve):
                await join(client)
            await ada.send('{"action": "announce", "payload": "from Ada"}')
            said = [json.loads(await hear(client))["payload"] for client in (ben, eve)]
            await run(*JOBS, "announce", "from a script", environment=environment)
            results = [json.loads(await hear(client))["payload"] for client in (ada, ben, eve)]

            assert said == [{"status": "said", "message": "from Ada"}] * 2
            assert results == [{"status": "result", "message": "from a script"}] * 3


@pytest.mark.parametrize(
    ("example", "message", "said"),
    [
        ("room_chat", "hi", "> hi"),
        (
            "typed_chat",
            json.dumps({"action": "room_chat", "payload": {"message": "hi"}}),
            {"action": "room_notification", "payload": {"kind": "said", "message": "hi", "room_name": "general"}},
        ),
    ],
)
async def test_the_examples_are_one_chat_in_two_processes(redis, example, message, said):
    """With REDIS_URL set, people at two servers are in one room."""
    read = str if example == "room_chat" else json.loads
    command = [sys.executable, "-m", "uvicorn", f"{example}.app:app", "--app-dir", "examples", "--port"]
    with (
        reserved_port() as first,
        reserved_port() as second,
        server([*command, str(first)], {"REDIS_URL": redis}),
        server([*command, str(second)], {"REDIS_URL": redis}),
    ):
        here, there = (f"ws://127.0.0.1:{port}/ws/room/general" for port in (first, second))
        async with clients(here) as (ada,):
            await ada.send(message)  # is heard by who sends it, once in the room
            while read(await hear(ada)) != said:
                pass
            async with clients(there) as (ben,):
                await ben.send(message)
                heard = [read(await hear(ada)) for _ in range(2)]

    texts = [each if example == "room_chat" else each["payload"]["message"] for each in heard]
    assert texts == ["Someone joined room 'general'", "> hi" if example == "room_chat" else "hi"]
    assert heard[1] == said


async def test_a_consumer_alone_is_an_application(redis, tmp_path):
    """A server that speaks of startup and shutdown serves a consumer that has nothing to do then."""
    program = "from tests.support.consumer_jobs import *\nsetup_layers()\napp = JobConsumer.as_asgi()\n"
    (tmp_path / "alone.py").write_text(program)
    command = [sys.executable, "-m", "uvicorn", "alone:app", "--app-dir", str(tmp_path), "--port"]
    environment = {"REDIS_URL": redis, "LAYER": "pubsub", "PYTHONPATH": str(ROOT)}
    with reserved_port() as port, server([*command, str(port)], environment):
        async with clients(f"ws://127.0.0.1:{port}") as (ada,):
            await join(ada)
