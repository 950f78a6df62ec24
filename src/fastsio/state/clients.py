"""
The records of one connection and of its clients, one client a namespace.

Only facts that live as long as the connection; no packets are sent and no handlers called from here.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

from fastsio.protocol.dialect import CURRENT
from fastsio.protocol.lifecycle import Happening, NamespaceState, advance

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable
    from contextlib import AbstractContextManager

    from fastsio.protocol.decoder import Decoder
    from fastsio.protocol.dialect import Dialect

_NO_LOCK: Final[AbstractContextManager[Any]] = nullcontext()
#: What connections share until the first of their tasks.
_NO_TASKS: Final[Any] = frozenset()


class Held:
    """
    Packets that wait for a decision, in order and within limits.

    Attributes:
        packets: What waits.
        size_bytes: How large it is on the wire.
    """

    __slots__ = ("packets", "size_bytes")

    def __init__(self) -> None:
        self.packets: list[Any] = []
        self.size_bytes = 0

    def add(self, packets: Iterable[Any], size_bytes: int, *, most: int, most_bytes: int) -> bool:
        """
        Add packets that belong together; the first are taken whatever their size.

        Returns:
            False when *most* packets wait already, or the bytes would be more than *most_bytes*.
        """
        if len(self.packets) >= most or (self.packets and self.size_bytes + size_bytes > most_bytes):
            return False
        self.packets.extend(packets)
        self.size_bytes += size_bytes
        return True


#: What clients share until something is held for one of them.
NOTHING_HELD: Final = Held()


class Connection:
    """
    One Engine.IO connection.

    Args:
        eio_sid: The Engine.IO session id.
        environ: The WSGI-like environ of the handshake.
        decoder: Turns this connection's frames into packets.
        make_scope: Creates the store for values that dependencies keep per client.
        lock: Held while one of its clients takes a step, by threads.
        dialect: The revision of the protocol that its client speaks.

    Attributes:
        session: The Engine.IO session underneath; None once it is over, and where something else plays its part.
        clients: Namespace -> client, also of namespaces that were left (their late packets are ignored).
        tasks: What runs for this connection: event handlers under way. Added to with :meth:`add_task` only.
        starting: How many event handlers are about to begin.
        handler_bytes: Size of the events whose handlers are under way, as far as they count.
        has_joined: Whether a connect handler has ever accepted one of its clients.
        is_lost: Whether the connection is over; its record stays until the last client has left.
        timer_key: Where the shell's timer keeps the connection; 0.0 while it has no deadline.
        variables: The context with the variables that its connect handlers have set; None while there are none.
    """

    __slots__ = (
        "clients",
        "decoder",
        "dialect",
        "eio_sid",
        "environ",
        "handler_bytes",
        "has_joined",
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
        self.environ = environ
        self.decoder = decoder
        self.make_scope = make_scope
        self.session: Any = None
        self.clients: dict[str, Client] = {}
        self.tasks: set[Any] = _NO_TASKS
        self.starting = self.handler_bytes = 0
        self.timer_key = 0.0
        self.variables: Any = None
        self.has_joined = False
        self.is_lost = False

    def add_task(self, task: Any) -> Callable[[Any], None]:
        """Add to :attr:`tasks`; return what takes it away again."""
        with self.lock:
            tasks = self.tasks
            if tasks is _NO_TASKS:
                tasks = self.tasks = set()
            tasks.add(task)
        return tasks.discard

    def claim(self, size_bytes: int, most_bytes: int) -> bool:
        """
        Count the size of an event whose handler is about to begin; of several none is too large for the first.

        Returns:
            False, and nothing is counted, when that would be more than *most_bytes*.
        """
        with self.lock:
            if self.handler_bytes and self.handler_bytes + size_bytes > most_bytes:
                return False
            self.handler_bytes += size_bytes
            return True

    def release(self, size_bytes: int) -> None:
        """Count the size of an event no more: its handler is done."""
        with self.lock:
            self.handler_bytes = max(0, self.handler_bytes - size_bytes)

    @property
    def auth_bytes(self) -> int:
        """Size of the auth that is kept for its clients."""
        return sum([client.auth_bytes for client in list(self.clients.values())])

    def unlink(self) -> None:
        """Forget the clients and the session, which refer to the connection: all are freed without the collector."""
        self.clients.clear()
        session, self.session = self.session, None
        if session is not None:
            session.connection = None

    def active(self) -> list[Client]:
        """Clients that are connecting or connected."""
        return [client for client in list(self.clients.values()) if client.is_active]

    @property
    def is_deserted(self) -> bool:
        """Whether every client has left and its disconnect handlers are done."""
        return all(client.state is NamespaceState.LEFT for client in list(self.clients.values()))

    def make_place(self, most: int) -> bool:
        """
        Make place for one more namespace among *most*: the one that was left first is forgotten if need be.

        Returns:
            False when the connection is in that many.
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
    One client: a connection in one namespace.

    Args:
        sid: The Socket.IO session id, a fresh one per namespace.
        namespace: The namespace.
        connection: The connection underneath.
        auth: What the client sent with CONNECT.
        auth_bytes: How large that was on the wire.

    Attributes:
        state: Where the client is in the life of a namespace (:mod:`fastsio.protocol.lifecycle`).
        connecting: The shell's task that runs the connect handler, or None.
        held: Packets that wait for the connect handler, or None while nothing waits.
        outgoing: Frames that wait until the client has been told that it is connected; None once it has been.
        rooms: The rooms that it entered, in that order; None until the first. The room table's.
        gone: The shell's event that is set when nothing is left of the client, or None while nobody waits for that.
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
        "namespace",
        "outgoing",
        "rooms",
        "sid",
        "state",
    )

    def __init__(self, sid: str, namespace: str, connection: Connection, auth: Any, auth_bytes: int = 0) -> None:
        self.sid = sid
        self.namespace = namespace
        self.connection = connection
        self.auth = auth
        self.auth_bytes = auth_bytes
        self.state = NamespaceState.NONE
        self.connecting: Any = None
        self.held: Held | None = None
        self.outgoing: Held | None = NOTHING_HELD
        self.rooms: dict[Hashable, None] | None = None
        self.gone: Any = None
        self._session: dict[str, Any] | None = None
        self._scope: Any = None

    def advance(self, happening: Happening) -> None:
        """
        Move to the state that *happening* leads to.

        Raises:
            LifecycleError: The state does not have this step.
        """
        with self.connection.lock:
            self.state = advance(self.state, happening)

    def try_advance(self, happening: Happening, *states: NamespaceState) -> bool:
        """
        Take a step if the client is in one of *states*; of several threads that try, one succeeds.

        Returns:
            Whether the step was taken.
        """
        with self.connection.lock:
            if self.state not in states:
                return False
            self.state = advance(self.state, happening)
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

    @property
    def eio_sid(self) -> str:
        """The Engine.IO session id, a secret of the client."""
        return self.connection.eio_sid

    @property
    def label(self) -> str:
        """What a log calls the client: its sid, or as much of it as is no secret."""
        return self.connection.dialect.label(self.sid)

    @property
    def environ(self) -> dict[str, Any]:
        """The WSGI-like environ of the handshake."""
        return self.connection.environ

    @property
    def session(self) -> dict[str, Any]:
        """What the application keeps for this client."""
        if self._session is None:
            self._session = {}
        return self._session

    @session.setter
    def session(self, session: dict[str, Any]) -> None:
        self._session = session

    @property
    def scope_store(self) -> Any:
        """What dependencies with ``scope="connection"`` keep for this client."""
        if self._scope is None:
            self._scope = self.connection.make_scope()
        return self._scope

    @property
    def used_scope(self) -> Any:
        """The scope store, or None when no dependency asked for it."""
        return self._scope
