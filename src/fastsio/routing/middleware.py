"""
Middleware: an onion around an endpoint, folded once per route.

This module knows hooks, their scopes and their order, and must not know packets. All of it is written as coroutines,
which wait only for hooks and endpoints that are coroutines themselves; so a server without an event loop can run them
to their end.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import isawaitable
from itertools import chain
from types import SimpleNamespace
from typing import Any, Final

from fastsio.exceptions import SetupError
from fastsio.injection import ClientView, Context, Endpoint, HandlerKind, compile_endpoint
from fastsio.injection.signature import Colour, colour_of, name_of
from fastsio.injection.sources import payload_of
from fastsio.routing.namespaces import check_namespace
from fastsio.routing.slips import did_you_mean, misspelt_methods

#: Runs an endpoint, and the hooks of the middlewares around it, for one event.
Call = Callable[[Context], Awaitable[Any]]

#: What every hook may take by keyword.
_OFFERED: Final = ("event", "sid", "data", "namespace", "environ", "auth", "server")


class BaseMiddleware:
    """
    What runs around the handlers of events.

    Override any of the hooks; each may take ``namespace``, ``environ``, ``auth`` and ``server`` by keyword, or
    ``**kwargs``, and may be a plain function.

    Args:
        events: Names of the events to run for; None and ``"*"`` are all.
        namespace: The namespace to run for; None and ``"*"`` are all.
        global_middleware: False limits a middleware without a namespace to ``/``.

    Raises:
        SetupError: The namespace has no slash in front.
    """

    def __init__(
        self,
        events: Iterable[str] | str | None = None,
        namespace: str | None = None,
        global_middleware: bool = True,
    ) -> None:
        self.events = _event_names(events)
        self.namespace = namespace if namespace is None else check_namespace(namespace)
        self.global_middleware = global_middleware

    def should_run(self, event: str, namespace: str | None = None) -> bool:
        """
        Whether *event* in *namespace* is in the middleware's own scope.

        An override of this method is called for each event and decides in place of the events and the namespace that
        the middleware was made with.
        """
        return Scope.own(self).holds(event, namespace or "/")

    async def before_event(self, event: str, sid: str, data: Any, **kwargs: Any) -> Any:
        """
        Run before the handler.

        Returns:
            The data that the handler sees; None leaves it as it is.
        """
        return data

    async def after_event(self, event: str, sid: str, response: Any, **kwargs: Any) -> Any:
        """
        Run after the handler.

        Returns:
            What the client gets as acknowledgement; None leaves the handler's answer.
        """
        return response

    async def handle_exception(self, exc: Exception, event: str, sid: str, data: Any, **kwargs: Any) -> Any:
        """
        Run when a hook or handler further in raised *exc*.

        Returns:
            The answer to give instead. Raise to pass the failure on.
        """
        raise exc

    async def __call__(self, event: str, sid: str, data: Any, handler: Callable[..., Any], **kwargs: Any) -> Any:
        """
        Run the whole middleware; override it to do without the hooks.

        Args:
            event: The event's name.
            sid: The client.
            data: The payload: one value, a tuple of several, or None.
            handler: ``await handler(sid, data)`` runs what is further in; so does ``handler(data, **kwargs)``.
            kwargs: The context named above.
        """
        wrapper = Wrapper.of(self, around=False)

        async def inner(context: Context) -> Any:
            result = handler(sid, payload_of(context))
            return await result if isawaitable(result) else result

        return await wrapper.wrap(inner)(detached_context(event, sid, data, **kwargs))


class SyncMiddleware(BaseMiddleware):
    """A middleware whose hooks are plain functions; it serves both kinds of server."""

    def before_event(self, event: str, sid: str, data: Any, **kwargs: Any) -> Any:
        """Run before the handler; what is returned, unless None, replaces the data."""
        return data

    def after_event(self, event: str, sid: str, response: Any, **kwargs: Any) -> Any:
        """Run after the handler; what is returned, unless None, replaces the answer."""
        return response

    def handle_exception(self, exc: Exception, event: str, sid: str, data: Any, **kwargs: Any) -> Any:
        """Run when something further in raised *exc*; return the answer to give instead."""
        raise exc


@dataclass(frozen=True, slots=True)
class Scope:
    """The events and the namespace that a middleware runs for, as it was registered; None is all."""

    events: frozenset[str] | None = None
    namespace: str | None = None

    @classmethod
    def of(
        cls,
        middleware: Any,
        events: Iterable[str] | str | None = None,
        namespace: str | None = None,
        global_middleware: bool = False,
    ) -> Scope:
        """Return the scope of a registration: its own arguments first, then the attributes of the middleware."""
        if global_middleware:
            return cls()
        own = cls() if _decides_itself(middleware) else cls.own(middleware)
        place = own.namespace if namespace is None else check_namespace(namespace)
        return cls(own.events if events is None else _event_names(events), None if place == "*" else place)

    @classmethod
    def own(cls, middleware: Any) -> Scope:
        """Return the scope that a middleware's attributes ``events`` and ``namespace`` describe."""
        namespace = getattr(middleware, "namespace", None)
        if namespace is None and not getattr(middleware, "global_middleware", True):
            namespace = "/"
        if namespace is not None:
            namespace = check_namespace(namespace)
        return cls(_event_names(getattr(middleware, "events", None)), None if namespace == "*" else namespace)

    def holds(self, event: str, namespace: str) -> bool:
        """Whether *event* in *namespace* is in the scope."""
        return (self.events is None or event in self.events) and (self.namespace is None or namespace == self.namespace)


class Hook:
    """A function of a middleware, compiled like a handler; *extra* is what it may take beside the event's context."""

    __slots__ = ("asynchronous", "endpoint")

    def __init__(self, function: Callable[..., Any], *extra: str, asynchronous: bool = True) -> None:
        self.asynchronous = asynchronous
        self.endpoint = compile_endpoint(
            function,
            kind=HandlerKind.HOOK,
            label=name_of(function),
            prefix=(*_OFFERED, *extra),
            asynchronous=asynchronous,
        )

    async def run(self, context: Context, **extra: Any) -> Any:
        """Call the hook with those values of the event's context and of *extra* that its parameters name."""
        client = context.client
        context.named = {
            "event": context.event,
            "sid": client.sid,
            "data": payload_of(context),
            "namespace": client.namespace,
            "environ": client.environ,
            "auth": client.auth,
            "server": context.server,
            **extra,
        }
        return await self.endpoint.call(context) if self.asynchronous else self.endpoint.call_sync(context)


#: The hooks, and what each is given beside the event's context.
_HOOKS: Final[dict[str, tuple[str, ...]]] = {
    "before_event": (),
    "after_event": ("response",),
    "handle_exception": ("exc",),
}


@dataclass(frozen=True, slots=True)
class Wrapper:
    """The hooks of one middleware that do something."""

    before: Hook | None = None
    after: Hook | None = None
    on_error: Hook | None = None
    around: Hook | None = None
    #: The middleware, for messages.
    middleware: Any = field(default=None, compare=False)
    #: Called for each event to decide whether the hooks run; None where the scope decides.
    decide: Callable[[str, str], Any] | None = None

    @classmethod
    def of(cls, middleware: Any, *, around: bool = True, asynchronous: bool = True) -> Wrapper:
        """
        Return the compiled hooks of a middleware; *around*: whether a ``__call__`` of its own counts.

        Raises:
            SetupError: It has none of the hooks and cannot be called, is a class, or has a method whose name is nearly
                that of a hook.
            SignatureError: A parameter of a hook cannot be filled, or a hook is a coroutine function and the server
                does not await.
        """
        if isinstance(middleware, type):
            raise SetupError(f"{middleware.__name__} is a class; add an object, {middleware.__name__}()")
        if around:
            _refuse_slips(middleware)
        decide = middleware.should_run if around and _decides_itself(middleware) else None
        if decide is not None and colour_of(decide) is not Colour.PLAIN:
            raise SetupError(f"{name_of(decide)} is not awaited; write 'def should_run'")
        if around and _overrides(middleware, "__call__"):
            whole = Hook(_called(middleware, asynchronous=asynchronous), "handler", asynchronous=asynchronous)
            return cls(around=whole, middleware=middleware, decide=decide)
        hooks = [
            Hook(getattr(middleware, name), *extra, asynchronous=asynchronous) if _overrides(middleware, name) else None
            for name, extra in _HOOKS.items()
        ]
        if around and not any(hooks) and type(middleware) not in (BaseMiddleware, SyncMiddleware):
            what = "has no hook of its own" if isinstance(middleware, BaseMiddleware) else "is not a middleware"
            raise SetupError(f"{middleware!r} {what}; give it before_event, after_event, handle_exception or __call__")
        before, after, on_error = hooks
        return cls(before, after, on_error, middleware=middleware, decide=decide)

    @property
    def label(self) -> str:
        """The name of the middleware in messages."""
        return name_of(self.middleware)

    def endpoints(self) -> list[Endpoint]:
        """Return the hooks, compiled."""
        return [hook.endpoint for hook in (self.before, self.after, self.on_error, self.around) if hook is not None]

    def wrap(self, inner: Call) -> Call:
        """Return a call of *inner* with the hooks before, after or around it."""
        if self.around is not None:
            call = _wrap_around(self.around, inner)
        else:
            call = _wrap_hooks(self.before, self.after, inner) if self.before or self.after else inner
            call = _wrap_errors(self.on_error, call) if self.on_error else call
        return call if self.decide is None else _wrap_decision(self.decide, call, inner)


def unreached(
    wrappers: Iterable[tuple[Scope, Wrapper]], handled: Mapping[str, Collection[str]], always: Collection[str] = ()
) -> list[str]:
    """
    Return a sentence for each event that a middleware is for and that has no handler: there it never runs.

    Args:
        wrappers: The middlewares, each with the scope of its registration.
        handled: Namespace -> the events that have handlers there. ``"*"`` is every namespace, and every event.
        always: The events that middlewares run for with a handler or without.
    """
    found = []
    for label, scope in chain.from_iterable(_parts_of(wrapper.middleware, own) for own, wrapper in wrappers):
        events = {event for place, events in handled.items() if _may_be(place, scope.namespace) for event in events}
        if "*" in events or scope.events is None:
            continue
        where = "" if scope.namespace is None else f" in {scope.namespace!r}"
        for event in sorted(scope.events.difference(events, always), key=str):
            hint = did_you_mean(event, {*events, *always})
            found.append(f"{label} is for the event {event!r}, which has no handler{where}: it never runs for it{hint}")
    return found


def _parts_of(middleware: Any, scope: Scope) -> Iterator[tuple[str, Scope]]:
    """Yield the name and the scope of a middleware, or of each one in a chain."""
    if isinstance(middleware, MiddlewareChain):
        for one in middleware.members():
            yield from _parts_of(one, Scope.of(one))
    else:
        yield name_of(middleware), scope


def _may_be(place: str, namespace: str | None) -> bool:
    return namespace is None or place in (namespace, "*")


def fold(middlewares: Sequence[Wrapper], endpoint: Call) -> Call:
    """Wrap *endpoint* so that the first middleware is the outermost: A, B, endpoint, B, A."""
    for wrapper in reversed(middlewares):
        endpoint = wrapper.wrap(endpoint)
    return endpoint


def run_through(call: Call) -> Callable[[Context], Any]:
    """
    Return a plain function that runs the coroutine of *call* to its end, for a server without an event loop.

    It raises RuntimeError when a hook has to wait.
    """

    def run(context: Context) -> Any:
        coroutine: Any = call(context)
        try:
            coroutine.send(None)
        except StopIteration as end:
            return end.value
        coroutine.close()
        raise RuntimeError(
            f"a middleware of {context.event!r} waits for a coroutine; a sync server cannot, use SyncMiddleware"
        )

    return run


def replace_data(context: Context, data: Any) -> None:
    """Put *data*, as a hook returned it, in the place of the payload."""
    several = isinstance(data, tuple) and len(context.args) != 1
    context.args = data if several else (data,)


def _wrap_hooks(before: Hook | None, after: Hook | None, inner: Call) -> Call:
    async def run(context: Context) -> Any:
        if before is not None:
            data = await before.run(context)
            if data is not None:
                replace_data(context, data)
        response = await inner(context)
        if after is not None:
            answer = await after.run(context, response=response)
            return response if answer is None else answer
        return response

    return run


def _wrap_errors(on_error: Hook, inner: Call) -> Call:
    async def run(context: Context) -> Any:
        try:
            return await inner(context)
        except Exception as exc:  # noqa: BLE001 - the hook decides; it may raise the exception again
            return await on_error.run(context, exc=exc)

    return run


def _wrap_around(around: Hook, inner: Call) -> Call:
    # On a sync server the handler that a middleware calls returns the answer, not a coroutine.
    call: Callable[[Context], Any] = inner if around.asynchronous else run_through(inner)

    async def run(context: Context) -> Any:
        def handler(*args: Any, data: Any = None, **_context: Any) -> Any:
            # Called as handler(sid, data), or as handler(data, **context). The sid cannot be replaced.
            first, *more = args or (context.client.sid,)
            if more:
                data = more[0]
            elif first != context.client.sid:
                data = first
            if data is not None:
                replace_data(context, data)
            return call(context)

        answer = await around.run(context, handler=handler)
        return await answer if isawaitable(answer) else answer

    return run


def _wrap_decision(decide: Callable[[str, str], Any], whole: Call, inner: Call) -> Call:
    async def run(context: Context) -> Any:
        return await (whole if decide(context.event, context.client.namespace) else inner)(context)

    return run


def event_context(server: Any, client: ClientView, event: str, args: Sequence[Any]) -> Context:
    """Return the context of an event from the positional arguments its handler gets after the sid."""
    match event:
        case "connect":
            return Context(server, client, event, (client.auth,))
        case "disconnect":
            return Context(server, client, event, (), args[0] if args else None)
        case _:
            return Context(server, client, event, tuple(args))


def detached_context(
    event: str,
    sid: str,
    data: Any,
    *,
    namespace: str | None = None,
    environ: dict[str, Any] | None = None,
    auth: Any = None,
    server: Any = None,
    **_: Any,
) -> Context:
    """Build the context of an event that no server dispatched."""
    facts = {"sid": sid, "namespace": namespace or "/", "environ": environ or {}, "auth": auth}
    client: Any = SimpleNamespace(**facts, session={}, scope_store=None)
    args = data if isinstance(data, tuple) else () if data is None else (data,)
    return Context(server, client, event, args)


class MiddlewareChain(BaseMiddleware):
    """Several middlewares as one, to be run by hand or added to a server."""

    def __init__(self) -> None:
        super().__init__()
        #: Whether the server awaits -> the middlewares, compiled for that kind of server.
        self._wrappers: dict[bool, list[Wrapper]] = {True: []}

    def add_middleware(self, middleware: Any) -> None:
        """
        Add *middleware* inside of those already there.

        Raises:
            SetupError: It is not a middleware, or not one for the servers that the chain is on.
        """
        compiled = {kind: Wrapper.of(middleware, asynchronous=kind) for kind in self._wrappers}
        for kind, wrapper in compiled.items():
            self._wrappers[kind].append(wrapper)

    def members(self) -> list[Any]:
        """Return the middlewares in the order they were added."""
        return [wrapper.middleware for wrapper in self._wrappers[True]]

    def remove_middleware(self, middleware: Any) -> None:
        """Remove *middleware*; one that is not there is ignored."""
        for wrappers in self._wrappers.values():
            wrappers[:] = [wrapper for wrapper in wrappers if wrapper.middleware is not middleware]

    def compile_for(self, *, asynchronous: bool) -> None:
        """
        Compile the middlewares, those added later included, for one more kind of server.

        Raises:
            SignatureError: A hook is a coroutine function, and the server does not await.
        """
        if asynchronous not in self._wrappers:
            self._wrappers[asynchronous] = [Wrapper.of(one, asynchronous=asynchronous) for one in self.members()]

    async def execute(self, event: str, sid: str, data: Any, handler: Callable[..., Any], **context: Any) -> Any:
        """
        Run *handler* for an event, with every middleware that has the event in its scope around it.

        Args:
            event: The event's name.
            sid: The client.
            data: The payload: one value, a tuple of several, or None.
            handler: A coroutine function or function ``(sid, data)``.
            context: ``namespace``, ``environ``, ``auth``, ``server`` for the hooks.

        Returns:
            The answer of the handler, or what a middleware made of it.
        """

        async def endpoint(inner: Context) -> Any:
            result = handler(sid, payload_of(inner))
            return await result if isawaitable(result) else result

        call = self._fold(event, context.get("namespace"), endpoint, asynchronous=True)
        return await call(detached_context(event, sid, data, **context))

    def execute_sync(self, event: str, sid: str, data: Any, handler: Callable[..., Any], **context: Any) -> Any:
        """
        Do what :meth:`execute` does, without an event loop.

        Raises:
            SignatureError: A hook is a coroutine function.
        """
        self.compile_for(asynchronous=False)

        async def endpoint(inner: Context) -> Any:
            return handler(sid, payload_of(inner))

        call = self._fold(event, context.get("namespace"), endpoint, asynchronous=False)
        return run_through(call)(detached_context(event, sid, data, **context))

    def _fold(self, event: str, namespace: str | None, endpoint: Call, *, asynchronous: bool) -> Call:
        wrappers = self._wrappers[asynchronous]
        return fold([one for one in wrappers if Scope.of(one.middleware).holds(event, namespace or "/")], endpoint)

    async def __call__(self, event: str, sid: str, data: Any, handler: Callable[..., Any], **kwargs: Any) -> Any:
        """Run the chain around *handler*."""
        return await self.execute(event, sid, data, handler, **kwargs)


def _event_names(events: Iterable[str] | str | None) -> frozenset[str] | None:
    """Return the names as a set; None, which stands for all events, if ``"*"`` is among them."""
    names = None if events is None else frozenset((events,) if isinstance(events, str) else events)
    return None if names is None or "*" in names else names


def _overrides(middleware: Any, name: str) -> bool:
    """Whether *middleware* has a hook of its own rather than that of the base classes."""
    if name == "__call__" and not isinstance(middleware, BaseMiddleware):
        return callable(middleware) and not hasattr(middleware, "before_event")
    found = getattr(middleware if name in getattr(middleware, "__dict__", {}) else type(middleware), name, None)
    return found is not None and found not in (getattr(BaseMiddleware, name), getattr(SyncMiddleware, name))


def _called(middleware: Any, *, asynchronous: bool) -> Callable[..., Any]:
    """Return the function that runs a whole middleware; a chain has one for each kind of server."""
    if not isinstance(middleware, MiddlewareChain) or type(middleware).__call__ is not MiddlewareChain.__call__:
        return middleware  # type: ignore[no-any-return] # it can be called
    middleware.compile_for(asynchronous=asynchronous)
    return middleware.execute if asynchronous else middleware.execute_sync


def _refuse_slips(middleware: Any) -> None:
    """Raise SetupError if a method has nearly the name of a hook: it would never run."""
    for name, hook in misspelt_methods(type(middleware), (*_HOOKS, "should_run")).items():
        where = f"{type(middleware).__qualname__}.{name}"
        raise SetupError(f"{where} is no hook and would never run; did you mean {hook!r}?")


def _decides_itself(middleware: Any) -> bool:
    """Whether a middleware overrides ``should_run``; in a class of another base the method may mean something else."""
    return isinstance(middleware, BaseMiddleware) and _overrides(middleware, "should_run")
