"""
One route: how a registered handler is called for an event.

Everything that can be decided before an event arrives is decided in :func:`build_route`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.exceptions import SignatureError
from fastsio.injection import Context, Endpoint, HandlerKind
from fastsio.routing.middleware import Call, Layer, fold

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastsio.routing.registrar import RouterScope


class Route:
    """
    A handler ready to be called.

    Attributes:
        handler: The function itself.
        prefix: What a catch-all handler gets first: names out of ``event`` and ``namespace``.
        is_plain: True when nothing stands around the handler and it has no marker: it is called as
            ``handler(*leading, sid, *args)``, exactly as python-socketio does.
        is_coroutine: Whether the handler is a coroutine function.
        call: Runs the handler with everything around it.
        scopes: The routers around it, innermost first.
    """

    __slots__ = ("call", "endpoint", "handler", "is_coroutine", "is_plain", "prefix", "scopes")

    def __init__(
        self,
        endpoint: Endpoint,
        call: Call,
        prefix: tuple[str, ...],
        scopes: tuple[RouterScope, ...],
        *,
        is_plain: bool,
    ) -> None:
        self.endpoint = endpoint
        self.handler = endpoint.handler
        self.is_coroutine = endpoint.is_coroutine
        self.is_plain = is_plain
        self.call = call
        self.prefix = prefix
        self.scopes = scopes


def build_route(
    endpoint: Endpoint,
    kind: HandlerKind,
    prefix: tuple[str, ...],
    layers: tuple[Layer, ...],
    scopes: tuple[RouterScope, ...] = (),
) -> Route:
    """
    Fold *layers* around *endpoint*.

    Raises:
        SignatureError: A connect or disconnect handler takes another number of arguments than it is given.
    """
    plain = endpoint.plain
    innermost = _positional_call(endpoint, kind, prefix) if plain else endpoint.call
    is_plain = plain and not layers and kind is HandlerKind.EVENT
    return Route(endpoint, fold(layers, innermost), prefix, scopes, is_plain=is_plain)


def leading(prefix: tuple[str, ...], event: str, namespace: str) -> tuple[str, ...]:
    """Return the values that *prefix* names."""
    return tuple(event if name == "event" else namespace for name in prefix)


def _positional_call(endpoint: Endpoint, kind: HandlerKind, prefix: tuple[str, ...]) -> Call:
    handler, is_coroutine = endpoint.handler, endpoint.is_coroutine
    arguments = positional_arguments(endpoint, kind, len(prefix))

    async def call(context: Context) -> Any:
        first = leading(prefix, context.event, context.client.namespace)
        result = handler(*first, *arguments(context))
        return await result if is_coroutine else result

    return call


def positional_arguments(
    endpoint: Endpoint, kind: HandlerKind, prefix_length: int = 0
) -> Callable[[Context], tuple[Any, ...]]:
    """
    Return what builds the positional arguments of a handler without markers.

    Raises:
        SignatureError: No form of the call fits the handler's signature.
    """
    match kind:
        case HandlerKind.CONNECT:
            forms = (_connect_with_auth, _connect_without_auth)
        case HandlerKind.DISCONNECT:
            forms = (_disconnect_with_reason, _disconnect_without_reason)
        case _:
            return _event_arguments
    most = prefix_length + (3 if kind is HandlerKind.CONNECT else 2)
    for count, form in zip((most, most - 1), forms, strict=True):
        if endpoint.accepts(count):
            return form
    raise SignatureError(
        f"{endpoint.label}: a {kind.value} handler is called with {most - 1} or {most} arguments "
        f"({'sid, environ[, auth]' if kind is HandlerKind.CONNECT else 'sid[, reason]'}); write it with these"
    )


def _connect_with_auth(context: Context) -> tuple[Any, ...]:
    return (context.client.sid, context.client.environ, context.client.auth)


def _connect_without_auth(context: Context) -> tuple[Any, ...]:
    return (context.client.sid, context.client.environ)


def _disconnect_with_reason(context: Context) -> tuple[Any, ...]:
    return (context.client.sid, context.reason)


def _disconnect_without_reason(context: Context) -> tuple[Any, ...]:
    return (context.client.sid,)


def _event_arguments(context: Context) -> tuple[Any, ...]:
    return (context.client.sid, *context.args)
