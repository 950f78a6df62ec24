"""Values that last as long as a connection. Each is opened and closed by a task, or a thread, of its own."""

from __future__ import annotations

# Only asyncio:
import asyncio

# Both:
from contextlib import AbstractAsyncContextManager
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from fastsio.aio import concurrency
from fastsio.injection import ConnectionScope
from fastsio.injection.context import unwind_async

if TYPE_CHECKING:
    from collections.abc import Hashable

    # Only asyncio:
    from contextvars import Context as Variables

    # Both:
    from fastsio.injection import Context
    from fastsio.injection.context import AsyncOpener, Manager


class _Value(AbstractAsyncContextManager[None]):
    """
    One value of a scope; a context manager that each event which uses the value leaves at its end.

    Attributes:
        settled: Set when it is open, or could not be opened.
        closing: Set when it is to be closed.
        owner: What opens and closes it: a task, or a thread; None if nothing has to.
        failure: What was raised while it was opened or closed.
    """

    __slots__ = ("_scope", "closing", "failure", "is_open", "owner", "settled", "value")

    def __init__(self, scope: TaskScope) -> None:
        self._scope = scope
        self.value: Any = None
        self.is_open = False
        self.settled = scope.create_event()
        self.closing = scope.create_event()
        self.owner: Any = None
        self.failure: BaseException | None = None

    async def __aexit__(self, *_exc: object) -> None:
        await self._scope.release()

    def open(self, value: Any) -> None:
        """Give the value to the events that wait for it, and to later ones."""
        self.value, self.is_open = value, True
        self.settled.set()


class TaskScope(ConnectionScope):
    """The connection-scoped values of one client; *server* starts what opens and closes them, unless asyncio does."""

    # Only asyncio:
    __slots__ = ("_is_over", "_lock", "_server", "_users", "_values", "_variables")
    # Only threads:
    # | __slots__ = ("_is_over", "_lock", "_server", "_users", "_values")
    # Both:

    def __init__(self, server: Any = None) -> None:
        super().__init__()
        self._server = server
        # Only asyncio:
        #: The context that the values of this client are opened and closed in.
        self._variables: Variables | None = None
        # Both:
        self._lock = concurrency.guard()
        self._values: dict[Hashable, _Value] = {}
        #: How many uses of a value have not ended.
        self._users = 0
        self._is_over = False

    def create_event(self) -> Any:
        """Return what tasks wait on, or threads of the server's kind."""
        # Only asyncio:
        return asyncio.Event()
        # Only threads:
        # | return self._server.eio.create_event()
        # Both:

    async def resolve(self, context: Context, key: Hashable, opener: AsyncOpener, *, opens: bool) -> Any:
        """Return the value of *key*; the first event that asks for it opens it."""
        if opens:
            with self._lock:
                self._users += 1
        found = self._values.get(key)
        if found is None or not found.is_open:
            try:
                found = await self._find(context, key, opener, opens=opens)
            except BaseException:
                if opens:
                    await self.release()
                raise
        if found is None:  # the client has left: the value belongs to the event that asked for it
            if opens:
                await self.release()
            return await opener(context, context.keep)
        if opens:
            context.keep(found)
        return found.value

    async def aclose(self) -> None:
        """
        End the scope: close every value, the last opened first, when no event uses one any more.

        Raises:
            BaseException: What a dependency raised while it was closed, after all have been closed.
        """
        with self._lock:
            self._is_over = True
        await self._close_unused()

    async def release(self) -> None:
        """End a use of a value; the end of the last use closes the values of a scope that is over."""
        with self._lock:
            self._users -= 1
        if self._is_over:
            await self._close_unused()

    async def _find(self, context: Context, key: Hashable, opener: AsyncOpener, *, opens: bool) -> _Value | None:
        """Return the value of *key* once it is open; None when the scope is over and has none."""
        while True:
            with self._lock:
                found = self._values.get(key)
                is_first = found is None
                if found is None:
                    if self._is_over:
                        return None
                    found = self._values[key] = _Value(self)
            if is_first:
                await self._make(found, context, key, opener, opens=opens)
                return found
            await found.settled.wait()
            if found.is_open:
                return found

    async def _make(self, made: _Value, context: Context, key: Hashable, opener: AsyncOpener, *, opens: bool) -> None:
        try:
            if opens:
                made.owner = self._start(made, context, key, opener)
                await made.settled.wait()
            else:
                made.open(await opener(context, context.keep))
        except BaseException:
            # After an event was cancelled, the task still opens the value for the other events.
            if made.owner is None:
                self._drop(key, made)
            raise
        if made.failure is not None:
            raise made.failure

    def _start(self, made: _Value, context: Context, key: Hashable, opener: AsyncOpener) -> Any:
        """Start what opens and closes a value."""
        # Only asyncio:
        if self._variables is None:
            self._variables = copy_context()
        run = self._own(made, context, key, opener)
        # Not by the application's task factory: it may not pass the context on.
        return asyncio.Task(run, context=self._variables, name=f"dependency of {context.client.sid}")
        # Only threads:
        # | return self._server.start_background_task(copy_context().run, self._own, made, context, key, opener)
        # Both:

    async def _own(self, made: _Value, context: Context, key: Hashable, opener: AsyncOpener) -> None:
        """Open a value, wait until it is to be closed, and close it."""
        managers: list[Manager] = []
        try:
            made.open(await opener(context, managers.append))
        except BaseException as exc:
            made.failure = exc
            self._drop(key, made)
            if isinstance(exc, concurrency.Cancelled):
                raise
            return
        if not managers:
            return
        del context
        cause: BaseException | None = None
        try:
            await made.closing.wait()
        except concurrency.Cancelled as exc:  # by a scope of the dependency's own, or because the program ends
            cause = exc
            self._drop(key, made)
        try:
            await unwind_async(managers, cause)
        except BaseException as exc:
            made.failure = exc
            if isinstance(exc, concurrency.Cancelled):
                raise
            # Only asyncio:
            if cause is not None:
                _report(exc)
            # Both:

    def _drop(self, key: Hashable, made: _Value) -> None:
        """Remove a value that is not open any more; the next event that asks for it opens a new one."""
        made.is_open = False
        with self._lock:
            if self._values.get(key) is made:
                del self._values[key]
        made.settled.set()

    async def _close_unused(self) -> None:
        with self._lock:
            if self._users:
                return
            values, self._values = self._values, {}
        # Only asyncio:
        if values:
            # If the waiting caller is cancelled, the values are closed all the same.
            await asyncio.shield(asyncio.create_task(_close_all(values)))
        # Only threads:
        # | _close_all(values)
        # Both:


async def _close_all(values: dict[Hashable, _Value]) -> None:
    """Close values, the last opened first; what a dependency raised meanwhile is raised after all have been closed."""
    failure: BaseException | None = None
    for made in reversed(values.values()):
        if made.owner is not None:
            made.closing.set()
            await concurrency.join(made.owner)
            failure = made.failure or failure
    if failure is not None:
        raise failure


# Only asyncio:
def _report(exc: BaseException) -> None:
    """Tell of a dependency that ended while its connection goes on."""
    message = "a dependency of a connection has ended; the next event that asks for it opens it anew"
    asyncio.get_running_loop().call_exception_handler({"message": message, "exception": exc})
