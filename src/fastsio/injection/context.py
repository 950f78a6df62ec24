"""
What one event offers to the functions it runs: the facts of the event and the values resolved so far.

Built by the shell, once per event that needs it. Knows no transport and no server class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from fastsio.injection.lifetimes import unwind, unwind_async

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from fastsio.injection.lifetimes import Manager
    from fastsio.injection.scope import ConnectionScope


class ClientView(Protocol):
    """What injection reads of a client in one namespace."""

    @property
    def sid(self) -> str:
        """The client's session id in the namespace."""
        ...

    @property
    def namespace(self) -> str:
        """The namespace's name."""
        ...

    @property
    def environ(self) -> dict[str, Any]:
        """The environ of the handshake."""
        ...

    @property
    def auth(self) -> Any:
        """What the client sent as ``auth`` when it connected, or None."""
        ...

    @property
    def session(self) -> dict[str, Any]:
        """The session dict itself, not a copy."""
        ...

    @property
    def scope_store(self) -> ConnectionScope:
        """Where values live that last as long as the connection."""
        ...


class Context:
    """
    One event, from its arrival to after its acknowledgement.

    Endpoints that run for the same event (middleware, handler, exception handler) share one context, and with it
    what their dependencies resolved. Whoever builds it must close it: :meth:`aclose` or :meth:`close`, after the
    acknowledgement has been sent, with the exception that ended the event if one did.

    Args:
        server: The server, or the client whose handlers run; its ``dependency_overrides`` are honoured.
        client: The client the event came from; in a client, its own place in the event's namespace.
        event: The event's name.
        args: The payload arguments; for ``connect`` it is ``(auth,)``.
        reason: Why the client left, for ``disconnect``.
        exc: The exception being handled, for exception handlers.
        named: What a hook receives by keyword.

    Attributes:
        room: The room that a hook of its class is about; set before such a hook is called.
    """

    room: Any
    __slots__ = ("args", "client", "event", "exc", "named", "reason", "room", "server", "stack", "values")

    def __init__(
        self,
        server: Any,
        client: ClientView,
        event: str = "",
        args: tuple[Any, ...] = (),
        reason: str | None = None,
        exc: BaseException | None = None,
        named: Mapping[str, Any] | None = None,
    ) -> None:
        self.server = server
        self.client = client
        self.event = event
        self.args = args
        self.reason = reason
        self.exc = exc
        self.named = named
        self.values: dict[Hashable, Any] = {}
        self.stack: list[Manager] | None = None

    def keep(self, manager: Manager) -> None:
        """Remember an entered context manager until the event is over."""
        if self.stack is None:
            self.stack = []
        self.stack.append(manager)

    async def aclose(self, exc: BaseException | None = None) -> None:
        """
        Run what follows the ``yield`` of every dependency of this event, the last opened first.

        Args:
            exc: The exception that ended the event; it is thrown into each of them, cancellation included.

        Raises:
            BaseException: What a dependency raised while it was closed, after all have been closed.
        """
        stack = self.stack
        if stack is not None:
            self.stack = None
            await unwind_async(stack, exc)

    def close(self, exc: BaseException | None = None) -> None:
        """Do what :meth:`aclose` does, for a server without an event loop."""
        stack = self.stack
        if stack is not None:
            self.stack = None
            unwind(stack, exc)
