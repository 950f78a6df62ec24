"""
The base class of both servers: options, attributes, registration.

This module has all code that neither sends nor waits, and must not know asyncio, threads or Engine.IO.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar

from fastsio._extras import optional
from fastsio.asyncapi import asyncapi_config
from fastsio.base.event_log import event_log
from fastsio.base.internals import ServerInternals
from fastsio.base.manager import checked_manager
from fastsio.base.namespace import BaseServerNamespace, no_namespace, other_namespace
from fastsio.base.options import (
    SERVER_NAMES,
    check_origins,
    choose_logger,
    choose_packet_class,
    known_options,
    parameters_of,
    split_options,
    startup_logger,
)
from fastsio.base.recovery import recovery_options
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
    refuse_same_key,
    room_registrations,
    single_namespace,
)
from fastsio.routing.slips import stacklevel_outside
from fastsio.state.environs import Environs
from fastsio.types import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping

    from fastsio.base.event_log import EventLog
    from fastsio.protocol import Packet
    from fastsio.routing import RouterSIO
    from fastsio.routing.registration import Handler
    from fastsio.state import Client

T = TypeVar("T")
#: The fewest seconds between two calls of :meth:`DrainSchedule.due`; of many connections, several then end together.
LEAST_STEP_S: Final = 0.05
#: The most seconds: the caller also looks whether all clients have left.
MOST_STEP_S: Final = 0.25


def require_server(server: Any, taker: str, *, asynchronous: bool) -> None:
    """
    Make sure that an ASGI or WSGI application, *taker*, is given a server that it can serve.

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


def engine_of(server: Any) -> Any:
    """Return the Engine.IO server of a Socket.IO server; one that is served without such a server is returned."""
    return server.eio if isinstance(server, BaseServer) else server


def use_mode(server: Any, async_mode: str) -> None:
    """
    Let a server, or an Engine.IO server without one, serve the requests of a framework, ``"asgi"`` or ``"tornado"``.

    Raises:
        SetupError: The server was made for another framework, or serves one already.
    """
    engine_of(server).use_mode(async_mode)
    server.async_mode = async_mode


def require_patched_sockets(async_mode: str, manager: str) -> None:
    """
    Make sure that waiting for the broker of a manager does not stop the whole process.

    Raises:
        SetupError: The server runs in greenlets, and the standard library's sockets block them all.
    """
    if async_mode.startswith("gevent"):
        if not _asks("gevent.monkey", "is_module_patched"):
            cure = "call gevent.monkey.patch_all() before anything else is imported"
            raise SetupError(f"{manager} with async_mode={async_mode!r} needs patched sockets; {cure}")
    elif async_mode == "eventlet" and not _asks("eventlet.patcher", "is_monkey_patched"):
        cure = "call eventlet.monkey_patch() before anything else is imported"
        raise SetupError(f"{manager} with async_mode={async_mode!r} needs patched sockets; {cure}")


def _asks(module: str, question: str) -> bool:
    library: Any = optional(module)
    return library is not None and bool(getattr(library, question)("socket"))


def reopen(server: Any) -> None:
    """Let clients in again after a shutdown: an application, such as one under test, starts more than once."""
    server.eio.admit()
    shared = server.__fastsio__
    if shared.lifecycle.is_closed:
        shared.lifecycle.start()
        server.manager_initialized = False
        for (namespace, _), room_class in shared.room_classes.items():
            room_class.add_home(server, namespace)


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
        asyncapi_config: Settings of the AsyncAPI document.
    """

    #: The Engine.IO server.
    eio: Any
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
        connection_state_recovery: Any = None,
        **kwargs: Any,
    ) -> None:
        refuse_class(type(self), SERVER_REFUSED)
        self._seams = Seams(self, self._own_seams)
        # Unknown options are passed on: an application's own engine may know them.
        known_options(type(self).__name__, kwargs, SERVER_NAMES, parameters_of(BaseServer))
        check_origins(kwargs.get("cors_allowed_origins"))
        options, limits, self._engine_options = split_options(kwargs)
        self.logger = choose_logger(logger, "socketio.server")
        self.asyncapi_config = asyncapi_config(asyncapi)
        if asyncapi is not None:
            text = f"{type(self).__name__} takes asyncapi, and serves no document of its events yet"
            warnings.warn(text, stacklevel=stacklevel_outside())
        log = event_log(self.logger)
        if log is not None:  # one more attribute makes access to the others slow (CPython 3.11)
            self._event_log = log
        self.packet_class: type[Packet] = choose_packet_class(serializer, json)
        recovery = recovery_options(connection_state_recovery, always_connect=always_connect)
        self.async_handlers, self.always_connect = async_handlers, always_connect
        self.namespaces: Any = ["/"] if namespaces is None else check_namespaces(namespaces)
        self.dependency_overrides: dict[Callable[..., Any], Callable[..., Any]] = {}
        self.host_app: Any = None
        self.manager = checked_manager(client_manager, asynchronous=self.is_asyncio_based())
        self.manager_initialized = False
        self.environ = Environs()
        self._registry = Registry(asynchronous=self.is_asyncio_based())
        self.__fastsio__ = ServerInternals(options, limits, self._registry, self._seams, self._event_log, recovery)
        self._connections = self.__fastsio__.connections
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
            self.__fastsio__.update_seams()

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        if name in SERVER_SEAMS:
            self._seams.remove(name)
            self.__fastsio__.update_seams()

    def is_asyncio_based(self) -> bool:
        """Whether handlers may be coroutine functions."""
        return False

    @property
    def is_ready(self) -> bool:
        """Whether the server takes new clients; False from the beginning of :meth:`drain` or :meth:`shutdown` on."""
        is_admitting: bool = self.eio.is_admitting
        return is_admitting

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
        for room_class in self.__fastsio__.room_classes.values():
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
        rooms: list[Any] = self.manager.get_rooms(sid, single_namespace(namespace))
        return rooms

    def transport(self, sid: str, namespace: str | None = None) -> str:
        """
        Return a client's transport, ``"polling"`` or ``"websocket"``.

        Raises:
            KeyError: There is no such client.
            ValueError: The namespace has no slash in front.
        """
        eio_sid = self._client(sid, single_namespace(namespace)).eio_sid
        transport: str = self.eio.transport(eio_sid)
        return transport

    def get_environ(self, sid: str, namespace: str | None = None) -> dict[str, Any] | None:
        """
        Return the environ of a client's handshake; None for an unknown client.

        Raises:
            ValueError: The namespace has no slash in front.
        """
        eio_sid = self.manager.eio_sid_from_sid(sid, single_namespace(namespace))
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
        guards = self.__fastsio__.room_keeper.guards(hooks)
        refuse_same_key(self.__fastsio__.room_classes.setdefault((namespace, room_class.key), room_class), room_class)
        for event, guard in guards.items():
            self._registry.add_guard(namespace, event, guard, registration.scopes)
        self.__fastsio__.room_keeper.keep_history(namespace, hooks)
        room_class.add_home(self, namespace)

    def _remove_room_homes(self) -> None:
        """Remove this server, which is shut down, from the places where its room classes are registered."""
        for (namespace, _), room_class in self.__fastsio__.room_classes.items():
            room_class.remove_home(self, namespace)

    def _place(self, room: Hashable, namespace: str | None) -> str:
        """Return the namespace that a call about a room is about."""
        return single_namespace(namespace) if namespace else self._namespace_of(room)

    def _namespace_of(self, target: Any) -> str:
        """Return where a room is, or the first of several, unless the call says it."""
        first = next(iter(target), None) if isinstance(target, (list, tuple, set, frozenset)) else target
        return first.namespace_on(self) if isinstance(first, Room) else "/"

    def _client(self, sid: str, namespace: str) -> Client:
        client: Client | None = self.manager.client_of(sid, namespace)
        if client is None:
            raise KeyError("Session not found")
        return client


class DrainSchedule(Generic[T]):
    """
    Spreads the ends of connections, in their order, evenly over *seconds* from *begin_s* on, by the caller's clock.

    Raises:
        ValueError: *seconds* is not a number from 0 on, or is infinite.
    """

    def __init__(self, connections: Iterable[T], seconds: float, begin_s: float) -> None:
        is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
        if not (is_number and 0 <= seconds < math.inf):
            raise ValueError(f"a drain of {seconds!r} seconds is not possible; give a number, 0 or more")
        self._waiting = list(connections)[::-1]
        self._count = len(self._waiting)
        self._seconds = seconds
        self._begin_s = begin_s

    @property
    def is_over(self) -> bool:
        """Whether every connection was due."""
        return not self._waiting

    def due(self, now_s: float) -> list[T]:
        """Return the connections that are to end now, and were not returned before."""
        elapsed_s = now_s - self._begin_s
        count = self._count if elapsed_s >= self._seconds else int(self._count * elapsed_s / self._seconds)
        late = count - (self._count - len(self._waiting))
        return [self._waiting.pop() for _ in range(late)]

    def next_look_s(self, now_s: float) -> float:
        """Return after how many seconds the caller is to look again."""
        done = self._count - len(self._waiting)
        due_s = self._begin_s + self._seconds * (done + 1) / self._count if self._waiting else now_s
        return min(max(due_s - now_s, LEAST_STEP_S), MOST_STEP_S, self._seconds)
