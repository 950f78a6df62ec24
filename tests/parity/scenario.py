"""
The list of scenarios and the deliberate differences declared on them.

A scenario is a coroutine function that takes a :class:`~tests.parity.lab.Lab`; it does not know which package runs.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from tests.parity import scenarios

if TYPE_CHECKING:
    from tests.parity.lab import Lab

Script = Callable[["Lab"], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """
    What fastsio does otherwise, on purpose.

    Args:
        row: Id of the row in ``docs/reference/compatibility.md``.
        reason: One sentence: why fastsio departs from python-socketio.
        socketio: The transcript lines that only python-socketio gives.
        fastsio: The transcript lines that only fastsio gives.

    """

    row: str
    reason: str
    socketio: Sequence[str] = ()
    fastsio: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """One script, its name, and the difference it shows if it shows one."""

    name: str
    script: Script
    differs: Difference | None

    @property
    def expected(self) -> tuple[list[str], list[str]]:
        """The lines that only the one and only the other transcript may have."""
        if self.differs is None:
            return [], []
        return list(self.differs.socketio), list(self.differs.fastsio)


SCENARIOS: dict[str, Scenario] = {}


def scenario(*, differs: Difference | None = None) -> Callable[[Script], Script]:
    """Register a script under ``module.function``."""

    def register(script: Script) -> Script:
        name = f"{script.__module__.rpartition('.')[2]}.{script.__name__}"
        if name in SCENARIOS:
            raise ValueError(f"two scenarios are named {name}")
        SCENARIOS[name] = Scenario(name, script, differs)
        return script

    return register


def load() -> dict[str, Scenario]:
    """Import the modules of scenarios and give what they registered, by name."""
    for module in pkgutil.iter_modules(scenarios.__path__):
        importlib.import_module(f"{scenarios.__name__}.{module.name}")
    return dict(sorted(SCENARIOS.items()))


def compare(socketio: list[str], fastsio: list[str]) -> tuple[list[str], list[str]]:
    """Give the lines that only the one and only the other transcript has."""
    only_socketio: list[str] = []
    only_fastsio: list[str] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, socketio, fastsio, autojunk=False).get_opcodes():
        if tag != "equal":
            only_socketio += socketio[i1:i2]
            only_fastsio += fastsio[j1:j2]
    return only_socketio, only_fastsio
