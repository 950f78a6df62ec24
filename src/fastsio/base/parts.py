"""
The interfaces that the parts of servers and clients need of their owner and of each other.

Parts read the attributes of their owner each time, because an application or a test may change them. Methods that are
awaited in one half only return Any here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fastsio.injection import Context, Endpoint
    from fastsio.protocol import Packet
    from fastsio.routing import Route
    from fastsio.state import Client, Connection
    from fastsio.state.environs import Environs
    from fastsio.state.recovery import ClientRecovery, SavedSession


class PartServer(Protocol):
    """The attributes of a server that its parts read."""

    eio: Any
    manager: Any
    logger: Any
    packet_class: type[Packet]
    async_handlers: bool
    always_connect: bool
    namespaces: Any
    environ: Environs
    #: The events that are not sent by clients.
    reserved_events: ClassVar[list[str]]

    @property
    def not_handled(self) -> Any:
        """The result of an event that has no handler."""


class Positions(Protocol):
    """How the positions of events in a log are written as offsets, and read."""

    #: The position before the first event.
    start: ClassVar[Any]

    def write(self, position: Any, /) -> str:
        """Return the offset of a position."""
        ...

    def read(self, offset: str, /) -> Any:
        """Return the position that an offset stands for; None for a text that is not an offset."""


class SharedSessions(Positions, Protocol):
    """A store of sessions that several nodes share: what ``share_sessions()`` of a manager returns."""

    def store_soon(self, client: Client) -> None:
        """Store the session of a connected client, which has changed, in the background."""

    def forget(self, client: Client, recovery: ClientRecovery) -> None:
        """Forget the session of a client that has left for good."""

    def update(self, session: SavedSession) -> None:
        """Store the session of a lost client again, because the client was removed from a room."""

    def tell_return(self, session: SavedSession) -> None:
        """Tell the other nodes to forget a session whose client has come back to this node."""

    def keep(self, session: SavedSession) -> Any:
        """Store the session of a lost client; return False if that failed, so that the client cannot come back."""

    def drop(self, pid: str, stored: Sequence[str] = ()) -> Any:
        """Delete a stored session; if *stored* has digests, only a version of the session with one of these digests."""

    def claim(self, namespace: str, pid: str, offset: str | None) -> Any:
        """Take the session of a returning client out of the store, and return a ``Found`` with it, or None."""

    def bring_up(self, session: SavedSession) -> bool:
        """
        Do to a claimed session what nodes have done to its client meanwhile.

        Returns:
            False if they have disconnected the client, or that is not known.
        """
        ...


class MovingSessions(Protocol):
    """Fetches sessions from the memory of other nodes: what ``move_sessions()`` of a manager returns."""

    def fetch(self, namespace: str, pid: str, offset: str | None) -> Any:
        """Move the session of a returning client here from another node, and return a ``Found`` with it, or None."""

    def touch(self, pid: str) -> None:
        """Report that a session of this node has changed or ended."""


class RoomServer(Protocol):
    """The attributes of a server, or of a consumer's rooms, that the room keeper uses."""

    manager: Any
    logger: Any

    @property
    def __fastsio__(self) -> Any:
        """What it shares with its parts; the keeper reads ``histories``."""

    @property
    def not_handled(self) -> Any:
        """The result of an event that has no handler."""

    @property
    def emit(self) -> Callable[..., Any]:
        """Sends an event."""
        ...

    def rooms(self, sid: str, namespace: str, /) -> list[Any]:
        """Return the rooms a client is in."""
        ...


class Handlers(Protocol):
    """The methods of the dispatcher of a server that its other parts call."""

    def find_route(self, namespace: str, event: str) -> Route | None:
        """Return the route of an event, or None."""

    def run_event(self, client: Client, route: Route, data: list[Any], ack_id: int | None) -> Any:
        """Call the handler of an event, and answer."""

    def send(self, eio_sid: str, packet: Packet) -> Any:
        """Send a packet to a client."""

    def reply_frames(self, eio_sid: str, frames: Sequence[Any]) -> Any:
        """Send the frames of events to a client, and wait while it is behind and reads."""

    def close_context(self, context: Context, exc: BaseException | None) -> Any:
        """Close what the dependencies of an event opened."""

    def run_exception_handler(self, endpoint: Endpoint, context: Context, exc: Exception) -> Any:
        """Call an exception handler."""

    def break_off(self, connection: Connection, why: str) -> Any:
        """Close the connection of a client that broke the protocol."""


class PartClient(Protocol):
    """The attributes of a client that its parts use."""

    eio: Any
    logger: Any
    packet_class: type[Packet]
    async_handlers: bool
    connected: bool
    sid: str | None
    namespaces: dict[str, str]
    failed_namespaces: list[str]
    connection_namespaces: list[str]
    recovered: bool
    recovered_namespaces: frozenset[str]
    callbacks: dict[str, dict[int, Any]]
    reconnection_attempts: int
    reconnection_delay: float
    reconnection_delay_max: float
    randomization_factor: float
    #: The events that are not sent by the server.
    reserved_events: ClassVar[list[str]]

    def start_background_task(self, target: Any, *args: Any, **kwargs: Any) -> Any:
        """Start a function in the background; return its task or thread."""


class ClientHandlers(Protocol):
    """The members of the dispatcher of a client that its other parts use."""

    answered: Any

    def send(self, packet: Packet) -> Any:
        """Send a packet; while the server does not read, wait."""

    def reply(self, packet: Packet) -> Any:
        """Send a packet without waiting for the server to read."""

    def expect_ack(self, namespace: str, callback: Any) -> int:
        """Return a new id for the acknowledgement of an event, and keep the callback that waits for it."""
        ...

    def acknowledge(self, callback: Any, arguments: Any) -> Any:
        """Call the callback of an acknowledgement."""

    def hang_up(self) -> Any:
        """End the connection."""

    def end(self, namespace: str) -> Any:
        """Handle the final end of a namespace, which the client does not reconnect to."""
