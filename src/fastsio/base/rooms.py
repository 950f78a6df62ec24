"""
Room classes: the names of their rooms, the servers where they are registered, and their hooks.

A room object is only a name: making one is cheap and calls no hook. Its methods call the keeper of a server's rooms,
which is in ``fastsio.aio.rooms`` or ``fastsio.sync.rooms``.
"""

from __future__ import annotations

import copy
import gc
import weakref
from contextlib import contextmanager
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from fastsio.base.emit_args import wait_option
from fastsio.exceptions import RoomIdentifierError, SetupError
from fastsio.injection import EventMarker, HandlerKind, compile_endpoint
from fastsio.routing import Guard, check_rooms, single_namespace
from fastsio.routing.slips import misspelt_methods, misspelt_settings
from fastsio.state.history import History
from fastsio.state.members import Join
from fastsio.state.room_names import NamedRoom, is_key, key_of_class, room_name
from fastsio.types import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

    from fastsio.injection import Context, Endpoint
    from fastsio.state.members import MemberTable
    from fastsio.types import AckCallback, Sids

NamespaceClass = TypeVar("NamespaceClass", bound=type)

#: How long ``members()`` waits for other nodes; on a healthy bus an answer takes milliseconds.
MEMBERS_TIMEOUT_S: Final = 0.5
#: The attribute in which ``register_room`` stores the room classes of a class-based namespace.
ROOMS_ATTRIBUTE: Final = "__fastsio_rooms__"
#: The key, among the values of an event's context, of the join that it has begun, or of the moment when it arrived.
ARRIVAL: Final = "arrival"
#: The hook that finds the room that a payload names.
IDENTIFY: Final = "extract_room_identifier"
_FURTHER: Final = ("can_join", "on_join", "on_leave", "presence_key")


@dataclass(frozen=True, slots=True)
class RoomMember:
    """
    A client in a room.

    Args:
        sid: The client.
        user: The result of the room's ``presence_key`` for it, or None.
    """

    sid: str
    user: str | None = None


class Room(NamedRoom):
    """
    A room that decides who may join.

    A subclass has class methods that take ``(session, data)``: the client's session and the payload it sent. They may
    be coroutine functions, may have dependencies and markers, and may ask for the room by annotating a parameter with
    its class. Only the first is needed:

    - ``extract_room_identifier``: returns which room is meant; a tuple is an identifier of several parts. The text of a
      ``ValueError`` is what the client reads.
    - ``can_join``: returns whether the client may join. Without it every client may.
    - ``on_join``, ``on_leave``: called after the client has joined or left, however it left.
    - ``presence_key``: returns who the client is. The room's members are then told who comes and goes.

    ``str(room)`` is the room's name for ``room=`` and ``to=``, which take the room object too. On an asyncio server the
    methods that do something return an awaitable: of the value described, where there is one.

    Args:
        identifier: Tells the room from others of its class: text, a number, a UUID, or several of them.

    Attributes:
        key: First part of the name and end of the events ``join_<key>`` and ``leave_<key>``; by default the name of
            the class, without ``Room``. If it is empty, the name of a room is its identifier alone.
        presence: Whether members get an event when a user comes or goes, even without a ``presence_key``: then by sid.
        history: How much of what is sent to a room is kept for clients that join later; None for nothing.
        identifier: The identifier; a tuple of several parts.

    Raises:
        ValueError: The identifier is empty, or of a type that identifies nothing.
    """

    __fastsio_source__ = Source.ROOM
    key: ClassVar[str] = ""
    presence: ClassVar[bool] = False
    history: ClassVar[History | None] = None
    _given_key: ClassVar[str | None] = None
    compiled_hooks: ClassVar[dict[bool, RoomHooks]] = {}
    #: The servers where the class is registered, by weak references, with the namespaces.
    _homes: ClassVar[list[tuple[weakref.ReferenceType[Any], str]]] = []

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._homes = []
        cls.compiled_hooks = {}
        if "key" in vars(cls):
            if not is_key(cls.key):
                raise SetupError(f"{cls.__qualname__}.key is {cls.key!r}; use letters, digits and any of '_.-'")
            cls._given_key = cls.key
        elif cls._given_key is None:
            cls.key = key_of_class(cls.__name__)
        if not (cls.history is None or isinstance(cls.history, History)):
            raise SetupError(f"{cls.__qualname__}.history is {cls.history!r}; give it History(...) or None")

    def __init__(self, *identifier: Any) -> None:
        super().__init__(room_name(self.key, identifier))
        self.identifier = identifier[0] if len(identifier) == 1 else identifier
        self._place: tuple[Any, str] | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__qualname__} {self.name!r}>"

    # Where it is

    def on(self, server: Any = None, namespace: str | None = None) -> Self:
        """
        Return this room on a server, in a namespace: needed where its class is registered more than once.

        Args:
            server: The server; None is the only one where the class is registered.
            namespace: The namespace; None is the only one there, ``"/"`` on a server where it is not registered.

        Raises:
            SetupError: The class is registered on no such server and namespace, or on more than one; or the namespace
                has no slash in front.
        """
        if namespace is not None:
            namespace = single_namespace(namespace)
        homes = [
            (host, place)
            for host, place in self._living_homes()
            if (server is None or host is server) and (namespace is None or place == namespace)
        ]
        if server is not None and not homes:
            homes = [(server, namespace or "/")]
        found = copy.copy(self)
        found.__dict__["_place"] = self._only(homes)
        return found

    def where(self) -> tuple[Any, str]:
        """
        Return the server and the namespace of this room.

        Raises:
            SetupError: Its class is registered nowhere, or more than once.
        """
        if self._place is not None:
            return self._place
        return self._only(self._living_homes())

    def namespace_on(self, server: Any) -> str:
        """Return the namespace that this room has on *server*: ``"/"`` unless its class is in one other there."""
        if self._place is not None and self._place[0] is server:
            return self._place[1]
        places = [place for host, place in self._living_homes() if host is server]
        return places[0] if len(places) == 1 else "/"

    def _living_homes(self) -> list[tuple[Any, str]]:
        found = [(server(), namespace) for server, namespace in self._homes]
        return [(server, namespace) for server, namespace in found if server is not None]

    def _only(self, homes: list[tuple[Any, str]]) -> tuple[Any, str]:
        name = type(self).__qualname__
        match homes:
            case [home]:
                return home
            case []:
                raise SetupError(f"{name} is registered on no server; register_room({name}), or name one: .on(server)")
            case _:
                places = ", ".join(f"{place!r} of {server!r}" for server, place in homes)
                raise SetupError(
                    f"{name} is registered {len(homes)} times ({places}); say which one is meant: "
                    ".on(server, namespace); a server that has been shut down does not count"
                )

    @classmethod
    def add_home(cls, server: Any, namespace: str) -> None:
        """Add a server and a namespace to the places where the class is registered."""
        cls.remove_home(server, namespace)
        if any(host() is not server for host, _ in cls._homes):
            # A server that is not used any more, such as that of an earlier test, is freed only by the collector.
            gc.collect()
        cls._homes.append((weakref.ref(server), namespace))

    @classmethod
    def remove_home(cls, server: Any, namespace: str) -> None:
        """Remove a server and a namespace from the places where the class is registered."""
        cls._homes = [
            (home, place)
            for home, place in cls._homes
            if (host := home()) is not None and not (host is server and place == namespace)
        ]

    # What the room's keeper does

    def emit(
        self,
        event: str,
        data: Any = None,
        *,
        skip_sid: Sids = None,
        callback: AckCallback = None,
        ignore_queue: bool = False,
        wait: bool = True,
    ) -> Any:
        """
        Send an event to all clients in the room.

        Args:
            event: Event name.
            data: Payload, as for the server's ``emit()``.
            skip_sid: The sid, or any iterable of sids, to leave out.
            callback: Called with the acknowledgement of each client.
            ignore_queue: Send to this process's clients only.
            wait: Whether to wait while a client of this process has much to read.

        Raises:
            SetupError: It is not clear on which server.
        """
        server, namespace = self.where()
        return server.emit(
            event,
            data,
            room=self.name,
            skip_sid=skip_sid,
            namespace=namespace,
            callback=callback,
            ignore_queue=ignore_queue,
            **wait_option(wait=wait),
        )

    def enter(self, sid: str, data: Any = None) -> Any:
        """
        Let a client in without asking ``can_join``; ``on_join`` is called.

        Args:
            sid: The client, one of this server.
            data: The payload that hooks get, also in :meth:`recheck`; None is an empty object.

        Raises:
            ValueError: There is no such client here, or it is in ``max_rooms`` rooms already.
        """
        return self._keeper().enter(self, sid, data)

    def leave(self, sid: str) -> Any:
        """
        Take a client out; ``on_leave`` is called, on the server that has the client.

        A join that is under way fails; so it does with :meth:`kick` and :meth:`close`.
        """
        return self._keeper().leave(self, sid)

    def kick(self, sid: str, reason: str | None = None) -> Any:
        """
        Take a client out and tell it with the event ``kicked``.

        Args:
            sid: The client.
            reason: One sentence for people.
        """
        return self._keeper().kick(self, sid, reason)

    def close(self) -> Any:
        """Take all clients out, on all servers."""
        return self._keeper().close(self)

    def members(self, *, cluster: bool = False, timeout: float = MEMBERS_TIMEOUT_S) -> Any:
        """
        Return a :class:`RoomMember` for each client in the room.

        Args:
            cluster: Whether to ask the other nodes too. Clients of slow nodes, and of nodes of python-socketio, are
                missing.
            timeout: Seconds to wait for the other nodes. 0.5; on a healthy bus an answer takes milliseconds. All of
                this time is waited, because the number of nodes is not known; ``AsyncLocalManager`` knows it.

        Raises:
            BusError: The message broker did not take the question.
        """
        return self._keeper().members(self, cluster=cluster, timeout=timeout)

    def recheck(self) -> Any:
        """
        Call ``can_join`` again for all clients in the room, on all servers, and kick those that it refuses now.

        Returns:
            The sids of the clients of this server that were kicked.
        """
        return self._keeper().recheck(self)

    def _keeper(self) -> Any:
        return self.where()[0].__fastsio__.room_keeper


class _Joined(EventMarker):
    """The marker that :func:`Joined` returns."""

    word: ClassVar[str] = "Joined"

    def __init__(self, room_class: type[Room]) -> None:
        self._room_class = room_class

    def __repr__(self) -> str:
        return f"Joined({self._room_class.__name__})"

    def maker(self, *, asynchronous: bool) -> Callable[[Context], Any]:
        hooks = hooks_of(self._room_class, asynchronous=asynchronous)
        hooks.identifying()

        def make(context: Context) -> Any:
            return context.server.__fastsio__.room_keeper.joined(hooks, context)

        return make


def Joined(room_class: type[Room]) -> Any:  # noqa: N802 - named as Depends is
    """
    Ask for the room that an event names; the client must be in it.

    ``room: Annotated[ChatRoom, Joined(ChatRoom)]``: ``extract_room_identifier`` finds the room in the payload of this
    event. For a client that is not in the room the handler is not called, and the client gets the error ``forbidden``.

    Returns:
        A marker; typed Any so that it may stand as the default of a parameter.

    Raises:
        SetupError: It is not a room class.
    """
    check_rooms([room_class])
    return _Joined(room_class)


def register_room(*room_classes: type[Room]) -> Callable[[NamespaceClass], NamespaceClass]:
    """
    Let clients of a class-based namespace ask to join rooms: a decorator of the class.

    A client sends ``join_<key>`` with the payload that ``extract_room_identifier`` reads. If the namespace has a method
    for that event, it is called when the client has joined, and its result is the acknowledgement.

    Args:
        room_classes: The classes; those of inherited decorators are added.

    Raises:
        SetupError: One is not a room class, or two have the same key.
    """
    check_rooms(room_classes)

    def decorate(namespace_class: NamespaceClass) -> NamespaceClass:
        inherited = getattr(namespace_class, ROOMS_ATTRIBUTE, ())
        setattr(namespace_class, ROOMS_ATTRIBUTE, check_rooms((*inherited, *room_classes)))
        return namespace_class

    return decorate


@dataclass(frozen=True, slots=True)
class RoomHooks:
    """The hooks of one room class; None for those it does not have."""

    room_class: type[Room]
    found_by: Endpoint | None
    can_join: Endpoint | None
    on_join: Endpoint | None
    on_leave: Endpoint | None
    presence_key: Endpoint | None

    def identifying(self) -> Endpoint:
        """
        Return the hook that finds the room that a payload names.

        Raises:
            SetupError: The class has none, so clients cannot join its rooms.
        """
        if self.found_by is None:
            raise SetupError(
                f"{self.room_class.__qualname__} has no {IDENTIFY}(cls, session, data); "
                "write it, so that clients can say which room they mean"
            )
        return self.found_by

    def compile_pending(self) -> None:
        """
        Compile the hooks whose annotations named something that did not exist yet.

        Raises:
            SignatureError: An annotation names what does not exist.
        """
        for hook in (self.found_by, self.can_join, self.on_join, self.on_leave, self.presence_key):
            if hook is not None and hook.pending:
                hook.prepare()

    @property
    def join_event(self) -> str:
        """The event with which a client asks to join."""
        return f"join_{self.room_class.key}" if self.room_class.key else "join"

    @property
    def leave_event(self) -> str:
        """The event with which a client leaves."""
        return f"leave_{self.room_class.key}" if self.room_class.key else "leave"

    @property
    def is_present(self) -> bool:
        """Whether the members of a room get an event when a user comes or goes."""
        return self.room_class.presence or self.presence_key is not None

    def room(self, identifier: Any) -> Room:
        """
        Return the room that the result of the hook identifies: a value, a tuple of several, or the room itself.

        Raises:
            RoomIdentifierError: It does not identify a room.
        """
        if isinstance(identifier, self.room_class):
            return identifier
        parts = identifier if isinstance(identifier, tuple) else (identifier,)
        try:
            return self.room_class(*parts)
        except SetupError:
            raise
        except ValueError as error:
            raise RoomIdentifierError(str(error)) from error


class RoomRequests:
    """
    The requests of clients to join and leave rooms: they count in the order in which they arrive.

    Where each event is handled in a thread, the thread that receives it begins its request, and gives that to the other
    as the value of *early*.
    """

    def __init__(self, table: MemberTable, early: Any) -> None:
        self._table = table
        self._early = early
        self._join_events: set[str] = set()
        self._leave_events: set[str] = set()

    def guards(
        self, hooks: RoomHooks, join: Callable[[Context, Any], Any], leave: Callable[[Context, Any], Any]
    ) -> dict[str, Guard]:
        """
        Return the guards of the join and leave events of a room class.

        Raises:
            SetupError: Clients cannot join rooms of this class.
        """
        hooks.identifying()
        self._join_events.add(hooks.join_event)
        self._leave_events.add(hooks.leave_event)
        return {hooks.join_event: Guard(join, self.join_arrives), hooks.leave_event: Guard(leave, self.leave_arrives)}

    def begin(self, client: Any, event: Any) -> Any:
        """Begin the request of an event; return what *early* has while the event is handled, None for other events."""
        if event in self._join_events:
            return self._table.begin(client)
        return self._table.moment() if event in self._leave_events else None

    def end(self, begun: Any) -> None:
        """End the request that :meth:`begin` has begun."""
        if isinstance(begun, Join):
            self._table.end(begun)

    def _take_early(self) -> Any:
        """Return the request of the running event that :meth:`begin` has begun, the first time; then None."""
        begun, self._early.value = self._early.value, None
        return begun

    @contextmanager
    def join_arrives(self, context: Context) -> Iterator[None]:
        """Keep the join of an event among the values of its context, under :data:`ARRIVAL`, while it is handled."""
        begun = self._take_early()
        join = begun if isinstance(begun, Join) else self._table.begin(context.client)
        context.values[ARRIVAL] = join
        try:
            yield
        finally:
            self._table.end(join)

    @contextmanager
    def leave_arrives(self, context: Context) -> Iterator[None]:
        """Keep the moment when an event arrived among the values of its context."""
        begun = self._take_early()
        context.values[ARRIVAL] = begun if isinstance(begun, int) else self._table.moment()
        yield


def hooks_of(room_class: type[Room], *, asynchronous: bool) -> RoomHooks:
    """
    Return the hooks of a room class, which are compiled once.

    Raises:
        SetupError: A hook is not a class method, or a method has nearly the name of a hook.
        SignatureError: A parameter of a hook cannot be filled.
    """
    known = room_class.compiled_hooks.get(asynchronous)
    if known is None:
        known = room_class.compiled_hooks[asynchronous] = _compile(room_class, asynchronous=asynchronous)
    return known


def _compile(room_class: type[Room], *, asynchronous: bool) -> RoomHooks:
    slips = misspelt_methods(room_class, (IDENTIFY, *_FURTHER)) | misspelt_settings(room_class, ("presence", "history"))
    for name, known in slips.items():
        raise SetupError(f"{room_class.__qualname__}.{name} would never be used; did you mean {known!r}?")

    def hook(name: str, kind: HandlerKind = HandlerKind.ROOM) -> Endpoint | None:
        function = getattr(room_class, name, None)
        if function is None:
            return None
        label = f"{room_class.__qualname__}.{name}"
        if isinstance(function, FunctionType) and not _is_static(room_class, name):
            raise SetupError(f"{label} must be a class method; write @classmethod above it")
        return compile_endpoint(function, kind=kind, label=label, asynchronous=asynchronous)

    return RoomHooks(room_class, hook(IDENTIFY, HandlerKind.ROOM_IDENTIFIER), *(hook(name) for name in _FURTHER))


def _is_static(room_class: type[Room], name: str) -> bool:
    found = next(vars(cls)[name] for cls in room_class.__mro__ if name in vars(cls))
    return isinstance(found, staticmethod)
