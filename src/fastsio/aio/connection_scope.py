"""
Values that last as long as a connection, where the server is one for asyncio: each is opened and closed by a task.

By hand in both halves, for tasks and threads have little in common.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from fastsio.injection import ConnectionScope
from fastsio.injection.context import unwind_async

if TYPE_CHECKING:
    from collections.abc import Hashable
    from contextvars import Context as Variables

    from fastsio.injection import Context
    from fastsio.injection.context import Manager, Opener


class _Value(AbstractAsyncContextManager[None]):
    """
    One value of a scope. Every event that was given it leaves it as a context manager when it is over.

    Attributes:
        value: The value, once it is open.
        is_open: Whether events may be given it.
        settled: Set when it is open, or could not be opened.
        closing: Set when it is to be closed.
        owner: The task that opens and closes it; None if it needs none.
        failure: What was raised while it was opened or closed.
    """

    __slots__ = ("_scope", "closing", "failure", "is_open", "owner", "settled", "value")

    def __init__(self, scope: TaskScope) -> None:
        self._scope = scope
        self.value: Any = None
        self.is_open = False
        self.settled = asyncio.Event()
        self.closing = asyncio.Event()
        self.owner: asyncio.Task[None] | None = None
        self.failure: BaseException | None = None

    async def __aexit__(self, *_exc: object) -> None:
        await self._scope.release()

    def open(self, value: Any) -> None:
        """Give the value to the events that wait for it, and to those to come."""
        self.value, self.is_open = value, True
        self.settled.set()


class TaskScope(ConnectionScope):
    """
    The connection-scoped values of one client, each opened and closed by a task of its own in one shared context.

    Args:
        server: The server, whose loop runs them.
    """

    __slots__ = ("_is_over", "_users", "_values", "_variables")

    def __init__(self, server: Any = None) -> None:  # noqa: ARG002 - threads need it
        super().__init__()
        self._values: dict[Hashable, _Value] = {}
        self._variables: Variables | None = None
        #: How many uses of a value have not ended.
        self._users = 0
        self._is_over = False

    async def resolve(self, context: Context, key: Hashable, opener: Opener, *, awaits: bool, opens: bool) -> Any:
        """Return the value of *key*, making it if no event has done so."""
        found = self._values.get(key)
        while found is not None and not found.is_open:
            await found.settled.wait()
            found = self._values.get(key)
        if found is None and self._is_over:  # the value belongs to the event that asked for it
            value = opener(context, context.keep)
            return await value if awaits else value
        if opens:
            self._users += 1
        if found is None:
            try:
                found = await self._make(context, key, opener, awaits=awaits, opens=opens)
            except BaseException:
                if opens:
                    await self.release()
                raise
        if opens:
            context.keep(found)
        return found.value

    async def aclose(self) -> None:
        """
        End the scope: close every value, the last opened first, when no event uses one any more.

        Raises:
            BaseException: What a dependency raised while it was closed, after all have been closed.
        """
        self._is_over = True
        if not self._users:
            await self._close()

    async def release(self) -> None:
        """End a use of a value; the last one closes what a scope that is over still has."""
        self._users -= 1
        if self._is_over and not self._users:
            await self._close()

    async def _make(self, context: Context, key: Hashable, opener: Opener, *, awaits: bool, opens: bool) -> _Value:
        made = self._values[key] = _Value(self)
        try:
            if opens:
                if self._variables is None:
                    self._variables = copy_context()
                run = self._own(made, key, context, opener, awaits=awaits)
                # Not by the application's task factory: it may not pass the context on.
                made.owner = asyncio.Task(run, context=self._variables, name=f"dependency of {context.client.sid}")
                await made.settled.wait()
            else:
                value = opener(context, context.keep)
                made.open(await value if awaits else value)
        except BaseException:
            # An event that was cancelled leaves the value to the others, and to the task that opens it.
            if made.owner is None:
                self._drop(key, made)
            raise
        if made.failure is not None:
            raise made.failure
        return made

    async def _own(self, made: _Value, key: Hashable, context: Context, opener: Opener, *, awaits: bool) -> None:
        """Open a value, wait until it is to be closed, and close it."""
        managers: list[Manager] = []
        try:
            value = opener(context, managers.append)
            made.open(await value if awaits else value)
        except BaseException as exc:
            made.failure = exc
            self._drop(key, made)
            if isinstance(exc, asyncio.CancelledError):
                raise
            return
        if not managers:
            return
        del context, value
        cause: BaseException | None = None
        try:
            await made.closing.wait()
        except asyncio.CancelledError as exc:  # by a scope of the dependency's own, or because the program ends
            cause = exc
            self._drop(key, made)
        try:
            await unwind_async(managers, cause)
        except BaseException as exc:
            made.failure = exc
            if isinstance(exc, asyncio.CancelledError):
                raise
            if cause is not None:
                _report(exc)

    def _drop(self, key: Hashable, made: _Value) -> None:
        """Forget a value that is not open any more; the next event that asks makes it anew."""
        made.is_open = False
        made.settled.set()
        if self._values.get(key) is made:
            del self._values[key]

    async def _close(self) -> None:
        values, self._values = self._values, {}
        if values:
            # One that cancels what waits for this does not keep the rest open.
            await asyncio.shield(asyncio.create_task(_close_all(values)))


async def _close_all(values: dict[Hashable, _Value]) -> None:
    """
    Close values, the last opened first.

    Raises:
        BaseException: What a dependency raised while it was closed, after all have been closed.
    """
    failure: BaseException | None = None
    for made in reversed(values.values()):
        if made.owner is not None:
            made.closing.set()
            await asyncio.wait([made.owner])
            failure = made.failure or failure
    if failure is not None:
        raise failure


def _report(exc: BaseException) -> None:
    """Tell of a dependency that ended while its connection goes on."""
    message = "a dependency of a connection has ended; the next event that asks for it opens it anew"
    asyncio.get_running_loop().call_exception_handler({"message": message, "exception": exc})
