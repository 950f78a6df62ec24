"""
Hypothesis profiles: ``default`` for every run, ``nightly`` for the thorough one.

The first tries the same examples in each run, so that a change is not refused for what it has not caused. The second is
``pytest tests/property --hypothesis-profile=nightly``: 20,000 other examples a property each time, without a timeout.
"""

from __future__ import annotations

import gc
import os
import sys
from inspect import isfunction
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import socketio
import websockets.asyncio.client
import websockets.sync.client
from hypothesis import HealthCheck, settings

import fastsio
from fastsio.testing import WebsocketCommunicator
from tests.support.virtual_time import clocks_replaced
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

PROPERTY = Path(__file__).parent / "property"
# No deadline: several suites may share a core, and a slow example is no failure.
settings.register_profile(
    "default", deadline=None, max_examples=200, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("nightly", settings.get_profile("default"), max_examples=20_000, derandomize=False)


def pytest_configure(config):
    """Name the marks of tests, and load the default profile of Hypothesis unless another was asked for."""
    config.addinivalue_line("markers", "virtual_time: the test runs on a loop whose clock it does not wait for")
    _keep_bytecode()
    _be_patient()
    settings.load_profile(config.getoption("--hypothesis-profile", None) or "default")


#: What waits for seconds by itself, for an answer that a busy machine may take longer for; by the parameter that says how long.
IMPATIENT = {
    "timeout": (
        *filter(isfunction, vars(WebsocketCommunicator).values()),
        *(httpx.AsyncClient.__init__, httpx.Client.__init__, httpx.get, httpx.post),
    ),
    "wait_timeout": [
        getattr(package, name).connect
        for package in (fastsio, socketio)
        for name in ("AsyncClient", "Client", "AsyncSimpleClient", "SimpleClient")
    ],
    "open_timeout": (websockets.asyncio.client.connect.__init__, websockets.sync.client.connect),
}


def _keep_bytecode():
    """Let a module be compiled once, whatever the environment asks for: tests start hundreds of programs that import it."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def _be_patient():
    """Let what waits for an answer wait as long as tests do, where a test does not say how long."""
    for name, functions in IMPATIENT.items():
        for function in functions:
            if name in (function.__kwdefaults__ or ()):
                function.__kwdefaults__[name] = WAIT_S
            defaults = function.__defaults__ or ()
            named = function.__code__.co_varnames[: function.__code__.co_argcount][-len(defaults) :] if defaults else ()
            if name in named and function.__name__ != "receive_nothing":
                function.__defaults__ = tuple(
                    WAIT_S if each == name else value for each, value in zip(named, defaults, strict=True)
                )


def pytest_collection_modifyitems(config, items):
    """Give the thorough profile the time it takes."""
    if config.getoption("--hypothesis-profile", None) != "nightly":
        return
    for item in items:
        if item.path.is_relative_to(PROPERTY):
            item.add_marker(pytest.mark.timeout(0))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let the garbage collector, which tests call often, not look at the thousands of tests, nor run while they are found."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="module")
def collected() -> Iterator[None]:
    """Collect what a module leaves behind before its end, while its own filters of warnings apply."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def _virtual_clock(request) -> Iterator[None]:
    """Let a test on a virtual loop read its clock everywhere."""
    if request.node.get_closest_marker("virtual_time"):
        with clocks_replaced(request.module):
            yield
    else:
        yield
