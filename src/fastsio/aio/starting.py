"""
How handlers start: without a task switch, yet each in a real task once it waits.

``asyncio.current_task()``, ``asyncio.timeout()`` and cancellation belong to the task that a coroutine begins in, so a
handler cannot begin in the task that reads and go on in another. Python 3.12 has eager tasks for this:
:class:`EagerStarter` makes one for each event, and most are over before they were ever scheduled.

Python 3.11 has none. There :class:`TurnStarter` begins the events that arrive in one turn of the loop in one task, in
their order and each in a context of its own. When a handler waits, the task is that handler's from then on and another
goes on with the next event. So handlers that never wait may share a task, one after the other; nothing else differs.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from fastsio.aio.engine.stepping import DONE, Rest

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from contextvars import Context

    from fastsio.routing import Route
    from fastsio.state import Connection

#: Events that begin before everybody else has a turn.
FAIR_SHARE: Final = 256
HAS_EAGER_TASKS: Final = sys.version_info >= (3, 12)
#: How many routes whose handlers wait are remembered; those of an application, however it makes them anew.
MAX_WAITING_ROUTES: Final = 4096


#: The connection and the route of an event, the coroutine that handles it and has not begun, and its context.
Arrival: TypeAlias = "tuple[Connection, Route, Coroutine[Any, Any, None], Context]"


def begin(coroutine: Coroutine[Any, Any, Any], variables: Context | None = None) -> asyncio.Task[Any]:
    """
    Make a task of a coroutine and, where Python can, run it to its first wait at once.

    Args:
        coroutine: The coroutine.
        variables: The context that the task gets a copy of; None is the current one.
    """
    loop = asyncio.get_running_loop()
    if variables is not None:
        return variables.copy().run(begin, coroutine)
    # The application's own way of making tasks goes first.
    if sys.version_info >= (3, 12) and loop.get_task_factory() is None:
        return asyncio.Task(coroutine, loop=loop, eager_start=True)
    return loop.create_task(coroutine)


async def run_in(variables: Context, coroutine: Coroutine[Any, Any, Any]) -> Any:
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
        """
        Handle an event up to its handler's first wait.

        Args:
            connection: The connection that it came on.
            route: Its route.
            run: The coroutine that handles it.
        """
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
        #: The task that takes what has arrived, or None while nothing has.
        self._task: asyncio.Task[None] | None = None
        #: Routes whose handlers have waited. Each event gets a task at once, for changing tasks takes a turn.
        self._waiting: set[Route] = set()

    def start(self, connection: Connection, route: Route, run: Coroutine[Any, Any, None]) -> None:
        """
        Have an event handled in the loop's next turn, after those that arrived before.

        Args:
            connection: The connection that it came on.
            route: Its route.
            run: The coroutine that handles it.
        """
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
        """Drop what has arrived if the task that would have begun it never ran, for it was cancelled before."""
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
        # Those that got a task each begin a turn later.
        await asyncio.sleep(0)

    async def _run(self) -> None:
        """Begin what has arrived; once a handler waits, be its task and leave the rest to another."""
        try:
            rest = self._begin_some(self._task)
        finally:
            self._task = None
            if self._arrived and self._loop is not None:
                self._start_task(self._loop)
        if rest is not None:
            await rest

    def _begin_some(self, own: Any) -> Rest | None:
        """Begin events in their order, up to one that has to begin in another task; return what is left of the last."""
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
            if own.cancelling():  # the handler's last act; it does not concern the next
                break
        return None

    def _remember(self, route: Route) -> None:
        if len(self._waiting) >= MAX_WAITING_ROUTES:
            self._waiting.clear()
        self._waiting.add(route)


Starter = EagerStarter if HAS_EAGER_TASKS else TurnStarter
