"""What the tests of the fast transport share: the fixture that has every server use it, and a client that would notice."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import connect

from tests.integration.clients import WebSocketClient
from tests.support.servers import FAST_WS, OPTIONS

QUERY = "/?EIO=4&transport=websocket"


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    """Serve with fastsio's own WebSocket protocol."""
    monkeypatch.setitem(OPTIONS, "ws", FAST_WS)


@asynccontextmanager
async def opened(address, path="/socket.io", **options):
    """Open a session for the length of the block, offering compression; yield the client and the connection."""
    async with connect(f"{address.ws}{path}{QUERY}", proxy=None, **options) as websocket:
        client = WebSocketClient(websocket)
        assert str(await client.receive())[0] == "0"
        yield client, websocket
