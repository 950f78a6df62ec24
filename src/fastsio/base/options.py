"""
The options of servers, clients and managers: limits, a logger, the class of packets.

This module owns the options of a server beyond python-socketio's, with their defaults and their validation; the names
and types of all keyword arguments, and the refusal of unknown ones. A new option must be added here, or it counts as
unknown. This module must not know what the options do.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypedDict

from fastsio.exceptions import SetupError
from fastsio.protocol import Packet
from fastsio.protocol.jsoncodec import CLIENT_CODEC
from fastsio.protocol.limits import Limits
from fastsio.routing.slips import closest_name, stacklevel_outside

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from fastsio.asyncapi import AsyncAPIConfig
    from fastsio.base.recovery import ConnectionStateRecovery

#: Events up to this size are not counted by size, only by number.
MAX_SMALL_BYTES: Final = 1024
#: A bound that no size reaches.
UNLIMITED: Final = 1 << 62


def counted_bytes(size_bytes: int) -> int:
    """Return the size of an event as it counts against ``max_handler_bytes``: 0 for a small one."""
    return size_bytes if size_bytes > MAX_SMALL_BYTES else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """
    The limits of a server for its clients, and how long it waits for them.

    Args:
        connect_timeout: Seconds until a connection that joined no namespace is closed. 45, as in the JavaScript server.
        attachment_timeout: Seconds until a packet must have all its attachments. 10.
        max_namespaces: Namespaces of one connection. 16.
        max_pending_acks: Unanswered callbacks of one client; the oldest is dropped beyond it. 1,000.
        max_rooms: Rooms that one client may be in, without the one named like its sid. None is any number.
        max_concurrent_handlers: Event handlers of one connection under way; its next event waits. 1,000.
        max_held_packets: Packets from a client, and to it, kept until its connect handler has decided. 1,000.
        max_held_bytes: Bytes of those that come from the client. 1,000,000, as Engine.IO's message size.
        max_auth_bytes: Bytes of the CONNECT packets with auth of one connection's clients. 65,536.
        max_handler_bytes: Bytes of the events whose handlers are under way for one connection; its next event waits.
            Those up to 1 KiB do not count. 2,000,000, twice Engine.IO's message size.
        shutdown_timeout: Seconds that ``shutdown()`` waits for handlers before it cancels them. 5.

    Raises:
        SetupError: A value is not a positive number.

    Source: limits proposed after CVE-2026-48804 and the JavaScript server's ``connectTimeout``.
    """

    connect_timeout: float = 45.0
    attachment_timeout: float = 10.0
    max_namespaces: int = 16
    max_pending_acks: int | None = 1000
    max_rooms: int | None = None
    max_concurrent_handlers: int = 1000
    max_held_packets: int = 1000
    max_held_bytes: int = 1_000_000
    max_auth_bytes: int = 65_536
    max_handler_bytes: int = 2_000_000
    shutdown_timeout: float = 5.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None and field.name in ("max_pending_acks", "max_rooms"):
                continue
            number = (int, float) if isinstance(field.default, float) else int
            if isinstance(value, bool) or not isinstance(value, number) or value <= 0:
                raise SetupError(f"{field.name}={value!r} is not valid; give it a positive number")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """
    How a client delivers what the application emits, and what it does to have its connection recovered.

    :class:`fastsio.AsyncClient` describes the fields.

    Raises:
        SetupError: A value is not valid.
    """

    retries: int | None = None
    ack_timeout: float | None = None
    offline_buffer: bool = False
    max_buffered_events: int = 1000
    recovery: bool = True
    max_held_packets: int = 10_000
    max_held_bytes: int = 16_777_216

    def __post_init__(self) -> None:
        if self.retries is not None and (type(self.retries) is not int or self.retries < 0):
            raise SetupError(f"retries={self.retries!r} is not valid; give it a number of attempts, or None")
        if self.ack_timeout is not None and not _is_positive(self.ack_timeout):
            raise SetupError(f"ack_timeout={self.ack_timeout!r} is not valid; give it seconds, or None")
        for name in ("max_buffered_events", "max_held_packets", "max_held_bytes"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise SetupError(f"{name}={value!r} is not valid; give it a number above 0")


def _is_positive(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0


def check_origins(origins: Any) -> None:
    """
    Make sure that browsers may send the origins of the option ``cors_allowed_origins``.

    Raises:
        SetupError: One has no scheme, or a path, so that no request would ever match it; or it is a boolean.
    """
    if isinstance(origins, bool):
        meant = "'*' for every origin" if origins else "None for the server's own origin"
        raise SetupError(
            f"cors_allowed_origins={origins!r} is not valid; give {meant}, a list of origins, or a function"
        )
    for origin in (origins,) if isinstance(origins, str) else _listed(origins):
        if origin in ("", "*", "null"):  # "" is an empty setting split at commas; sandboxed pages send "null"
            continue
        if "," in str(origin):
            several = [one.strip() for one in str(origin).split(",")]
            raise SetupError(f"origin {origin!r} is several; write a list, {several}")
        scheme, mark, host = str(origin).partition("://")
        if not (scheme and mark):
            raise SetupError(f"origin {origin!r} has no scheme; write 'https://{origin}', as browsers send it")
        if "/" in host:
            raise SetupError(
                f"origin {origin!r} has a path; write '{scheme}://{host.partition('/')[0]}', as browsers send it"
            )


def _listed(origins: Any) -> Iterable[Any]:
    return origins if isinstance(origins, Iterable) and not callable(origins) else ()


def take_fields(kind: type[ServerOptions | ClientOptions | Limits], options: dict[str, Any]) -> dict[str, Any]:
    """Remove from options those that are fields of a dataclass, and return them."""
    return {field.name: options.pop(field.name) for field in fields(kind) if field.name in options}


def split_options(options: dict[str, Any]) -> tuple[ServerOptions, Limits, dict[str, Any]]:
    """Split the keyword arguments of a server: its own options, the limits of its decoders, and those of Engine.IO."""
    rest = dict(options)
    rest["logger"] = rest.pop("engineio_logger", False)
    own, limits = take_fields(ServerOptions, rest), take_fields(Limits, rest)
    message_size: Any = rest.get("max_http_buffer_size")
    # A value that is not a size is refused by Engine.IO.
    if isinstance(message_size, (int, float)) and 1 <= message_size < math.inf:
        message_size = int(message_size)
        # Attachments travel as Engine.IO messages of their own: together they may be as large as one message.
        limits.setdefault("max_binary_bytes", message_size)
        own.setdefault("max_held_bytes", message_size)
        own.setdefault("max_handler_bytes", 2 * message_size)
    return ServerOptions(**own), limits_of(limits), rest


def limits_of(limits: dict[str, Any]) -> Limits:
    """Return the limits of a server or client; raise SetupError if one is not valid."""
    try:
        return Limits(**limits)
    except ValueError as exc:
        raise SetupError(str(exc)) from exc


def takes_information(logger: Any) -> bool:
    """Whether a logger writes level INFO; True for a logger that does not have ``isEnabledFor``."""
    is_enabled = getattr(logger, "isEnabledFor", None)
    return is_enabled is None or bool(is_enabled(logging.INFO))


def startup_logger(logger: Any) -> Any:
    """
    Return the logger for warnings that a developer has to read when a program starts.

    If the server's does not write warnings, as with ``logger=False``, the logger ``fastsio.server`` is returned.
    """
    is_enabled = getattr(logger, "isEnabledFor", None)
    takes_warnings = is_enabled is None or is_enabled(logging.WARNING)
    return logger if takes_warnings else logging.getLogger("fastsio.server")


def choose_logger(logger: Any, name: str) -> Any:
    """
    Return the logger for the ``logger`` argument: a logger object, or of *name* for True and False.

    True logs from INFO on, False from ERROR on, unless the application has set a level for *name*.
    """
    if not isinstance(logger, bool):
        return logger
    chosen = logging.getLogger(name)
    if chosen.level == logging.NOTSET:
        chosen.setLevel(logging.INFO if logger else logging.ERROR)
        if logger and not chosen.hasHandlers():
            chosen.addHandler(logging.StreamHandler())
    return chosen


class ClientPacket(Packet):
    """The packet of clients: NaN, infinities and too large numbers that a server sends are read as None."""

    __slots__ = ()

    json: ClassVar[Any] = CLIENT_CODEC


def choose_packet_class(serializer: Any, json: Any, default: type[Packet] = Packet) -> type[Packet]:
    """
    Return the class of the packets of a server or client, with a JSON module of its own if one is given.

    *default* is what ``"default"`` means without such a module.

    Raises:
        SetupError: The serializer or the module is not valid.
        MissingExtraError: ``"msgpack"`` without the extra.
    """
    if serializer == "default":
        packet_class = default if json is None else Packet
    elif serializer == "msgpack":
        from fastsio.protocol.msgpack import MsgPackPacket  # noqa: PLC0415 - an optional extra

        packet_class = MsgPackPacket
    elif isinstance(serializer, type) and issubclass(serializer, Packet):
        packet_class = serializer
    else:
        raise SetupError(f"serializer={serializer!r} is not valid; give 'default', 'msgpack' or a subclass of Packet")
    if json is None:
        return packet_class
    if not (callable(getattr(json, "dumps", None)) and callable(getattr(json, "loads", None))):
        raise SetupError(f"json={json!r} is not valid; give a module with dumps() and loads()")
    # With a class of its own only this server uses the module; python-socketio sets it for the whole process.
    own_class: Any = type(packet_class.__name__, (packet_class,), {"__slots__": (), "json": json})
    return own_class  # type: ignore[no-any-return] # built of packet_class just now


#: Options of Flask-SocketIO that it passes on; there is no warning of them, because its users cannot avoid that.
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
    """The keyword arguments of both kinds of server: the fields of :class:`ServerOptions`, and options of Engine.IO."""

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
    connection_state_recovery: bool | dict[str, Any] | ConnectionStateRecovery | None


class AsyncServerKeywords(ServerKeywords, total=False):
    """The keyword arguments of :class:`fastsio.AsyncServer`."""

    async_mode: Literal["aiohttp", "asgi", "sanic", "tornado"] | None
    serializer: Literal["default", "msgpack"] | type[Packet]
    always_connect: bool
    handler_grace: float


class SyncServerKeywords(ServerKeywords, total=False):
    """The keyword arguments of :class:`fastsio.Server`."""

    async_mode: Literal["eventlet", "gevent", "gevent_uwsgi", "threading"] | None


class ClientKeywords(LimitKeywords, total=False):
    """The keyword arguments of both kinds of client: the fields of :class:`ClientOptions`, and options of Engine.IO."""

    async_handlers: bool
    retries: int | None
    ack_timeout: float | None
    offline_buffer: bool
    max_buffered_events: int
    recovery: bool
    max_held_packets: int
    max_held_bytes: int

    engineio_logger: Any
    request_timeout: float
    high_water_bytes: int
    high_water_packets: int
    http_session: Any
    ssl_verify: bool
    websocket_extra_options: dict[str, Any] | None
    timestamp_requests: bool


if TYPE_CHECKING:
    from typing_extensions import TypedDict as ClosedDict

    class BusKeywords(ClosedDict, total=False, closed=True):
        """The keyword arguments of all managers with a broker, as in :class:`fastsio.AsyncPubSubManager`."""

        publish_timeout: float
        max_remote_callbacks: int
        bus_format: Literal["json", "msgpack"]


SERVER_NAMES: Final = frozenset(AsyncServerKeywords.__annotations__) | frozenset(SyncServerKeywords.__annotations__)
CLIENT_NAMES: Final = frozenset(ClientKeywords.__annotations__)


def known_options(
    owner: str, given: dict[str, Any], known: frozenset[str], others: Iterable[str] = ()
) -> dict[str, Any]:
    """
    Return the options that exist; there is a warning for each other one.

    A name that does not exist is not an error, because programs for python-socketio pass options without an effect.
    *others* are further names of parameters of the class, for which one of *given* may be a slip.

    Raises:
        SetupError: The name of an unknown option is nearly that of another.
    """
    for name in [name for name in given if name not in known]:
        nearest = closest_name(name, [*known, *others])
        if nearest is not None:
            raise SetupError(f"{owner} has no option {name!r}; did you mean {nearest!r}?")
        if name not in _PASSED_ON:
            warnings.warn(f"{owner} has no option {name!r}; it does nothing", stacklevel=stacklevel_outside())
    return {name: value for name, value in given.items() if name in known}


def parameters_of(kind: type) -> set[str]:
    """Return the names of the parameters of the constructors of a class and its bases."""
    codes = [base.__init__.__code__ for base in kind.__mro__ if hasattr(base.__init__, "__code__")]  # type: ignore[misc] # read, not called
    return {name for code in codes for name in code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]}
