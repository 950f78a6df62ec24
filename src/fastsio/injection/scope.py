"""
Values that last as long as a connection: resolved by the first event that needs them, closed at disconnect.

Knows neither asyncio nor threads: the shell gives it the kind of lock its tasks or threads wait on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.injection.lifetimes import unwind, unwind_async

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from fastsio.injection.handshake import Handshake
    from fastsio.injection.lifetimes import Manager


class ConnectionScope:
    """
    The connection-scoped values of one client in one namespace.

    Args:
        lock_factory: Makes the lock that a second event waits on while the first resolves a value:
            ``asyncio.Lock`` for :meth:`resolve`, ``threading.Lock`` for :meth:`resolve_sync`.
    """

    __slots__ = ("_lock_factory", "_locks", "_stack", "_values", "closed", "handshake")

    def __init__(self, lock_factory: Callable[[], Any]) -> None:
        self._lock_factory = lock_factory
        self._locks: dict[Hashable, Any] | None = None
        self._values: dict[Hashable, Any] | None = None
        self._stack: list[Manager] | None = None
        self.handshake: Handshake | None = None
        self.closed = False

    def keep(self, manager: Manager) -> bool:
        """Remember an entered context manager until the connection ends; False when it has ended already."""
        if self.closed:
            return False
        if self._stack is None:
            self._stack = []
        self._stack.append(manager)
        return True

    async def resolve(self, key: Hashable, acquire: Callable[[], Awaitable[Any]]) -> Any:
        """
        Return the value of *key*, acquiring it if no event has done so.

        Events that ask at the same time wait for the first. If that one fails, the next one tries.

        Args:
            key: What identifies the dependency.
            acquire: Makes the value.
        """
        values = self._values
        if values is not None and key in values:
            return values[key]
        async with self._lock(key):
            if self._values is not None and key in self._values:
                return self._values[key]
            value = await acquire()
            self._remember(key, value)
        return value

    def resolve_sync(self, key: Hashable, acquire: Callable[[], Any]) -> Any:
        """Do what :meth:`resolve` does, for threads."""
        values = self._values
        if values is not None and key in values:
            return values[key]
        with self._lock(key):
            if self._values is not None and key in self._values:
                return self._values[key]
            value = acquire()
            self._remember(key, value)
        return value

    async def aclose(self, exc: BaseException | None = None) -> None:
        """
        Close every dependency of the connection, the last opened first, once.

        Args:
            exc: What ended the connection, if it is to be thrown into them.

        Raises:
            BaseException: What a dependency raised while it was closed, after all have been closed.
        """
        await unwind_async(self._end(), exc)

    def close(self, exc: BaseException | None = None) -> None:
        """Do what :meth:`aclose` does, for a server without an event loop."""
        unwind(self._end(), exc)

    def _lock(self, key: Hashable) -> Any:
        if self._locks is None:
            self._locks = {}
        return self._locks.setdefault(key, self._lock_factory())

    def _remember(self, key: Hashable, value: Any) -> None:
        if self.closed:  # the client left meanwhile: the value belongs to the event that asked for it
            return
        if self._values is None:
            self._values = {}
        self._values[key] = value
        (self._locks or {}).pop(key, None)  # those that wait on it hold it themselves

    def _end(self) -> list[Manager]:
        self.closed = True
        stack, self._stack, self._values, self._locks = self._stack, None, None, None
        return stack or []
