"""
The registry of a server: which route an event of a namespace has.

This module holds every registration and the server's middlewares; finds routes in python-socketio's order and keeps
them until something is registered. It must not know packets or clients.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

from fastsio.exceptions import SignatureError
from fastsio.injection import Endpoint, compile_endpoint, reads_payload
from fastsio.injection.compiler import awaiting
from fastsio.injection.signature import Colour, colour_of, name_of
from fastsio.routing.errors import find_exception_handler
from fastsio.routing.middleware import Scope, Wrapper, unreached
from fastsio.routing.namespaces import find_method, overrides_trigger
from fastsio.routing.registration import SERVER, Registration, Role, RouterScope, prefix_of
from fastsio.routing.route import Guard, Route, build_guarded_route, build_route, check_arity
from fastsio.routing.slips import did_you_mean, warn_of_habit, warn_of_method, warn_of_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from fastsio.injection import Context

#: A namespace, some of its events, ``"*"`` for all of them, and the routers around their handlers.
Place: TypeAlias = "tuple[str, set[str], tuple[RouterScope, ...]]"


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A registered handler and its endpoint."""

    registration: Registration
    endpoint: Endpoint


@dataclass(frozen=True, slots=True, eq=False)
class GuardEntry:
    """A guard of an event, and the routers around it, innermost first."""

    guard: Guard
    scopes: tuple[RouterScope, ...]


Key = TypeVar("Key")
Value = TypeVar("Value")


class WatchedDict(dict[Key, Value], Generic[Key, Value]):
    """A dict, into which applications may write, that calls *changed* after every change, also of *nested* dicts."""

    def __init__(self, changed: Callable[[], None], *, nested: bool = False) -> None:
        super().__init__()
        self._changed = changed
        self._nested = nested

    def __setitem__(self, key: Key, value: Value) -> None:
        super().__setitem__(key, self._watch(value) if self._nested else value)
        self._changed()

    def __delitem__(self, key: Key) -> None:
        super().__delitem__(key)
        self._changed()

    def setdefault(self, key: Key, default: Any = None) -> Any:
        """Set a missing key."""
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set several keys."""
        items: dict[Any, Any] = dict(*args, **kwargs)
        for key, value in items.items():
            self[key] = value

    def __ior__(self, other: Any) -> Any:  # type: ignore[misc] # dict's own is overloaded
        self.update(other)
        return self

    def pop(self, *args: Any) -> Any:
        """Remove a key and return its value."""
        value = super().pop(*args)
        self._changed()
        return value

    def popitem(self) -> tuple[Key, Value]:
        """Remove the last key and return it with its value."""
        item = super().popitem()
        self._changed()
        return item

    def clear(self) -> None:
        """Remove everything."""
        super().clear()
        self._changed()

    def _watch(self, value: Any) -> Any:
        if isinstance(value, WatchedDict):
            return value
        watched: WatchedDict[Any, Any] = WatchedDict(self._changed)
        dict.update(watched, value)
        return watched


#: How many events without a handler, and of namespaces without one, are remembered: clients choose their names.
MAX_MISSED: Final = 100


class Registry:
    """
    Handlers, class-based namespaces and middlewares of one server or client.

    Attributes:
        handlers: Namespace -> event -> function, as in python-socketio. Functions that an application writes into it
            are called.
        namespace_handlers: Namespace -> class-based namespace, likewise.
        scope: The server's own exception handlers.
        no_route: The route of an event without a handler, for servers whose dispatcher the application overrides.
    """

    def __init__(self, *, asynchronous: bool, role: Role = SERVER) -> None:
        self.handlers: dict[str, dict[str, Callable[..., Any]]] = WatchedDict(self._forget_routes, nested=True)
        self.namespace_handlers: dict[str, Any] = WatchedDict(self._forget_routes)
        self.scope = RouterScope(asynchronous=asynchronous)
        self._asynchronous = asynchronous
        self._role = role
        ignoring = Registration("", "", _ignore)
        missing = self._compile(ignoring, "")
        #: The entry for events that a class-based namespace has no method for: the acknowledgement is empty.
        self._missing_method = Entry(ignoring, missing)
        self.no_route = Route(missing, missing.call, (), (), is_plain=False)
        self.no_route.is_silent = True
        self._middlewares: list[tuple[Any, Scope, Wrapper]] = []
        self._entries: dict[tuple[str, str], Entry] = {}
        self._guards: dict[tuple[str, str], GuardEntry] = {}
        self._classes: dict[str, Registration] = {}
        self._methods: dict[tuple[str, str, bool], Entry] = {}
        self._routes: dict[str, dict[str, Route]] = {}
        self._built: dict[tuple[Entry, tuple[Wrapper, ...]], Route] = {}
        #: The scope of the server, then those of the routers that it includes; the values mean nothing.
        self._scopes: dict[RouterScope, None] = {self.scope: None}
        #: (router, event) -> the endpoint that resolves the router's dependencies for a built-in event, or for all
        #: guarded events, whose key has the event "".
        self._checks: dict[tuple[RouterScope, str], Endpoint] = {}
        #: Namespaces and built-in events that have no route.
        self._absent: set[tuple[str, str]] = set()
        #: Namespace -> the routers that have handlers there, innermost first; None until it is asked for.
        self._routers: dict[str, tuple[RouterScope, ...]] | None = None
        #: The warnings of middlewares that never run, as far as they were given.
        self._told: set[str] = set()
        #: The events without a handler that :meth:`is_first_miss` was asked about.
        self._missed: set[tuple[str, str]] = set()
        self._passages: dict[tuple[str, Entry | None, tuple[RouterScope, ...], tuple[Wrapper, ...]], Route | None] = {}

    # Registration

    def add(self, registration: Registration) -> None:
        """Add a handler or a class-based namespace; the last one registered for an event is called."""
        namespace, event = registration.namespace, registration.event
        for scope in registration.scopes:
            self._add_scope(scope)
        if event is None:
            if overrides_trigger(registration.handler):
                self._find_method(registration, "")  # refuses one that cannot be called, before any client comes
            self._classes[namespace] = registration
            self.namespace_handlers[namespace] = registration.handler
            if not overrides_trigger(registration.handler):
                warn_of_method(registration.handler)
            for entry in self._method_entries(namespace):
                warn_of_habit(entry.endpoint, prefix_of(entry.registration))
                warn_of_name(entry.endpoint.label, entry.registration.event, self._role.built_in)
        else:
            entry = self._entries[namespace, event] = self._new_entry(registration, event)
            if not registration.scopes:  # a router has warned of its own handlers
                warn_of_habit(entry.endpoint, prefix_of(registration))
                warn_of_name(entry.endpoint.label, event, self._role.built_in)
            self.handlers.setdefault(namespace, {})[event] = registration.handler
        self._forget_routes()

    def add_guard(self, namespace: str, event: str, guard: Guard, scopes: tuple[RouterScope, ...]) -> None:
        """
        Let *guard* decide about an event: it gets the event's context and a function that calls the handler, if any.

        Handlers for ``"*"`` are not called for the event any more.
        """
        for scope in scopes:
            self._add_scope(scope)
        self._guards[namespace, event] = GuardEntry(guard, scopes)
        self._forget_routes()

    def _add_scope(self, scope: RouterScope) -> None:
        """Compile a router's middlewares, exception handlers and dependencies."""
        scope.compile_for(asynchronous=self._asynchronous)
        self._scopes[scope] = None
        self._add_checks(scope)

    def _add_checks(self, scope: RouterScope) -> None:
        """Compile a router's dependencies for events that may come without a handler of that router."""
        if not scope.dependencies or (scope, "") in self._checks:
            return
        # Compiled here and not for the first client: annotations may name classes local to the calling function.
        self._checks[scope, ""] = self._compile_check(scope.dependencies, "")
        for event, kind in self._role.kinds.items():
            dependencies = [
                one
                for one in scope.dependencies
                if not reads_payload(one, kind=kind, label=event, asynchronous=self._asynchronous)
            ]
            if dependencies:
                self._checks[scope, event] = self._compile_check(dependencies, event)

    def _compile_check(self, dependencies: Iterable[Any], event: str) -> Endpoint:
        return compile_endpoint(
            _ignore,
            kind=self._role.kind_of(event),
            label=event or "an event",
            asynchronous=self._asynchronous,
            dependencies=tuple(dependencies),
        )

    def _checks_of(self, scopes: tuple[RouterScope, ...], event: str) -> tuple[Endpoint, ...]:
        """Return the endpoints for the dependencies of routers, the outermost first; *scopes* are innermost first."""
        found = (self._checks.get((scope, event)) for scope in reversed(scopes))
        return tuple(check for check in found if check is not None)

    def _new_entry(self, registration: Registration, event: str) -> Entry:
        entry = Entry(registration, self._compile(registration, event))
        check_arity(entry.endpoint, prefix_of(registration))
        return entry

    def _compile(self, registration: Registration, event: str) -> Endpoint:
        known = registration.endpoint
        if known is not None and self._is_complete(known, registration.scopes):
            return known
        return compile_endpoint(
            registration.handler,
            kind=self._role.kind_of(event),
            label=name_of(registration.handler),
            prefix=prefix_of(registration),
            asynchronous=self._asynchronous,
            dependencies=_dependencies_of(registration.scopes),
            response_model=registration.response_model,
        )

    def _is_complete(self, endpoint: Endpoint, scopes: tuple[RouterScope, ...]) -> bool:
        """Whether this server would compile the same endpoint as the innermost router has."""
        is_alone = not any(scope.dependencies for scope in scopes[1:])
        return self._asynchronous and is_alone and not endpoint.pending

    def add_middleware(self, middleware: Any, scope: Scope) -> None:
        """Run *middleware* for the events in *scope*, inside of those added before."""
        self._middlewares.append((middleware, scope, Wrapper.of(middleware, asynchronous=self._asynchronous)))
        self._forget_routes()

    def remove_middleware(self, middleware: Any) -> None:
        """Remove every registration of *middleware*; one that is not there is ignored."""
        self._middlewares = [entry for entry in self._middlewares if entry[0] is not middleware]
        self._forget_routes()

    def middlewares(self) -> list[Any]:
        """Return the middlewares in the order they were added."""
        return [middleware for middleware, _, _ in self._middlewares]

    def compile_pending(self) -> None:
        """Compile endpoints whose annotations named what did not exist; the server starts, so it must exist now."""
        entries = [self._entry_at(*key) for key in list(_keys_of(self.handlers))]
        entries += [entry for namespace in self.namespace_handlers for entry in self._method_entries(namespace)]
        found = [entry for entry in entries if entry is not None]
        wrappers = [wrapper for _, wrapper in self._server_wrappers()]
        wrappers += [wrapper for _, wrapper in self._wrappers_of(tuple(self._scopes))]
        endpoints = [entry.endpoint for entry in found] + list(self._checks.values())
        endpoints += [endpoint for wrapper in wrappers for endpoint in wrapper.endpoints()]
        endpoints += [endpoint for scope in self._scopes for endpoint in self._exception_endpoints(scope).values()]
        for endpoint in endpoints:
            if endpoint.pending:
                endpoint.prepare()
        for entry in found:
            check_arity(entry.endpoint, prefix_of(entry.registration))
        self._forget_routes()

    def unreached(self, configured: Iterable[str] | str) -> list[str]:
        """Return a sentence, once, for each namespace and event of a middleware that does not exist."""
        found: list[str] = []
        wrappers = []
        for scope, wrapper in self._server_wrappers():
            place = scope.namespace
            if place is None or self.accepts(place, configured):
                wrappers.append((scope, wrapper))
            else:
                hint = did_you_mean(place, self.namespaces(configured))
                found.append(f"{wrapper.label} is for the namespace {place!r}, which no client can be in{hint}")
        places = self._places()
        found += unreached(wrappers, _handled(places), self._role.kinds)
        routers = dict.fromkeys(router for _, _, scopes in places for router in scopes)
        for router in routers:
            own = [one for one in places if router in one[2]]
            found += unreached(self._wrappers_of((router,)), _handled(own), self._role.kinds)
        new = [text for text in dict.fromkeys(found) if text not in self._told]
        self._told.update(new)
        return new

    def _places(self) -> list[Place]:
        """Return namespace, events and routers of everything that is registered."""
        keys = list(_keys_of(self.handlers))
        entries = [(namespace, event, self._entry_at(namespace, event)) for namespace, event in keys]
        places: list[Place] = [
            (namespace, {event}, entry.registration.scopes) for namespace, event, entry in entries if entry is not None
        ]
        places += [(namespace, {event}, guarded.scopes) for (namespace, event), guarded in self._guards.items()]
        places += [
            (namespace, _events_of(handler), self._class_at(namespace).scopes)
            for namespace, handler in self.namespace_handlers.items()
        ]
        return places

    def _method_entries(self, namespace: str) -> list[Entry]:
        """Return the methods of a class-based namespace for events; none if it overrides ``trigger_event``."""
        registration = self._class_at(namespace)
        if overrides_trigger(registration.handler):
            return []
        names = [name.removeprefix("on_") for name in dir(type(registration.handler)) if name.startswith("on_")]
        found = (self._method_entry(registration, name) for name in names)
        return [entry for entry in found if entry is not None and entry is not self._missing_method]

    def _forget_routes(self) -> None:
        self._routes.clear()
        self._built.clear()
        self._methods.clear()
        self._routers = None
        self._passages.clear()
        self._absent.clear()

    # Lookup

    def accepts(self, namespace: str, configured: Iterable[str] | str) -> bool:
        """
        Whether clients may connect to *namespace*.

        Handlers for ``"*"`` alone do not let clients into any namespace, and none is called ``"*"``.
        """
        named = (configured,) if isinstance(configured, str) else configured
        return namespace != "*" and (
            configured == "*"
            or namespace in named
            or namespace in self.handlers
            or namespace in self.namespace_handlers
            or any(place == namespace for place, _ in self._guards)
        )

    def is_first_miss(self, namespace: str, event: str) -> bool:
        """Whether an event without a handler is asked about for the first time; False after ``MAX_MISSED`` of them."""
        if (namespace, event) in self._missed or len(self._missed) >= MAX_MISSED:
            return False
        self._missed.add((namespace, event))
        return True

    def namespaces(self, configured: Iterable[str] | str) -> set[str]:
        """Return the names of the namespaces that clients may connect to, as far as they are known."""
        named = () if configured == "*" else (configured,) if isinstance(configured, str) else configured
        return {*named, *self.handlers, *self.namespace_handlers, *(place for place, _ in self._guards)} - {"*"}

    def resolve(self, namespace: str, event: str) -> Route | None:
        """
        Return the route of *event* in *namespace*, or None.

        The order is python-socketio's: the namespace's handler for the event, its handler for ``"*"``, the same two of
        the namespace ``"*"``, the class-based namespace, the class-based namespace ``"*"``.

        ``connect`` and ``disconnect`` also have a route without a handler, where middlewares or routers are around it.
        """
        routes = self._routes.get(namespace)
        if routes is not None:
            route = routes.get(event)
            if route is not None:
                return route
        return self._find_route(namespace, event)

    def _find_route(self, namespace: str, event: str) -> Route | None:
        key = (namespace, event)
        if key in self._absent:
            return None
        guarded = self._guards.get(key)
        if guarded is not None:
            route = self._build_guarded(guarded, namespace, event, self._find_own(namespace, event))
            self._routes.setdefault(namespace, {})[event] = route
            return route
        entry = self._find(namespace, event)
        if event in self._role.kinds and (entry is None or entry.registration.namespace != namespace):
            passage = self._find_passage(entry, namespace, event)
            if passage is not None:
                if namespace in self.handlers or namespace in self.namespace_handlers:
                    self._routes.setdefault(namespace, {})[event] = passage
                return passage
        if entry is None:
            if event in self._role.kinds and self._may_keep_absence(namespace):
                self._absent.add(key)
            return None
        route = self._build(entry, namespace, event)
        # Only names that the application registered are kept: those that clients send would grow the table for ever.
        if entry.registration.namespace == namespace and entry.registration.event == event:
            self._routes.setdefault(namespace, {})[event] = route
        return route

    def _may_keep_absence(self, namespace: str) -> bool:
        """Whether to remember that a built-in event has no route in *namespace*, until something is registered."""
        if namespace in self.namespace_handlers or "*" in self.namespace_handlers:
            return False  # a class-based namespace may be given a method at any time
        # Clients may choose the names of namespaces, so the table has a bound.
        return namespace == "/" or namespace in self.handlers or len(self._absent) < MAX_MISSED

    def _find_passage(self, entry: Entry | None, namespace: str, event: str) -> Route | None:
        """
        Return the route of ``connect`` or ``disconnect`` in a namespace without a handler of its own for it.

        Middlewares of the server and what the namespace's routers put around their handlers run for it all the same.
        None if nothing is around the event, except the routers of *entry*, the handler for every namespace.
        """
        known = () if entry is None else entry.registration.scopes
        routers = tuple(scope for scope in self._routers_of(namespace) if scope not in known)
        if not routers and (entry is not None or not self._middlewares):
            return None
        wrappers = _holding([*self._server_wrappers(), *self._wrappers_of(routers)], event, namespace)
        key = (event, entry, routers, wrappers)
        if key not in self._passages:
            self._passages[key] = self._build_passage(entry, routers, wrappers, namespace, event)
        return self._passages[key]

    def _build_passage(
        self,
        entry: Entry | None,
        routers: tuple[RouterScope, ...],
        wrappers: tuple[Wrapper, ...],
        namespace: str,
        event: str,
    ) -> Route | None:
        checks = self._checks_of(routers, event)
        if not checks and not wrappers:
            return None
        guard = Guard(_pass_on if self._asynchronous else _pass_on_sync)
        return self._build_around(guard, routers, checks, wrappers, entry, namespace, event)

    def _routers_of(self, namespace: str) -> tuple[RouterScope, ...]:
        """Return the routers that have handlers in *namespace* or in every namespace, innermost first."""
        if self._routers is None:
            self._routers = self._find_routers()
        if not self._routers:
            return ()
        everywhere = self._routers.get("*", ())
        own = self._routers.get(namespace, ())
        return (*(scope for scope in own if scope not in everywhere), *everywhere)

    def _find_routers(self) -> dict[str, tuple[RouterScope, ...]]:
        found: dict[str, list[RouterScope]] = {}
        registrations = [entry.registration for entry in self._entries.values()] + list(self._classes.values())
        places = [(one.namespace, one.scopes) for one in registrations]
        places += [(namespace, guarded.scopes) for (namespace, _), guarded in self._guards.items()]
        for namespace, scopes in places:
            routers = found.setdefault(namespace, [])
            routers += [scope for scope in reversed(scopes) if scope not in routers]
        return {namespace: tuple(reversed(routers)) for namespace, routers in found.items() if routers}

    def _find(self, namespace: str, event: str) -> Entry | None:
        for place in self._role.places(namespace, self.handlers):
            entry = self._entry_at(place, event)
            if entry is None and event not in self._role.reserved:
                entry = self._entry_at(place, "*")
            if entry is not None:
                return entry
        for place in (namespace, "*"):
            if place in self.namespace_handlers:
                return self._find_method(self._class_at(place), event)
        return None

    def _find_own(self, namespace: str, event: str) -> Entry | None:
        """Return the handler that was registered for this event by name."""
        for place in self._role.places(namespace, self.handlers):
            entry = self._entry_at(place, event)
            if entry is not None:
                return entry
        for place in (namespace, "*"):
            if place in self.namespace_handlers:
                entry = self._find_method(self._class_at(place), event)
                return None if entry is self._missing_method else entry
        return None

    def _entry_at(self, namespace: str, event: str) -> Entry | None:
        """Return the entry of a function in ``handlers``; one that the application wrote there is compiled now."""
        function = self.handlers.get(namespace, {}).get(event)
        if function is None:
            return None
        entry = self._entries.get((namespace, event))
        if entry is None or entry.registration.handler is not function:
            entry = self._new_entry(Registration(namespace, event, function), event)
            self._entries[namespace, event] = entry
        return entry

    def _class_at(self, namespace: str) -> Registration:
        registration = self._classes.get(namespace)
        handler = self.namespace_handlers[namespace]
        if registration is None or registration.handler is not handler:
            registration = self._classes[namespace] = Registration(namespace, None, handler)
        return registration

    def _find_method(self, registration: Registration, event: str) -> Entry | None:
        """Return the method that a class-based namespace has for *event*, or its own dispatcher."""
        namespace_handler = registration.handler
        if not overrides_trigger(namespace_handler):
            return self._method_entry(registration, event)
        stand_in = self._role.stand_in(event)
        return self._bound_entry(registration, stand_in, namespace_handler.trigger_event, own_trigger=True)

    def _method_entry(self, registration: Registration, event: str) -> Entry | None:
        method = find_method(registration.handler, event)
        if method is None:
            return None if event in self._role.reserved else self._missing_method
        return self._bound_entry(registration, event, method)

    def _bound_entry(
        self, registration: Registration, event: str, method: Callable[..., Any], *, own_trigger: bool = False
    ) -> Entry:
        key = (registration.namespace, event, own_trigger)
        entry = self._methods.get(key)
        if entry is None or entry.registration.handler != method:
            found = replace(registration, event=event, handler=method, own_trigger=own_trigger)
            # An override of trigger_event that is a plain function may return the coroutine of the inherited method.
            may_wait = own_trigger and self._asynchronous and colour_of(method) is Colour.PLAIN
            called = replace(found, handler=awaiting(method)) if may_wait else found
            entry = self._methods[key] = Entry(found, self._compile(called, event))
        return entry

    def method_endpoint(self, namespace_handler: Any, event: str) -> Endpoint | None:
        """Return the method of a registered class-based namespace for *event*, or None."""
        entry = self._method_entry(self._class_at(namespace_handler.namespace), event)
        return None if entry is None else entry.endpoint

    def _build_guarded(self, guarded: GuardEntry, namespace: str, event: str, entry: Entry | None) -> Route:
        """Return the route of a guarded event."""
        scopes = guarded.scopes
        wrappers = _holding([*self._server_wrappers(), *self._wrappers_of(scopes)], event, namespace)
        return self._build_around(guarded.guard, scopes, self._checks_of(scopes, ""), wrappers, entry, namespace, event)

    def _build_around(
        self,
        guard: Guard,
        scopes: tuple[RouterScope, ...],
        checks: tuple[Endpoint, ...],
        wrappers: tuple[Wrapper, ...],
        entry: Entry | None,
        namespace: str,
        event: str,
    ) -> Route:
        """
        Return the route of an event that *guard* decides about, with *wrappers*, those of the server too, around it.

        The routers of *scopes*, innermost first, are around it, and *checks*, the first outermost, resolve their
        dependencies before it. Inside of it is the handler of *entry*, if there is one; its routers are around it too,
        each once.
        """
        inner = None
        if entry is not None:
            registration = entry.registration
            others = tuple(scope for scope in registration.scopes if scope not in scopes)
            own_wrappers = _holding(self._wrappers_of(others), event, namespace)
            inner = build_route(entry.endpoint, prefix_of(registration), own_wrappers, asynchronous=self._asynchronous)
            scopes = (*others, *scopes)
        stand_in = self._missing_method.endpoint
        return build_guarded_route(guard, stand_in, checks, inner, wrappers, scopes, asynchronous=self._asynchronous)

    def _wrappers_of(self, scopes: tuple[RouterScope, ...]) -> list[tuple[Scope, Wrapper]]:
        """Return the middlewares of routers, the outermost first; the routers are given innermost first."""
        return [pair for scope in reversed(scopes) for pair in scope.wrappers(asynchronous=self._asynchronous)]

    def _server_wrappers(self) -> list[tuple[Scope, Wrapper]]:
        return [(scope, wrapper) for _, scope, wrapper in self._middlewares]

    def _build(self, entry: Entry, namespace: str, event: str) -> Route:
        if entry.endpoint.pending:  # registered after the server has started
            with suppress(SignatureError):
                entry.endpoint.prepare()
        wrappers = _holding([*self._server_wrappers(), *self._wrappers_of(entry.registration.scopes)], event, namespace)
        route = self._built.get((entry, wrappers))
        if route is None:
            registration = entry.registration
            route = build_route(
                entry.endpoint,
                prefix_of(registration),
                wrappers,
                registration.scopes,
                asynchronous=self._asynchronous,
            )
            if not entry.endpoint.pending:
                self._built[entry, wrappers] = route
        return route

    # Failures

    def exception_endpoint(self, exc: BaseException, scopes: tuple[RouterScope, ...]) -> Endpoint | None:
        """Return the exception handler for *exc*: that of the innermost router that has one, otherwise the server's."""
        return find_exception_handler(exc, [self._exception_endpoints(scope) for scope in (*scopes, self.scope)])

    def _exception_endpoints(self, scope: RouterScope) -> Mapping[type[BaseException], Endpoint]:
        return scope.exception_endpoints(asynchronous=self._asynchronous)


def _dependencies_of(scopes: tuple[RouterScope, ...]) -> list[Any]:
    return [one for scope in reversed(scopes) for one in scope.dependencies]


def _holding(scoped: Iterable[tuple[Scope, Wrapper]], event: str, namespace: str) -> tuple[Wrapper, ...]:
    return tuple(wrapper for scope, wrapper in scoped if scope.holds(event, namespace))


def _handled(places: Iterable[Place]) -> dict[str, set[str]]:
    """Return the events of places by namespace."""
    handled: dict[str, set[str]] = {}
    for namespace, events, _ in places:
        handled.setdefault(namespace, set()).update(events)
    return handled


def _events_of(namespace_handler: Any) -> set[str]:
    """Return the events that a class-based namespace has methods for; ``"*"`` if only a call can show them."""
    if overrides_trigger(namespace_handler) or hasattr(type(namespace_handler), "__getattr__"):
        return {"*"}
    return {name.removeprefix("on_") for name in dir(namespace_handler) if name.startswith("on_")}


def _keys_of(handlers: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for namespace, events in handlers.items():
        for event in events:
            yield namespace, event


def _ignore(*_args: Any) -> None:
    """Do nothing about an event."""


async def _pass_on(context: Context, own: Callable[[Context], Any] | None) -> Any:
    """Call the handler, if there is one."""
    return None if own is None else await own(context)


def _pass_on_sync(context: Context, own: Callable[[Context], Any] | None) -> Any:
    """Do what :func:`_pass_on` does, on a server without an event loop."""
    return None if own is None else own(context)
