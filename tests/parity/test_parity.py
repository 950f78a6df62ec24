"""
Each scenario leaves the same transcript on python-socketio and on fastsio, or the difference declared on it.

It is played three times: by python-socketio, by fastsio under uvicorn, and by fastsio on the fast transport.
"""

from __future__ import annotations

import importlib
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect

from tests.parity.lab import Lab
from tests.parity.packages import OURS, THEIRS
from tests.parity.scenario import Scenario, compare, load
from tests.parity.serving import Site, serving
from tests.support.servers import FAST_WS, is_fast

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SCENARIOS = load()
#: uvicorn's option ``ws`` for each way to serve WebSockets.
TRANSPORTS = {"stock": "websockets-sansio", "fast": FAST_WS}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sites() -> AsyncIterator[dict[str, Site]]:
    """Run a server for each way to serve WebSockets."""
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(serving(ws)) for name, ws in TRANSPORTS.items()}


@pytest.fixture(scope="module")
def theirs() -> dict[str, list[str]]:
    """python-socketio's transcripts by name of the scenario, which need be played once."""
    return {}


async def transcript(name: str, scenario: Scenario, site: Site) -> list[str]:
    """Run a scenario on the package called *name*."""
    lab = Lab(importlib.import_module(name), importlib.import_module(f"{name}.exceptions"), site)
    return await lab.run(scenario.script)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_scenario_gives_the_same_transcript(
    name: str, transport: str, sites: dict[str, Site], theirs: dict[str, list[str]]
) -> None:
    """python-socketio and fastsio give the same transcript, or differ in exactly the declared lines."""
    scenario = SCENARIOS[name]
    if name not in theirs:
        theirs[name] = await transcript(THEIRS, scenario, sites["stock"])

    ours = await transcript(OURS, scenario, sites[transport])

    shown = [f"{THEIRS}:", *theirs[name], "", f"{OURS}, {transport}:", *ours]
    assert compare(theirs[name], ours) == scenario.expected, "\n".join(shown)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_scenario_is_served_as_its_test_says(transport: str, sites: dict[str, Site]) -> None:
    """The fast transport takes the application of a scenario, and only where it is told to."""
    package = importlib.import_module("fastsio")
    sites[transport].serve(package.ASGIApp(package.AsyncServer(async_mode="asgi")))

    async with connect(f"ws://{sites[transport].address}/socket.io/?EIO=4&transport=websocket") as websocket:
        assert is_fast(websocket) is (transport == "fast")
