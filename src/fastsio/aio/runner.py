"""
How the asyncio server runs handlers: each in a task, or as if it had one.

Written by hand in both halves, because tasks and threads have little in common.

Handlers start without a task switch, yet each is in a real task once it waits:
``asyncio.current_task()``, ``asyncio.timeout()`` and cancellation belong to the task that a coroutine begins in, so a
handler cannot begin in the task that reads and go on in another. Python 3.12 has eager tasks for this:
:class:`EagerStarter` makes one for each event, and most are over before they were ever scheduled.

Python 3.11 has none. There :class:`TurnStarter` begins the events that arrive in one turn of the loop in one task, in
their order and each in a context of its own. When a handler waits, the task is that handler's from then on and another
goes on with the next event. So handlers that never wait may share a task, one after the other; nothing else differs.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections import deque
from contextlib import contextmanager, suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from fastsio.aio import concurrency
from fastsio.aio.engine.eager import DONE, Rest
from fastsio.aio.engine.timers import Deadlines
from fastsio.base.event_log import tell_unhandled
from fastsio.base.runner import BaseHandlerRunner
from fastsio.engine.session_tables import Transport
from fastsio.protocol import NamespaceState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
    from contextvars import Context as Variables

    from fastsio.routing import Route
    from fastsio.state import Client, Connection

#: How long tasks that the application started in the background have to end when the server stops.
BACKGROUND_GRACE_S: Final = 0.25
#: How long a task that was cancelled may take to end when the server stops; some swallow the cancellation.
CANCEL_GRACE_S: Final = 1.0
#: What no context variable is set to.
_UNSET: Final = object()
#: Events that begin before other tasks have a turn.
FAIR_SHARE: Final = 256
HAS_EAGER_TASKS: Final = sys.version_info >= (3, 12)
#: How many routes whose handlers wait are remembered. There are more only where each event gets a route of its own.
MAX_WAITING_ROUTES: Final = 4096

#: What ``start_background_task()`` returns.
BackgroundTask: TypeAlias = "asyncio.Task[Any]"
#: The connection and the route of an event, the coroutine that handles it and has not begun, and its context.
Arrival: TypeAlias = "tuple[Connection, Route, Coroutine[Any, Any, None], Variables]"


def begin(coroutine: Coroutine[Any, Any, Any], variables: Variables | None = None) -> asyncio.Task[Any]:
    """Make a task of a coroutine, in a copy of *variables*, and, where Python can, run it to its first wait at once."""
    loop = asyncio.get_running_loop()
    if variables is not None:
        return variables.copy().run(begin, coroutine)
    # The application's own way of making tasks goes first.
    if sys.version_info >= (3, 12) and loop.get_task_factory() is None:
        return asyncio.Task(coroutine, loop=loop, eager_start=True)
    return loop.create_task(coroutine)


async def run_in(variables: Variables, coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end in a context of its own, and return its result."""
    # Not by the application's way of making tasks, which may not pass the context on.
    return await asyncio.Task(coroutine, loop=asyncio.get_running_loop(), context=variables)


def keep(connection: Connection, task: asyncio.Task[Any]) -> None:
    """Count a task among those under way for a connection until it is done."""
    if not task.done():
        task.add_done_callback(connection.add_task(task))


class EagerStarter:
    """Starts each handler in an eager task."""

    __slots__ = ()

    def start(self, connection: Connection, route: Route, run: Coroutine[Any, Any, None]) -> None:  # noqa: ARG002 - as TurnStarter's
        """Handle an event up to its handler's first wait; *run* is the coroutine that handles it."""
        keep(connection, begin(run, connection.variables))

    async def all_begun(self) -> None:
        """Wait until every event that has arrived before has begun; only the application's own tasks begin late."""
        await asyncio.sleep(0)


class TurnStarter:
    """
    Starts the handlers of one turn of the loop in one task, until one of them waits.

    When that task is cancelled before it has begun, which happens when the loop is about to end, the events that it
    would have begun are dropped.
    """

    __slots__ = ("_arrived", "_loop", "_task", "_waiting")

    def __init__(self) -> None:
        self._arrived: deque[Arrival] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        #: The task that begins the events that have arrived; None while there are none.
        self._task: asyncio.Task[None] | None = None
        #: Routes whose handlers have waited. Their events get a task each at once, because changing tasks takes a turn.
        self._waiting: set[Route] = set()

    def start(self, connection: Connection, route: Route, run: Coroutine[Any, Any, None]) -> None:
        """Have an event handled in the loop's next turn, after those that arrived before; *run* is what handles it."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # a server may outlive the loop it was first used on
            self._loop = loop
            self._task = None
            self._drop_arrived()
        # The context is that of the connection, which the task's is not.
        context = copy_context() if connection.variables is None else connection.variables.copy()
        if self._task is None:
            if route in self._waiting:
                keep(connection, loop.create_task(run, context=context))
                return
            self._start_task(loop)
        connection.starting += 1
        self._arrived.append((connection, route, run, context))

    def _start_task(self, loop: asyncio.AbstractEventLoop) -> None:
        task = self._task = loop.create_task(self._run())
        task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        """Drop the events that have arrived if the task that would begin them was cancelled before it ran."""
        if task is self._task:
            self._task = None
            self._drop_arrived()

    def _drop_arrived(self) -> None:
        while self._arrived:
            connection, _, run, _ = self._arrived.popleft()
            connection.starting -= 1
            run.close()

    async def all_begun(self) -> None:
        """Wait until every event that has arrived before has begun."""
        for _ in range(len(self._arrived)):  # a turn begins one at least, and more arrive meanwhile
            if not self._arrived:
                break
            await asyncio.sleep(0)
        # Events that got a task of their own begin a turn later.
        await asyncio.sleep(0)

    async def _run(self) -> None:
        """Begin the events that have arrived; when a handler waits, become its task and start another for the rest."""
        try:
            rest = self._begin_some(self._task)
        finally:
            self._task = None
            if self._arrived and self._loop is not None:
                self._start_task(self._loop)
        if rest is not None:
            await rest

    def _begin_some(self, own: Any) -> Rest | None:
        """Begin events in order, up to one that must begin in another task; return the rest of a handler that waits."""
        is_behind = False
        arrived, waiting = self._arrived, self._waiting
        for _ in range(min(len(arrived), FAIR_SHARE)):
            connection, route, run, context = arrival = arrived.popleft()
            if is_behind and route not in waiting:
                arrived.appendleft(arrival)
                break
            connection.starting -= 1
            if route in waiting:
                is_behind = True
                keep(connection, own.get_loop().create_task(run, context=context))
                continue
            iterator = run.__await__()
            waited = context.run(next, iterator, DONE)
            if waited is not DONE:
                self._remember(route)
                keep(connection, own)
                return Rest(iterator, waited, context)
            if own.cancelling():  # the handler cancelled its task at its end; the next one is not meant
                break
        return None

    def _remember(self, route: Route) -> None:
        if len(self._waiting) >= MAX_WAITING_ROUTES:
            self._waiting.clear()
        self._waiting.add(route)


Starter = EagerStarter if HAS_EAGER_TASKS else TurnStarter


def new_deadlines(on_due: Callable[[list[Connection]], None], engine: Any) -> Deadlines[Connection]:  # noqa: ARG001 - as with threads
    """Return the timers of connections; *on_due* gets those whose time is up."""
    return Deadlines(on_due)


class HandlerRunner(BaseHandlerRunner):
    """Starts handlers in tasks."""

    def _make_tables(self) -> None:
        #: What the application started, and what the server did for clients.
        self._background: set[asyncio.Task[Any]] = set()
        self._own_tasks: set[asyncio.Task[Any]] = set()
        #: What shutdown waits for while the disconnect handlers of a client run, and the task that they run in.
        self._leaving: dict[asyncio.Future[None], asyncio.Task[Any] | None] = {}
        #: The handlers under way of connections that have gone.
        self._left_behind: set[asyncio.Task[Any]] = set()
        #: The tasks that shut the server down.
        self._stopping: set[asyncio.Task[Any] | None] = set()
        self.starter = Starter()

    def start_background_task(self, target: Any, *args: Any, **kwargs: Any) -> asyncio.Task[Any]:
        """Start a coroutine function as a task, which ends with the server if it has not ended before."""
        return _start(self._background, target, *args, **kwargs)

    def start_task(self, target: Any, *args: Any, **kwargs: Any) -> asyncio.Task[Any]:
        """Start a task of the server for a client; shutdown waits for it as for a handler."""
        return _start(self._own_tasks, target, *args, **kwargs)

    def start_for_each(self, function: Any, values: Iterable[Any]) -> None:
        """Start a coroutine function for each of several values, as :meth:`start_task` does."""
        for value in values:
            self.start_task(function, value)

    def outlive(self, connection: Connection) -> None:
        """Keep the handlers under way of a connection that has gone, so that shutdown waits for them."""
        for task in connection.tasks:
            self._left_behind.add(task)
            task.add_done_callback(self._left_behind.discard)

    @contextmanager
    def noted_as_leaving(self) -> Iterator[None]:
        """Have shutdown wait for the block, in which the disconnect handlers of a client run."""
        done = asyncio.get_running_loop().create_future()
        self._leaving[done] = asyncio.current_task()
        try:
            yield
        finally:
            del self._leaving[done]
            if not done.done():
                done.set_result(None)

    async def call_unbroken(self, function: Any, *args: Any) -> None:
        """Call a coroutine function, which continues if its caller is cancelled: the reader of a client that leaves."""
        await asyncio.shield(self.start_task(function, *args))

    async def run_callback(self, sid: str, callback: Any, arguments: list[Any]) -> None:
        """
        Call the callback of an acknowledgement.

        A coroutine runs in a task of its own, because it may wait for the client's next packet.
        """
        result = callback(*arguments)
        if inspect.isawaitable(result):
            self.start_task(self._finish_callback, sid, result)

    async def _finish_callback(self, sid: str, result: Awaitable[Any]) -> None:
        try:
            await concurrency.outcome(result)
        except Exception:
            self._server.logger.exception("%s: error in the callback of an acknowledgement", self._shared.label_of(sid))

    def start_connecting(self, client: Client, decide: Any, *args: Any) -> None:
        """Run a connect handler; the connection's other packets do not wait for it."""
        task = begin(decide(client, *args), client.connection.variables)
        if not task.done():
            client.connecting = task
            self._own_tasks.add(task)
            task.add_done_callback(self._own_tasks.discard)

    def variables(self) -> Variables:
        """Return the context variables as they are now."""
        return copy_context()

    def keep_variables(self, client: Client, before: Variables) -> None:
        """
        Keep the context variables that a connect handler, which has just returned, has set, for later handlers.

        python-socketio's handlers see them over a WebSocket, because all of them begin in the task that reads it. The
        handlers of a client that polls begin in the tasks of its requests, and do not see them.
        """
        changed = [(one, value) for one, value in copy_context().items() if before.get(one, _UNSET) is not value]
        connection = client.connection
        session = connection.session
        if not changed or session is None or session.transport is not Transport.WEBSOCKET:
            return
        if connection.variables is None:
            connection.variables = before
        for variable, value in changed:
            connection.variables.run(variable.set, value)

    async def call_in_variables(self, client: Client, function: Any, *args: Any) -> None:
        """Call a coroutine function with the context variables that connect handlers have set."""
        variables = client.connection.variables
        if variables is None:
            await function(*args)
        else:
            await run_in(variables.copy(), function(*args))

    async def let_begin(self, connection: Connection) -> None:
        """Wait until the handlers that were started before have begun."""
        if connection.starting or connection.tasks:
            await self.starter.all_begun()

    async def _start_in_place(
        self, connection: Connection, client: Client, data: list[Any], ack_id: int | None, size_bytes: int
    ) -> None:
        """Start an event's handler when the connection may have one more under way; its next packets wait for that."""
        while not self._may_start(connection, size_bytes):
            if connection.starting:
                await self.starter.all_begun()
            else:
                await asyncio.wait(connection.tasks, return_when=asyncio.FIRST_COMPLETED)
        if client.state is NamespaceState.CONNECTED:
            self._start_handler(connection, client, data, ack_id, size_bytes)
        else:
            connection.release(size_bytes)

    def _may_start(self, connection: Connection, size_bytes: int) -> bool:
        """Return whether a connection may have one more handler under way, and if so count the size of its event."""
        if not connection.starting and not connection.tasks:
            connection.handler_bytes = 0  # a task that was cancelled before it began has not released its size
        return super()._may_start(connection, size_bytes)

    def handle_event(
        self, connection: Connection, client: Client, data: list[Any], ack_id: int | None, size_bytes: int
    ) -> Awaitable[None] | None:
        """Start the handler of an event of a connected client; *size_bytes* is its size, 0 for a small event."""
        server = self._server
        if not server.async_handlers:
            run = self._event_run(client, data, ack_id)
            variables = connection.variables
            return run if variables is None or run is None else run_in(variables, run)
        if size_bytes:
            return self._handle_large_event(connection, client, data, ack_id, size_bytes)
        if connection.starting + len(connection.tasks) >= self._options.max_concurrent_handlers:
            return self._start_in_place(connection, client, data, ack_id, 0)
        if self.is_watched:
            self._start_handler(connection, client, data, ack_id)
            return None
        route = self._resolve(client.namespace, data[0])
        if route is None:
            tell_unhandled(self._registry, server.logger, data[0], client.namespace)
        else:
            self.starter.start(connection, route, self._run_event(client, route, data, ack_id))
        return None

    def _handle_large_event(
        self, connection: Connection, client: Client, data: list[Any], ack_id: int | None, size_bytes: int
    ) -> Awaitable[None] | None:
        if not self._may_start(connection, size_bytes):
            return self._start_in_place(connection, client, data, ack_id, size_bytes)
        self._start_handler(connection, client, data, ack_id, size_bytes)
        return None

    def _start_handler(
        self, connection: Connection, client: Client, data: list[Any], ack_id: int | None, size_bytes: int = 0
    ) -> None:
        """Start the handler of an event; *size_bytes* is the size that was counted."""
        server = self._server
        if "_handle_event_internal" in self._seams.replaced:
            run: Any = self._event_run(client, data, ack_id)
            run = self._release_after(run, connection, size_bytes) if size_bytes else run
            keep(connection, begin(run, connection.variables))
            return
        if self._shared.observer is not None:
            self._shared.observer.event_received(client, data)
        route = self._find_route(client.namespace, data[0])
        if route is None:
            tell_unhandled(self._registry, server.logger, data[0], client.namespace)
            connection.release(size_bytes)
        elif size_bytes:
            self.starter.start(connection, route, self._run_large_event(client, route, data, ack_id, size_bytes))
        else:
            self.starter.start(connection, route, self._run_event(client, route, data, ack_id))

    async def _run_large_event(
        self, client: Client, route: Route, data: list[Any], ack_id: int | None, size_bytes: int
    ) -> None:
        """Handle a large event; its size counts until the handler returns."""
        try:
            await self._run_event(client, route, data, ack_id)
        finally:
            client.connection.release(size_bytes)

    async def _release_after(self, run: Awaitable[None], connection: Connection, size_bytes: int) -> None:
        try:
            await run
        finally:
            connection.release(size_bytes)

    async def end(
        self, connections: Mapping[str, Connection], end_connection: Callable[[str], Awaitable[None]], grace_s: float
    ) -> None:
        """
        End connections, wait for handlers under way, and cancel those that take longer than *grace_s* seconds.

        Tasks that the application started have a moment to end by themselves once the others are done.
        """
        own = asyncio.current_task()
        # One that shuts the server down does not wait for itself, nor for those that began to before: they wait for it.
        # Nor for a handler that waits for it, as in asyncio.wait_for(), which runs it in a task of its own.
        stopping = {own, *tasks_waiting_for(own)}
        apart = {*self._stopping, *stopping}
        self._stopping |= stopping
        try:
            await self.starter.all_begun()
            apart |= tasks_waiting_for(own)
            until = asyncio.get_running_loop().time() + grace_s
            ending = list(connections.values())
            tasks: list[asyncio.Future[Any]] = [self.start_task(end_connection, one.eio_sid) for one in ending]
            tasks += [task for connection in ending for task in connection.tasks]
            tasks += [done for done, task in self._leaving.items() if task not in apart]
            tasks += [*self._left_behind, *self._own_tasks]
            await self._end_tasks([task for task in tasks if task not in apart], grace_s)
            left_s = max(until - asyncio.get_running_loop().time(), 0)
            background = [task for task in self._background if task not in apart]
            await self._end_tasks(background, min(left_s, BACKGROUND_GRACE_S))
        finally:
            self._stopping -= stopping

    async def _end_tasks(self, tasks: Sequence[asyncio.Future[Any]], grace_s: float) -> None:
        """Let tasks end; cancel those that take longer, and give them a moment to mind it."""
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=grace_s)
        for task in late - self._stopping - tasks_waiting_for(asyncio.current_task()):
            task.cancel()
        if late:
            ended, _ = await asyncio.wait(late, timeout=CANCEL_GRACE_S)
            for task in ended:
                if not task.cancelled():
                    task.exception()  # read, so that asyncio does not report it


def tasks_waiting_for(future: asyncio.Future[Any] | None) -> set[asyncio.Task[Any]]:
    """
    Return the tasks that wait for a future, directly or through others.

    They are found by the callbacks of asyncio's own ``await``, ``wait_for()``, ``wait()``, ``shield()``, ``gather()``
    and ``TaskGroup``.
    """
    found: set[asyncio.Future[Any]] = set()
    to_do = [] if future is None else [future]
    while to_do:
        for callback, _ in getattr(to_do.pop(), "_callbacks", None) or ():
            new = {each for each in _held_by(callback) if isinstance(each, asyncio.Future)} - found
            found |= new
            to_do += new
    return {each for each in found if isinstance(each, asyncio.Task)}


def _held_by(callback: Any) -> Iterator[Any]:
    """Yield the objects that a callback of a future was made with, which it wakes or tells."""
    owner = getattr(callback, "__self__", None)
    yield owner
    yield getattr(owner, "_parent_task", None)
    yield from getattr(callback, "args", ())
    for cell in getattr(callback, "__closure__", None) or ():
        with suppress(ValueError):  # an empty cell
            yield cell.cell_contents


def _start(tasks: set[asyncio.Task[Any]], target: Any, *args: Any, **kwargs: Any) -> asyncio.Task[Any]:
    task: asyncio.Task[Any] = asyncio.ensure_future(target(*args, **kwargs))
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return task
