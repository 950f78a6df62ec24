"""
The context of one event, from which its functions get their arguments, and values that live as long as a connection.

This module owns the facts of the event and the values resolved so far, the interface of a connection's values, and
closing what dependencies opened: all of it, in reverse order, even when closing one part fails. A server makes one for
each event that needs it. It knows no transport, no server class, and neither asyncio nor threads: the subclasses of
:class:`ConnectionScope` know how a value of a connection is opened and closed.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from fastsio.injection.handshake import Handshake

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping


#: An entered context manager, with ``with`` or with ``async with``.
Manager: TypeAlias = AbstractContextManager[Any, Any] | AbstractAsyncContextManager[Any, Any]
#: Stores an opened dependency until it is closed.
Keep: TypeAlias = "Callable[[Manager], Any]"
#: Makes a dependency's value, or an awaitable of it.
Opener: TypeAlias = "Callable[[Context, Keep], Any]"
#: Makes a dependency's value, and is always awaited.
AsyncOpener: TypeAlias = "Callable[[Context, Keep], Awaitable[Any]]"


class ConnectionScope:
    """
    The connection-scoped values of one client in one namespace.

    A value that has to be closed is opened and closed by the same task, or thread, and in the same context, so it may
    hold a task group of anyio or set a context variable. It is closed when the connection has ended and every event
    that uses it is over.
    """

    __slots__ = ("handshake",)

    def __init__(self) -> None:
        self.handshake: Handshake | None = None

    if TYPE_CHECKING:  # the subclass for asyncio has resolve and aclose, that for threads resolve and close

        def resolve(self, context: Context, key: Hashable, opener: Any, *, opens: bool) -> Any:
            """
            Return the value of *key*, with asyncio an awaitable of it; the first event that asks for it makes it.

            Events that ask at the same time wait for that one. If it fails, the next one makes the value. The value
            stays open at least until *context* is closed; *opens* tells whether it may have to be closed.
            """

        async def aclose(self) -> None:
            """End the scope: wait until no event uses a value any more, then close all, the last opened first."""

        def close(self) -> None:
            """Do what :meth:`aclose` does, for threads."""


def unwind(managers: Iterable[Any], exc: BaseException | None = None) -> None:
    """
    Leave synchronous managers, the last entered first, throwing *exc* into them; raise the last error of their own.

    Unlike in an exit stack, a manager that swallows the exception does not hide it from the others: the event has
    failed for all of them. (A transaction must not be committed because a logger inside of it swallowed the exception.)
    """
    failure: BaseException | None = None
    for manager in reversed(list(managers)):
        try:
            manager.__exit__(*_triple(failure or exc))
        except BaseException as error:  # noqa: BLE001 - the others must be closed first; raised again below
            failure = failure if error is exc else error
    if failure is not None:
        raise failure


async def unwind_async(managers: Iterable[Manager], exc: BaseException | None = None) -> None:
    """Leave managers, synchronous and asynchronous ones, as :func:`unwind` does."""
    failure: BaseException | None = None
    for manager in reversed(list(managers)):
        try:
            if isinstance(manager, AbstractAsyncContextManager):
                await manager.__aexit__(*_triple(failure or exc))
            else:
                manager.__exit__(*_triple(failure or exc))
        except BaseException as error:  # noqa: BLE001 - the others must be closed first; raised again below
            failure = failure if error is exc else error
    if failure is not None:
        raise failure


def _triple(exc: BaseException | None) -> tuple[Any, Any, Any]:
    return (None, None, None) if exc is None else (type(exc), exc, exc.__traceback__)


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
        """The values that live as long as the connection."""
        ...


class Context:
    """
    One event, from its arrival to after its acknowledgement.

    Endpoints that run for the same event (middleware, handler, exception handler) share one context, and with it
    what their dependencies resolved. The caller that builds it must close it, by :meth:`aclose` or :meth:`close`, after
    the acknowledgement has been sent, with the exception that ended the event if one did.

    Args:
        server: The server, or the client whose handlers run; its ``dependency_overrides`` are honoured, and those of
            its ``host_app``.
        client: The client the event came from; in a client program, the client itself in the event's namespace.
        args: The payload arguments; for ``connect`` it is ``(auth,)``.
        reason: Why the client left, for ``disconnect``.
        exc: The exception being handled, for exception handlers.
        named: What a hook receives by keyword.

    Attributes:
        room: The room that a hook of its class is about; set before such a hook is called.
    """

    room: Any
    __slots__ = ("args", "brief", "client", "event", "exc", "named", "reason", "room", "server", "stack", "values")

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
        #: The managers that are closed when the endpoint that runs has returned.
        self.brief: list[Manager] | None = None

    def keep(self, manager: Manager) -> None:
        """Store an entered context manager, to be closed when the event is over."""
        if self.stack is None:
            self.stack = []
        self.stack.append(manager)

    def keep_briefly(self, manager: Manager) -> None:
        """Store an entered context manager, to be closed when the endpoint that runs has returned."""
        if self.brief is None:
            self.brief = []
        self.brief.append(manager)

    async def aclose(self, exc: BaseException | None = None) -> None:
        """
        Run what follows the ``yield`` of every dependency of this event, the last opened first.

        *exc*, cancellation included, is thrown into each; what one raises itself is raised after all are closed.
        """
        stack = self.stack
        if stack is not None:
            self.stack = None
            await unwind_async(stack, exc)

    async def arun(self, call: Callable[[Context], Awaitable[Any]]) -> Any:
        """Run an endpoint for this event, close the context, and return the endpoint's result."""
        try:
            result = await call(self)
        except BaseException as exc:
            await self.aclose(exc)
            raise
        await self.aclose()
        return result

    async def afail(self, exc: Exception) -> Exception:
        """
        Close what dependencies opened, with the exception that ended the event, before the client is answered.

        Return the exception to answer with: one that a dependency raised in place of *exc*, or *exc*.
        """
        try:
            await self.aclose(exc)
        except Exception as raised:  # noqa: BLE001 - it is the failure of the event now
            return raised
        return exc

    def fail(self, exc: Exception) -> Exception:
        """Do what :meth:`afail` does, for a server without an event loop."""
        try:
            self.close(exc)
        except Exception as raised:  # noqa: BLE001 - as above
            return raised
        return exc

    def close(self, exc: BaseException | None = None) -> None:
        """Do what :meth:`aclose` does, for a server without an event loop."""
        stack = self.stack
        if stack is not None:
            self.stack = None
            unwind(stack, exc)


class Opening:
    """
    The dependencies that one endpoint opens while it runs for an event.

    An endpoint that fails closes all that it opened, so its dependencies see the exception, and may raise another one
    in its place, before middleware and exception handlers see it and the client is answered. One that returns closes
    only the dependencies that live as long as the call: those of *brief_keys*.
    """

    __slots__ = ("_before", "_brief_keys", "_context", "_known", "_mark")

    def __init__(self, context: Context, brief_keys: tuple[Hashable, ...]) -> None:
        self._context = context
        self._brief_keys = brief_keys
        self._mark = len(context.stack or ())
        self._known = set(context.values)
        self._before, context.brief = context.brief, None

    def end_brief(self) -> list[Manager]:
        """Return the managers to close when the endpoint has returned: those that live as long as the call."""
        context = self._context
        managers, context.brief = context.brief, self._before
        for key in self._brief_keys:
            if key not in self._known:
                context.values.pop(key, None)
        self._brief_keys = ()
        return managers or []

    def end(self) -> list[Manager]:
        """Return the managers to close when the endpoint has failed: all that were opened."""
        context = self._context
        brief = [] if context.brief is self._before else self.end_brief()
        opened: list[Manager] = []
        if context.stack is not None:
            opened = context.stack[self._mark :]
            context.stack = context.stack[: self._mark] or None
        # The values may use what is closed now; an exception handler that asks for one of them gets a new one.
        for key in context.values.keys() - self._known:
            del context.values[key]
        return [*opened, *brief]


def handshake_of(client: ClientView) -> Handshake:
    """Return the handshake of a client, parsed at most once per connection."""
    store = client.scope_store
    if store.handshake is None:
        store.handshake = Handshake(client.environ)
    return store.handshake
