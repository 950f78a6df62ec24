"""Each scenario leaves the same transcript on python-socketio's clients and on fastsio's, or the declared difference."""

from __future__ import annotations

import gc
import importlib
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.parity.clients.lab import Lab
from tests.parity.clients.scenario import Scenario, load
from tests.parity.clients.server import Server, serving
from tests.parity.packages import OURS, THEIRS
from tests.parity.scenario import compare

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# python-socketio leaves threads, tasks, sockets and sessions of aiohttp behind, which say so when they are collected.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore::pytest.PytestUnhandledThreadExceptionWarning",
)

SCENARIOS = load()
CASES = [(name, half) for name, scenario in SCENARIOS.items() for half in scenario.halves]
DECLARED = {name: scenario.differs for name, scenario in SCENARIOS.items() if scenario.differs is not None}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served() -> AsyncIterator[tuple[Server, str]]:
    """Run a scripted server on a free port."""
    async with serving() as running:
        yield running
    # While the warnings are still filtered.
    gc.collect()


async def transcript(name: str, scenario: Scenario, half: str, served: tuple[Server, str]) -> list[str]:
    """Run a scenario on the package called *name*."""
    package, exceptions = importlib.import_module(name), importlib.import_module(f"{name}.exceptions")
    lab = Lab(package, exceptions, *served, asynchronous=half == "aio")
    return await lab.run(scenario.script)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("name", "half"), CASES)
async def test_scenario_gives_the_same_transcript(name: str, half: str, served: tuple[Server, str]) -> None:
    """python-socketio and fastsio give the same transcript, or differ in exactly the declared lines."""
    scenario = SCENARIOS[name]

    theirs = await transcript(THEIRS, scenario, half, served)
    ours = await transcript(OURS, scenario, half, served)

    assert compare(theirs, ours) == scenario.expected, "\n".join([f"{THEIRS}:", *theirs, "", f"{OURS}:", *ours])


@pytest.mark.parametrize("name", DECLARED)
def test_declared_difference_says_what_differs(name: str) -> None:
    """A declaration gives a reason and at least one line that one package alone has."""
    difference = DECLARED[name]

    assert difference.row.startswith("C-")
    assert difference.reason.endswith(".")
    assert [*difference.socketio, *difference.fastsio]
