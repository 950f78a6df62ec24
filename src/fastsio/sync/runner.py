"""
How the sync server runs handlers: each event's in a thread of the server's kind.

Written by hand in both halves, because tasks and threads have little in common.
"""

from __future__ import annotations

import math
import time
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from fastsio.base.runner import BaseHandlerRunner, check_thread_target
from fastsio.protocol import NamespaceState
from fastsio.sync import concurrency
from fastsio.sync.engine.timers import Deadlines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager

    from fastsio.state import Client, Connection

#: The result of ``start_background_task()``: a thread, or a greenlet of the server's ``async_mode``.
BackgroundTask: TypeAlias = Any
#: Seconds between two checks whether handlers are done: one of very many, or all when the server shuts down.
POLL_S: Final = 0.01
#: How many connections of a server that shuts down have their disconnect handlers run at the same time.
MAX_ENDING: Final = 32


def new_deadlines(on_due: Callable[[list[Connection]], None], engine: Any) -> Deadlines[Connection]:
    """Return the deadlines of connections; *on_due* gets the connections whose deadline has passed."""
    return Deadlines(on_due, engine)


class HandlerRunner(BaseHandlerRunner):
    """Starts handlers in threads."""

    def _make_tables(self) -> None:
        #: One for each handler under way, and for each thread of the server for a client.
        self._tickets: set[object] = set()
        #: Those of the threads that shut the server down; None for a thread that runs no handler.
        self._stopping: list[object] = []
        self._guard = concurrency.guard()

    def start_background_task(self, target: Any, *args: Any, **kwargs: Any) -> Any:
        """
        Start a function in a thread, or a greenlet of the server's ``async_mode``; return that.

        Raises:
            TypeError: It is a coroutine function, or a coroutine.
        """
        check_thread_target(target)
        return self._server.eio.start_background_task(target, *args, **kwargs)

    def start_task(self, target: Any, *args: Any, **kwargs: Any) -> Any:
        """Start what belongs to a client's life in a thread; shutdown waits for it as for a handler."""
        ticket = object()
        self._tickets.add(ticket)
        return self._start(ticket, partial(self._tickets.discard, ticket), target, *args, **kwargs)

    def start_for_each(self, function: Callable[[Any], None], values: Iterable[Any], until: float = math.inf) -> None:
        """Call a function with each of several values, in a bounded number of threads; none begins after *until*."""
        waiting = list(values)
        rest = iter(waiting)  # which all threads share

        def call_some() -> None:
            for value in rest:
                if time.monotonic() >= until:
                    return
                try:
                    function(value)
                except Exception:
                    self._server.logger.exception("A connection could not be ended")

        for _ in range(min(len(waiting), MAX_ENDING)):
            self.start_task(call_some)

    def noted_as_leaving(self) -> AbstractContextManager[None]:
        """Do nothing: threads are not cancelled."""
        return nullcontext()

    def call_unbroken(self, function: Any, *args: Any) -> None:
        """Call a function: no thread is cancelled."""
        function(*args)

    def run_callback(self, sid: str, callback: Any, arguments: list[Any]) -> None:  # noqa: ARG002 - as with asyncio
        """Call the callback of an acknowledgement."""
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

    def handle_event(
        self, connection: Connection, client: Client, data: list[Any], ack_id: int | None, size_bytes: int
    ) -> None:
        """Start the handler of an event of a connected client, once the connection may have one more under way."""
        if not self._server.async_handlers:
            self._event_run(client, data, ack_id)
            return
        while not self._may_start(connection, size_bytes):
            if client.state is not NamespaceState.CONNECTED:
                return
            self._server.eio.sleep(POLL_S)
        if client.state is NamespaceState.CONNECTED:
            self._start_handler(connection, client, data, ack_id, size_bytes)
        elif size_bytes:
            connection.release(size_bytes)

    def _start_handler(
        self, connection: Connection, client: Client, data: list[Any], ack_id: int | None, size_bytes: int = 0
    ) -> None:
        """Run an event's handler in a thread of its own; *size_bytes* is what was counted of it."""
        ticket = object()
        connection.add_task(ticket)
        self._tickets.add(ticket)
        # Threads begin in any order, but requests to join and leave rooms count in the order of their packets.
        begun = self._shared.room_keeper.begin_request(client, data[0])
        done = partial(self._return_ticket, connection, ticket, size_bytes, begun)
        self._start(ticket, done, self._run_begun, begun, client, data, ack_id)

    def _return_ticket(self, connection: Connection, ticket: object, size_bytes: int, begun: Any) -> None:
        """Count an event no more: its handler is done, or could not begin."""
        if begun is not None:
            self._shared.room_keeper.end_request(begun)
        connection.tasks.discard(ticket)
        self._tickets.discard(ticket)
        if size_bytes:
            connection.release(size_bytes)

    def _run_begun(self, begun: Any, client: Client, data: list[Any], ack_id: int | None) -> None:
        """Handle an event in the current thread; *begun* is what the thread that received it has begun for it."""
        concurrency.early.value = begun
        try:
            self._event_run(client, data, ack_id)
        finally:
            concurrency.early.value = None

    def _start(self, ticket: object, done: Callable[[], object], target: Any, *args: Any, **kwargs: Any) -> Any:
        """Call a function in a thread, and *done* when it is over or cannot begin; return the thread."""

        def run() -> None:
            concurrency.early.ticket = ticket
            try:
                target(*args, **kwargs)
            finally:
                done()

        try:
            return self._server.eio.start_background_task(run)
        except BaseException:  # the system has no more threads
            done()
            raise

    def end(self, connections: Mapping[str, Connection], end_connection: Callable[[str], None], grace_s: float) -> None:
        """End connections, and wait *grace_s* seconds for handlers, also those of connections that have gone before."""
        until = time.monotonic() + grace_s
        own = concurrency.early.ticket
        # One that shuts the server down does not wait for itself, nor for those that began to before: they wait for it.
        with self._guard:
            apart = {*self._stopping, own}
            self._stopping.append(own)
        try:
            self.start_for_each(end_connection, [connection.eio_sid for connection in connections.values()], until)
            while self._tickets - apart and time.monotonic() < until:
                self._server.eio.sleep(POLL_S)
        finally:
            self._stopping.remove(own)
