"""
One route: how a registered handler is called for an event.

Everything that can be decided before an event arrives is decided in :func:`build_route`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from fastsio.exceptions import SignatureError
from fastsio.injection import Endpoint, HandlerKind
from fastsio.routing.middleware import Wrapper, fold, run_through

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from fastsio.injection import Context
    from fastsio.routing.registration import RouterScope


@dataclass(frozen=True, slots=True)
class Guard:
    """
    Decides about an event before its handler, if it has one, is called.

    Args:
        decide: Called with the context and the function that calls the handler, or None; awaited if the server awaits.
        arrival: Returns a context manager for the event's context. It is entered as soon as the event has arrived,
            before all middleware, and left when the event has been handled. None if the guard needs none.
    """

    decide: Callable[[Context, Callable[[Context], Any] | None], Any]
    arrival: Callable[[Context], AbstractContextManager[None]] | None = None


@dataclass(slots=True, eq=False, repr=False)
class Route:
    """
    A handler ready to be called.

    Attributes:
        prefix: The names of the arguments that a catch-all handler gets first: ``event``, ``namespace`` or both.
        is_plain: True when nothing stands around the handler and it has no marker: it is called as
            ``handler(*leading, sid, *args)``, exactly as python-socketio does.
        call: Runs the handler with everything around it; awaited unless the server has no event loop.
        call_handler: Runs the handler without middleware; awaited in the same way.
        scopes: The routers around it, innermost first.
        is_silent: Whether its failure is left without an answer, as that of a plain handler is in python-socketio.
        within: The route that calls the application's own dispatcher, after :meth:`through` has made it.
    """

    endpoint: Endpoint
    call: Callable[[Context], Any]
    prefix: tuple[str, ...]
    scopes: tuple[RouterScope, ...]
    is_plain: bool = field(kw_only=True)
    handler: Callable[..., Any] = field(init=False)
    is_coroutine: bool = field(init=False)
    call_handler: Callable[[Context], Any] = field(init=False)
    is_silent: bool = field(init=False)
    within: Route | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.handler, self.is_coroutine = self.endpoint.handler, self.endpoint.is_coroutine
        self.call_handler, self.is_silent = self.call, self.is_plain

    def through(self, call: Callable[[Context], Any]) -> Route:
        """Return a route that calls *call*, the application's own dispatcher, which may call this route."""
        if self.within is None:
            self.within = Route(self.endpoint, call, (), self.scopes, is_plain=False)
            self.within.is_silent = self.is_silent
        return self.within

    def accepts(self, count: int) -> bool:
        """Tell whether the handler, which is plain, can be called for an event with that many arguments."""
        return self.endpoint.accepts(len(self.prefix) + count)


def build_route(
    endpoint: Endpoint,
    prefix: tuple[str, ...],
    wrappers: tuple[Wrapper, ...],
    scopes: tuple[RouterScope, ...] = (),
    *,
    asynchronous: bool = True,
) -> Route:
    """Return the route of *endpoint* with *wrappers* around it; its call is awaited if the server awaits."""
    is_plain = endpoint.plain and not wrappers and endpoint.kind in _EVENT_KINDS
    call = fold(wrappers, endpoint.call) if asynchronous else _fold_sync(wrappers, endpoint)
    route = Route(endpoint, call, prefix, scopes, is_plain=is_plain)
    route.call_handler = endpoint.call if asynchronous else endpoint.call_sync
    return route


def _fold_sync(wrappers: tuple[Wrapper, ...], endpoint: Endpoint) -> Callable[[Context], Any]:
    if not wrappers:
        return endpoint.call_sync

    async def innermost(context: Context) -> Any:
        return endpoint.call_sync(context)

    return run_through(fold(wrappers, innermost))


def build_guarded_route(
    guard: Guard,
    stand_in: Endpoint,
    checks: tuple[Endpoint, ...],
    inner: Route | None,
    wrappers: tuple[Wrapper, ...],
    scopes: tuple[RouterScope, ...],
    *,
    asynchronous: bool,
) -> Route:
    """Return the route of an event that a guard decides about; *inner* is the application's own handler of it."""
    own = None if inner is None else inner.call

    def decided(context: Context) -> Any:
        return guard.decide(context, own)

    # Each runs inside the one before: what a router's dependencies open is closed after the guard and the handler.
    for check in reversed(checks):
        decided = partial(check.call if asynchronous else check.call_sync, within=decided)

    async def guarded(context: Context) -> Any:
        return await decided(context) if asynchronous else decided(context)

    call = fold(wrappers, guarded)
    if not asynchronous:
        call = run_through(call)
    if guard.arrival is not None:
        call = _arriving(guard.arrival, call) if asynchronous else _arriving_sync(guard.arrival, call)
    return Route(stand_in, call, (), scopes, is_plain=False)


def _arriving(
    arrival: Callable[[Context], AbstractContextManager[None]], call: Callable[[Context], Any]
) -> Callable[[Context], Any]:
    async def arriving(context: Context) -> Any:
        with arrival(context):
            return await call(context)

    return arriving


def _arriving_sync(
    arrival: Callable[[Context], AbstractContextManager[None]], call: Callable[[Context], Any]
) -> Callable[[Context], Any]:
    def arriving(context: Context) -> Any:
        with arrival(context):
            return call(context)

    return arriving


def leading_arguments(prefix: tuple[str, ...], event: str, namespace: str) -> tuple[str, ...]:
    """Return the arguments that a handler gets before the sid: the event or the namespace, as *prefix* says."""
    return tuple(event if name == "event" else namespace for name in prefix)


_EVENT_KINDS: Final = {HandlerKind.EVENT, HandlerKind.CLIENT_EVENT}

#: How python-socketio calls the handlers of built-in events: with at most how many arguments, and with which.
_FORMS: Final = {
    HandlerKind.CONNECT: (3, "sid, environ[, auth]"),
    HandlerKind.DISCONNECT: (2, "sid[, reason]"),
    HandlerKind.CLIENT_CONNECT: (0, ""),
    HandlerKind.CLIENT_DISCONNECT: (1, "[reason]"),
}


def check_arity(endpoint: Endpoint, prefix: tuple[str, ...]) -> None:
    """Raise SignatureError if a connect or disconnect handler without markers cannot be called."""
    if not endpoint.plain or endpoint.kind not in _FORMS:
        return
    most, form = _FORMS[endpoint.kind]
    most += len(prefix)
    if not (endpoint.accepts(most) or endpoint.accepts(most - 1)):
        names = ", ".join(filter(None, (*prefix, form)))
        raise SignatureError(f"{endpoint.label}: a {endpoint.kind.value} handler is called with ({names}); take these")
