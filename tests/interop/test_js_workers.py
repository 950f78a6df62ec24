"""
The real JavaScript clients, and python-socketio's, against four workers on one port without a sticky balancer.

The system chooses the worker of each connection: as a rule several, under load sometimes one.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import socketio

from tests.interop.conftest import PACKAGES, RUNNER, TRANSPORTS
from tests.interop.eio3.conftest import RUNNER as OLD_RUNNER
from tests.support.brokers import redis_server
from tests.support.node import node_program
from tests.support.peer_clients import LEAVE_CONNECTIONS
from tests.support.waiting import WAIT_S
from tests.support.worker_site import BUS, workers

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = LEAVE_CONNECTIONS

COUNT = 4
CLIENTS = 100
OLD_CLIENTS = 20


@pytest.fixture(scope="module", params=["local", "redis"])
def url(request) -> Iterator[str]:
    """Four workers that hear each other over Unix sockets, or over Redis."""
    if request.param == "local":
        with workers(COUNT) as broker:
            yield broker.url
    else:
        with redis_server() as redis, workers(COUNT, **{BUS: redis.url}) as broker:
            yield broker.url


async def play(url: str, scenario: str, **settings: Any) -> Any:
    """Run a scenario of ``scenarios/workers.mjs``."""
    async with node_program(RUNNER, "workers", scenario, url, json.dumps(settings), packages=PACKAGES) as program:
        return await program.result()


async def test_a_hundred_clients(url, transports):
    """All connect, stay, are acknowledged by their worker, and hear each other."""
    result = await play(url, "crowd", transports=transports, count=CLIENTS)

    assert 1 <= result.pop("workers") <= COUNT
    assert result.pop("transports") == [transports[0] if transports else "websocket"]
    assert result == {"connected": CLIENTS, "acknowledged": CLIENTS, "heard": CLIENTS}


@pytest.mark.parametrize("transports", TRANSPORTS.values(), ids=TRANSPORTS)
async def test_clients_of_engine_io_3(url, transports):
    """The client 2.x, whose sockets know no promises."""
    settings = {"version": 2, "transports": transports, "count": OLD_CLIENTS}
    async with node_program(
        OLD_RUNNER, "crowd", url, json.dumps(settings), packages=("socket.io-client-2",)
    ) as program:
        result = await program.result()

    assert 1 <= result.pop("workers") <= COUNT
    assert result == {"connected": OLD_CLIENTS, "acknowledged": OLD_CLIENTS, "heard": OLD_CLIENTS}


@pytest.mark.parametrize("transports", TRANSPORTS.values(), ids=TRANSPORTS)
async def test_clients_of_python_socketio(url, transports):
    """Of asyncio, each with connections of its own."""

    async def visit() -> tuple[int, bool]:
        client = socketio.AsyncClient(reconnection=False)
        await client.connect(url, transports=transports, wait_timeout=WAIT_S)
        pids = {(await client.call("where"))[0] for _ in range(5)}
        assert await client.call("length", "x" * 300_000) == 300_000
        is_there = client.connected
        await client.disconnect()
        (pid,) = pids
        return pid, is_there

    visits = await asyncio.gather(*[visit() for _ in range(OLD_CLIENTS)])

    assert all(is_there for _, is_there in visits)
    assert 1 <= len({pid for pid, _ in visits}) <= COUNT


@pytest.mark.parametrize("transports", TRANSPORTS.values(), ids=TRANSPORTS)
async def test_a_worker_that_is_killed_under_load(transports):
    """
    Its clients come back, to other workers or to the next; the clients of the others notice nothing.

    A client that polls opens a connection for each request: those that the killed worker has just accepted end with it,
    and their clients come back too.
    """
    settings = json.dumps({"transports": transports, "count": 40})
    with workers(3) as broker:
        async with node_program(RUNNER, "workers", "survivors", broker.url, settings, packages=PACKAGES) as program:
            places = Counter(await program.step("connected"))
            killed, affected = places.most_common()[-1]
            os.kill(killed, signal.SIGKILL)
            await program.tell(killed)
            result = await program.result()

    assert result.pop("disturbed") == 0 or transports == ["polling"]
    assert result == {"affected": affected, "connected": 40, "moved": affected}
