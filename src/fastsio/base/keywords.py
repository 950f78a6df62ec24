"""
The keyword arguments of servers, clients and managers: their names and types, and what becomes of any other.

Must not know what the options do. An option that is added anywhere is added here, or it counts as unknown.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict

from fastsio.exceptions import SetupError
from fastsio.routing.habits import outside
from fastsio.routing.slips import meant

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from fastsio.asyncapi import AsyncAPIConfig
    from fastsio.protocol.packet import Packet

#: What libraries pass on of their own options, which is not their users' mistake: Flask-SocketIO.
_PASSED_ON: Final = frozenset({"message_queue"})


class LimitKeywords(TypedDict, total=False):
    """The fields of :class:`~fastsio.protocol.Limits`."""

    max_attachments: int
    max_binary_bytes: int
    max_json_depth: int
    max_ack_id: int
    max_event_length: int
    max_namespace_length: int
    max_query_length: int


class ServerKeywords(LimitKeywords, total=False):
    """What both kinds of server take by keyword: the fields of :class:`ServerOptions`, and the transport's options."""

    connect_timeout: float
    attachment_timeout: float
    max_namespaces: int
    max_pending_acks: int | None
    max_rooms: int | None
    max_concurrent_handlers: int
    max_held_packets: int
    max_held_bytes: int
    max_auth_bytes: int
    max_handler_bytes: int
    shutdown_timeout: float

    engineio_logger: Any
    ping_interval: float | tuple[float, float]
    ping_timeout: float
    max_http_buffer_size: float
    allow_upgrades: bool
    http_compression: bool
    compression_threshold: int
    cookie: str | dict[str, Any] | None
    cors_allowed_origins: str | Collection[str] | Callable[..., Any] | None
    cors_credentials: bool
    monitor_clients: bool | None
    transports: str | Sequence[str] | None
    body_timeout: float
    upgrade_timeout: float
    max_buffer_bytes: int
    max_buffer_packets: int
    high_water_bytes: int
    high_water_packets: int
    slow_client_timeout: float
    slow_client: Literal["close", "drop"]
    max_control_frames: int
    max_decode_packets: int | None
    allow_eio3: bool
    asyncapi: AsyncAPIConfig | dict[str, Any] | None


class AsyncServerKeywords(ServerKeywords, total=False):
    """What :class:`fastsio.AsyncServer` takes by keyword."""

    async_mode: Literal["aiohttp", "asgi", "sanic", "tornado"] | None
    serializer: Literal["default", "msgpack"] | type[Packet]
    always_connect: bool
    handler_grace: float


class SyncServerKeywords(ServerKeywords, total=False):
    """What :class:`fastsio.Server` takes by keyword."""

    async_mode: Literal["eventlet", "gevent", "gevent_uwsgi", "threading"] | None


class ClientKeywords(LimitKeywords, total=False):
    """What both kinds of client take by keyword: the fields of :class:`ClientOptions`, and the transport's options."""

    async_handlers: bool
    retries: int | None
    ack_timeout: float | None
    offline_buffer: bool
    max_buffered_events: int

    engineio_logger: Any
    request_timeout: float
    high_water_bytes: int
    high_water_packets: int
    http_session: Any
    ssl_verify: bool
    websocket_extra_options: dict[str, Any] | None
    timestamp_requests: bool


class BusKeywords(TypedDict, total=False):
    """What all managers on a message broker take by keyword; :class:`fastsio.AsyncPubSubManager` says what it means."""

    publish_timeout: float
    max_remote_callbacks: int
    bus_format: Literal["json", "msgpack"]


SERVER_NAMES: Final = frozenset(AsyncServerKeywords.__annotations__) | frozenset(SyncServerKeywords.__annotations__)
CLIENT_NAMES: Final = frozenset(ClientKeywords.__annotations__)
#: The parameters of the constructors.
SERVER_PARAMETERS: Final = (
    "client_manager", "logger", "serializer", "json", "async_handlers", "always_connect", "namespaces",
)  # fmt: skip
CLIENT_PARAMETERS: Final = (
    "reconnection", "reconnection_attempts", "reconnection_delay", "reconnection_delay_max", "randomization_factor",
    "logger", "serializer", "json", "handle_sigint",
)  # fmt: skip


def known_options(
    owner: str, given: dict[str, Any], known: frozenset[str], others: Iterable[str] = ()
) -> dict[str, Any]:
    """
    Sort out the options that there are not.

    Args:
        owner: The class they were given to.
        given: The options.
        known: The names that may be among them.
        others: Further names that the class takes, which a slip may have meant.

    Returns:
        The options that are known. A warning names each other one: programs pass options that never did anything.

    Raises:
        SetupError: One is nearly a known name.
    """
    for name in [name for name in given if name not in known]:
        nearest = meant(name, [*known, *others])
        if nearest is not None:
            raise SetupError(f"{owner} has no option {name!r}; did you mean {nearest!r}?")
        if name not in _PASSED_ON:
            warnings.warn(f"{owner} has no option {name!r}; it does nothing", stacklevel=outside())
    return {name: value for name, value in given.items() if name in known}


def parameters_of(kind: type) -> set[str]:
    """Return the names that the constructors of a class and its bases take."""
    codes = [base.__init__.__code__ for base in kind.__mro__ if hasattr(base.__init__, "__code__")]  # type: ignore[misc] # read, not called
    return {name for code in codes for name in code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]}
