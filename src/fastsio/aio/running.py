"""
How the asyncio server runs handlers: each in a task, or as if it had one.

Written by hand in both halves, because tasks and threads have little in common.
"""

from __future__ import annotations

import asyncio
import inspect
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final

from fastsio.aio import concurrency
from fastsio.aio.engine.timers import Deadlines
from fastsio.aio.starting import Starter, begin, keep, run_in
from fastsio.base.event_log import tell_unhandled
from fastsio.base.options import UNLIMITED
from fastsio.base.server import BaseServer
from fastsio.protocol import NamespaceState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from contextvars import Context as Variables

    from fastsio.protocol import Packet
    from fastsio.routing import Route
    from fastsio.state import Client, Connection

#: What no context variable is set to.
_UNSET: Final = object()


class RunningServer(BaseServer):
    """Starts handlers and keeps account of those under way."""

    eio: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: What the application started, and what the server did for clients.
        self._background: set[asyncio.Task[Any]] = set()
        self._own_tasks: set[asyncio.Task[Any]] = set()
        self._starter = Starter()

    def is_asyncio_based(self) -> bool:
        """Whether handlers may be coroutine functions."""
        return True

    def start_background_task(self, target: Any, *args: Any, **kwargs: Any) -> asyncio.Task[Any]:
        """Start a coroutine function as a task, which ends with the server if it has not ended before."""
        return _start(self._background, target, *args, **kwargs)

    def _start_task(self, target: Any, *args: Any, **kwargs: Any) -> asyncio.Task[Any]:
        """Start what belongs to a client's life; shutdown waits for it as for a handler."""
        return _start(self._own_tasks, target, *args, **kwargs)

    async def _call_unbroken(self, function: Any, *args: Any) -> None:
        """Call a coroutine function that is not cancelled with its caller, which may read for a client that leaves."""
        await asyncio.shield(self._start_task(function, *args))

    def _new_deadlines(self, on_due: Callable[[list[Connection]], None]) -> Deadlines[Connection]:
        return Deadlines(on_due)

    async def run_callback(self, sid: str, callback: Any, arguments: list[Any]) -> None:
        """
        Call what waited for an acknowledgement.

        A coroutine runs in a task of its own: it may wait for the client's next answer, which must be read for that.
        """
        result = callback(*arguments)
        if inspect.isawaitable(result):
            self._start_task(self._finish_callback, sid, result)

    async def _finish_callback(self, sid: str, result: Awaitable[Any]) -> None:
        try:
            await concurrency.outcome(result)
        except Exception:
            self.logger.exception("%s: error in the callback of an acknowledgement", self._label(sid))

    def _start_connecting(self, client: Client, decide: Any, *args: Any) -> None:
        """Run a connect handler without keeping the connection's other packets waiting."""
        task = begin(decide(client, *args), client.connection.variables)
        if not task.done():
            client.connecting = task
            self._own_tasks.add(task)
            task.add_done_callback(self._own_tasks.discard)

    def _variables(self) -> Variables:
        """Return the context variables as they are now."""
        return copy_context()

    def _keep_variables(self, client: Client, before: Variables) -> None:
        """
        Let the later handlers of a client see the context variables that its connect handler has set.

        So they do in python-socketio, over a WebSocket: there all of them begin in the task that reads it. The handlers
        of a client that polls begin in the tasks of its requests.

        Args:
            client: The client whose connect handler has just returned, in the current task.
            before: The context variables before it was called.
        """
        changed = [(one, value) for one, value in copy_context().items() if before.get(one, _UNSET) is not value]
        connection = client.connection
        session = getattr(self.eio, "sockets", {}).get(connection.eio_sid)
        if not changed or not getattr(session, "upgraded", False):
            return
        if connection.variables is None:
            connection.variables = before
        for variable, value in changed:
            connection.variables.run(variable.set, value)

    async def _call_in_variables(self, client: Client, function: Any, *args: Any) -> None:
        """Call a coroutine function where the context variables are those that connect handlers have set."""
        variables = client.connection.variables
        if variables is None:
            await function(*args)
        else:
            await run_in(variables.copy(), function(*args))

    async def _let_begin(self, connection: Connection) -> None:
        """Give handlers that were started before the chance to begin."""
        if connection.starting or connection.tasks:
            await self._starter.all_begun()

    async def _start_in_place(
        self, connection: Connection, client: Client, data: list[Any], ack_id: int | None, size_bytes: int
    ) -> None:
        """Start an event's handler once the connection may have one more under way; its next packets wait too."""
        while not self._may_start(connection, size_bytes):
            if connection.starting:
                await self._starter.all_begun()
            else:
                await asyncio.wait(connection.tasks, return_when=asyncio.FIRST_COMPLETED)
        if client.state is NamespaceState.CONNECTED:
            self._start_handler(connection, client, data, ack_id, size_bytes)
        else:
            connection.release(size_bytes)

    def _may_start(self, connection: Connection, size_bytes: int) -> bool:
        """Whether a connection may have one more handler under way; then its event's size is counted."""
        under_way = connection.starting + len(connection.tasks)
        if not under_way:
            connection.handler_bytes = 0  # a task that was cancelled before it began has not said so
        return under_way < self.options.max_concurrent_handlers and (
            not size_bytes or connection.claim(size_bytes, self.options.max_handler_bytes)
        )

    def _take_event(
        self, connection: Connection, client: Client, data: list[Any], ack_id: int | None, size_bytes: int
    ) -> Awaitable[None] | None:
        """Have an event of a connected client handled; *size_bytes* is what counts of its size."""
        if not self.async_handlers:
            run = self._event_run(client, data, ack_id)
            variables = connection.variables
            return run if variables is None or run is None else run_in(variables, run)
        if size_bytes:
            return self._take_large_event(connection, client, data, ack_id, size_bytes)
        if connection.starting + len(connection.tasks) >= self.options.max_concurrent_handlers:
            return self._start_in_place(connection, client, data, ack_id, 0)
        if self._replaced or self._observer is not None:
            self._start_handler(connection, client, data, ack_id)
            return None
        route = self._registry.resolve(client.namespace, data[0])
        if route is None:
            tell_unhandled(self, data[0], client.namespace)
        else:
            this: Any = self
            self._starter.start(connection, route, this._run_event(client, route, data, ack_id))
        return None

    def _take_large_event(
        self, connection: Connection, client: Client, data: list[Any], ack_id: int | None, size_bytes: int
    ) -> Awaitable[None] | None:
        if not self._may_start(connection, size_bytes):
            return self._start_in_place(connection, client, data, ack_id, size_bytes)
        self._start_handler(connection, client, data, ack_id, size_bytes)
        return None

    def _start_held(self, client: Client, packet: Packet, size_bytes: int) -> None:
        """Handle an event that has waited; its size counts, though it is too late to let it wait longer."""
        if self._event_log is not None:
            self._event_log.received(client, packet.data[0])
        if size_bytes:
            client.connection.claim(size_bytes, UNLIMITED)
        self._start_handler(client.connection, client, packet.data, packet.id, size_bytes)

    def _start_handler(
        self, connection: Connection, client: Client, data: list[Any], ack_id: int | None, size_bytes: int = 0
    ) -> None:
        """Handle an event without waiting for it; *size_bytes* is what was counted of it."""
        if "_handle_event_internal" in self._replaced:
            run: Any = self._event_run(client, data, ack_id)
            run = self._release_after(run, connection, size_bytes) if size_bytes else run
            keep(connection, begin(run, connection.variables))
            return
        if self._observer is not None:
            self._observer.event_received(client, data)
        this: Any = self
        route = this._find_route(client.namespace, data[0])
        if route is None:
            tell_unhandled(self, data[0], client.namespace)
            connection.release(size_bytes)
        elif size_bytes:
            self._starter.start(connection, route, self._run_large_event(client, route, data, ack_id, size_bytes))
        else:
            self._starter.start(connection, route, this._run_event(client, route, data, ack_id))

    async def _run_large_event(
        self, client: Client, route: Route, data: list[Any], ack_id: int | None, size_bytes: int
    ) -> None:
        """Handle an event whose size counts for as long as that takes."""
        this: Any = self
        try:
            await this._run_event(client, route, data, ack_id)
        finally:
            client.connection.release(size_bytes)

    async def _release_after(self, run: Awaitable[None], connection: Connection, size_bytes: int) -> None:
        try:
            await run
        finally:
            connection.release(size_bytes)

    def _event_run(self, client: Client, data: list[Any], ack_id: int | None) -> Coroutine[Any, Any, None] | None:
        """Return the coroutine that handles an event, through the seam that add-ons replace if one has."""
        this: Any = self
        if self._observer is not None:
            self._observer.event_received(client, data)
        if "_handle_event_internal" in self._replaced:
            return this._handle_event_internal(  # type: ignore[no-any-return] # a coroutine function
                self, client.sid, client.eio_sid, data, client.namespace, ack_id
            )
        route = this._find_route(client.namespace, data[0])
        if route is None:
            tell_unhandled(self, data[0], client.namespace)
            return None
        return this._run_event(client, route, data, ack_id)  # type: ignore[no-any-return] # as above


def _start(tasks: set[asyncio.Task[Any]], target: Any, *args: Any, **kwargs: Any) -> asyncio.Task[Any]:
    task: asyncio.Task[Any] = asyncio.ensure_future(target(*args, **kwargs))
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return task
