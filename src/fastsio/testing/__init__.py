"""
What tests of applications need: clients in their own process, a record of what a server emits, a layer in its place.

No server, no network.
"""

from __future__ import annotations

from fastsio.layers import override
from fastsio.testing.base import Received
from fastsio.testing.capture import Broadcast, capture_broadcasts
from fastsio.testing.client import TestClient
from fastsio.testing.communicator import WebsocketCommunicator
from fastsio.testing.sync_client import SyncTestClient

__all__ = [
    "Broadcast",
    "Received",
    "SyncTestClient",
    "TestClient",
    "WebsocketCommunicator",
    "capture_broadcasts",
    "override",
]
