"""The tests of the Engine.IO protocol once more, on the fast transport."""

from __future__ import annotations

import pytest

from tests.integration.fast import fast
from tests.integration.transport.test_engine_conformance import *  # noqa: F403 - every test of that module
from tests.integration.transport.test_engine_lifetime import *  # noqa: F403 - as above

__all__ = ["fast"]


@pytest.fixture(params=["aio"])
def kind(request) -> str:
    """The transport."""
    return request.param
