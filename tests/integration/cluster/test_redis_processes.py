"""Servers in processes of their own on one Redis, with asyncio, threads, gevent and eventlet."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import redis

from tests.integration.clients import eventually, open_websocket
from tests.support.brokers import redis_server
from tests.support.servers import Address
from tests.support.waiting import START_S

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def broker():
    """A Redis for all tests of this module."""
    with redis_server() as broker:
        yield broker


@asynccontextmanager
async def process(kind, broker, channel):
    """Run a server in a process of its own, and connect a client: give the client and its sid."""
    command = [sys.executable, "-m", "tests.integration.redis_program", kind, broker.url, channel]
    program = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        async with asyncio.timeout(START_S):
            line = await program.stdout.readline()
        assert line.startswith(b"port "), f"{kind} did not start"
        async with open_websocket(Address("127.0.0.1", int(line.split()[1]))) as client:
            yield client, await client.join()
    finally:
        program.kill()
        await program.communicate()


def listeners(broker, channel):
    """Ask Redis how many listen."""
    with redis.Redis.from_url(broker.url) as client:
        return client.pubsub_numsub(channel)[0][1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("asyncio", "asyncio"),
        ("asyncio", "threads"),
        ("gevent", "eventlet"),
        ("eventlet", "asyncio"),
        ("asyncio", "gevent"),
    ],
)
async def test_clients_of_two_processes_meet(broker, one, other):
    """A broadcast reaches both, and a call to the other one's client is answered."""
    channel = f"{one}-{other}"
    async with process(one, broker, channel) as (first, _), process(other, broker, channel) as (second, sid):
        await eventually(lambda: listeners(broker, channel) == 2)

        await first.send('42["shout","hi"]')
        assert await first.receive() == await second.receive() == '42["heard","hi"]'
        await second.send('42["shout","ho"]')
        assert await first.receive() == await second.receive() == '42["heard","ho"]'

        await first.send(f"427{json.dumps(['ask', sid])}")
        assert await second.receive() == '421["asked"]'
        await second.send('431["answer"]')
        assert await first.receive() == '437["answer"]'


@pytest.mark.parametrize("kind", ["gevent", "eventlet"])
def test_greenlets_need_patched_sockets(broker, kind):
    """Else one that waits for Redis stops all others; said when the server is made, with the cure."""
    program = f"import fastsio; fastsio.Server(async_mode={kind!r}, client_manager=fastsio.RedisManager())"

    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert "SetupError: RedisManager with async_mode=" in result.stderr
    assert "patch" in result.stderr
