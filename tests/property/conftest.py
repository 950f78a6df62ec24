"""
Hypothesis profiles: ``default`` for every run, ``nightly`` for the thorough one.

The second is ``pytest tests/property --hypothesis-profile=nightly``: 20,000 examples a property.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# No deadline: several suites share two cores, and a slow example is no failure.
settings.register_profile("default", deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("nightly", settings.get_profile("default"), max_examples=20_000)


def pytest_configure(config):
    """Load the default profile unless another was asked for."""
    settings.load_profile(config.getoption("--hypothesis-profile", None) or "default")
