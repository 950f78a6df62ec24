"""
What the runners of both servers share: what they ask of the server, and how an event that has waited is begun.

How a handler is started is the shells' part.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from fastsio.base.options import UNLIMITED

if TYPE_CHECKING:
    from fastsio.base.event_log import EventLog
    from fastsio.base.parts import EventHandling, RunnerServer
    from fastsio.base.seams import Seams
    from fastsio.protocol import Packet
    from fastsio.routing import Registry
    from fastsio.state import Client, Connection


class BaseHandlerRunner(ABC):
    """
    Starts handlers, keeps account of those under way, and waits for them when the server stops.

    Args:
        server: The server whose handlers they are.
        events: Handles events.
        registry: Finds their routes.
        seams: The methods of the server that the application may have replaced.
        event_log: Is told of each event, if the server writes a log of them.

    Attributes:
        is_watched: Whether a method of the application or an observer sees events before they are handled.
    """

    def __init__(
        self,
        server: RunnerServer,
        events: EventHandling,
        registry: Registry,
        seams: Seams,
        event_log: EventLog | None,
    ) -> None:
        self._server = server
        self._find_route = events.find_route
        self._run_event = events.run_event
        self._registry = registry
        self._resolve = registry.resolve
        self._seams = seams
        self._event_log = event_log
        self.is_watched = False
        self._make_tables()

    @abstractmethod
    def _make_tables(self) -> None:
        """Make what keeps account of the handlers under way."""

    def start_held(self, client: Client, packet: Packet, size_bytes: int) -> None:
        """Handle an event that has waited; its size counts, though it is too late to let it wait longer."""
        if self._event_log is not None:
            self._event_log.received(client, packet.data[0])
        if size_bytes:
            client.connection.claim(size_bytes, UNLIMITED)
        self._start_handler(client.connection, client, packet.data, packet.id, size_bytes)

    @abstractmethod
    def _start_handler(
        self, connection: Connection, client: Client, data: list[Any], ack_id: int | None, size_bytes: int = 0
    ) -> None:
        """Handle an event without waiting for it; *size_bytes* is what was counted of it."""
