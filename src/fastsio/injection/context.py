"""
What one event offers to the functions it runs, and values that last as long as a connection.

Owns the facts of the event and the values resolved so far, the interface of a connection's values, and closing what
dependencies opened: all of it, in reverse order, even when closing one part fails. Built by the shell, once per event
that needs it. Knows no transport, no server class, and neither asyncio nor threads: how a value of a connection is
opened and closed is a matter of the shell, which extends :class:`ConnectionScope`.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from fastsio.injection.handshake import Handshake

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping


#: An entered context manager of either colour.
Manager: TypeAlias = AbstractContextManager[Any, Any] | AbstractAsyncContextManager[Any, Any]
#: Where an opened dependency is remembered until it is closed.
Keep: TypeAlias = "Callable[[Manager], Any]"
#: Makes a dependency's value, or an awaitable of it.
Opener: TypeAlias = "Callable[[Context, Keep], Any]"


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


def unwind(managers: Iterable[Manager], exc: BaseException | None = None) -> None:
    """
    Leave synchronous managers, the last entered first.

    Unlike in an exit stack, a manager that swallows the exception does not hide it from the others: the event has
    failed for all of them (a transaction must not be committed because a logger below it was content).

    Args:
        managers: In the order they were entered.
        exc: What to throw into them.

    Raises:
        BaseException: The last exception that a manager raised of its own accord.
    """
    failure: BaseException | None = None
    for manager in reversed(list(managers)):
        try:
            _leave(manager, failure or exc)
        except BaseException as error:  # noqa: BLE001 - the others must be closed first; raised again below
            failure = _own(error, exc, failure)
    if failure is not None:
        raise failure


async def unwind_async(managers: Iterable[Manager], exc: BaseException | None = None) -> None:
    """Leave managers of both colours as :func:`unwind` does."""
    failure: BaseException | None = None
    for manager in reversed(list(managers)):
        try:
            if isinstance(manager, AbstractAsyncContextManager):
                await manager.__aexit__(*_triple(failure or exc))
            else:
                _leave(manager, failure or exc)
        except BaseException as error:  # noqa: BLE001 - the others must be closed first; raised again below
            failure = _own(error, exc, failure)
    if failure is not None:
        raise failure


def _leave(manager: Any, exc: BaseException | None) -> None:
    manager.__exit__(*_triple(exc))


def _triple(exc: BaseException | None) -> tuple[Any, Any, Any]:
    return (None, None, None) if exc is None else (type(exc), exc, exc.__traceback__)


def _own(error: BaseException, thrown: BaseException | None, failure: BaseException | None) -> BaseException | None:
    """Tell a failure of a dependency from the thrown exception, which most of them let through."""
    return failure if error is thrown else error


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
    what their dependencies resolved. The caller that builds it must close it, by :meth:`aclose` or :meth:`close`, after
    the acknowledgement has been sent, with the exception that ended the event if one did.

    Args:
        server: The server, or the client whose handlers run; its ``dependency_overrides`` are honoured, and those of
            its ``host_app``.
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
        #: Those that are closed when the endpoint that runs has returned.
        self.brief: list[Manager] | None = None

    def keep(self, manager: Manager) -> None:
        """Remember an entered context manager until the event is over."""
        if self.stack is None:
            self.stack = []
        self.stack.append(manager)

    def keep_briefly(self, manager: Manager) -> None:
        """Remember an entered context manager until the endpoint that runs has returned."""
        if self.brief is None:
            self.brief = []
        self.brief.append(manager)

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

    async def afail(self, exc: Exception) -> Exception:
        """
        Close what dependencies opened, with the exception that ended the event, before the client is answered.

        Returns:
            What the client is answered for: an exception that a dependency raised in place of *exc*, or *exc*.
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
    What one endpoint opens while it runs for an event.

    An endpoint that fails closes what it opened, so that its dependencies see the exception, and may raise another
    one in its place, before middleware, exception handlers and the client do. One that returns closes only what lives
    as long as the call.

    Args:
        context: The event.
        brief_keys: Where the values are stored that live as long as the call.
    """

    __slots__ = ("_before", "_brief_keys", "_context", "_known", "_mark")

    def __init__(self, context: Context, brief_keys: tuple[Hashable, ...]) -> None:
        self._context = context
        self._brief_keys = brief_keys
        self._mark = len(context.stack or ())
        self._known = set(context.values)
        self._before, context.brief = context.brief, None

    async def finish(self) -> None:
        """
        Close what lives as long as the call.

        Raises:
            BaseException: What a dependency raised while it was closed.
        """
        await unwind_async(self._end_brief())

    def finish_sync(self) -> None:
        """Do what :meth:`finish` does, for a server without an event loop."""
        unwind(self._end_brief())

    async def fail(self, exc: BaseException) -> None:
        """
        Close everything that was opened, with the exception that ended the call.

        Raises:
            BaseException: What a dependency raised in place of *exc*.
        """
        await unwind_async(self._end(), exc)

    def fail_sync(self, exc: BaseException) -> None:
        """Do what :meth:`fail` does, for a server without an event loop."""
        unwind(self._end(), exc)

    def _end_brief(self) -> list[Manager]:
        context = self._context
        managers, context.brief = context.brief, self._before
        for key in self._brief_keys:
            if key not in self._known:
                context.values.pop(key, None)
        self._brief_keys = ()
        return managers or []

    def _end(self) -> list[Manager]:
        context = self._context
        brief = [] if context.brief is self._before else self._end_brief()
        opened: list[Manager] = []
        if context.stack is not None:
            opened = context.stack[self._mark :]
            context.stack = context.stack[: self._mark] or None
        # They may hold what is closed now; an exception handler that asks for one of them is given a new one.
        for key in context.values.keys() - self._known:
            del context.values[key]
        return [*opened, *brief]


def handshake_of(client: ClientView) -> Handshake:
    """Return the handshake of a client, parsed at most once per connection."""
    store = client.scope_store
    if store.handshake is None:
        store.handshake = Handshake(client.environ)
    return store.handshake
