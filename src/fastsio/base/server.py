"""
The base class of both servers: options, attributes, registration.

Has all code that neither sends nor waits; must not know asyncio, threads or Engine.IO.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, ClassVar

from fastsio.asyncapi import asyncapi_config
from fastsio.base.event_log import event_log
from fastsio.base.manager import checked_manager
from fastsio.base.namespace import BaseServerNamespace, no_namespace, other_namespace
from fastsio.base.options import (
    SERVER_NAMES,
    SERVER_PARAMETERS,
    check_origins,
    choose_logger,
    choose_packet_class,
    known_options,
    split_options,
    startup_logger,
)
from fastsio.base.rooms import ROOMS_ATTRIBUTE, Room, hooks_of
from fastsio.base.seams import SERVER_REFUSED, SERVER_SEAMS, Seams, refuse, refuse_class, refuse_coroutines
from fastsio.exceptions import SetupError
from fastsio.protocol.lifecycle import Reasons
from fastsio.routing import (
    EventRegistrar,
    Registration,
    Registry,
    RoomRegistration,
    Scope,
    attach_router,
    check_namespaces,
    place_of,
    refuse_same_key,
    room_registrations,
)
from fastsio.routing.slips import stacklevel_outside
from fastsio.state.room_names import key_of_name
from fastsio.types import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping

    from fastsio.base.admin import Observer
    from fastsio.base.event_log import EventLog
    from fastsio.protocol import Packet
    from fastsio.routing import RouterSIO
    from fastsio.routing.registration import Handler
    from fastsio.state import Client, Connection


def require_server(server: Any, taker: str, *, asynchronous: bool) -> None:
    """
    Make sure that an ASGI or WSGI application is given a server that it can serve.

    Args:
        server: The argument of the application.
        taker: The name of the application's class.
        asynchronous: Whether it serves an ``AsyncServer``, or a ``Server``.

    Raises:
        SetupError: It is not a server, or one of the other kind.
    """
    wanted = "an AsyncServer" if asynchronous else "a Server"
    is_asyncio_based = getattr(server, "is_asyncio_based", None)
    if not callable(is_asyncio_based):
        raise SetupError(f"{taker} serves {wanted}, which is its first argument; this is {server!r}")
    if bool(is_asyncio_based()) is not asynchronous:
        other = "a Server with WSGIApp" if asynchronous else "an AsyncServer with ASGIApp"
        raise SetupError(f"{taker} serves {wanted}; serve {other}")


class BaseServer(EventRegistrar):
    """
    The part of a Socket.IO server that does not wait for anything.

    Attributes:
        environ: Engine.IO sid -> environ of its handshake.
        handlers: Namespace -> event -> handler.
        namespace_handlers: Namespace -> class-based namespace.
        dependency_overrides: Dependency -> the function to call in its place, for tests.
        host_app: The FastAPI application that is served with the server: its ``dependency_overrides`` count too.
        packet_class: The class of this server's packets.
        room_keeper: The object that carries out the methods of room objects.
        observer: The object that is told what happens on the server: the admin interface, or None.
        shows_frames: Whether the application has a ``_send_eio_packet()`` of its own, which is called for each frame.
    """

    reserved_events: ClassVar[list[str]] = ["connect", "disconnect"]
    reason = Reasons
    __fastsio_source__ = Source.SERVER
    _event_log: EventLog | None = None
    #: The result of an event that has no handler.
    not_handled: object = object()
    #: The methods of python-socketio that applications override, as fastsio implements them.
    _own_seams: ClassVar[Mapping[str, Any]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        refuse_class(cls, SERVER_REFUSED)

    def __init__(
        self,
        client_manager: Any = None,
        logger: Any = False,
        serializer: Any = "default",
        json: Any = None,
        async_handlers: bool = True,
        always_connect: bool = False,
        namespaces: Any = None,
        *,
        asyncapi: Any = None,
        **kwargs: Any,
    ) -> None:
        refuse_class(type(self), SERVER_REFUSED)
        self._seams = Seams(self, self._own_seams)
        self.shows_frames = "_send_eio_packet" in self._seams.replaced
        # Unknown options are passed on: an application's own engine may know them.
        known_options(type(self).__name__, kwargs, SERVER_NAMES, SERVER_PARAMETERS)
        check_origins(kwargs.get("cors_allowed_origins"))
        self.options, self.limits, self._engine_options = split_options(kwargs)
        self.logger = choose_logger(logger, "socketio.server")
        self.asyncapi_config = asyncapi_config(asyncapi)
        if asyncapi is not None:
            text = f"{type(self).__name__} takes asyncapi, and serves no document of its events yet"
            warnings.warn(text, stacklevel=stacklevel_outside())
        log = event_log(self.logger)
        if log is not None:  # one more attribute makes access to the others slow (CPython 3.11)
            self._event_log = log
        self.packet_class: type[Packet] = choose_packet_class(serializer, json)
        self.async_handlers = async_handlers
        self.always_connect = always_connect
        self.namespaces: Any = ["/"] if namespaces is None else check_namespaces(namespaces)
        self.dependency_overrides: dict[Callable[..., Any], Callable[..., Any]] = {}
        self.host_app: Any = None
        self.manager = checked_manager(client_manager, asynchronous=self.is_asyncio_based())
        self.manager_initialized = False
        self.environ: dict[str, dict[str, Any]] = {}
        self._connections: dict[str, Connection] = {}
        self.observer: Observer | None = None
        self.room_keeper: Any = None
        self._room_classes: dict[tuple[str, str], Any] = {}
        self._registry = Registry(asynchronous=self.is_asyncio_based())
        self.handlers = self._registry.handlers
        self.namespace_handlers = self._registry.namespace_handlers

    def __setattr__(self, name: str, value: Any) -> None:
        refuse("a server was given", name, SERVER_REFUSED)
        # Recorded here: reading __dict__ for each event would make every access to attributes slow (CPython 3.11).
        if name in SERVER_SEAMS:
            refuse_coroutines(self, {name: value})
        super().__setattr__(name, value)
        if name in SERVER_SEAMS:
            self._seams.add(name)
            self._on_seams_changed()

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        if name in SERVER_SEAMS:
            self._seams.remove(name)
            self._on_seams_changed()

    def _on_seams_changed(self) -> None:
        """Update the attributes that depend on which methods of python-socketio the class or the object replaces."""
        self.shows_frames = "_send_eio_packet" in self._seams.replaced

    def is_asyncio_based(self) -> bool:
        """Whether handlers may be coroutine functions."""
        return False

    def register_namespace(self, namespace_handler: Any) -> None:
        """
        Register a class-based namespace.

        Raises:
            ValueError: The object is not a namespace, or one of the other kind of server.
        """
        if not isinstance(namespace_handler, BaseServerNamespace):
            raise SetupError(no_namespace(namespace_handler, "server"))
        if namespace_handler.is_asyncio_based() != self.is_asyncio_based():
            raise SetupError(other_namespace(self, namespace_handler, "server"))
        self._register(Registration(namespace_handler.namespace, None, namespace_handler))

    def check_handlers(self) -> None:
        """
        Make sure that the names in the annotations of handlers exist; the server does this when it starts.

        The log gets a warning for each event and each namespace that a middleware is for and that does not exist.

        Raises:
            SignatureError: An annotation names what does not exist, or a parameter cannot be filled.
        """
        self._registry.compile_pending()
        for room_class in self._room_classes.values():
            hooks_of(room_class, asynchronous=self.is_asyncio_based()).compile_pending()
        if not self._seams.replaced:  # an application that dispatches events itself may handle any
            for text in self._registry.unreached(self.namespaces):
                startup_logger(self.logger).warning("%s", text)

    def add_middleware(
        self,
        middleware: Any,
        events: Iterable[str] | str | None = None,
        namespace: str | None = None,
        global_middleware: bool = False,
    ) -> None:
        """
        Run *middleware* around handlers, inside of the middlewares added before.

        Args:
            middleware: A :class:`BaseMiddleware`, or any object with some of its hooks.
            events: Names of the events. ``"*"`` is all; None is the middleware's own attribute, by default all.
            namespace: The namespace, with ``"*"`` and None in the same way.
            global_middleware: True runs it for all events in all namespaces.

        Raises:
            SetupError: It is not a middleware, or the namespace has no slash in front.
        """
        self._registry.add_middleware(middleware, Scope.of(middleware, events, namespace, global_middleware))

    def remove_middleware(self, middleware: Any) -> None:
        """Remove every registration of *middleware*; one that is not there is ignored."""
        self._registry.remove_middleware(middleware)

    def get_middlewares(self) -> list[Any]:
        """Return the middlewares in the order they were added."""
        return self._registry.middlewares()

    def rooms(self, sid: str, namespace: str | None = None) -> list[Any]:
        """
        Return the rooms a client is in, its own sid first; empty for an unknown client.

        Raises:
            ValueError: The namespace has no slash in front.
        """
        rooms: list[Any] = self.manager.get_rooms(sid, place_of(namespace))
        return rooms

    def get_environ(self, sid: str, namespace: str | None = None) -> dict[str, Any] | None:
        """
        Return the environ of a client's handshake; None for an unknown client.

        Raises:
            ValueError: The namespace has no slash in front.
        """
        eio_sid = self.manager.eio_sid_from_sid(sid, place_of(namespace))
        return self.environ.get(eio_sid)

    def exception_handler(self, exception_class: type[BaseException]) -> Callable[[Handler], Handler]:
        """
        Register a function that answers when a handler raises *exception_class*; its result is the acknowledgement.

        Handlers of an inner router come before those of an outer one, and these before those of the server; among them
        the nearest class in the exception's MRO. The function takes the exception, or injected parameters like any
        handler.

        Raises:
            SetupError: *exception_class* is not an exception class.
            SignatureError: A parameter of the function cannot be filled.
        """
        return self._registry.scope.exception_handler(exception_class)

    def register_room(self, *room_classes: Any, namespace: str | None = None) -> None:
        """
        Let clients ask to join and leave the rooms of classes, by the events ``join_<key>`` and ``leave_<key>``.

        Args:
            room_classes: Subclasses of :class:`fastsio.Room`.
            namespace: The namespace; None is ``"/"``.

        Raises:
            SetupError: One is not a room class, or two have the same key.
            SignatureError: A parameter of a hook cannot be filled.
        """
        for registration in room_registrations(room_classes, namespace):
            self._register_room(registration)

    def add_router(self, router: RouterSIO) -> None:
        """
        Include everything registered on *router*, now and later.

        Raises:
            SetupError: It is not a router.
        """
        attach_router(router, self._register, self._register_room)

    def add_routers(self, *routers: RouterSIO) -> None:
        """Include several routers."""
        for router in routers:
            self.add_router(router)

    def known_namespaces(self) -> set[str]:
        """Return the names of the namespaces that clients may connect to."""
        return self._registry.namespaces(self.namespaces)

    def _register(self, registration: Registration) -> None:
        handler = registration.handler
        if registration.event is None:
            handler.namespace = registration.namespace
            handler._set_server(self)  # noqa: SLF001 - what python-socketio's namespaces have; others are the user's
        self._registry.add(registration)
        if registration.event is None:
            for room_class in getattr(handler, ROOMS_ATTRIBUTE, ()):
                self._register_room(RoomRegistration(registration.namespace, room_class, registration.scopes))

    def _register_room(self, registration: RoomRegistration) -> None:
        namespace, room_class = registration.namespace, registration.room_class
        if namespace == "*":
            raise SetupError(f"{room_class.__qualname__} cannot be registered in every namespace; name one")
        hooks = hooks_of(room_class, asynchronous=self.is_asyncio_based())
        guards = self.room_keeper.guards(hooks)
        refuse_same_key(self._room_classes.setdefault((namespace, room_class.key), room_class), room_class)
        for event, guard in guards.items():
            self._registry.add_guard(namespace, event, guard, registration.scopes)
        room_class.add_home(self, namespace)

    def room_class_of(self, namespace: str, room: Any) -> Any:
        """Return the registered room class that a room name belongs to in a namespace, or None."""
        if not (self._room_classes and isinstance(room, str)):
            return None
        return self._room_classes.get((namespace, key_of_name(room)))

    def _remove_room_homes(self) -> None:
        """Remove this server, which is shut down, from the places where its room classes are registered."""
        for (namespace, _), room_class in self._room_classes.items():
            room_class.remove_home(self, namespace)

    def connection_of(self, eio_sid: str) -> Connection | None:
        """Return the record of an Engine.IO connection, or None; for the client manager."""
        return self._connections.get(eio_sid)

    def known_sid(self, eio_sid: str, namespace: str) -> str | None:
        """Return the sid that the protocol prescribes for a connection in *namespace*; None for a new one."""
        connection = self._connections.get(eio_sid)
        return None if connection is None else connection.dialect.sid(eio_sid, namespace)

    def label_of(self, sid: str) -> str:
        """Return the name of a client in a log: its sid, or the part of it that is not secret."""
        connection = self._connections.get(sid.rpartition("#")[2])
        return sid if connection is None else connection.dialect.label(sid)

    def _place(self, room: Hashable, namespace: str | None) -> str:
        """Return the namespace that a call about a room is about."""
        return place_of(namespace) if namespace else self._namespace_of(room)

    def _namespace_of(self, target: Any) -> str:
        """Return where a room is, or the first of several, unless the call says it."""
        first = next(iter(target), None) if isinstance(target, (list, tuple, set, frozenset)) else target
        return first.namespace_on(self) if isinstance(first, Room) else "/"

    def _client(self, sid: str, namespace: str) -> Client:
        client: Client | None = self.manager.client_of(sid, namespace)
        if client is None:
            raise KeyError("Session not found")
        return client
