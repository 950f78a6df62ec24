"""The fast transport for every server of a test module that imports the fixture."""

from __future__ import annotations

import pytest

from tests.support.servers import FAST_WS, OPTIONS


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    """Serve with fastsio's own WebSocket protocol."""
    monkeypatch.setitem(OPTIONS, "ws", FAST_WS)
