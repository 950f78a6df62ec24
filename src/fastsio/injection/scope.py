"""
Values that last as long as a connection: resolved by the first event that needs them, closed after the last.

Knows neither asyncio nor threads: how a value is opened and closed is a matter of the shell, which extends
:class:`ConnectionScope`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable

    from fastsio.injection.binding import Opener
    from fastsio.injection.context import Context
    from fastsio.injection.handshake import Handshake


class ConnectionScope:
    """
    The connection-scoped values of one client in one namespace.

    A value that has to be closed is opened and closed by the same task, or thread, and in the same context, so that
    what it holds may belong to either: a task group of anyio, a context variable. It is closed when the connection
    has ended and every event that was given it is over.
    """

    __slots__ = ("handshake",)

    def __init__(self) -> None:
        self.handshake: Handshake | None = None

    if TYPE_CHECKING:  # each shell has one of the two halves

        async def resolve(self, context: Context, key: Hashable, opener: Opener, *, awaits: bool, opens: bool) -> Any:
            """
            Return the value of *key*, making it if no event has done so.

            Events that ask at the same time wait for the first. If that one fails, the next one tries.

            Args:
                context: The event that asks. It keeps the value open until it is closed.
                key: What identifies the dependency.
                opener: Makes the value.
                awaits: Whether what the opener returns is to be awaited.
                opens: Whether the value may have to be closed.
            """

        async def aclose(self) -> None:
            """
            End the scope: close every value, the last opened first, when no event uses one any more.

            Raises:
                BaseException: What a dependency raised while it was closed, after all have been closed.
            """

        def resolve_sync(self, context: Context, key: Hashable, opener: Opener, *, opens: bool) -> Any:
            """Do what :meth:`resolve` does, for threads."""

        def close(self) -> None:
            """Do what :meth:`aclose` does, for threads."""
