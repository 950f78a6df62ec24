"""
What a server or client shares with its parts, and a server with its manager: the attribute ``__fastsio__``.

An application may derive from the classes of servers and clients and give its class methods and attributes of any name.
So the classes have no public names but those of python-socketio and those of the documentation; what the parts of a
server need beside these is here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fastsio.state.room_names import key_of_name

if TYPE_CHECKING:
    from fastsio.base.admin_watch import AdminWatch
    from fastsio.base.client_recovery import RecoverableSessions
    from fastsio.base.event_log import EventLog
    from fastsio.base.history import Histories
    from fastsio.base.options import ClientOptions, ServerOptions
    from fastsio.base.recovery import ConnectionStateRecovery
    from fastsio.base.seams import Seams
    from fastsio.protocol import Limits
    from fastsio.routing import Registry
    from fastsio.state import Connection


@dataclass(slots=True, eq=False, repr=False)
class ServerInternals:
    """
    What the parts and the manager of one server share; the server makes the parts.

    Attributes:
        limits: The limits of its decoders.
        seams: The methods of the server that the application may have replaced.
        recovery_options: The option ``connection_state_recovery``; None if it is off.
        connections: Engine.IO sid -> record of the connection.
        room_classes: Namespace and key -> room class.
        observer: The admin interface, which gets a report of each event of the server; None without one.
        dispatcher: The part that takes packets and sends them.
        runner: The part that starts handlers.
        lifecycle: The part that lets clients in and out.
        room_keeper: The part that carries out the methods of room objects.
        recovery: The part that brings lost clients back; None without that option.
        recovery_state: The sessions and events that it keeps in memory; None without that option.
        histories: The events that room classes keep; None while no such class is registered.
        shows_frames: Whether the application has a ``_send_eio_packet()`` of its own, which is called for each frame of
            an emitted event.
    """

    options: ServerOptions
    limits: Limits
    registry: Registry
    seams: Seams
    event_log: EventLog | None
    recovery_options: ConnectionStateRecovery | None = None
    connections: dict[str, Connection] = field(default_factory=dict)
    room_classes: dict[tuple[str, str], Any] = field(default_factory=dict)
    observer: AdminWatch | None = None
    dispatcher: Any = None
    runner: Any = None
    lifecycle: Any = None
    room_keeper: Any = None
    recovery: Any = None
    recovery_state: Any = None
    histories: Histories | None = None
    shows_frames: bool = False

    def __post_init__(self) -> None:
        self.update_seams()

    def update_seams(self) -> None:
        """Decide anew what depends on which methods the application has replaced."""
        self.shows_frames = "_send_eio_packet" in self.seams.replaced
        if self.dispatcher is not None:
            self.dispatcher.choose_ways()

    def observe(self, observer: AdminWatch | None) -> None:
        """Tell *observer* what happens from now on; None ends it."""
        self.observer = observer
        # Frames are only counted while there is an observer: otherwise they take the shorter way.
        self.dispatcher.choose_ways()

    def reason_to_refuse(self, connection: Connection, namespace: str, auth_bytes: int, served: Any) -> str | None:
        """Return why a client cannot join *namespace*, or None if it can; *served* is the option ``namespaces``."""
        if self.lifecycle.is_closed:
            return "The server is shutting down"
        if not self.registry.accepts(namespace, served):
            return "Invalid namespace"
        if namespace not in connection.clients and not connection.reserve_namespace(self.options.max_namespaces):
            return "Too many namespaces"
        if auth_bytes and connection.auth_bytes + auth_bytes > self.options.max_auth_bytes:
            return "Too much auth"
        return None

    def known_sid(self, eio_sid: str, namespace: str) -> str | None:
        """Return the sid that a client comes back to or that the protocol prescribes; None for a new one."""
        recovery = self.recovery
        if recovery is not None and (eio_sid, namespace) in recovery.returning:
            sid: str = recovery.returning[eio_sid, namespace]
            return sid
        connection = self.connections.get(eio_sid)
        return None if connection is None else connection.dialect.sid(eio_sid, namespace)

    def label_of(self, sid: str) -> str:
        """Return the name of a client in a log: its sid, or the part of it that is not secret."""
        connection = self.connections.get(sid.rpartition("#")[2])
        return sid if connection is None else connection.dialect.label(sid)

    def room_class_of(self, namespace: str, room: Any) -> Any:
        """Return the registered room class that a room name belongs to in a namespace, or None."""
        if not (self.room_classes and isinstance(room, str)):
            return None
        return self.room_classes.get((namespace, key_of_name(room)))


@dataclass(slots=True, eq=False, repr=False)
class ClientInternals:
    """
    What the parts of one client share; the client makes the parts.

    Attributes:
        recovery: The sessions that a server may recover.
        dispatcher: The part that takes packets and sends them.
        reconnecting: The part that reconnects.
    """

    options: ClientOptions
    limits: Limits
    registry: Registry
    seams: Seams
    event_log: EventLog | None
    recovery: RecoverableSessions
    dispatcher: Any = None
    reconnecting: Any = None
