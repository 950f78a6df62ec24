"""The protocol suite once more, on the fast transport."""

from __future__ import annotations

import pytest

from tests.integration.fast import fast
from tests.integration.protocol.test_protocol_suite import *  # noqa: F403 - every test of that module

__all__ = ["fast"]

pytestmark = pytest.mark.parametrize("transport", ["websocket"])


@pytest.fixture(params=["aio"])
def kind(request) -> str:
    """Which server."""
    return request.param
