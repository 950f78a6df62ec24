"""The real JavaScript client on the fast transport: events, payloads, heartbeats, restarts and the upgrade."""

from __future__ import annotations

import pytest

from tests.interop.conftest import TRANSPORTS
from tests.interop.live import OPTIONS
from tests.interop.test_js_events import *  # noqa: F403 - every test of that module
from tests.interop.test_js_transports import *  # noqa: F403 - as above
from tests.support.servers import FAST_WS


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    """Serve with fastsio's own WebSocket protocol."""
    monkeypatch.setitem(OPTIONS, "ws", FAST_WS)


@pytest.fixture(params=["websocket"])
def transports(request) -> list[str] | None:
    """The way to connect that is another; the upgrade has a test of its own."""
    return TRANSPORTS[request.param]
