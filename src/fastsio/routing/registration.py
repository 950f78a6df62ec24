"""
The methods that register handlers: ``on`` and ``event``, and ``add_router`` of routers.

This module makes registrations of their arguments, and must not know how handlers are looked up or called.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, overload

from fastsio.exceptions import SetupError
from fastsio.injection import HandlerKind, compile_endpoint
from fastsio.injection.signature import name_of
from fastsio.protocol.limits import is_number
from fastsio.routing.middleware import Scope, Wrapper
from fastsio.routing.namespaces import check_namespace
from fastsio.routing.slips import warn_of_habit, warn_of_name
from fastsio.state.room_names import NamedRoom

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from fastsio.injection import Dependency, Endpoint
    from fastsio.types import EventName

Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Role:
    """
    One side of a connection, server or client, and the rules by which it finds handlers.

    Args:
        kinds: The events whose handlers are of a kind of their own.
        event_kind: The kind of all other handlers.
        reserved: The built-in events, which the peer does not emit; they never reach a catch-all event handler.
        falls_back: Whether an event without a handler in a namespace that has other handlers is looked up in the
            namespace ``"*"`` too.
    """

    kinds: Mapping[str, HandlerKind]
    event_kind: HandlerKind
    reserved: frozenset[str]
    falls_back: bool

    def kind_of(self, event: str) -> HandlerKind:
        """Return what kind of handler *event* has."""
        return self.kinds.get(event, self.event_kind)

    @property
    def built_in(self) -> list[str]:
        """The names of the built-in events, apart from those that only fastsio uses."""
        return [event for event in self.reserved if not event.startswith("_")]

    def stand_in(self, event: str) -> str:
        """Return a name that stands for all events whose handlers are of the same kind as that of *event*."""
        return event if event in self.kinds else "event"

    def places(self, namespace: str, handlers: Collection[str]) -> tuple[str, ...]:
        """Return the namespaces in which to look for the handler of an event of *namespace*, in this order."""
        if self.falls_back:
            return (namespace, "*")
        return (namespace,) if namespace in handlers else ("*",)


SERVER: Final = Role(
    {"connect": HandlerKind.CONNECT, "disconnect": HandlerKind.DISCONNECT},
    HandlerKind.EVENT,
    frozenset({"connect", "disconnect"}),
    falls_back=True,
)

CLIENT: Final = Role(
    {"connect": HandlerKind.CLIENT_CONNECT, "disconnect": HandlerKind.CLIENT_DISCONNECT},
    HandlerKind.CLIENT_EVENT,
    frozenset({"connect", "connect_error", "disconnect", "__disconnect_final"}),
    falls_back=False,
)


class RouterScope:
    """
    The middlewares (the first outermost), dependencies and exception handlers of a router, or of a server.

    Exception handlers are compiled when they are registered, and not for each event that fails: clients decide how many
    events fail. A server without an event loop needs them, and middlewares, compiled without ``await``, hence one table
    for each kind of server.

    Args:
        asynchronous: Whether the server awaits. A router does not know its servers yet and is compiled for one that
            does; :meth:`compile_for` compiles it for the other kind.
    """

    __slots__ = ("_exception_endpoints", "_wrappers", "dependencies", "exception_handlers")

    def __init__(
        self,
        wrappers: tuple[tuple[Scope, Wrapper], ...] = (),
        dependencies: tuple[Dependency, ...] = (),
        *,
        asynchronous: bool = True,
    ) -> None:
        self._wrappers = {asynchronous: wrappers}
        self.dependencies = dependencies
        self.exception_handlers: dict[type[BaseException], Callable[..., Any]] = {}
        self._exception_endpoints: dict[bool, dict[type[BaseException], Endpoint]] = {asynchronous: {}}

    def exception_handler(self, exception_class: type[BaseException]) -> Callable[[Handler], Handler]:
        """Return the decorator that registers a function for an exception; raise SetupError for another class."""
        if not (isinstance(exception_class, type) and issubclass(exception_class, BaseException)):
            raise SetupError(f"{exception_class!r} is not an exception class")

        def register(function: Handler) -> Handler:
            self.add_exception_handler(exception_class, function)
            return function

        return register

    def add_exception_handler(self, exception_class: type[BaseException], function: Callable[..., Any]) -> None:
        """Call *function* when a handler raises *exception_class*, in place of the function registered before."""
        compiled = {
            asynchronous: _compile_exception_handler(function, asynchronous=asynchronous)
            for asynchronous in self._exception_endpoints
        }
        self.exception_handlers[exception_class] = function
        for asynchronous, endpoint in compiled.items():
            self._exception_endpoints[asynchronous][exception_class] = endpoint

    def compile_for(self, *, asynchronous: bool) -> None:
        """
        Compile middlewares and exception handlers, those registered later included, for one more kind of server.

        Raise SignatureError if one is a coroutine function and the server does not await.
        """
        if asynchronous not in self._wrappers:
            wrappers = next(iter(self._wrappers.values()))
            self._wrappers[asynchronous] = tuple(
                (scope, Wrapper.of(wrapper.middleware, asynchronous=asynchronous)) for scope, wrapper in wrappers
            )
        if asynchronous not in self._exception_endpoints:
            self._exception_endpoints[asynchronous] = {
                exception_class: _compile_exception_handler(function, asynchronous=asynchronous)
                for exception_class, function in self.exception_handlers.items()
            }

    def wrappers(self, *, asynchronous: bool) -> tuple[tuple[Scope, Wrapper], ...]:
        """Return the compiled middlewares, the first outermost, as a server of that kind calls them."""
        return self._wrappers[asynchronous]

    def exception_endpoints(self, *, asynchronous: bool) -> Mapping[type[BaseException], Endpoint]:
        """Return the compiled exception handlers by exception class, as a server of that kind calls them."""
        return self._exception_endpoints[asynchronous]


def _compile_exception_handler(function: Callable[..., Any], *, asynchronous: bool) -> Endpoint:
    return compile_endpoint(function, kind=HandlerKind.EXCEPTION, asynchronous=asynchronous)


@dataclass(frozen=True, slots=True, eq=False)
class Registration:
    """
    A handler for an event, or a class-based namespace when *event* is None.

    Args:
        namespace: The namespace; ``"*"`` is every namespace.
        event: The event; ``"*"`` is every event, None a class-based namespace.
        handler: The function, or the namespace object.
        response_model: The type that the answer is validated against, or None.
        scopes: The scopes of the routers that include it, innermost first.
        own_trigger: Whether the handler is the ``trigger_event`` of a class-based namespace, which gets the event's
            name.
        channel: The name of the event's channel in documents of the application; None is the event's own name.
        endpoint: The handler as its router has compiled it: for a server that awaits, with the dependencies of that
            router and of no other.
    """

    namespace: str
    event: str | None
    handler: Any
    response_model: Any = None
    scopes: tuple[RouterScope, ...] = ()
    own_trigger: bool = False
    channel: str | None = None
    endpoint: Endpoint | None = None

    def within(self, namespace: str | None, scope: RouterScope) -> Registration:
        """Return the registration as seen from outside of a router."""
        return replace(self, namespace=compose(namespace, self.namespace), scopes=(*self.scopes, scope))


@dataclass(frozen=True, slots=True, eq=False)
class RoomRegistration:
    """A room class whose rooms clients may ask to be let into, with the scopes of its routers, innermost first."""

    namespace: str
    room_class: Any
    scopes: tuple[RouterScope, ...] = ()

    def within(self, namespace: str | None, scope: RouterScope) -> RoomRegistration:
        """Return the registration as seen from outside of a router."""
        return replace(self, namespace=compose(namespace, self.namespace), scopes=(*self.scopes, scope))


def compose(prefix: str | None, namespace: str) -> str:
    """
    Return the namespace of an inner router with that of an outer router before it.

    >>> compose("/admin", "/chat"), compose("/admin", "/"), compose(None, "/chat"), compose("/admin", "*")
    ('/admin/chat', '/admin', '/chat', '*')
    """
    if namespace == "*" or not prefix or prefix == "/":
        return namespace
    return prefix if namespace == "/" else prefix + namespace


def check_namespaces(namespaces: Any) -> Any:
    """Return the option ``namespaces`` of a server as it is; raise SetupError if one is not valid."""
    for name in (namespaces,) if isinstance(namespaces, str) else namespaces:
        check_namespace(name)
    return namespaces


class EventRegistrar(ABC):
    """Base of the classes that handlers are registered on: servers, clients and routers."""

    #: The namespace of handlers registered without one.
    _default_namespace: str | None = None

    @overload
    def on(
        self,
        event: EventName,
        handler: None = None,
        namespace: str | None = None,
        *,
        response_model: Any = None,
        channel: str | None = None,
    ) -> Callable[[Handler], Handler]: ...
    @overload
    def on(
        self,
        event: EventName,
        handler: Callable[..., Any],
        namespace: str | None = None,
        *,
        response_model: Any = None,
        channel: str | None = None,
    ) -> None: ...

    def on(
        self,
        event: EventName,
        handler: Callable[..., Any] | None = None,
        namespace: str | None = None,
        *,
        response_model: Any = None,
        channel: str | None = None,
    ) -> Any:
        """
        Register a handler for an event, directly or as a decorator.

        Args:
            event: Event name; ``"*"`` is every event without a handler of its own.
            handler: The function; without it ``on`` returns a decorator.
            namespace: The namespace; ``"*"`` is every namespace, None the default one.
            response_model: A type that the handler's answer is validated against. A dict of event names and types is
                for a handler that returns ``(event, data)``: *data* is validated by the type of *event*.
            channel: The name of the event's channel in documents of the application.

        Returns:
            The decorator, or None when *handler* is given.

        Raises:
            SetupError: A name is not valid, or the handler cannot be called.
            SignatureError: A parameter of the handler cannot be filled.
        """
        if not (event if isinstance(event, str) else is_number(event)):
            raise SetupError(f"event name {event!r} is not valid; write a non-empty string, or a number")
        name = check_namespace(self._default_namespace if namespace is None else namespace)
        key: Any = event  # a number too, though the type says text everywhere else

        def register(function: Handler) -> Handler:
            if not callable(function):
                raise SetupError(f"the handler of {event!r} is a function or coroutine function, not {function!r}")
            self._register(Registration(name, key, function, response_model, channel=channel))
            return function

        if handler is None:
            return register
        register(handler)
        return None

    @overload
    def event(self, function: Handler, /) -> Handler: ...
    @overload
    def event(
        self, *, namespace: str | None = None, response_model: Any = None, channel: str | None = None
    ) -> Callable[[Handler], Handler]: ...

    def event(self, *args: Any, **kwargs: Any) -> Any:
        """
        Register a function for the event of its name, as ``@event`` or ``@event(namespace=...)``.

        Raises:
            SetupError: A name is not valid.
            SignatureError: A parameter of the handler cannot be filled.
        """
        if args and isinstance(args[0], str):
            raise SetupError(f"event() takes the name of the function; write on({args[0]!r})")
        if len(args) == 1 and not kwargs and callable(args[0]):
            return self.on(args[0].__name__)(args[0])

        def register(function: Handler) -> Handler:
            return self.on(function.__name__, *args, **kwargs)(function)  # type: ignore[no-any-return] # what on() returns

        return register

    @abstractmethod
    def _register(self, registration: Registration) -> None:
        """Store a registration that was made here or on a router included here."""


class RouterSIO(EventRegistrar):
    """
    Handlers to be included in a server, or in another router.

    Args:
        namespace: The namespace of handlers registered without one; an outer router's namespace comes before it.
        middleware: Middlewares around this router's handlers, the first outermost.
        dependencies: ``Depends(...)`` to resolve before each of this router's handlers.
    """

    def __init__(
        self,
        namespace: str | None = None,
        *,
        middleware: Iterable[Any] = (),
        dependencies: Sequence[Any] = (),
    ) -> None:
        self._default_namespace = namespace if namespace is None else check_namespace(namespace)
        self._scope = RouterScope(
            tuple((Scope.of(one), Wrapper.of(one)) for one in middleware),
            tuple(dependencies),
        )
        self._registrations: list[Registration] = []
        self._rooms: list[RoomRegistration] = []
        self._outlets: list[Outlet] = []
        self._children: list[RouterSIO] = []

    @property
    def namespace(self) -> str | None:
        """The namespace of handlers registered without one."""
        return self._default_namespace

    def exception_handler(self, exception_class: type[BaseException]) -> Callable[[Handler], Handler]:
        """
        Register a function that answers when a handler of this router raises *exception_class*.

        It is tried before those of outer routers and of the server, and follows the same rules otherwise.

        Raises:
            SetupError: *exception_class* is not an exception class.
            SignatureError: A parameter of the function cannot be filled.
        """
        return self._scope.exception_handler(exception_class)

    def register_namespace(self, namespace_handler: Any) -> None:
        """
        Register a class-based namespace.

        Raises:
            SetupError: The object has no namespace.
        """
        name = getattr(namespace_handler, "namespace", None)
        if not isinstance(name, str):
            raise SetupError(f"{namespace_handler!r} is not a namespace instance")
        self._register(Registration(check_namespace(name), None, namespace_handler))

    def register_room(self, *room_classes: Any, namespace: str | None = None) -> None:
        """
        Let clients ask to join the rooms of classes, as the server's method of this name does.

        Raises:
            SetupError: One is not a room class, or two have the same key.
        """
        for registration in room_registrations(
            room_classes, self._default_namespace if namespace is None else namespace
        ):
            self._register_room(registration)

    def add_router(self, router: RouterSIO) -> None:
        """
        Include everything registered on *router*, now and later.

        Raises:
            SetupError: It is not a router, or it includes this one.
        """
        attach_router(router, self._register, self._register_room, self)
        self._children.append(router)

    def add_routers(self, *routers: RouterSIO) -> None:
        """Include several routers."""
        for router in routers:
            self.add_router(router)

    def includes(self) -> list[RouterSIO]:
        """Return the routers included in this one, at any depth."""
        return [router for child in self._children for router in (child, *child.includes())]

    def attach(
        self,
        register: Callable[[Registration], None],
        register_room: Callable[[RoomRegistration], None],
        namespace: str | None = None,
    ) -> None:
        """Hand everything registered here, now and later, to a server, or to the outer router of *namespace*."""
        outlet = Outlet(register, register_room, namespace)
        self._outlets.append(outlet)
        for registration in self._registrations:
            register(registration.within(namespace, self._scope))
        for room in self._rooms:
            register_room(room.within(namespace, self._scope))

    def _register(self, registration: Registration) -> None:
        if registration.event is not None and not registration.scopes:
            endpoint = compile_endpoint(
                registration.handler,
                kind=SERVER.kind_of(registration.event),
                label=name_of(registration.handler),
                prefix=prefix_of(registration),
                asynchronous=True,
                dependencies=self._scope.dependencies,
                response_model=registration.response_model,
            )
            warn_of_habit(endpoint, prefix_of(registration))
            warn_of_name(endpoint.label, registration.event, SERVER.built_in)
            registration = replace(registration, endpoint=endpoint)
        self._registrations.append(registration)
        for outlet in self._outlets:
            outlet.register(registration.within(outlet.namespace, self._scope))

    def _register_room(self, registration: RoomRegistration) -> None:
        self._rooms.append(registration)
        for outlet in self._outlets:
            outlet.register_room(registration.within(outlet.namespace, self._scope))


class Outlet(NamedTuple):
    """The functions of a server or an outer router that a router hands its registrations to."""

    register: Callable[[Registration], None]
    register_room: Callable[[RoomRegistration], None]
    namespace: str | None


def attach_router(
    router: Any,
    register: Callable[[Registration], None],
    register_room: Callable[[RoomRegistration], None],
    outer: RouterSIO | None = None,
) -> None:
    """Let a router hand its registrations to a server, or to *outer*, which it must not include itself."""
    if not isinstance(router, RouterSIO):
        raise SetupError(f"{router!r} is not a RouterSIO")
    if outer is not None and (router is outer or outer in router.includes()):
        raise SetupError("a router cannot include itself")
    router.attach(register, register_room, None if outer is None else outer.namespace)


def room_registrations(room_classes: Iterable[Any], namespace: str | None) -> list[RoomRegistration]:
    """Return the registrations of room classes in a namespace, each class once; raise SetupError for a mistake."""
    name = check_namespace(namespace)
    return [RoomRegistration(name, room_class) for room_class in check_rooms(room_classes)]


def check_rooms(room_classes: Iterable[Any]) -> tuple[Any, ...]:
    """Return room classes, each once; raise SetupError if one is not a room class, or two have the same key."""
    by_key: dict[str, Any] = {}
    for room_class in room_classes:
        is_room = isinstance(room_class, type) and issubclass(room_class, NamedRoom)
        key = getattr(room_class, "key", None) if is_room else None
        if key is None:
            raise SetupError(f"{room_class!r} is not a room class; give the subclass of Room itself")
        refuse_same_key(by_key.setdefault(key, room_class), room_class)
    return tuple(by_key.values())


def refuse_same_key(known: Any, room_class: Any) -> None:
    """Raise SetupError if two different room classes have the same key."""
    if known is not room_class:
        raise SetupError(
            f"{known.__qualname__} and {room_class.__qualname__} have the same key {room_class.key!r}; "
            "give one of them another 'key'"
        )


def prefix_of(registration: Registration) -> tuple[str, ...]:
    """Return the names of the arguments that a catch-all handler, or a namespace's ``trigger_event``, gets first."""
    event = ("event",) if registration.event == "*" or registration.own_trigger else ()
    namespace = ("namespace",) if registration.namespace == "*" else ()
    return (*event, *namespace)
