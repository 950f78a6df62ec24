"""Two nodes on one Redis, for all tests of a module."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.balanced_site import node
from tests.support.brokers import Broker, redis_server
from tests.support.node import NodeProgram, node_program
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from contextlib import AbstractContextManager

CLIENTS = Path(__file__).parent / "clients.mjs"


@pytest.fixture(scope="module")
def redis() -> Iterator[Broker]:
    """A Redis that the nodes share."""
    with redis_server() as broker:
        yield broker


@pytest.fixture(scope="module")
def nodes(redis: Broker) -> Iterator[list[Broker]]:
    """Two nodes, a and b."""
    with at_once(node("a", redis.url), node("b", redis.url)) as both:
        yield both


@contextmanager
def at_once(*programs: AbstractContextManager[Broker]) -> Iterator[list[Broker]]:
    """Run programs that start at the same time, and stop so, for the length of the block."""
    with ThreadPoolExecutor(len(programs)) as threads:
        try:
            starts = [threads.submit(program.__enter__) for program in programs]
            yield [start.result() for start in starts]
        finally:
            started = [program for program, start in zip(programs, starts, strict=True) if start.exception() is None]
            list(threads.map(lambda program: program.__exit__(None, None, None), started))


@asynccontextmanager
async def clients(url: str, *groups: dict[str, Any]) -> AsyncIterator[NodeProgram]:
    """Start JavaScript clients; the groups are those of ``clients.mjs``."""
    async with node_program(CLIENTS, url, json.dumps(groups), packages=("socket.io-client",)) as program:
        yield program


async def meet(url: str, *groups: dict[str, Any]) -> tuple[list[tuple[str, str]], list[str]]:
    """
    Let JavaScript clients meet: all connect, stay connected, are acknowledged, and hear one of them.

    Returns:
        The node and the address of each, and the transport of each at the end.
    """
    async with clients(url, *groups) as program:
        places = await program.step("here")
        await program.tell("hello")
        result = await program.result()
    assert [length for _, _, length in places] == [number * 100 for number in range(len(places))]
    assert result["heard"] == ["hello"] * len(places)
    assert result["ended"] == [None] * len(places)
    # A balancer that held answers back would do so until the next ping, which comes after 25 seconds.
    assert result["seconds"] < 15
    return [(where, address) for where, address, _ in places], result["transports"]


@asynccontextmanager
async def several(
    url: str, kind: Any, ways: Sequence[list[str] | None] = (["polling"], None, ["websocket"])
) -> AsyncIterator[list[Any]]:
    """
    Connect Python clients, four in each way and more until both nodes have some, for a balancer may choose by chance.

    Args:
        url: The balancer's.
        kind: The class of the clients.
        ways: The transports of each way, or None for the default.
    """
    group: list[Any] = []
    nodes: set[str] = set()
    try:
        for number in range(40):
            for transports in ways:
                client = kind(reconnection_delay=0.1, reconnection_delay_max=0.2)
                group.append(client)
                await client.connect(url, transports=transports)
                nodes.add(await where(client))
            if number >= 3 and len(nodes) > 1:
                break
        yield group
    finally:
        for client in group:
            await client.disconnect()


async def where(client: Any) -> Any:
    """Ask a client's node for its name."""
    return (await client.call("where", "", timeout=WAIT_S))["node"]
