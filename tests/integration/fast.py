"""What the tests of the fast transport share: it is set for every server, or looked for on a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.servers import FAST_WS, OPTIONS

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    """Serve with fastsio's own WebSocket protocol."""
    monkeypatch.setitem(OPTIONS, "ws", FAST_WS)


def is_fast(websocket: ClientConnection) -> bool:
    """Tell whether picows frames: a client that offers compression gets it from uvicorn's own protocol only."""
    assert websocket.request is not None
    assert websocket.response is not None
    assert "Sec-WebSocket-Extensions" in websocket.request.headers
    return "Sec-WebSocket-Extensions" not in websocket.response.headers
