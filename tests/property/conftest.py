"""
Hypothesis profiles: ``default`` for every run, ``nightly`` for the thorough one.

The second is ``pytest tests/property --hypothesis-profile=nightly``: 20,000 examples a property, without a timeout.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# No deadline: several suites may share a core, and a slow example is no failure.
settings.register_profile("default", deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("nightly", settings.get_profile("default"), max_examples=20_000)


def pytest_configure(config):
    """Load the default profile unless another was asked for."""
    settings.load_profile(config.getoption("--hypothesis-profile", None) or "default")


def pytest_collection_modifyitems(config, items):
    """Give the thorough profile the time it takes."""
    if config.getoption("--hypothesis-profile", None) != "nightly":
        return
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(0))
