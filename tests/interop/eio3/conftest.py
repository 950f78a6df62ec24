from __future__ import annotations

import json
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.support.node import NodeProgram, node_program

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.interop.conftest import World

RUNNER = Path(__file__).parent / "runner.mjs"
CURRENT = 4


class JsClient:
    """The real socket.io-client of a version that speaks Engine.IO 3; or of version 4, to compare."""

    def __init__(self, world: World, version: int) -> None:
        self.world = world
        self.version = version

    @asynccontextmanager
    async def program(self, scenario: str, **settings: Any) -> AsyncIterator[NodeProgram]:
        """Start a scenario of ``scenarios.mjs``."""
        arguments = (scenario, self.world.url, json.dumps({"version": self.version, **settings}))
        package = "socket.io-client" if self.version == CURRENT else f"socket.io-client-{self.version}"
        async with node_program(RUNNER, *arguments, packages=(package,)) as program:
            yield program

    async def play(self, scenario: str, **settings: Any) -> Any:
        """Run a scenario to its end and return its result."""
        async with self.program(scenario, **settings) as program:
            return await program.result()


@pytest.fixture(params=[1, 2], ids=["client-1", "client-2"])
def version(request) -> int:
    """Each major version of the client."""
    return request.param


@pytest.fixture(params=["polling", "websocket"])
def transport(request) -> str:
    """Each transport without the upgrade, for what does not depend on it."""
    return request.param


@pytest_asyncio.fixture(loop_scope="module")
async def world(start) -> World:
    """A world that allows Engine.IO 3."""
    return await start(allow_eio3=True)


@pytest.fixture
def client(world, version) -> JsClient:
    """A client for that world."""
    return JsClient(world, version)
