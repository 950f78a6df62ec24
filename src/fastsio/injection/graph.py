"""
Dependencies as a tree of nodes, built at registration, then flattened into steps.

Decides what a dependency may ask for, how long it lives and which uses share a value. :mod:`arguments` does the same
for the parameters of handlers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from fastsio.exceptions import DependencyCycleError, SignatureError
from fastsio.injection import sources
from fastsio.injection.calls import (
    Arguments,
    Step,
    bounded,
    connection_step,
    opener_for,
    refusing_coroutines,
    value_call,
)
from fastsio.injection.handshake import Place
from fastsio.injection.markers import REGISTRY, Dependency, EventMarker, HandshakeParameter, Lifetime
from fastsio.injection.parameters import (
    ROOM_KINDS,
    FromConnection,
    FromDependency,
    FromEvent,
    FromHandshake,
    FromPayload,
    FromSecurityScopes,
    FromSource,
    HandlerKind,
    Impossible,
    Need,
    Unannotated,
    admits_none,
    classify,
    is_scalar,
    no_handshake,
    why_not,
)
from fastsio.injection.signature import (
    EMPTY,
    Colour,
    Parameter,
    Shape,
    UnresolvedError,
    colour_of,
    may_give_coroutine,
    name_of,
    read_parameters,
)
from fastsio.types import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from fastsio.injection.sources import Getter

#: The source of one parameter's value: a getter, or something that becomes a step when it is flattened.
Filling: TypeAlias = "Getter | Node | Made"

#: Facts that differ between two events of a connection.
_OF_THE_EVENT: Final = {Source.DATA, Source.EVENT, Source.REASON, Source.ROOM}

#: Why a room cannot be injected: in a handler that is no hook of a room class, and in the hook that finds the room.
_NO_ROOM: Final = (
    "is annotated with a room class; write Annotated[ThatRoom, Joined(ThatRoom)] to get the room the event names",
    "is annotated with a room class, but this hook is the one that says which room it is",
)

#: The error for a dependency that a server without an event loop cannot call.
_ASYNC: Final = "depends on {}, which {}; a sync server needs a plain function or generator"

_GENERATORS: Final = {Colour.GENERATOR, Colour.ASYNC_GENERATOR}

#: The kinds of handler that are told why a connection ended.
_LEAVING: Final = {HandlerKind.DISCONNECT, HandlerKind.CLIENT_DISCONNECT}

#: Names python-socketio passes by position, which FastAPI would take for query parameters.
WIRE_WORDS: Final = {
    "sid": "SocketID",
    "environ": "Environ",
    "auth": "Auth",
    "reason": "Reason",
    "event": "Event",
    "namespace": "NamespaceName",
    "exc": "the class of the exception",
}
#: Those of them that are refused as the name of a query parameter unless it is marked with ``Query()``.
_NEVER_QUERY: Final = ("sid", "environ", "auth")


@dataclass(frozen=True, slots=True)
class Site:
    """
    The function that a parameter belongs to: a handler, whose kind this is, or one of its dependencies.

    Args:
        lifetime: How long the value of the function lives.
        scopes: The security scopes that it and the dependencies around it ask for.
        trail: The dependencies from the handler to this function.
        outlives_call: Whether the function is a dependency that is closed after the handler has returned.
    """

    label: str
    kind: HandlerKind
    lifetime: Lifetime = "event"
    scopes: tuple[str, ...] = ()
    trail: tuple[Any, ...] = ()
    outlives_call: bool = False

    def error(self, parameter: Parameter, cure: str) -> SignatureError:
        """Return the error that names this function, the parameter and what to do."""
        return SignatureError(f"{self.label}: parameter {parameter.name!r} {cure}")

    def build(self, parameter: Parameter, make: Callable[[], Getter]) -> Getter:
        """Return the getter that *make* returns; an error in making it is raised with the parameter's name."""
        try:
            return make()
        except SignatureError as error:
            raise self.error(parameter, f"cannot be validated: {error}") from error
        except UnresolvedError as error:
            raise UnresolvedError(parameter.name, error.reason) from error


@dataclass(slots=True)
class Node:
    """One use of a dependency."""

    function: Callable[..., Any]
    marker: Dependency
    lifetime: Lifetime
    scopes: tuple[str, ...]
    positional: list[Filling] = field(default_factory=list)
    keywords: dict[str, Filling] = field(default_factory=dict)
    #: Whether its value depends on the payload, which a middleware may replace, so endpoints do not share it.
    volatile: bool = False
    uses_scopes: bool = False
    #: Whether the function is a plain one that may return a coroutine, which only a call shows.
    may_give_coroutine: bool = False
    #: The message of the error if it does so on a server without an event loop.
    refusal: str = ""
    payload_index: int = 0

    def take_payload(self) -> int:
        """Return the index of the next payload argument."""
        self.payload_index += 1
        return self.payload_index - 1


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """A value that a marker makes of the whole event; each use of the marker is made anew."""

    maker: Getter


@dataclass(slots=True, eq=False, repr=False, kw_only=True)
class Graph:
    """
    The dependencies of one endpoint: builds a node for each use, and turns nodes into *steps*.

    A step is before those that use it; uses of one dependency share a step.

    Args:
        asynchronous: Whether dependencies may be awaited.
        overrides: Dependency -> the function that is called instead, for tests.
        caller_names: Further names for the annotations, from the function that defines the handler.
    """

    asynchronous: bool
    overrides: Mapping[Any, Any]
    caller_names: Mapping[str, Any]
    #: Whether a dependency was found by name: the plan is then made again after a later registration.
    named: bool = field(default=False, init=False)
    steps: list[Step] = field(default_factory=list, init=False)
    #: Whether one of the steps may open something that has to be closed.
    opens: bool = field(default=False, init=False)
    #: The keys of the values that are closed when the handler has returned.
    brief_keys: list[Hashable] = field(default_factory=list, init=False)
    #: The keys of the steps.
    _keys: set[Hashable] = field(default_factory=set, init=False)

    def injected(self, parameter: Parameter, need: Need, site: Site) -> Filling:
        """Return the filling of a parameter of any function that is injected, and does not take a payload argument."""
        refusal = why_not(need, site.kind)
        if refusal is not None:
            raise site.error(parameter, refusal)
        match need:
            case FromSource(source):
                return self._source(parameter, source, site)
            case FromDependency(marker, annotation):
                return self.node(parameter, marker, annotation, site)
            case FromEvent(event_marker):
                return self._made(parameter, event_marker, site)
            case FromHandshake(marker, annotation, default):
                return site.build(
                    parameter, lambda: sources.handshake_value(parameter.name, marker, annotation, default)
                )
            case FromConnection(factory):
                return sources.connection_view(factory)
            case FromSecurityScopes(factory):
                return sources.constant(factory(scopes=list(site.scopes)))
            case Impossible(cure):
                raise site.error(parameter, f"cannot be filled: {cure}")
            case _:
                raise site.error(parameter, "is no value of this event; annotate it with a type of fastsio or Depends")

    def _made(self, parameter: Parameter, marker: EventMarker, site: Site) -> Made:
        if site.lifetime == "connection":
            raise site.error(parameter, f"asks for {marker.word}, which a dependency with scope='connection' outlives")
        if site.kind not in (HandlerKind.EVENT, HandlerKind.CONSUMER):
            raise site.error(parameter, f"asks for {marker.word}, which only handlers of a server's events have")
        return Made(marker.maker(asynchronous=self.asynchronous))

    def node(self, parameter: Parameter, marker: Dependency, annotation: Any, site: Site) -> Node:
        """Return the node of a dependency, with everything it depends on."""
        function = self._function(parameter, marker, annotation, site)
        lifetime = "connection" if marker.inherits and site.lifetime == "connection" else marker.scope
        if site.lifetime == "connection" and lifetime != "connection":
            raise site.error(
                parameter,
                f"depends on {name_of(function)}, which lives for one event only; "
                "give it scope='connection' too, or resolve it in the handler",
            )
        if site.outlives_call and lifetime == "function":
            raise site.error(
                parameter,
                f"depends on {name_of(function)}, which scope='function' closes before what comes after this yield; "
                "give both the same scope",
            )
        if marker.semaphore is not None and not self.asynchronous:
            raise site.error(
                parameter,
                f"depends on {name_of(function)} with max_concurrency, which needs an event loop; "
                "use a threading.BoundedSemaphore in the dependency",
            )
        _refuse_cycle(function, site)
        node = Node(function, marker, lifetime, (*site.scopes, *marker.scopes))
        node.may_give_coroutine = may_give_coroutine(function, self.caller_names)
        node.refusal = str(site.error(parameter, _ASYNC.format(name_of(function), "returned what has to be awaited")))
        inner = Site(
            f"{site.label}: dependency {name_of(function)}",
            site.kind,
            lifetime,
            node.scopes,
            (*site.trail, function),
            outlives_call=lifetime == "event" and colour_of(function) in _GENERATORS,
        )
        self._refuse_awaiting(parameter, function, site)
        for each in _parameters_of(function, self.caller_names):
            self._fill(node, each, inner)
        return node

    def _function(self, parameter: Parameter, marker: Dependency, annotation: Any, site: Site) -> Callable[..., Any]:
        wanted = annotation if marker.dependency is None else marker.dependency
        if isinstance(wanted, str):
            self.named = True
            found = REGISTRY.find(wanted)
            if found is None:
                raise UnresolvedError(
                    parameter.name,
                    f"no dependency is registered as {wanted!r} (registered: {', '.join(REGISTRY.names()) or 'none'})",
                )
            wanted = found
        if wanted is EMPTY or not callable(wanted):
            raise site.error(parameter, "has Depends() without a class to make; annotate it or write Depends(function)")
        replacement: Callable[..., Any] = self.overrides.get(wanted, wanted) if _is_hashable(wanted) else wanted
        return replacement

    def _refuse_awaiting(self, parameter: Parameter, function: Callable[..., Any], site: Site) -> None:
        if not self.asynchronous and colour_of(function) in {Colour.COROUTINE, Colour.ASYNC_GENERATOR}:
            raise site.error(parameter, _ASYNC.format(name_of(function), "is async"))

    def _source(self, parameter: Parameter, source: Source, site: Site) -> Getter:
        connection = site.lifetime == "connection"
        if source is Source.AUTH and not connection and site.kind is not HandlerKind.CONNECT:
            raise site.error(
                parameter,
                "is annotated Auth, which is only available in 'connect' handlers and in dependencies with "
                "scope='connection'; store what you need with save_session() and read the session here",
            )
        if source is Source.RECOVERED and site.kind is not HandlerKind.CONNECT:
            raise site.error(parameter, "is annotated Recovered, which is only available in 'connect' handlers")
        if source is Source.REASON and site.kind not in _LEAVING:
            raise site.error(parameter, "is annotated Reason, which is only available in 'disconnect' handlers")
        if source is Source.ROOM and site.kind is not HandlerKind.ROOM:
            raise site.error(parameter, _NO_ROOM[site.kind in ROOM_KINDS])
        if connection and source in _OF_THE_EVENT:
            raise site.error(
                parameter, f"is annotated {source.value.title()}, which a dependency with scope='connection' outlives"
            )
        return sources.SOURCES[source]

    def _fill(self, node: Node, parameter: Parameter, site: Site) -> None:
        if parameter.shape in {Shape.REST, Shape.KEYWORD_REST}:
            return
        filling = self._dependency_parameter(node, parameter, site)
        if parameter.shape is Shape.KEYWORD:
            node.keywords[parameter.name] = filling
        else:
            node.positional.append(filling)

    def _dependency_parameter(self, node: Node, parameter: Parameter, site: Site) -> Filling:
        """Apply FastAPI's rules: what has no marker is a query parameter, or, if structured, the payload."""
        need = classify(parameter)
        match need:
            case FromPayload(annotation, model=False) if is_scalar(annotation):
                return _query(parameter, annotation, site)
            case FromPayload(annotation):
                return self._payload(node, parameter, annotation, site)
            case Unannotated():
                return _unannotated(parameter, site)
        filling = self.injected(parameter, need, site)
        if isinstance(filling, Node):
            node.volatile = node.volatile or filling.volatile
            node.uses_scopes = node.uses_scopes or filling.uses_scopes
        else:
            node.volatile = node.volatile or isinstance(filling, Made) or filling is sources.SOURCES[Source.DATA]
            node.uses_scopes = node.uses_scopes or isinstance(need, FromSecurityScopes)
        return filling

    def _payload(self, node: Node, parameter: Parameter, annotation: Any, site: Site) -> Getter:
        if site.lifetime == "connection":
            raise site.error(
                parameter, "takes the event's payload, which a dependency with scope='connection' outlives"
            )
        node.volatile = True
        index, default = node.take_payload(), payload_default(parameter)
        return site.build(parameter, lambda: sources.valid_argument(index, annotation, default))

    def getter(self, filling: Filling) -> Getter:
        """Return the getter of a filling; the step of a dependency is added first if it does not exist yet."""
        if isinstance(filling, Made):
            self.steps.append(Step(filling, filling.maker, self.asynchronous, shared=False))
            return sources.resolved(filling)
        if not isinstance(filling, Node):
            return filling
        key = _key_of(filling)
        if key not in self._keys:
            arguments = Arguments(
                [self.getter(each) for each in filling.positional],
                {name: self.getter(each) for name, each in filling.keywords.items()},
            )
            self._keys.add(key)
            self.steps.append(self._step(key, filling, arguments))
        return sources.resolved(key)

    def _step(self, key: Hashable, node: Node, arguments: Arguments) -> Step:
        marker, colour = node.marker, colour_of(node.function)
        shared = marker.use_cache and not node.volatile
        in_thread = marker.in_thread and self.asynchronous
        is_value = colour in (Colour.PLAIN, Colour.COROUTINE)
        if node.lifetime != "connection" and is_value and marker.semaphore is None:
            call, awaits = value_call(node.function, colour, arguments, in_thread=in_thread)
            if awaits or not node.may_give_coroutine:
                return Step(key, call, awaits, shared)
            if self.asynchronous:
                return Step(key, call, awaits=True, shared=shared, certain=False)
            return Step(key, refusing_coroutines(call, node.refusal), awaits=False, shared=shared)
        opener, awaits = opener_for(
            node.function,
            colour,
            arguments,
            asynchronous=self.asynchronous,
            in_thread=in_thread,
            refusal=node.refusal,
        )
        if marker.semaphore is not None:
            opener = bounded(opener, marker.semaphore)
        opens = not is_value or marker.semaphore is not None
        self.opens = self.opens or opens
        if node.lifetime == "connection":
            return connection_step(key, opener, awaits=awaits, asynchronous=self.asynchronous, opens=opens)
        if node.lifetime == "function":
            self.brief_keys.append(key)
            return Step(key, lambda context: opener(context, context.keep_briefly), awaits, shared)
        return Step(key, lambda context: opener(context, context.keep), awaits, shared)


def _key_of(node: Node) -> Hashable:
    if not node.marker.use_cache:
        return object()
    function: Hashable = node.function if _is_hashable(node.function) else _Identity(node.function)
    scopes = tuple(sorted(set(node.scopes))) if node.uses_scopes else ()
    if node.lifetime == "event" and not scopes:
        return function
    return (function, node.lifetime, scopes)


class _Identity:
    """A key for a callable object that cannot be hashed; it keeps the object alive, so no other gets the same id."""

    __slots__ = ("_function",)

    def __init__(self, function: Any) -> None:
        self._function = function

    def __hash__(self) -> int:
        return id(self._function)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and other._function is self._function


def _is_hashable(function: Any) -> bool:
    try:
        hash(function)
    except TypeError:
        return False
    return True


def _parameters_of(function: Callable[..., Any], caller_names: Mapping[str, Any]) -> tuple[Parameter, ...]:
    try:
        return read_parameters(function, caller_names) or ()
    except UnresolvedError as error:
        raise UnresolvedError(error.parameter, f"{name_of(function)}: {error.reason}") from error


def _refuse_cycle(function: Callable[..., Any], site: Site) -> None:
    if any(each is function for each in site.trail):
        path = " -> ".join(name_of(each) for each in (*site.trail, function))
        owner = site.label.partition(": dependency ")[0]
        raise DependencyCycleError(f"{owner}: dependency cycle {path}; break it by passing one of them a value instead")


def _query(parameter: Parameter, annotation: Any, site: Site) -> Getter:
    _refuse_wire_word(parameter, site)
    refusal = no_handshake(site.kind)
    if refusal is not None:
        raise site.error(parameter, refusal)
    marker = HandshakeParameter(Place.QUERY)
    return site.build(parameter, lambda: sources.handshake_value(parameter.name, marker, annotation, parameter.default))


def _unannotated(parameter: Parameter, site: Site) -> Getter:
    """Return the getter of an un-annotated parameter: of the query, unless its default is no value that a query has."""
    if isinstance(parameter.default, (str, int, float, type(None))) or parameter.default is EMPTY:
        return _query(parameter, Any, site)
    return sources.constant(parameter.default)


def _refuse_wire_word(parameter: Parameter, site: Site) -> None:
    if parameter.name in _NEVER_QUERY:
        raise site.error(
            parameter,
            "would be read from the query of the handshake; "
            f"annotate it with {WIRE_WORDS[parameter.name]}, or with Query() if that is meant",
        )


def payload_default(parameter: Parameter) -> Any:
    """Return the value for a payload argument that was not sent; EMPTY if it is required."""
    if parameter.default is EMPTY and admits_none(parameter.annotation):
        return None
    return parameter.default
