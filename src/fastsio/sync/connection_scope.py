"""
Values that last as long as a connection, where the server is one for threads: each is opened and closed by a thread.

By hand in both halves, for tasks and threads have little in common.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from fastsio.injection import ConnectionScope
from fastsio.injection.context import unwind
from fastsio.sync import concurrency

if TYPE_CHECKING:
    from collections.abc import Hashable

    from fastsio.injection import Context
    from fastsio.injection.context import Manager, Opener


class _Value(AbstractContextManager[None]):
    """
    One value of a scope. Every event that was given it leaves it as a context manager when it is over.

    Attributes:
        value: The value, once it is open.
        is_open: Whether events may be given it.
        settled: Set when it is open, or could not be opened.
        closing: Set when it is to be closed; None if it need not be.
        closed: Set when it is closed.
        failure: What was raised while it was opened or closed.
    """

    __slots__ = ("_scope", "closed", "closing", "failure", "is_open", "settled", "value")

    def __init__(self, scope: ThreadScope) -> None:
        self._scope = scope
        self.value: Any = None
        self.is_open = False
        self.settled = scope.create_event()
        self.closing: Any = None
        self.closed: Any = None
        self.failure: BaseException | None = None

    def __exit__(self, *_exc: object) -> None:
        self._scope.release()

    def open(self, value: Any) -> None:
        """Give the value to the events that wait for it, and to those to come."""
        self.value, self.is_open = value, True
        self.settled.set()


class ThreadScope(ConnectionScope):
    """
    The connection-scoped values of one client, each opened and closed by a thread of its own, or by a greenlet.

    Args:
        server: The server or client, which starts them.
    """

    __slots__ = ("_is_over", "_lock", "_server", "_users", "_values")

    def __init__(self, server: Any) -> None:
        super().__init__()
        self._server = server
        self._lock = concurrency.Lock()
        self._values: dict[Hashable, _Value] = {}
        #: How many uses of a value have not ended.
        self._users = 0
        self._is_over = False

    def create_event(self) -> Any:
        """Return what threads of the server's kind wait on."""
        return self._server.eio.create_event()

    def resolve_sync(self, context: Context, key: Hashable, opener: Opener, *, opens: bool) -> Any:
        """Return the value of *key*, making it if no event has done so."""
        with self._lock:
            self._users += 1
        try:
            found = self._find(context, key, opener, opens=opens)
            if found is None:  # the client has left: the value belongs to the event that asked for it
                return opener(context, context.keep)
            if opens:
                context.keep(found)
                return found.value
        except BaseException:
            self.release()
            raise
        self.release()
        return found.value

    def close(self) -> None:
        """
        End the scope: close every value, the last opened first, when no event uses one any more.

        Raises:
            BaseException: What a dependency raised while it was closed, after all have been closed.
        """
        with self._lock:
            self._is_over = True
            values = self._take_unused()
        _close(values)

    def release(self) -> None:
        """End a use of a value; the last one closes what a scope that is over still has."""
        with self._lock:
            self._users -= 1
            values = self._take_unused()
        _close(values)

    def _take_unused(self) -> list[_Value]:
        if self._users or not self._is_over:
            return []
        values, self._values = list(self._values.values()), {}
        return values

    def _find(self, context: Context, key: Hashable, opener: Opener, *, opens: bool) -> _Value | None:
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
                self._make(found, context, key, opener, opens=opens)
                return found
            found.settled.wait()
            if found.is_open:
                return found

    def _make(self, made: _Value, context: Context, key: Hashable, opener: Opener, *, opens: bool) -> None:
        if opens:
            made.closing, made.closed = self.create_event(), self.create_event()
            self._server.start_background_task(copy_context().run, self._own, made, context, opener)
            made.settled.wait()
        else:
            try:
                made.open(opener(context, context.keep))
            except BaseException as exc:  # noqa: BLE001 - raised below
                made.failure = exc
        if made.failure is not None:
            with self._lock:
                self._values.pop(key, None)
            made.settled.set()
            raise made.failure

    @staticmethod
    def _own(made: _Value, context: Context, opener: Opener) -> None:
        """Open a value, wait until it is to be closed, and close it."""
        managers: list[Manager] = []
        try:
            made.open(opener(context, managers.append))
        except BaseException as exc:  # noqa: BLE001 - the thread that asked raises it
            made.failure = exc
            made.settled.set()
            return
        del context
        made.closing.wait()
        try:
            unwind(managers)
        except BaseException as exc:  # noqa: BLE001 - the thread that closes the scope raises it
            made.failure = exc
        finally:
            made.closed.set()


def _close(values: list[_Value]) -> None:
    failure: BaseException | None = None
    for made in reversed(values):
        if made.closing is not None:
            made.closing.set()
            made.closed.wait()
            failure = made.failure or failure
    if failure is not None:
        raise failure
