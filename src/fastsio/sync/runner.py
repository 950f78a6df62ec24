"""
How the sync server runs handlers: each event's in a thread of the server's kind.

Written by hand in both halves, because tasks and threads have little in common.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from fastsio.base.event_log import tell_unhandled
from fastsio.base.runner import BaseHandlerRunner
from fastsio.protocol import NamespaceState
from fastsio.sync import concurrency
from fastsio.sync.engine.timers import Deadlines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fastsio.state import Client, Connection

#: What ``start_background_task()`` returns: a thread, or what the server's ``async_mode`` has for one.
BackgroundTask: TypeAlias = Any
#: Seconds between two looks whether one of very many handlers is done.
FULL_POLL_S: Final = 0.01
#: Seconds between two looks whether the handlers of a server that shuts down are done.
SHUTDOWN_POLL_S: Final = 0.01


def new_deadlines(on_due: Callable[[list[Connection]], None], engine: Any) -> Deadlines[Connection]:
    """Return the timers of connections; *on_due* gets those whose time is up."""
    return Deadlines(on_due, engine)


class HandlerRunner(BaseHandlerRunner):
    """Starts handlers in threads."""

    def _make_tables(self) -> None:
        #: One for each handler under way, and for whatever else belongs to a client's life.
        self._tickets: set[object] = set()

    def start_background_task(self, target: Any, *args: Any, **kwargs: Any) -> Any:
        """
        Start a function in a thread, or what the server's ``async_mode`` has for one; return that.

        Raises:
            TypeError: It is a coroutine function, or a coroutine.
        """
        concurrency.check_target(target)
        return self._server.eio.start_background_task(target, *args, **kwargs)

    def start_task(self, target: Any, *args: Any, **kwargs: Any) -> Any:
        """Start what belongs to a client's life, likewise; shutdown waits for it as for a handler."""
        ticket = object()
        self._tickets.add(ticket)

        def run() -> None:
            try:
                target(*args, **kwargs)
            finally:
                self._tickets.discard(ticket)

        try:
            return self._server.eio.start_background_task(run)
        except BaseException:  # the system has no more threads
            self._tickets.discard(ticket)
            raise

    def call_unbroken(self, function: Any, *args: Any) -> None:
        """Call a function: no thread is cancelled."""
        function(*args)

    def run_callback(self, sid: str, callback: Any, arguments: list[Any]) -> None:  # noqa: ARG002 - as with asyncio
        """Call what waited for an acknowledgement."""
        callback(*arguments)

    def start_connecting(self, client: Client, decide: Any, *args: Any) -> None:
        """Run a connect handler; the connection's next packets wait, as in python-socketio."""
        decide(client, *args)

    def variables(self) -> Any:
        """Return nothing: the handlers of a client begin in threads of their own, as in python-socketio."""
        return None

    def keep_variables(self, client: Client, before: Any) -> None:
        """Do nothing, as above."""

    def call_in_variables(self, client: Client, function: Any, *args: Any) -> None:  # noqa: ARG002 - as with asyncio
        """Call a function."""
        function(*args)

    def let_begin(self, connection: Connection) -> None:
        """Do nothing: threads begin by themselves."""

    def take_event(
        self, connection: Connection, client: Client, data: list[Any], ack_id: int | None, size_bytes: int
    ) -> None:
        """Have an event of a connected client handled, once the connection may have one more handler under way."""
        if not self._server.async_handlers:
            self._event_run(client, data, ack_id)
            return
        while not self._may_start(connection, size_bytes):
            if client.state is not NamespaceState.CONNECTED:
                return
            self._server.eio.sleep(FULL_POLL_S)
        if client.state is NamespaceState.CONNECTED:
            self._start_handler(connection, client, data, ack_id, size_bytes)
        elif size_bytes:
            connection.release(size_bytes)

    def _may_start(self, connection: Connection, size_bytes: int) -> bool:
        """Whether a connection may have one more handler under way; then its event's size is counted."""
        return len(connection.tasks) < self._server.options.max_concurrent_handlers and (
            not size_bytes or connection.claim(size_bytes, self._server.options.max_handler_bytes)
        )

    def _start_handler(
        self, connection: Connection, client: Client, data: list[Any], ack_id: int | None, size_bytes: int = 0
    ) -> None:
        """Run an event's handler in a thread of its own; *size_bytes* is what was counted of it."""
        ticket = object()
        connection.add_task(ticket)
        self._tickets.add(ticket)
        # Threads begin in any order; what clients ask of rooms counts in that of their packets.
        begun = self._server.room_keeper.arrived(client, data[0])
        run = self._run_ticket
        try:
            self._server.eio.start_background_task(run, connection, ticket, client, data, ack_id, size_bytes, begun)
        except BaseException:  # the system has no more threads
            self._return_ticket(connection, ticket, size_bytes, begun)
            raise

    def _return_ticket(self, connection: Connection, ticket: object, size_bytes: int, begun: Any) -> None:
        """Count an event no more: its handler is done, or could not begin."""
        if begun is not None:
            self._server.room_keeper.done(begun)
        connection.tasks.discard(ticket)
        self._tickets.discard(ticket)
        if size_bytes:
            connection.release(size_bytes)

    def _run_ticket(
        self,
        connection: Connection,
        ticket: object,
        client: Client,
        data: list[Any],
        ack_id: int | None,
        size_bytes: int,
        begun: Any,
    ) -> None:
        if begun is not None:
            concurrency.early.value = begun
        try:
            self._event_run(client, data, ack_id)
        finally:
            if begun is not None:
                concurrency.early.value = None
            self._return_ticket(connection, ticket, size_bytes, begun)

    def _event_run(self, client: Client, data: list[Any], ack_id: int | None) -> None:
        """Handle an event, through the seam that add-ons replace if one has."""
        server = self._server
        if server.observer is not None:
            server.observer.event_received(client, data)
        if "_handle_event_internal" in self._seams.replaced:
            internal = self._seams.method("_handle_event_internal")
            internal(server, client.sid, client.eio_sid, data, client.namespace, ack_id)
            return
        route = self._find_route(client.namespace, data[0])
        if route is None:
            tell_unhandled(self._registry, server.logger, data[0], client.namespace)
        else:
            self._run_event(client, route, data, ack_id)

    def end(self, connections: Mapping[str, Connection], end_connection: Callable[[str], None], grace_s: float) -> None:
        """
        End connections, and wait for handlers, also for those of connections that have gone before.

        Args:
            connections: Engine.IO sid -> record of the connection.
            end_connection: Ends one.
            grace_s: Seconds for all of it.
        """
        until = time.monotonic() + grace_s
        for connection in list(connections.values()):
            end_connection(connection.eio_sid)
        while self._tickets and time.monotonic() < until:
            self._server.eio.sleep(SHUTDOWN_POLL_S)
