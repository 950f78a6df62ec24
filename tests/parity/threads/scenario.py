"""The list of scenarios of the sync servers: each is a function."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.parity.threads import scenarios

if TYPE_CHECKING:
    from tests.parity.threads.lab import Lab

Script = Callable[["Lab"], None]
SCENARIOS: list[Script] = []


def scenario(script: Script) -> Script:
    """List a scenario."""
    SCENARIOS.append(script)
    return script


def load() -> list[Script]:
    """Import the modules of scenarios and give what they listed."""
    for module in pkgutil.iter_modules(scenarios.__path__):
        importlib.import_module(f"{scenarios.__name__}.{module.name}")
    return SCENARIOS
