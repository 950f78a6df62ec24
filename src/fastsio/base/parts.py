"""
What the parts of servers and clients ask of their owner and of each other.

An owner's attributes are read where they are needed, for an application or a test may change them at any time. What is
awaited in one half and not in the other returns Any here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastsio.base.admin import Observer
    from fastsio.base.client import ClientOptions
    from fastsio.base.options import ServerOptions
    from fastsio.injection import Context, Endpoint
    from fastsio.protocol import Limits, Packet
    from fastsio.routing import Route
    from fastsio.state import Client, Connection


class PartServer(Protocol):
    """What every part of a server reads of it."""

    eio: Any
    manager: Any
    room_keeper: Any
    logger: Any
    options: ServerOptions
    observer: Observer | None


class RunnerServer(PartServer, Protocol):
    """What a runner of handlers asks of its server."""

    async_handlers: bool

    def label_of(self, sid: str) -> str:
        """Return what a log calls a client."""
        ...


class DispatcherServer(PartServer, Protocol):
    """What a dispatcher reads of its server."""

    limits: Limits
    packet_class: type[Packet]
    always_connect: bool

    @property
    def not_handled(self) -> Any:
        """What stands for the result of an event that has no handler."""

    #: The events that are not sent by clients.
    reserved_events: ClassVar[list[str]]


class LifecycleServer(PartServer, Protocol):
    """What a lifecycle reads of its server."""

    limits: Limits
    packet_class: type[Packet]
    always_connect: bool
    namespaces: Any
    environ: dict[str, dict[str, Any]]


class RoomServer(Protocol):
    """What a keeper of rooms asks of its server."""

    manager: Any
    logger: Any

    @property
    def not_handled(self) -> Any:
        """What stands for the result of an event that has no handler."""

    @property
    def emit(self) -> Callable[..., Any]:
        """Sends an event."""
        ...

    def rooms(self, sid: str, namespace: str, /) -> list[Any]:
        """Return the rooms a client is in."""
        ...


class EventHandling(Protocol):
    """What a runner asks of the dispatcher."""

    def find_route(self, namespace: str, event: str) -> Route | None:
        """Return the route of an event, or None."""

    def run_event(self, client: Client, route: Route, data: list[Any], ack_id: int | None) -> Any:
        """Call the handler of an event, and answer."""


class Handlers(Protocol):
    """What a lifecycle asks of the dispatcher."""

    def find_route(self, namespace: str, event: str) -> Route | None:
        """Return the route of an event, or None."""

    def close_context(self, context: Context, exc: BaseException | None) -> Any:
        """Close what the dependencies of an event opened."""

    def run_exception_handler(self, endpoint: Endpoint, context: Context, exc: Exception) -> Any:
        """Call an exception handler."""

    def send(self, eio_sid: str, packet: Packet) -> Any:
        """Send a packet to a client."""

    def break_off(self, connection: Connection, why: str) -> Any:
        """Close the connection of a client that broke the protocol."""


class PartClient(Protocol):
    """What every part of a client asks of it."""

    eio: Any
    logger: Any

    def start_background_task(self, target: Any, *args: Any, **kwargs: Any) -> Any:
        """Start a function in the background; return its task or thread."""


class DispatcherClient(PartClient, Protocol):
    """What a dispatcher reads of its client."""

    limits: Limits
    packet_class: type[Packet]
    async_handlers: bool
    connected: bool
    sid: str | None
    namespaces: dict[str, str]
    failed_namespaces: list[str]
    callbacks: dict[str, dict[int, Any]]

    #: The events that are not sent by the server.
    reserved_events: ClassVar[list[str]]


class DeliveryClient(PartClient, Protocol):
    """What a delivery reads of its client."""

    options: ClientOptions
    packet_class: type[Packet]
    namespaces: dict[str, str]
    connection_namespaces: list[str]
    callbacks: dict[str, dict[int, Any]]


class ReconnectingClient(PartClient, Protocol):
    """What attempts to come back read of their client."""

    reconnection_attempts: int
    reconnection_delay: float
    reconnection_delay_max: float
    randomization_factor: float
    connection_namespaces: list[str]


class PacketSender(Protocol):
    """What a delivery asks of the dispatcher."""

    def send(self, packet: Packet) -> Any:
        """Send a packet; while the server does not read, wait."""

    def reply(self, packet: Packet) -> Any:
        """Send a packet without waiting for the server to read."""

    def expect_ack(self, namespace: str, callback: Any) -> int:
        """Return a fresh id for the acknowledgement of an event, and keep what waits for it."""
        ...

    def acknowledge(self, callback: Any, arguments: Any) -> Any:
        """Call what waited for an acknowledgement."""


class Namespaces(Protocol):
    """What attempts to come back ask of the dispatcher."""

    answered: Any

    def hang_up(self) -> Any:
        """End the connection."""

    def end(self, namespace: str) -> Any:
        """Take the end of a namespace that the client does not come back to by itself."""
