"""Each scenario leaves the same transcript on python-socketio and on fastsio, or the difference declared on it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.parity.lab import Lab, Switch
from tests.parity.packages import OURS, THEIRS
from tests.parity.scenario import Scenario, compare, load
from tests.parity.serving import serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SCENARIOS = load()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served() -> AsyncIterator[tuple[Switch, str]]:
    """Serve a switchable application with uvicorn on a free port."""
    switch = Switch()
    async with serve(switch) as address:
        yield switch, address


async def transcript(name: str, scenario: Scenario, served: tuple[Switch, str]) -> list[str]:
    """Run a scenario on the package called *name*."""
    lab = Lab(importlib.import_module(name), importlib.import_module(f"{name}.exceptions"), *served)
    return await lab.run(scenario.script)


@pytest.mark.acceptance("SIO-2")
@pytest.mark.acceptance("SIO-3")
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", SCENARIOS)
async def test_scenario_gives_the_same_transcript(name: str, served: tuple[Switch, str]) -> None:
    """python-socketio and fastsio give the same transcript, or differ in exactly the declared lines."""
    scenario = SCENARIOS[name]

    theirs = await transcript(THEIRS, scenario, served)
    ours = await transcript(OURS, scenario, served)

    assert compare(theirs, ours) == scenario.expected, "\n".join([f"{THEIRS}:", *theirs, "", f"{OURS}:", *ours])
