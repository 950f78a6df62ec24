"""
The endpoint compiler: makes a plan of a function, once, at registration.

**Two modes.** A function without any marker is a python-socketio handler. It is called by position, with exactly what
python-socketio passes, and injection does not slow it down: its endpoint is *plain*. One marker anywhere in the
signature switches the whole function to injection. Markers are the annotations of :mod:`fastsio.types`, ``Depends``,
``Header``, ``Cookie`` and ``Query`` (ours and FastAPI's), a server class, Starlette's ``Request`` and
``HTTPConnection``, and an annotation with a pydantic model in it. ``dict``, ``int``, a dataclass or a TypedDict are not
markers, because handlers written for python-socketio have them too.

**What a parameter gets in marker mode.** In the order of the signature:

1. A marker is filled from the event. The wire slot it stands for (``SocketID``: the sid) leaves the positional list.
2. An un-annotated parameter takes the next wire slot that is left, then the next payload argument. So does one that is
   annotated, but has the name of the next slot (``sid: str``). After the first payload argument no slot is taken.
3. Any other annotated parameter takes the next payload argument, validated.
4. ``*args`` takes the payload arguments that remain, as they came; ``**kwargs`` nothing. Surplus arguments are dropped.

For a payload argument that was not sent, the parameter gets its default, or None if the annotation admits None;
otherwise :class:`~fastsio.exceptions.ValidationFailed` is raised.

**Dependencies** follow FastAPI's rules instead of 2 and 3: a scalar is a query parameter of the handshake, a
structured type is the payload. They are flattened into steps in the order they must run; all uses of one dependency
share a step unless ``use_cache=False``. Dependencies run before the payload is validated, so a client that is not
allowed to ask learns nothing of the schema.

**Handlers of clients** are called without a sid, and have no environ, auth, session or handshake.

**Hooks** of middleware get their context by keyword, filtered to the names in their signature. Those of rooms get the
session and the payload: see :mod:`fastsio.base.rooms`.

**Forward references** that do not resolve yet leave the endpoint *pending*; it is compiled on its first call. A name
that does not exist then either, because it is imported for type checkers only, is ignored in a function without markers
and an error in one with markers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import wraps
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from fastsio.exceptions import SignatureError
from fastsio.injection import fastapi_markers
from fastsio.injection.arguments import wire_handler, wire_hook, wire_plain, wire_room_hook
from fastsio.injection.calls import bind, with_fallback
from fastsio.injection.endpoint import Endpoint, Plan
from fastsio.injection.graph import Graph, Node, Site
from fastsio.injection.markers import Dependency
from fastsio.injection.parameters import (
    OPTIONAL_LAST,
    ROOM_KINDS,
    FromDependency,
    HandlerKind,
    Need,
    classify,
    is_marked,
)
from fastsio.injection.signature import (
    EMPTY,
    Colour,
    Parameter,
    Shape,
    Unresolved,
    UnresolvedError,
    colour_of,
    hides_arity,
    name_of,
    names_of_caller,
    positional_range,
    read_parameters,
)
from fastsio.injection.validation import response_filter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fastsio.injection.sources import Getter

#: Kinds that have no python-socketio form to fall back to.
_ALWAYS_INJECTED = frozenset({HandlerKind.EXCEPTION, HandlerKind.HOOK}) | ROOM_KINDS


def compile_endpoint(
    handler: Callable[..., Any],
    *,
    kind: HandlerKind,
    label: str = "",
    prefix: tuple[str, ...] = (),
    asynchronous: bool,
    dependencies: Sequence[Any] = (),
    response_model: Any = None,
) -> Endpoint:
    """
    Read a function once and return how to call it.

    Args:
        handler: A function, method, partial, class or callable object, sync or async.
        kind: What it is to the framework.
        label: Its name in messages; by default the function's own.
        prefix: Names of the positional values a catch-all registration puts first (``"event"``, ``"namespace"``);
            for a hook, the names it may be given by keyword.
        asynchronous: Whether the server awaits; if not, coroutine functions are refused.
        dependencies: ``Depends(...)`` objects resolved before the handler, their values dropped.
        response_model: What the result is validated against.

    Raises:
        SignatureError: A parameter cannot be filled.
        DependencyCycleError: A dependency depends on itself.
    """
    label = label or name_of(handler)
    caller_names: dict[str, Any] = {}
    for marker in dependencies:
        caller_names |= _names_around(marker)
    caller_names |= names_of_caller(handler)
    handler, is_coroutine = _callable_form(handler, label, kind, asynchronous=asynchronous)
    recipe = Recipe(
        handler, is_coroutine, kind, label, prefix, tuple(dependencies), response_model, asynchronous, caller_names
    )
    endpoint = Endpoint(
        handler,
        kind=kind,
        label=label,
        is_coroutine=is_coroutine,
        positional=positional_range(handler),
        compile_plan=recipe.compile,
    )
    endpoint.prepare(lenient=True)
    return endpoint


def reads_payload(marker: Any, *, kind: HandlerKind, label: str, asynchronous: bool) -> bool:
    """Tell whether a router's dependency cannot be resolved for every event, because it reads the payload."""
    graph = Graph(asynchronous=asynchronous, overrides={}, caller_names=_names_around(marker))
    try:
        filling = graph.injected(_ANONYMOUS, _dependency_of(marker, label), Site(label, kind))
    except UnresolvedError:  # what it needs may be registered before it is called
        return False
    except SignatureError:
        return True
    return isinstance(filling, Node) and filling.volatile


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that a plan is made from, kept to make another plan for other overrides."""

    handler: Callable[..., Any]
    is_coroutine: bool
    kind: HandlerKind
    label: str
    prefix: tuple[str, ...]
    dependencies: tuple[Any, ...]
    response_model: Any
    asynchronous: bool
    caller_names: dict[str, Any]

    def compile(self, overrides: Mapping[Any, Any], *, final: bool) -> Plan:
        """
        Return the plan, with *overrides* called instead of what they replace.

        *final*: an event waits to be handled, so names that still do not exist are taken for ones that only type
        checkers import.
        """
        parameters = self._parameters(final=final)
        entries = [(parameter, classify(parameter)) for parameter in parameters or ()]
        site = Site(self.label, self.kind)
        graph = Graph(asynchronous=self.asynchronous, overrides=overrides, caller_names=self.caller_names)
        for marker in self.dependencies:
            graph.getter(graph.injected(_ANONYMOUS, _dependency_of(marker, self.label), site))
        positional = self.kind not in _ALWAYS_INJECTED and not any(is_marked(need) for _, need in entries)
        call = self._call(entries, site, graph, positional=positional)
        return Plan(
            tuple(graph.steps),
            call,
            awaits=self.is_coroutine,
            plain=positional and not self.dependencies and self.response_model is None,
            named=graph.named,
            finish=None if self.response_model is None else response_filter(self.label, self.response_model),
            opens=graph.opens,
            brief_keys=tuple(graph.brief_keys),
        )

    def _parameters(self, *, final: bool) -> tuple[Parameter, ...] | None:
        """Return the parameters; only a handler without markers may have annotations that cannot be resolved."""
        try:
            return read_parameters(self.handler, self.caller_names)
        except UnresolvedError:
            if not final or self.kind in _ALWAYS_INJECTED:
                raise
            parameters = read_parameters(self.handler, self.caller_names, unresolved=Unresolved)
            if any(is_marked(classify(parameter)) for parameter in parameters or ()):
                raise
            return parameters

    def _call(self, entries: Sequence[tuple[Parameter, Need]], site: Site, graph: Graph, *, positional: bool) -> Getter:
        if positional:
            arguments = wire_plain(self.kind, self.prefix, positional_range(self.handler)[1])
        elif self.kind is HandlerKind.HOOK:
            arguments = wire_hook(entries, offered=self.prefix, site=site, graph=graph)
        elif self.kind in ROOM_KINDS:
            arguments = wire_room_hook(entries, site=site, graph=graph)
        else:
            arguments = wire_handler(entries, prefix=self.prefix, site=site, graph=graph)
        return bind(self.handler, arguments)


def _names_around(marker: Any) -> dict[str, Any]:
    """Return the local names of the function in which a dependency was defined, if that is still running."""
    function = getattr(marker, "dependency", None)
    return names_of_caller(function) if callable(function) else {}


def _dependency_of(marker: Any, label: str) -> FromDependency:
    translated = marker if isinstance(marker, Dependency) else fastapi_markers.translate(marker)
    if not isinstance(translated, Dependency):
        raise SignatureError(f"{label}: dependencies=[...] takes Depends(...) objects, not {marker!r}")
    return FromDependency(translated, EMPTY)


#: The parameter that messages about ``dependencies=[...]`` name.
_ANONYMOUS = Parameter("dependencies=[...]", Shape.POSITIONAL)


def _callable_form(
    handler: Callable[..., Any], label: str, kind: HandlerKind, *, asynchronous: bool
) -> tuple[Callable[..., Any], bool]:
    """Return the function to call and whether to await it; a plain wrapper of a coroutine function is awaited too."""
    colour = colour_of(handler)
    if colour is Colour.COROUTINE and not asynchronous:
        raise SignatureError(
            f"{label}: is a coroutine function; a sync server calls plain functions only, write 'def' without 'async'"
        )
    is_coroutine = colour is Colour.COROUTINE or (colour is Colour.WRAPPER and asynchronous)
    called = awaiting(handler) if is_coroutine and colour is Colour.WRAPPER else handler
    if kind in OPTIONAL_LAST and hides_arity(handler):
        called = with_fallback(called, handler, is_coroutine=is_coroutine)
    return called, is_coroutine


def awaiting(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Return a coroutine function that calls *handler* and awaits the result if it has to be."""

    @wraps(handler)
    async def call(*args: Any, **kwargs: Any) -> Any:
        result = handler(*args, **kwargs)
        return await result if isawaitable(result) else result

    return call
