from __future__ import annotations

import importlib
import json
import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.interop.application import Site
from tests.interop.live import LiveServer
from tests.support.node import NodeProgram, node_program
from tests.support.servers import FAST_WS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HERE = Path(__file__).parent
RUNNER = HERE / "runner.mjs"
PACKAGES = ("socket.io-client", "socket.io-msgpack-parser")

#: How a client may be told to connect; "upgrade" is what it does by itself.
TRANSPORTS = {"websocket": ["websocket"], "polling": ["polling"], "upgrade": None}
#: uvicorn's option for each way of the server to serve WebSockets.
WS = {"stock": "auto", "fast": FAST_WS}


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


@pytest.fixture(scope="module", params=WS)
def ws(request) -> str:
    """Each way of the server to serve WebSockets."""
    return WS[request.param]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(ws):
    """One server for the worlds of a module: uvicorn takes its time to stop."""
    live = LiveServer(ws)
    yield live
    await live.close()


@pytest_asyncio.fixture(loop_scope="module")
async def start(library, server):
    """Start a world; options are those of ``AsyncServer``."""
    worlds: list[World] = []

    async def start_world(**options: Any) -> World:
        site = Site(library, **options)
        await server.serve(site.app)
        worlds.append(World(site, server))
        return worlds[-1]

    yield start_world
    for world in worlds:
        await world.site.sio.shutdown()


@pytest_asyncio.fixture(loop_scope="module")
async def world(start) -> World:
    """A world with the default options."""
    return await start()


@pytest.fixture(params=TRANSPORTS)
def transports(request) -> list[str] | None:
    """Each way of a client to connect."""
    return TRANSPORTS[request.param]


def pytest_collection_modifyitems(items):
    """Let the tests that use the server of their module run in its loop."""
    for item in items:
        if "server" in getattr(item, "fixturenames", ()) and HERE in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="module"), append=False)
