"""The one connection that all publishes of a node share: opened when first needed, opened anew once it is closed."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ConnectionT = TypeVar("ConnectionT")


class Shared(Generic[ConnectionT]):
    """
    A connection that any number of tasks use at once.

    Args:
        connect: Opens a connection.
        is_open: Whether a connection can still be used.
        close: Gives its resources back.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[ConnectionT]],
        is_open: Callable[[ConnectionT], bool],
        close: Callable[[ConnectionT], Awaitable[object]],
    ) -> None:
        self._connect = connect
        self._is_open = is_open
        self._close = close
        self._current: ConnectionT | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connecting = asyncio.Lock()

    @property
    def current(self) -> ConnectionT | None:
        """The connection, if there is one that can be used."""
        return self._current if self._current is not None and self._is_open(self._current) else None

    async def get(self) -> ConnectionT:
        """Return the connection; the first caller opens it, and others wait for that."""
        self._follow_loop()
        if self._current is not None and self._is_open(self._current):
            return self._current
        async with self._connecting:
            if self._current is None or not self._is_open(self._current):
                await self.drop()
                self._current = await self._connect()
            return self._current

    async def drop(self) -> None:
        """Close the connection, if there is one; a connection that fails to close is as good as closed."""
        dropped, self._current = self._current, None
        if dropped is not None:
            with suppress(Exception):
                await self._close(dropped)

    def _follow_loop(self) -> None:
        """Forget what belongs to another event loop: programs emit from one ``asyncio.run()`` after the other."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._current, self._connecting = loop, None, asyncio.Lock()
