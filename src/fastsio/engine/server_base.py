"""
The base of both Engine.IO servers: options, handlers, sessions, and the parts of requests that need no I/O.

The shells read requests and run handlers; :mod:`fastsio.engine.session` decides about sessions.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Final

from fastsio.base.options import choose_logger, takes_information
from fastsio.engine import http
from fastsio.engine.cors import Origins, cors_headers
from fastsio.engine.log_format import Reports
from fastsio.engine.options import (
    DEFAULT_CONTROL_FRAMES,
    MODES,
    TRANSPORTS,
    SlowClientPolicy,
    check_options,
    choose_mode,
    choose_transports,
)
from fastsio.engine.request import Request, RequestRefused
from fastsio.engine.session_tables import REFUSALS, VERDICTS, Asked, Transport
from fastsio.protocol.lifecycle import Reasons

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fastsio.engine.packet import WirePacket

#: The name by which applications configure the logger.
LOGGER_NAME: Final = "engineio.server"
#: How long the last frames and the closing handshake may take before the connection is closed without them.
CLOSE_GRACE_S: Final = 10.0
#: As many as ``engineio.payload.Payload.max_decode_packets``.
PACKETS_PER_PAYLOAD: Final = 16


class SecondWebSocket(Enum):
    """A WebSocket for a session that has one already: it is accepted, and closed."""

    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Background:
    """
    The functions with which a server runs others in the background: in tasks, threads or greenlets.

    Attributes:
        start: Runs a function with a tuple of arguments and a dict of them; returns the task, or something with
            ``join()``.
        sleep: Waits for a number of seconds, while other functions run.
        queue: Makes a queue.
        queue_empty: The exception that ``get_nowait()`` of an empty queue raises.
        event: Makes an event.
    """

    start: Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]
    sleep: Callable[[float], Any]
    queue: Callable[..., Any]
    queue_empty: type[Exception]
    event: Callable[..., Any]


class ServerBase(ABC):
    """
    The options, handlers and sessions of an Engine.IO server.

    Args:
        async_mode: The web framework or the kind of threads that the server is for; None is the first installed one.
        ping_interval: Seconds between two pings to a client, or a pair: that, and seconds of grace added to it.
        ping_timeout: Seconds a client may take to answer a ping.
        max_http_buffer_size: How many bytes a message, or the body of a POST, may have.
        allow_upgrades: Whether clients are told that they may move from polling to a WebSocket.
        http_compression: Whether answers to polls are compressed for clients that accept that.
        compression_threshold: Bodies of fewer bytes are not compressed.
        cookie: The name of a cookie with the session's id, or its name and attributes; None sends none.
        cors_allowed_origins: One origin, several, ``"*"`` for any, or a function of the origin and the environ; None is
            the server's own, an empty list turns the check off.
        cors_credentials: Whether browsers may send cookies across origins.
        logger: True logs from INFO on, False from ERROR on; or a logger.
        json: Accepted for compatibility. Engine.IO's own packets are written by the standard library.
        async_handlers: Accepted for compatibility; messages of one client are handled in order.
        monitor_clients: False keeps sessions whose clients answer no pings.
        transports: ``"polling"``, ``"websocket"``, or a list of these; None is both.
        body_timeout: Seconds a client may take to send the body of a POST; then its session ends.
        upgrade_timeout: Seconds a client may take from the WebSocket handshake to the end of the upgrade.
        max_buffer_bytes: How many bytes may wait for one slow client.
        max_buffer_packets: How many packets may wait for one slow client.
        high_water_bytes: How many bytes may wait for one client before callers that send to it wait; at most half of
            ``max_buffer_bytes`` counts.
        high_water_packets: The same in packets, with ``max_buffer_packets``.
        slow_client_timeout: Seconds that senders wait for a client that reads nothing.
        slow_client: What happens after that, and beyond the buffer: ``"close"`` ends the session, ``"drop"`` drops the
            new packets.
        max_decode_packets: After how many packets of one POST other clients have a turn; None takes
            ``engineio.payload.Payload``'s.
        max_control_frames: How many frames without a message a WebSocket may send in a second: pings, pongs, empty
            fragments. Beyond, it is closed. uvicorn's own WebSocket protocols, Tornado and Sanic do not show them.
        handler_grace: Seconds that a running message handler has to end once its client is gone, before the session
            ends; with asyncio, the handler is cancelled first.
        allow_eio3: Whether clients of Engine.IO 3 are served too. Off, as in the JavaScript server.
        unknown: Options of no use here, which are ignored.

    Attributes:
        handlers: What :meth:`on` has registered.
        congested: The sessions that are behind: more waits for them than the high-water mark.
        announced: An event to wait for before a session begins by polling: the other machines know the name in its sid
            then. None where requests are not forwarded.
        is_admitting: Whether new clients are taken; not while the server shuts down.
        is_traced: Whether packets are logged, which is decided when the server is made.
        receivers: Message handlers that get the ``connection`` of a session in place of its sid.
        sid_suffix: What is put after the ids of new sessions: it names this process among the workers of a group.
        sockets: The sessions by their id.

    Raises:
        SetupError: An option is not valid, or the package that ``async_mode`` needs is not installed.
    """

    event_names: ClassVar = ["connect", "disconnect", "message"]
    valid_transports: ClassVar = list(TRANSPORTS)
    compression_methods: ClassVar = list(http.CODINGS)
    reason = Reasons
    #: ``"AsyncServer"`` or ``"Server"``.
    _kind: ClassVar[str]
    _background: Background

    sockets: dict[str, Any]
    deadlines: Any

    def __init__(  # noqa: PLR0915 - one statement an option
        self,
        async_mode: str | None = None,
        ping_interval: float | tuple[float, float] = 25,
        ping_timeout: float = 20,
        max_http_buffer_size: float = 1_000_000,
        allow_upgrades: bool = True,
        http_compression: bool = True,
        compression_threshold: int = 1024,
        cookie: str | dict[str, Any] | None = None,
        cors_allowed_origins: Any = None,
        cors_credentials: bool = True,
        logger: Any = False,
        json: Any = None,
        async_handlers: bool = True,
        monitor_clients: bool | None = None,
        transports: Any = None,
        *,
        body_timeout: float = 60.0,
        upgrade_timeout: float = 10.0,
        max_buffer_bytes: int = 16_777_216,
        max_buffer_packets: int = 10_000,
        high_water_bytes: int = 1_048_576,
        high_water_packets: int = 1_000,
        slow_client_timeout: float = 20.0,
        slow_client: SlowClientPolicy = "close",
        max_decode_packets: int | None = None,
        max_control_frames: int = DEFAULT_CONTROL_FRAMES,
        handler_grace: float = 1.0,
        allow_eio3: bool = False,
        **unknown: Any,
    ) -> None:
        check_options(locals())  # the arguments, as nothing else is assigned yet
        self.async_mode = choose_mode(self._kind, async_mode, self._is_installed)
        self.transports = choose_transports(transports)
        interval_s, grace_s = ping_interval if isinstance(ping_interval, tuple) else (ping_interval, 0)
        self.ping_interval: float = interval_s
        self.ping_interval_grace_period: float = grace_s
        self.ping_timeout = ping_timeout
        self.max_http_buffer_size = int(max_http_buffer_size)
        self.allow_upgrades = allow_upgrades
        self.http_compression = http_compression
        self.compression_threshold = compression_threshold
        self.cookie = cookie
        self.cors_allowed_origins = cors_allowed_origins
        self.cors_credentials = cors_credentials
        self.async_handlers = async_handlers
        self.start_service_task = monitor_clients is not False
        self.body_timeout = body_timeout
        self.upgrade_timeout = upgrade_timeout
        self.max_buffer_bytes = max_buffer_bytes
        self.max_buffer_packets = max_buffer_packets
        # So that callers wait before the buffer is full.
        self.high_water_bytes = min(high_water_bytes, max_buffer_bytes // 2)
        self.high_water_packets = min(high_water_packets, max_buffer_packets // 2)
        self.slow_client_timeout = slow_client_timeout
        self.slow_client: SlowClientPolicy = slow_client
        self.max_decode_packets = max_decode_packets
        self.max_control_frames = max_control_frames
        self.handler_grace = handler_grace
        self.allow_eio3 = allow_eio3
        self.is_admitting = True
        self.close_grace = CLOSE_GRACE_S
        self._usual_grace = handler_grace
        self.sockets = {}
        self.congested: set[Any] = set()
        self._last_polls: dict[str, Any] = {}
        self.sid_suffix = ""
        self.announced: Any = None
        self.handlers: dict[str, Callable[..., Any]] = {}
        self.receivers: frozenset[Callable[..., Any]] = frozenset()
        self._reports = Reports()
        self.logger = choose_logger(logger, LOGGER_NAME)
        self.is_traced = takes_information(self.logger)
        self.logger.info("Server initialized for %s.", self.async_mode)

    @staticmethod
    @abstractmethod
    def clock() -> float:
        """Return the time in seconds, by a clock that never goes back."""

    def report(self, message: str, kind: str) -> None:
        """
        Log what a client did wrong: the first of a kind as an error, later ones as information and once a minute.

        *kind* is a word without anything that the client sent.
        """
        due = self._reports.due(kind, self.clock())
        if due is None:
            return
        is_first, skipped = due
        if is_first:
            self.logger.error("%s (more of this kind are logged as information, once a minute)", message)
        else:
            self.logger.info("%s (and %d more of this kind since the last)", message, skipped)

    # -- options

    def is_asyncio_based(self) -> bool:
        """Return whether handlers are coroutine functions."""
        return self._kind == "AsyncServer"

    def async_modes(self) -> list[str]:
        """Return the modes that this kind of server has; the first installed one is the default."""
        return list(MODES[self._kind])

    @abstractmethod
    def _is_installed(self, async_mode: str) -> bool:
        """Return whether what a mode needs is installed."""

    @property
    def cors_allowed_origins(self) -> Any:
        """The origins that the server accepts; may be set."""
        return self._origins.allowed

    @cors_allowed_origins.setter
    def cors_allowed_origins(self, allowed: Any) -> None:
        self._origins = Origins(allowed, may_await=self.is_asyncio_based())

    @property
    def packets_per_payload(self) -> int:
        """How many packets of one POST are handled before other clients have a turn."""
        if self.max_decode_packets is not None:
            return self.max_decode_packets
        # Applications that set it there have imported engineio, which is slow to import.
        payload = getattr(sys.modules.get("engineio.payload"), "Payload", None)
        return PACKETS_PER_PAYLOAD if payload is None else int(payload.max_decode_packets)

    def stop_admitting(self, grace_s: float) -> None:
        """
        Answer handshakes with 503 from now on, because the server shuts down.

        Args:
            grace_s: Seconds that message handlers of clients that are gone have to end, and closing handshakes at most.
        """
        if self.is_admitting:
            self._usual_grace = self.handler_grace
        self.is_admitting = False
        self.handler_grace = grace_s
        self.close_grace = min(CLOSE_GRACE_S, grace_s)

    def admit(self) -> None:
        """Take new clients again, after :meth:`stop_admitting`: the application starts anew."""
        if not self.is_admitting:
            self.is_admitting = True
            self._last_polls.clear()  # shutdown() has dropped their deadlines
            self.handler_grace, self.close_grace = self._usual_grace, CLOSE_GRACE_S

    # -- background

    def start_background_task(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """
        Run a function beside the requests: a coroutine function in a task, another one in a thread or greenlet.

        It continues when the server shuts down.

        Args:
            target: The function.
            args: What it is called with.
            kwargs: The same by keyword.

        Returns:
            The task, which the caller must keep, because the event loop does not; or an object with ``join()``.
        """
        return self._background.start(target, args, kwargs)

    def create_queue(self, *args: Any, **kwargs: Any) -> Any:
        """Return a queue for background functions; the arguments are those of ``asyncio.Queue`` or ``queue.Queue``."""
        return self._background.queue(*args, **kwargs)

    def get_queue_empty_exception(self) -> type[Exception]:
        """Return the exception class that ``get_nowait()`` of an empty queue raises."""
        return self._background.queue_empty

    def create_event(self, *args: Any, **kwargs: Any) -> Any:
        """Return an event for background functions."""
        return self._background.event(*args, **kwargs)

    # -- handlers

    def on(self, event: str, handler: Callable[..., Any] | None = None) -> Any:
        """
        Register the handler of an event, in place of an earlier one.

        Args:
            event: ``"connect"``, called with the sid and the environ of the request, any result but None
                and True refuses the client; ``"message"``, called with the sid and the text or bytes;
                ``"disconnect"``, called with the sid and the reason.
            handler: The function; without it, ``on`` is a decorator.

        Returns:
            The decorator, or None where a handler was given.

        Raises:
            ValueError: Engine.IO has no such event.
        """
        if event not in self.event_names:
            raise ValueError(f"Invalid event {event!r}: Engine.IO has {', '.join(map(repr, self.event_names))}")

        def register(given: Callable[..., Any]) -> Callable[..., Any]:
            self.handlers[event] = given
            return given

        if handler is None:
            return register
        register(handler)
        return None

    # -- sessions

    def transport(self, sid: str) -> str:
        """Return the transport of a client, ``"polling"`` or ``"websocket"``; raise KeyError without such a session."""
        return "websocket" if self._get_socket(sid).transport is Transport.WEBSOCKET else "polling"

    def _get_socket(self, sid: str) -> Any:
        """Return a session that is not over; raise KeyError without one."""
        socket = self.sockets.get(sid)
        if socket is None or socket.closed:
            raise KeyError("Session not found" if socket is None else "Session is disconnected")
        return socket

    def retire(self, session: Any, *, keep: bool) -> None:
        """
        Remove a session that is over from :attr:`sockets`.

        With *keep*, its last packets wait for one more poll. The JavaScript server keeps them 30 seconds.
        """
        if keep:
            self._last_polls[session.sid] = session
        self.sockets.pop(session.sid, None)
        if keep:
            self.deadlines.set(session, self.ping_timeout)

    def forget(self, session: Any) -> None:
        """Stop waiting for the last poll of a session that is over."""
        self._last_polls.pop(session.sid, None)
        self.deadlines.clear(session)

    def _reject(self, session: Any) -> None:
        session.reject()
        self.sockets.pop(session.sid, None)

    def leave_client(self, eio_sid: str) -> None:
        """
        End the transport of a client because the server shuts down, without waiting for anything; it connects again.

        The caller runs the disconnect handler. Nothing happens to a client that is gone.
        """
        session = self.sockets.get(eio_sid)
        if session is not None:
            session.leave_client()

    def post(self, eio_sid: str, packets: Sequence[WirePacket], waits: bool = False) -> bool:
        """
        Send packets, which other clients may share, as :meth:`.SessionState.post` does; never waits.

        Returns:
            False when there is no such client, or it is too slow and the packets were dropped.
        """
        session = self.sockets.get(eio_sid)
        if session is None:
            self.logger.debug("Cannot send, the client is gone")
            return False
        is_sent: bool = session.post(packets, waits)
        return is_sent

    # -- requests

    def find(self, sid: str, request: Request) -> Any:
        """
        Return the session of a request; end a session whose heartbeat is overdue.

        Raises:
            RequestRefused: There is no such session, or it cannot take the request.
        """
        asked = Asked.WEBSOCKET if request.is_websocket else Asked.POLL if request.method == "GET" else Asked.POST
        session = self.sockets.get(sid)
        if session is None and asked is Asked.POLL:
            session = self._last_polls.get(sid)
        # A poll that arrives while the disconnect handler runs gets the last packets.
        if session is None or (session.closing and asked is not Asked.POLL):
            raise RequestRefused(http.Code.UNKNOWN_SID, "Invalid session")
        if request.protocol not in (None, session.protocol):
            raise RequestRefused(http.Code.BAD_REQUEST, "A request that changes the protocol of its session")
        if session.is_overdue():
            # The timer is up to a slice late, but a request after the deadline must find the session closed.
            session.expire()
            raise RequestRefused(http.Code.UNKNOWN_SID, "Invalid session")
        if VERDICTS[session.transport][asked] in REFUSALS:  # without a call for most requests
            session.check_transport(asked)
        return session

    def _refuse(self, refused: RequestRefused) -> http.Response:
        self.report(refused.log, refused.log)
        return http.refusal(refused.code)

    def headers_of(
        self, response: http.Response, environ: dict[str, Any], *, is_admitted: bool
    ) -> list[tuple[str, str]]:
        """Compress the body of a response in place, and return its headers with those of CORS."""
        if self.http_compression and len(response["response"]) >= self.compression_threshold:
            methods = {name: http.CODINGS[name] for name in self.compression_methods}
            http.compress(response, environ.get("HTTP_ACCEPT_ENCODING", ""), methods, self.compression_threshold)
        if self._origins.is_off:
            return response["headers"]
        is_allowed = is_admitted and bool(environ.get("HTTP_ORIGIN"))
        cors = cors_headers(environ, is_allowed=is_allowed, with_credentials=self.cors_credentials)
        return [*response["headers"], *cors]

    def is_admitted(self, environ: dict[str, Any]) -> bool:
        """
        Tell whether the origin of a request is accepted; False if only a function of the application can tell.

        Args:
            environ: Of the request; its headers, method and scheme are enough.
        """
        origin = environ.get("HTTP_ORIGIN")
        origins = self._origins
        if not origin or origins.is_off:
            return True
        return not origins.asks_application and origins.accepts(origin, environ) is True

    def _cookies(self, sid: str) -> list[tuple[str, str]]:
        return [("Set-Cookie", http.sid_cookie(sid, self.cookie))] if self.cookie else []

    def _open_data(self, sid: str, *, can_upgrade: bool) -> str:
        """Return the JSON of the packet that opens a session; *can_upgrade*: its client polls, and may upgrade."""
        interval_s = self.ping_interval + self.ping_interval_grace_period
        offers = can_upgrade and self.allow_upgrades
        return f'{{"sid":"{sid}",{_open_members(offers, interval_s, self.ping_timeout, self.max_http_buffer_size)}}}'


@lru_cache(maxsize=64)
def _open_members(can_upgrade: bool, interval_s: float, timeout_s: float, max_bytes: int) -> str:
    """Return the members of the packet that opens a session which are the same for all sessions."""
    upgrades = '["websocket"]' if can_upgrade else "[]"
    times = f'"pingInterval":{round(interval_s * 1000)},"pingTimeout":{round(timeout_s * 1000)}'
    return f'"upgrades":{upgrades},{times},"maxPayload":{max_bytes}'
