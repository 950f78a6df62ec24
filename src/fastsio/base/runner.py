"""
The base class of the runners of both servers: it decides how an event gets to its handler.

Its subclasses start handlers, in tasks or in threads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from inspect import iscoroutine, iscoroutinefunction
from typing import TYPE_CHECKING, Any

from fastsio.base.event_log import tell_unhandled
from fastsio.base.options import UNLIMITED

if TYPE_CHECKING:
    from fastsio.base.internals import ServerInternals
    from fastsio.base.parts import Handlers, PartServer
    from fastsio.protocol import Packet
    from fastsio.state import Client, Connection


def check_thread_target(target: Any) -> None:
    """
    Make sure that a function can run in a thread.

    Raises:
        TypeError: It is a coroutine or a coroutine function, which would not be awaited.
    """
    if iscoroutine(target):
        target.close()
        raise TypeError("start_background_task() takes a function and its arguments, not a coroutine")
    if iscoroutinefunction(target):
        name = getattr(target, "__qualname__", target)
        raise TypeError(f"{name} is a coroutine function, which is not awaited in threads; write 'def'")


class BaseHandlerRunner(ABC):
    """
    Starts handlers, keeps account of those under way, and waits for them when the server stops.

    Attributes:
        is_watched: Whether a method of the application or an observer sees events before they are handled.
    """

    def __init__(self, server: PartServer, shared: ServerInternals, events: Handlers) -> None:
        self._server = server
        self._shared = shared
        self._options = shared.options
        self._find_route = events.find_route
        self._run_event = events.run_event
        self._registry = shared.registry
        self._resolve = shared.registry.resolve
        self._seams = shared.seams
        self._event_log = shared.event_log
        self.is_watched = False
        self._make_tables()

    @abstractmethod
    def _make_tables(self) -> None:
        """Make the tables of handlers under way."""

    def start_held(self, client: Client, packet: Packet, size_bytes: int) -> None:
        """Handle an event that was held until the connect handler had decided; its size counts, but it never waits."""
        if self._event_log is not None:
            self._event_log.received(client, packet.data[0])
        if size_bytes:
            client.connection.claim(size_bytes, UNLIMITED)
        self._start_handler(client.connection, client, packet.data, packet.id, size_bytes)

    @abstractmethod
    def _start_handler(
        self, connection: Connection, client: Client, data: list[Any], ack_id: int | None, size_bytes: int = 0
    ) -> None:
        """Start the handler of an event; *size_bytes* is the size that was counted."""

    def _may_start(self, connection: Connection, size_bytes: int) -> bool:
        """Return whether a connection may have one more handler under way, and if so count the size of its event."""
        options = self._options
        return connection.starting + len(connection.tasks) < options.max_concurrent_handlers and (
            not size_bytes or connection.claim(size_bytes, options.max_handler_bytes)
        )

    def _event_run(self, client: Client, data: list[Any], ack_id: int | None) -> Any:
        """
        Handle an event, by the application's own ``_handle_event_internal`` if it has one.

        Returns:
            With asyncio, the coroutine that handles it, or None if it has no handler. With threads, None.
        """
        server = self._server
        if self.is_watched:
            if self._shared.observer is not None:
                self._shared.observer.event_received(client, data)
            if "_handle_event_internal" in self._seams.replaced:
                internal = self._seams.method("_handle_event_internal")
                return internal(server, client.sid, client.eio_sid, data, client.namespace, ack_id)
        route = self._find_route(client.namespace, data[0])
        if route is None:
            tell_unhandled(self._registry, server.logger, data[0], client.namespace)
            return None
        return self._run_event(client, route, data, ack_id)
