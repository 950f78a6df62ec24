from __future__ import annotations

import importlib
import json
import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.interop.application import Site
from tests.interop.live import LiveServer
from tests.support.node import NodeProgram, node_program

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RUNNER = Path(__file__).parent / "runner.mjs"
PACKAGES = ("socket.io-client", "socket.io-msgpack-parser")

#: How the JavaScript client may be told to connect; "upgrade" is what it does by itself.
TRANSPORTS = {"websocket": ["websocket"], "polling": ["polling"], "upgrade": None}


class World:
    """A live server and the means to start clients against it."""

    def __init__(self, site: Site, server: LiveServer) -> None:
        self.site = site
        self.server = server
        self.url = server.url

    @asynccontextmanager
    async def program(self, group: str, scenario: str, **settings: Any) -> AsyncIterator[NodeProgram]:
        """Start a scenario of ``scenarios/<group>.mjs``."""
        arguments = (group, scenario, self.url, json.dumps(settings))
        async with node_program(RUNNER, *arguments, packages=PACKAGES) as program:
            yield program

    async def play(self, group: str, scenario: str, **settings: Any) -> Any:
        """Run a scenario to its end and return its result."""
        async with self.program(group, scenario, **settings) as program:
            return await program.result()


@pytest.fixture
def library():
    """The library under test; INTEROP_LIBRARY=socketio runs the same tests on python-socketio."""
    return importlib.import_module(os.environ.get("INTEROP_LIBRARY", "fastsio"))


@pytest.fixture
async def start(library):
    """Start a world; options are those of ``AsyncServer``."""
    worlds: list[World] = []

    async def start_world(**options: Any) -> World:
        site = Site(library, **options)
        server = LiveServer(site.app)
        await server.start()
        worlds.append(World(site, server))
        return worlds[-1]

    yield start_world
    for world in worlds:
        await world.server.stop()
        await world.site.sio.shutdown()


@pytest.fixture
async def world(start) -> World:
    """A world with the default options."""
    return await start()


@pytest.fixture(params=TRANSPORTS)
def transports(request) -> list[str] | None:
    """Each way of the JavaScript client to connect."""
    return TRANSPORTS[request.param]
