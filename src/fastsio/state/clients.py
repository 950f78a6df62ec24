"""
The records of a connection and of its clients, one for each namespace that it joins.

They hold facts that live as long as the connection; nothing here sends packets or calls handlers.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

from fastsio.protocol.dialect import CURRENT
from fastsio.protocol.lifecycle import TRANSITIONS, Happening, NamespaceState, advance
from fastsio.state.environs import environ_of, loosened
from fastsio.state.recovery import NOT_RECOVERED

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable
    from contextlib import AbstractContextManager

    from fastsio.protocol.decoder import Decoder
    from fastsio.protocol.dialect import Dialect
    from fastsio.state.environs import Kept
    from fastsio.state.recovery import ClientRecovery, Recovered

_NO_LOCK: Final[AbstractContextManager[Any]] = nullcontext()
#: The tasks of a connection before its first one.
_NO_TASKS: Final[Any] = frozenset()


class Held:
    """
    Packets that wait for a decision, in order and within limits.

    Attributes:
        is_full: Whether a packet did not fit.
        is_given_up: Whether a packet was dropped.
    """

    __slots__ = ("is_full", "is_given_up", "packets", "size_bytes")

    def __init__(self) -> None:
        self.packets: list[Any] = []
        self.size_bytes = 0
        self.is_full = self.is_given_up = False

    def add(self, packets: Iterable[Any], size_bytes: int, *, most: int, most_bytes: int) -> bool:
        """
        Add packets that belong together; if nothing is held yet, they are added whatever their size.

        Returns False when *most* packets wait already, or the bytes would be more than *most_bytes*.
        """
        if len(self.packets) >= most or (self.packets and self.size_bytes + size_bytes > most_bytes):
            self.is_full = True
            return False
        self.packets.extend(packets)
        self.size_bytes += size_bytes
        return True


#: The packets held for a client before the first one.
NOTHING_HELD: Final = Held()


class Connection:
    """
    One Engine.IO connection.

    Attributes:
        make_scope: Creates the store for values that dependencies keep per client.
        lock: Held, on servers for threads, while the state of one of its clients changes.
        dialect: The revision of the protocol that its client speaks.
        session: The Engine.IO session; None when it is over, and in tests without a transport.
        clients: Namespace -> client, also of namespaces that were left (their late packets are ignored).
        tasks: The tasks of event handlers that run for this connection. Only :meth:`add_task` adds to it.
        starting: How many event handlers are about to begin.
        handler_bytes: Size of the events whose handlers run, without small ones.
        timer_key: The key of the connection in the server's timer; 0.0 while it has no deadline.
        variables: The context with the variables that its connect handlers have set; None while there are none.
        is_lost: Whether the connection is over; its record stays until the last client has left.
    """

    # Not a dataclass, as Client: payloads may contain dataclasses, and these records must not be sent.
    __slots__ = (
        "_environ",
        "clients",
        "decoder",
        "dialect",
        "eio_sid",
        "handler_bytes",
        "is_lost",
        "lock",
        "make_scope",
        "session",
        "starting",
        "tasks",
        "timer_key",
        "variables",
    )

    def __init__(
        self,
        eio_sid: str,
        environ: dict[str, Any],
        decoder: Decoder,
        make_scope: Callable[[], Any],
        lock: AbstractContextManager[Any] = _NO_LOCK,
        dialect: Dialect = CURRENT,
    ) -> None:
        self.lock = lock
        self.dialect = dialect
        self.eio_sid = eio_sid
        self._environ: Kept = environ
        self.decoder = decoder
        self.make_scope = make_scope
        self.session: Any = None
        self.clients: dict[str, Client] = {}
        self.tasks: set[Any] = _NO_TASKS
        self.starting = self.handler_bytes = 0
        self.timer_key = 0.0
        self.variables: Any = None
        self.is_lost = False

    @property
    def environ(self) -> dict[str, Any]:
        """The WSGI-like environ of the handshake."""
        return environ_of(self._environ)

    @environ.setter
    def environ(self, environ: dict[str, Any]) -> None:
        self._environ = environ

    def loosen_environ(self) -> None:
        """Let the environ be freed if no code refers to it; see :mod:`fastsio.state.environs`."""
        self._environ = loosened(self._environ)

    def add_task(self, task: Any) -> Callable[[Any], None]:
        """Add to :attr:`tasks`; return the function that removes it again."""
        with self.lock:
            tasks = self.tasks
            if tasks is _NO_TASKS:
                tasks = self.tasks = set()
            tasks.add(task)
        return tasks.discard

    def claim(self, size_bytes: int, most_bytes: int) -> bool:
        """
        Add the size of an event whose handler is about to begin, unless the sum would be more than *most_bytes*.

        Without other handlers any size is allowed. Returns whether it was added.
        """
        with self.lock:
            if self.handler_bytes and self.handler_bytes + size_bytes > most_bytes:
                return False
            self.handler_bytes += size_bytes
            return True

    def release(self, size_bytes: int) -> None:
        """Subtract the size of an event whose handler is done."""
        with self.lock:
            self.handler_bytes = max(0, self.handler_bytes - size_bytes)

    @property
    def auth_bytes(self) -> int:
        """Size of the auth that is kept for its clients."""
        return sum([client.auth_bytes for client in list(self.clients.values())])

    def unlink(self) -> None:
        """Remove the references to clients and session, so that all are freed without the garbage collector."""
        self.clients.clear()
        session, self.session = self.session, None
        if session is not None:
            session.connection = None

    def active(self) -> list[Client]:
        """Return the clients that are connecting or connected."""
        return [client for client in list(self.clients.values()) if client.is_active]

    @property
    def is_deserted(self) -> bool:
        """Whether every client has left and its disconnect handlers are done."""
        return all(client.state is NamespaceState.LEFT for client in list(self.clients.values()))

    def reserve_namespace(self, most: int) -> bool:
        """
        Make place for one more namespace; return False if the connection is in *most* namespaces already.

        If the connection has *most* clients already, the record of one that has left its namespace is removed.
        """
        if len(self.clients) < most:
            return True
        for namespace, client in list(self.clients.items()):
            if client.state is NamespaceState.LEFT:
                del self.clients[namespace]
                return True
        return False


class Client:
    """
    One client: a connection in one namespace, where it has a sid of its own.

    Attributes:
        auth: The payload of the client's CONNECT, or None.
        auth_bytes: The size of that packet on the wire.
        state: The state of the client in the namespace (:mod:`fastsio.protocol.lifecycle`).
        connecting: The task that runs the connect handler, or None.
        held: Packets that wait for the connect handler, or None while nothing waits.
        recovery: What it needs to come back after a loss; None if the server does not recover connections.
        outgoing: Frames that wait until the client has been told that it is connected; None once it has been.
        rooms: The rooms that it entered, in that order; None while there are none. Only the room table adds and removes
            rooms. The values are the positions in the log of :mod:`.recovery` at which it entered, or None.
        gone: An event that is set when the client has left and its handlers are done; None while nothing waits for it.
        is_told: Whether its CONNECT has been answered, so that it can be sent a DISCONNECT.
    """

    __slots__ = (
        "_scope",
        "_session",
        "auth",
        "auth_bytes",
        "connecting",
        "connection",
        "gone",
        "held",
        "is_told",
        "namespace",
        "outgoing",
        "recovery",
        "rooms",
        "sid",
        "state",
    )

    def __init__(self, sid: str, namespace: str, connection: Connection) -> None:
        self.sid = sid
        self.namespace = namespace
        self.connection = connection
        self.auth: Any = None
        self.auth_bytes = 0
        self.state = NamespaceState.NONE
        self.connecting: Any = None
        self.held: Held | None = None
        self.outgoing: Held | None = NOTHING_HELD
        self.rooms: dict[Hashable, Any] | None = None
        self.recovery: ClientRecovery | None = None
        self.gone: Any = None
        self.is_told = False
        self._session: dict[str, Any] | None = None
        self._scope: Any = None

    def advance(self, happening: Happening) -> None:
        """Move to the state that *happening* leads to; raise LifecycleError if the state does not have this step."""
        with self.connection.lock:
            self.state = advance(self.state, happening)

    def try_advance(self, happening: Happening, *, only: NamespaceState | None = None) -> bool:
        """
        Move to the state that follows *happening*, and return True; False if it cannot happen in the present state.

        If several threads try at the same time, one succeeds.

        Args:
            happening: What happens.
            only: The one state in which it may happen here; None means each that has it in the table.
        """
        with self.connection.lock:
            following = TRANSITIONS.get((self.state, happening))
            if following is None or (only is not None and self.state is not only):
                return False
            self.state = following
            return True

    @property
    def is_active(self) -> bool:
        """Whether the client is connecting or connected."""
        return self.state is NamespaceState.CONNECTED or self.state is NamespaceState.CONNECTING

    def hold_outgoing(self, frames: Iterable[Any], size_bytes: int, *, most: int, most_bytes: int) -> bool:
        """Keep frames for a client that has not been told yet that it is connected, as :meth:`Held.add` does."""
        if self.outgoing is None or self.outgoing is NOTHING_HELD:
            self.outgoing = Held()
        return self.outgoing.add(frames, size_bytes, most=most, most_bytes=most_bytes)

    def give_up_outgoing(self) -> bool:
        """Record that a frame for the client was dropped; return whether it is the first."""
        if self.outgoing is NOTHING_HELD:
            self.outgoing = Held()
        held = self.outgoing
        if held is None or held.is_given_up:
            return False
        held.is_given_up = True
        return True

    @property
    def has_overflowed(self) -> bool:
        """Whether frames did not fit into :attr:`outgoing`; the log has these events for the client."""
        return self.recovery is not None and self.outgoing is not None and self.outgoing.is_full

    def drop_outgoing(self) -> None:
        """Drop the frames that wait until the client has been told that it is connected."""
        if self.outgoing is not None:
            self.outgoing = NOTHING_HELD

    @property
    def eio_sid(self) -> str:
        """The Engine.IO session id, a secret of the client."""
        return self.connection.eio_sid

    @property
    def label(self) -> str:
        """The name of the client in a log: its sid, or the part of it that is not secret."""
        return self.connection.dialect.label(self.sid)

    @property
    def environ(self) -> dict[str, Any]:
        """The WSGI-like environ of the handshake."""
        return self.connection.environ

    @property
    def recovered(self) -> Recovered:
        """The recovered session, for connect handlers."""
        recovery = self.recovery
        return NOT_RECOVERED if recovery is None or recovery.recovered is None else recovery.recovered

    @property
    def session(self) -> dict[str, Any]:
        """The session data of this client."""
        if self._session is None:
            self._session = {}
        return self._session

    @session.setter
    def session(self, session: dict[str, Any]) -> None:
        self._session = session

    @property
    def scope_store(self) -> Any:
        """The values of dependencies with ``scope="connection"`` for this client."""
        if self._scope is None:
            self._scope = self.connection.make_scope()
        return self._scope

    @property
    def used_scope(self) -> Any:
        """The scope store, or None when no dependency asked for it."""
        return self._scope
