"""
The list of client scenarios, and for which of the two halves each is run.

A scenario is a coroutine function that takes a :class:`~tests.parity.clients.lab.Lab`; it does not know which package runs.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.parity.clients import scenarios

if TYPE_CHECKING:
    from tests.parity.clients.lab import Lab
    from tests.parity.scenario import Difference

Script = Callable[["Lab"], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One script, its name, the halves it runs on, and the difference it shows if it shows one."""

    name: str
    script: Script
    halves: tuple[str, ...]
    differs: Difference | None

    @property
    def expected(self) -> tuple[list[str], list[str]]:
        """The lines that only the one and only the other transcript may have."""
        if self.differs is None:
            return [], []
        return list(self.differs.socketio), list(self.differs.fastsio)


SCENARIOS: dict[str, Scenario] = {}


def scenario(
    *, differs: Difference | None = None, halves: tuple[str, ...] = ("aio", "sync")
) -> Callable[[Script], Script]:
    """Register a script under ``module.function``."""

    def register(script: Script) -> Script:
        name = f"{script.__module__.rpartition('.')[2]}.{script.__name__}"
        if name in SCENARIOS:
            raise ValueError(f"two scenarios are named {name}")
        SCENARIOS[name] = Scenario(name, script, halves, differs)
        return script

    return register


def load() -> dict[str, Scenario]:
    """Import the modules of scenarios and give what they registered, by name."""
    for module in pkgutil.iter_modules(scenarios.__path__):
        importlib.import_module(f"{scenarios.__name__}.{module.name}")
    return dict(sorted(SCENARIOS.items()))
