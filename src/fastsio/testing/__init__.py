"""
Tools for the tests of applications: clients in the server's process, a record of what it emits, a layer for tests.

They need no web server and no network.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastsio.layers import override
from fastsio.testing.base import Received
from fastsio.testing.client import TestClient
from fastsio.testing.communicator import WebsocketCommunicator
from fastsio.testing.sync_client import SyncTestClient

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Broadcast",
    "Received",
    "SyncTestClient",
    "TestClient",
    "WebsocketCommunicator",
    "capture_broadcasts",
    "override",
]


@dataclass(frozen=True, slots=True)
class Broadcast:
    """
    One call of the server's ``emit()``, ``send()`` or ``call()``, or of a method that calls one of them.

    Attributes:
        event: Event name.
        data: Payload as it was given.
        room: The recipients: a room, a sid, several, or None for all clients.
        namespace: The namespace.
        skip_sid: The sids that are left out, as they were given.
    """

    event: str
    data: Any
    room: Any
    namespace: str
    skip_sid: Any = None


@contextmanager
def capture_broadcasts(server: Any) -> Iterator[list[Broadcast]]:
    """
    Record the events that a server emits inside the ``with`` block; clients get them too.

    Args:
        server: An ``AsyncServer`` or ``Server``.

    Returns:
        A list that grows with each emit, also with those to empty rooms.
    """
    captured: list[Broadcast] = []
    manager = server.manager
    emit, before = manager.emit, vars(manager).get("emit")

    def record(event: str, data: Any, namespace: str, room: Any = None, skip_sid: Any = None, **more: Any) -> Any:
        to = more.get("to")
        captured.append(Broadcast(event, data, room if to is None else to, namespace, skip_sid))
        return emit(event, data, namespace, room=room, skip_sid=skip_sid, **more)

    manager.emit = record
    try:
        yield captured
    finally:
        del manager.emit
        if before is not None:  # of a block around this one
            manager.emit = before
