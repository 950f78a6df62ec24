"""
The base class of managers: it knows which clients are connected and in which rooms.

Its methods have python-socketio's names. The tables are in :mod:`fastsio.state`, and the managers in ``fastsio.aio``
and ``fastsio.sync`` send events.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, ClassVar, Final

from fastsio.base.emit_args import rooms_of
from fastsio.base.options import known_options, parameters_of
from fastsio.exceptions import SetupError
from fastsio.protocol import Happening, NamespaceState, PendingAcks
from fastsio.state import Client, Connection, RoomTable
from fastsio.state.room_names import RoomName

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from typing import Never

    from fastsio.base.admin_watch import AdminWatch
    from fastsio.base.history import Histories
    from fastsio.base.internals import ServerInternals
    from fastsio.base.parts import MovingSessions, SharedSessions
    from fastsio.state.rooms import RoomsView

#: The sid under which acknowledgements of other nodes' clients are expected; no client has an empty sid.
ELSEWHERE: Final = ""
# Looking up a member of an Enum in its class is slow.
CONNECTING: Final = NamespaceState.CONNECTING


class ExpectedAcks(ABC):
    """
    The acknowledgements of one event that may still come.

    A manager calls :meth:`expect` for each of them, and :meth:`mark_lost` for each that will not come. When the event
    has been sent to all clients and no acknowledgement is expected any more, :meth:`give_up` is called, once.
    """

    def __init__(self) -> None:
        self.expected: set[tuple[str, int]] = set()
        self._is_sent = False
        self._is_over = False

    @abstractmethod
    def give_up(self) -> None:
        """Handle that no acknowledgement will come any more."""

    def expect(self, sid: str, ack_id: int) -> None:
        """Record that a client was asked for an acknowledgement."""
        self.expected.add((sid, ack_id))

    def mark_lost(self, sid: str, ack_id: int) -> None:
        """Record that a client will not acknowledge: it has left."""
        self.expected.discard((sid, ack_id))
        self._check_over()

    def mark_sent(self) -> None:
        """Record that the event has been sent to all clients."""
        self._is_sent = True
        self._check_over()

    def _check_over(self) -> None:
        if self._is_sent and not self.expected and not self._is_over:
            self._is_over = True
            self.give_up()


class BaseManager:
    """
    The part of a client manager that does not wait for anything.

    Args:
        lock: Held, on servers for threads, while a table is read or changed; reentrant.
        unknown: Options that do not exist. A warning names each.

    Raises:
        SetupError: The name of an option is nearly that of another.
    """

    #: Whether its methods are coroutine functions; None if that is not known.
    asynchronous: ClassVar[bool | None] = None
    #: Whether there are other servers that emit to this one's clients.
    has_other_nodes: ClassVar[bool] = False
    #: The epoch of the histories of rooms, if all nodes get the same events in one order.
    history_epoch: ClassVar[str | None] = None

    def __init__(self, *, lock: AbstractContextManager[Any] | None = None, **unknown: Never) -> None:
        known_options(type(self).__name__, unknown, frozenset(), parameters_of(type(self)) - {"lock"})
        self._lock: AbstractContextManager[Any] = nullcontext() if lock is None else lock
        self.logger: Any = None
        #: The JSON module, for subclasses that use one.
        self.json: Any = json
        self.server: Any = None
        self._table = RoomTable()
        self._acks = PendingAcks()

    def set_server(self, server: Any) -> None:
        """Set the server that the manager belongs to."""
        self.server = server
        self._acks = PendingAcks(server.__fastsio__.options.max_pending_acks)

    def share_sessions(self, _recovery: Any) -> SharedSessions | None:
        """Return the store of sessions that nodes share; None if lost clients come back to this node only."""
        return None

    def move_sessions(self, _recovery: Any) -> MovingSessions | None:
        """Return what brings sessions of lost clients here from other nodes; None if they stay where they are."""
        return None

    def prepare(self) -> None:
        """Start what is needed before the first client; called when the web server reports its start."""

    def initialize(self) -> None:
        """Start the parts that need a running event loop; called before the first client."""

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """The lock that is held, on servers for threads, while clients enter and leave rooms; reentrant."""
        return self._lock

    @property
    def rooms(self) -> RoomsView:
        """Namespace -> room -> {sid: eio_sid}, read-only."""
        return self._table.view()

    @property
    def callbacks(self) -> dict[str, dict[int, Any]]:
        """Sid -> {id: callback} of the acknowledgements that are expected: a copy."""
        with self._lock:
            return self._acks.by_client()

    @property
    def pending_connect(self) -> dict[str, list[str]]:
        """Namespace -> sids of clients whose connect handler has not decided yet: a copy."""
        return self._in_state(CONNECTING)

    @property
    def pending_disconnect(self) -> dict[str, list[str]]:
        """Namespace -> sids of clients that have begun to leave: a copy."""
        return self._in_state(NamespaceState.LEAVING)

    @property
    def eio_to_sid(self) -> dict[str, str]:
        """Engine.IO sid -> sid in the root namespace: a copy. python-socketio's is always empty."""
        with self._lock:
            return {client.eio_sid: sid for sid, client in self._table.members("/", None).items()}

    def get_namespaces(self) -> Iterable[str]:
        """Return the namespaces that have clients."""
        return self._table.namespaces()

    def get_participants(self, namespace: str, room: Any) -> Iterator[tuple[str, str]]:
        """Yield (sid, eio_sid) of each client in *room*, or in any of several rooms; None is all clients."""
        for client in self._recipients(namespace, rooms_of(room)):
            yield client.sid, client.eio_sid

    def has_participants(self, namespace: str, rooms: Iterable[Hashable]) -> bool:
        """Return whether there is a client in any of *rooms*."""
        with self._lock:
            return any(self._table.members(namespace, room) for room in rooms)

    @property
    def _recovery(self) -> Any:
        """The ``RecoveryState`` of the server; None without connection state recovery."""
        return None if self.server is None else self.server.__fastsio__.recovery_state

    @property
    def _histories(self) -> Histories | None:
        """What room classes keep of their rooms' events; None if no class does."""
        if self.server is None:
            return None
        shared: ServerInternals = self.server.__fastsio__
        return shared.histories

    def _has_lost_clients(self, namespace: str) -> bool:
        """Whether there are clients in a namespace that may come back, and would miss what is sent now."""
        recovery = self._recovery
        return recovery is not None and bool(recovery.has_sessions(namespace))

    def _is_away(self, namespace: str, sid: str) -> bool:
        """Whether a client of this server was lost, and may come back."""
        recovery = self._recovery
        return recovery is not None and bool(recovery.is_away(namespace, sid))

    def _concerns_us(self, namespace: str, room: Hashable) -> bool:
        """Return whether a client of this server is in a room or asks to join it, or events of the room are kept."""
        if self.has_participants(namespace, (room,)):
            return True
        if self.server is None:
            return False
        shared: ServerInternals = self.server.__fastsio__
        if shared.histories is not None and shared.histories.has_events(namespace, room):
            return True
        is_joined_soon = shared.room_keeper is not None and bool(shared.room_keeper.table.is_awaited(namespace, room))
        recovery = shared.recovery_state
        return is_joined_soon or (recovery is not None and bool(recovery.is_awaited(namespace, room)))

    def _recipients(self, namespace: str, rooms: Iterable[Hashable], skip: Collection[str] = ()) -> list[Client]:
        """Return the clients in any of *rooms*, each once, without those in *skip*."""
        with self._lock:
            return list(self._table.recipients(namespace, rooms, skip).values())

    def _in_state(self, state: NamespaceState) -> dict[str, list[str]]:
        """Return namespace -> sids of the clients in a state."""
        found: dict[str, list[str]] = {}
        with self._lock:
            for namespace in self._table.namespaces():
                for sid, client in self._table.members(namespace, None).items():
                    if client.state is state:
                        found.setdefault(namespace, []).append(sid)
        return found

    def client_of(self, sid: str, namespace: str) -> Client | None:
        """Return the record of a client that is connecting, connected or leaving; None for an unknown one."""
        return self._table.get(namespace, sid)

    def is_connected(self, sid: str, namespace: str) -> bool:
        """Whether a client is connected: its connect handler has accepted and it has not begun to leave."""
        client = self._table.get(namespace, sid)
        return client is not None and client.state is NamespaceState.CONNECTED

    def is_pre_connected(self, sid: str, namespace: str) -> bool:
        """Whether a client's connect handler has not decided yet."""
        client = self._table.get(namespace, sid)
        return client is not None and client.state is CONNECTING

    def is_sid_room(self, namespace: str, room: Any) -> bool:
        """Whether *room* is the room named like the sid of a client."""
        return self._table.has(namespace, room)

    def sid_from_eio_sid(self, eio_sid: str, namespace: str) -> str | None:
        """Return the sid that an Engine.IO connection has in *namespace*."""
        return self._table.sid_of(namespace, eio_sid)

    def eio_sid_from_sid(self, sid: str, namespace: str) -> str | None:
        """Return the Engine.IO sid of a client."""
        return self._table.eio_sid_of(namespace, sid)

    def pre_disconnect(self, sid: str, namespace: str) -> str | None:
        """Mark a client as leaving: its rooms can still be read, but it is not connected. Return its Engine.IO sid."""
        client = self._table.get(namespace, sid)
        if client is not None:
            client.try_advance(Happening.LEAVE)  # nothing happens if the server has marked it
        with self._lock:
            unanswered = self._acks.forget(sid)
        self._mark_lost(sid, unanswered)
        return None if client is None else client.eio_sid

    def basic_connect(self, sid: str, eio_sid: str, namespace: str) -> None:
        """Add a client whose connect handler has not decided yet."""
        client = Client(sid, namespace, self._connection_of(eio_sid))
        client.advance(Happening.BEGIN)
        recovery = self._recovery
        with self._lock:
            if recovery is not None:
                recovery.begin(client)
            self._table.add(client)

    def _connection_of(self, eio_sid: str) -> Connection:
        """Return the server's record of a connection; a new one if there is no server or it has none."""
        known: Mapping[str, Connection] = {} if self.server is None else self.server.__fastsio__.connections
        connection = known.get(eio_sid)
        if connection is not None:
            return connection
        no_decoder: Any = None
        return Connection(eio_sid, {}, no_decoder, dict, self._lock)

    def basic_accept(self, sid: str, namespace: str) -> list[Any]:
        """Mark a client as connected and notified of it; return the packets that were sent to it meanwhile."""
        client = self._table.get(namespace, sid)
        if client is None:
            return []
        if client.state is CONNECTING:  # the server has accepted its clients
            client.advance(Happening.ACCEPT)
        held, client.outgoing = client.outgoing, None
        return [] if held is None else held.packets

    def basic_disconnect(self, sid: str, namespace: str, **_kwargs: Any) -> None:
        """Remove a client with its rooms and its callbacks."""
        with self._lock:
            self._table.remove(namespace, sid)
            unanswered = self._acks.forget(sid)
        self._mark_lost(sid, unanswered)

    def _mark_lost(self, sid: str, unanswered: dict[int, Any]) -> None:
        """Call :meth:`ExpectedAcks.mark_lost` of those callbacks of a client, which has left, that have the method."""
        for ack_id, callback in unanswered.items():
            if isinstance(callback, ExpectedAcks):
                callback.mark_lost(sid, ack_id)

    def _expect_ack(self, sid: str, namespace: str, callback: Any) -> int:
        """Return the id for the acknowledgement of a client; the callbacks of a client that is leaving are lost."""
        with self._lock:
            ack_id = self._generate_ack_id(sid, callback)
            client = self._table.get(namespace, sid)
            will_answer = client is not None and client.state is not NamespaceState.LEAVING
            unanswered = {} if will_answer else self._acks.forget(sid)
        self._mark_lost(sid, unanswered)
        return ack_id

    def basic_enter_room(self, sid: str, namespace: str, room: Hashable, eio_sid: str | None = None) -> None:  # noqa: ARG002 - python-socketio's signature
        """
        Put a client into a room.

        Raises:
            ValueError: The room is named like another client's sid, or belongs to a room class and was given as text;
                the client is in ``max_rooms`` rooms already, or the namespace has no clients.
            KeyError: The client is not in the namespace.
        """
        with self._lock:
            client = self._table.get(namespace, sid)
            if client is not None and room == sid:
                return
            self._check_entry(client, sid, namespace, room)
            observer = self._observer_of(client)
            is_new = not self._table.is_in(namespace, sid, room)
            if observer is not None and is_new:
                observer.room_entered(namespace, room, sid)
            self._table.enter(namespace, sid, room)
            recovery = self._recovery
            if recovery is not None and client is not None and is_new:
                recovery.entered(client, room)

    def _check_entry(self, client: Client | None, sid: str, namespace: str, room: Hashable) -> None:
        if self._table.has(namespace, room):
            raise ValueError("cannot enter a sid room")
        if client is None:
            if namespace not in self._table.namespaces():
                raise ValueError("sid is not connected to requested namespace")
            raise KeyError(sid)
        self._check_way_in(namespace, room)
        most = self.server.__fastsio__.options.max_rooms if self.server else None
        if most is not None and len(client.rooms or ()) >= most:
            raise ValueError(f"client {self.server.__fastsio__.label_of(sid)} is in max_rooms={most} rooms already")

    def _check_way_in(self, namespace: str, room: Hashable) -> None:
        """Refuse plain text as the name of a class's room: only the room object enters it."""
        if self.server is None or isinstance(room, RoomName):
            return
        room_class = self.server.__fastsio__.room_class_of(namespace, room)
        if room_class is not None:
            name = room_class.__qualname__
            raise ValueError(f"{room!r} is a room of {name}: give the room, {name}(...), or enter one of another name")

    def basic_leave_room(self, sid: str, namespace: str, room: Hashable) -> None:
        """Take a client out of a room; one that is not in it is ignored."""
        with self._lock:
            self._report_leaving(namespace, (sid,), room)
            self._table.leave(namespace, sid, room)
            recovery = self._recovery
            if recovery is not None:
                recovery.leave_room(namespace, sid, room)

    def basic_close_room(self, room: Hashable, namespace: str) -> None:
        """
        Take all clients out of a room.

        Raises:
            ValueError: The room is named like a client's sid.
        """
        with self._lock:
            if self._table.has(namespace, room):
                raise ValueError("cannot close a sid room")
            members = dict(self._table.members(namespace, room))
            self._report_leaving(namespace, members, room, is_closed=True)
            self._table.close(namespace, room)
            recovery = self._recovery
            if recovery is not None:
                recovery.close_room(namespace, room, members.values())

    def _report_leaving(self, namespace: str, sids: Iterable[str], room: Hashable, *, is_closed: bool = False) -> None:
        """Report to the room keeper and the observer, if there are any, which clients are about to leave a room."""
        if self.server is None:
            return
        shared: ServerInternals = self.server.__fastsio__
        keeper = shared.room_keeper
        if keeper is not None and is_closed:
            keeper.remove_all_members(namespace, room)
        elif keeper is not None:
            keeper.remove_members(namespace, room, list(sids))
        if shared.observer is None:
            return
        for sid in sids:
            observer = self._observer_of(self._table.get(namespace, sid))
            if observer is not None and self._table.is_in(namespace, sid, room):
                observer.room_left(namespace, room, sid)

    def admit(self, eio_sid: str, namespace: str) -> str:
        """Do what :meth:`pre_connect` does, without waiting."""
        sid: str = self.server.__fastsio__.known_sid(eio_sid, namespace) or self._make_sid()
        self.basic_connect(sid, eio_sid, namespace)
        return sid

    def _make_sid(self) -> str:
        """Return a new sid for a client."""
        return self.server.eio.generate_id()  # type: ignore[no-any-return] # the server is Any here

    def _observer_of(self, client: Client | None) -> AdminWatch | None:
        """Return the observer of a client's rooms; None before the client is accepted, which reports its rooms too."""
        observer: AdminWatch | None = None if self.server is None else self.server.__fastsio__.observer
        is_told_later = client is not None and client.outgoing is not None
        return None if is_told_later else observer

    def get_rooms(self, sid: str, namespace: str) -> list[Any]:
        """Return the rooms a client is in, its own sid first; empty for an unknown client."""
        with self._lock:
            return self._table.rooms_of(namespace, sid)

    def discard_callback(self, sid: str, ack_id: int) -> None:
        """Stop waiting for one acknowledgement."""
        with self._lock:
            self._acks.discard(sid, ack_id)

    def abandon_rooms(self, namespace: str, rooms: Iterable[Hashable]) -> None:
        """Handle that a client that was away does not come back to its rooms."""

    def end_join(self, namespace: str, room: Hashable) -> None:
        """End what ``begin_join()`` began: the client has joined the room, or may not join it."""

    def _rooms_of(self, namespace: str, sid: str) -> Iterable[Hashable]:
        client = self._table.get(namespace, sid)
        return () if client is None else client.rooms or ()

    def _observe_event(self, recipients: list[Client], namespace: str, arguments: list[Any]) -> None:
        observer = self.server.__fastsio__.observer
        if observer is not None and recipients:
            observer.event_sent([(each.sid, each.eio_sid) for each in recipients], namespace, arguments)

    def _hold(self, client: Client, frames: list[Any], *, is_logged: bool = False) -> bool:
        """Hold frames for a client whose CONNECT has not been answered yet; return False if it has been."""
        with self._lock:
            held, known = client.outgoing, client.recovery
            if held is None or self.server.always_connect:
                return False
            recovery = None if known is None else self._recovery
            if recovery is None or not held.is_full:
                most, most_bytes = self.server.__fastsio__.options.max_held_packets, self.server.eio.max_buffer_bytes
                size = sum([frame.size for frame in frames])
                if client.hold_outgoing(frames, size, most=most, most_bytes=most_bytes):
                    if known is not None and recovery is not None:
                        known.held_upto = recovery.log.last
                    return True
            if recovery is not None and is_logged:
                return True  # it gets this and what follows out of the log
        if recovery is not None:
            recovery.cut_off(client)
        elif client.give_up_outgoing():
            text = "%s: max_held_packets or max_buffer_bytes reached before connect was decided, events are dropped"
            self._get_logger().warning(text, client.label)
        return True

    def _generate_ack_id(self, sid: str, callback: Any) -> int:
        with self._lock:
            ack_id = self._acks.add(sid, callback)
            if isinstance(callback, ExpectedAcks):
                callback.expect(sid, ack_id)
            return ack_id

    def _pop_callback(self, sid: str, ack_id: int) -> Any:
        with self._lock:
            return self._acks.pop(sid, ack_id)

    def _get_logger(self) -> Any:
        return self.logger or self.server.logger


def checked_manager(manager: Any, *, asynchronous: bool) -> Any:
    """
    Return the object that a server was given as ``client_manager``, or None for its own.

    Its text may hold a password and is not repeated.

    Raises:
        SetupError: It is not a manager, or one of the other kind.
    """
    if manager is None:
        return None
    if isinstance(manager, type):
        raise SetupError(f"client_manager={manager.__name__} is a class; give an object, {manager.__name__}(...)")
    name = type(manager).__name__
    example = "AsyncRedisManager" if asynchronous else "RedisManager"
    if not hasattr(manager, "set_server"):
        raise SetupError(f"client_manager of type {name!r} is not a client manager; give one, such as {example}(url)")
    kind = getattr(manager, "asynchronous", None)
    if isinstance(kind, bool) and kind is not asynchronous:
        own = "AsyncManager" if asynchronous else "Manager"
        raise SetupError(
            f"client_manager {name} is for the other kind of server; give {own} or a subclass of it, for several "
            f"processes one with a broker, such as {example}(url)"
        )
    return manager
