"""
The Engine.IO server: requests in, sessions kept, packets out.

What a session does stands in :mod:`.socket`; this module finds the session and answers the request.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from fastsio.base.loggers import takes_information
from fastsio.engine import http
from fastsio.engine.cookies import sid_cookie
from fastsio.engine.cors import Origins, cors_headers
from fastsio.engine.ids import new_id
from fastsio.engine.options import DEFAULT_CONTROL_FRAMES, SlowClientPolicy, check_options, telling_mode
from fastsio.engine.packet import OPEN, ControlPacket, WirePacket, message_of, packet_of
from fastsio.engine.reports import Reports
from fastsio.engine.request import PROTOCOL_KEY, Request, RequestRefused, read_request
from fastsio.engine.tracing import shown_text
from fastsio.sync.engine import accepting, polling, websocket
from fastsio.sync.engine.eio3 import Eio3Socket
from fastsio.sync.engine.framing import accept_response
from fastsio.sync.engine.hang_watch import HangWatch
from fastsio.sync.engine.socket import EngineSocket
from fastsio.sync.engine.timers import Deadlines, Timed
from fastsio.sync.engine.upstream import Payload, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


@dataclass(frozen=True, slots=True)
class Switch:
    """Not a response: the request becomes a WebSocket, which serves this session, or none: then it is closed."""

    socket: EngineSocket | None
    is_upgrade: bool = False


Answer: TypeAlias = http.Response | Switch


class Due(Timed, Protocol):
    """What the server's timer may call."""

    def on_deadline(self) -> None:
        """Act on the end of the time, without waiting."""

    def on_shutdown(self) -> None:
        """Act on the shutdown of the server: the deadline does not come any more."""


class EngineServer(Server):
    """
    An Engine.IO server for threads and greenlets: python-engineio's interface and options, and these besides.

    ``message`` handlers are called one after the other for each client, in the thread that reads, whatever
    ``async_handlers`` says.

    Args:
        body_timeout: Seconds a client may take to send the body of a POST; then its session ends.
        upgrade_timeout: Seconds a client may take from the WebSocket handshake to the end of the upgrade.
        max_buffer_bytes: How much may wait for one slow client.
        max_buffer_packets: How many packets may wait for one slow client.
        high_water_bytes: How much may wait for one client before those who send to it wait; at most half of
            ``max_buffer_bytes`` counts.
        high_water_packets: The same in packets.
        slow_client_timeout: Seconds that others wait for a client that reads nothing.
        slow_client: What happens after that, and beyond the buffer: ``"close"`` ends the session, ``"drop"`` drops the
            new packets.
        max_decode_packets: After how many packets of one POST others have a turn; None takes
            ``engineio.payload.Payload``'s.
        max_control_frames: How many frames without a message a WebSocket may send in a second: pings, pongs, empty
            fragments. Beyond, it is closed.
        handler_grace: Seconds that a message handler that is waited for has to end once its client is gone, before the
            session ends.
        allow_eio3: Whether clients of Engine.IO 3 are served too. Off, as in the JavaScript server.
        options: Those of ``engineio.Server``.

    Raises:
        ValueError: An option is not what it may be.
    """

    sockets: dict[str, EngineSocket]

    def __init__(
        self,
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
        **options: Any,
    ) -> None:
        check_options(
            {
                "body_timeout": body_timeout,
                "upgrade_timeout": upgrade_timeout,
                "max_buffer_bytes": max_buffer_bytes,
                "max_buffer_packets": max_buffer_packets,
                "high_water_bytes": high_water_bytes,
                "high_water_packets": high_water_packets,
                "slow_client_timeout": slow_client_timeout,
                "slow_client": slow_client,
                "max_decode_packets": max_decode_packets,
                "max_control_frames": max_control_frames,
                "handler_grace": handler_grace,
                "allow_eio3": allow_eio3,
                **options,
            }
        )
        self._reports = Reports()
        with telling_mode("Server", options.get("async_mode")):
            super().__init__(**options)
        self.max_http_buffer_size = int(self.max_http_buffer_size)
        #: Whether packets are logged, which is decided here, once.
        self.is_traced = takes_information(self.logger)
        self.body_timeout = body_timeout
        self.upgrade_timeout = upgrade_timeout
        self.max_buffer_bytes = max_buffer_bytes
        self.max_buffer_packets = max_buffer_packets
        # So that who waits does not wait at the very end of the buffer.
        self.high_water_bytes = min(high_water_bytes, max_buffer_bytes // 2)
        self.high_water_packets = min(high_water_packets, max_buffer_packets // 2)
        self.slow_client_timeout = slow_client_timeout
        #: The sessions that others wait for: more waits for them than the high-water mark.
        self.congested: set[EngineSocket] = set()
        self.slow_client = slow_client
        self.max_decode_packets = max_decode_packets
        self.max_control_frames = max_control_frames
        self.handler_grace = handler_grace
        self.allow_eio3 = allow_eio3
        self.deadlines: Deadlines[Due] = Deadlines(self._on_due, self)
        #: Message handlers that get the ``connection`` of a session in place of its sid.
        self.receivers: frozenset[Callable[..., Any]] = frozenset()
        self.hang_watch = HangWatch(self)
        self._parting: dict[str, EngineSocket] = {}
        # uWSGI ends the connection with the response without a word: a client that used it again would lose a request.
        self._connection_headers = [("Connection", "close")] if self.async_mode == "gevent_uwsgi" else []

    @property
    def cors_allowed_origins(self) -> Any:
        """The origins that are taken; may be written."""
        return self._origins.allowed

    @cors_allowed_origins.setter
    def cors_allowed_origins(self, allowed: Any) -> None:
        self._origins = Origins(allowed, may_await=False)

    @property
    def packets_per_payload(self) -> int:
        """How many packets of one POST are handled before others have a turn."""
        return self.max_decode_packets or Payload.max_decode_packets

    def generate_id(self) -> str:
        """Return the id of a new session."""
        return new_id()

    # -- sending

    def post(self, eio_sid: str, packets: Sequence[WirePacket], waits: bool = False) -> bool:
        """
        Send packets to a client, in order and with nothing between them; never waits.

        Args:
            eio_sid: The client.
            packets: What to send. Those of a broadcast are shared by all clients.
            waits: Whether the caller waits afterwards, with :meth:`let_read`. Then a full buffer takes them too,
                unless the client has been behind for long.

        Returns:
            False when there is no such client, or it is too slow and the packets were dropped.
        """
        socket = self.sockets.get(eio_sid)
        if socket is None:
            self.logger.debug("Cannot send, the client is gone")
            return False
        return socket.outbox.post(packets, waits=waits)

    def post_to_all(self, sessions: Iterable[EngineSocket], packets: Sequence[WirePacket], waits: bool = False) -> None:
        """
        Send packets to many clients as :meth:`post` does to one; those that are gone are left out.

        Args:
            sessions: The sessions of the clients.
            packets: What to send, shared by all.
            waits: As with :meth:`post`.
        """
        for socket in sessions:
            socket.outbox.post(packets, waits=waits)

    def let_read(self, eio_sids: Sequence[str]) -> None:
        """
        Wait while any of some clients is behind and reads; call it when there are :attr:`congested` ones.

        Args:
            eio_sids: The clients. With several, one delays the caller by no more than ``slow_client_timeout``.
        """
        is_shared = len(eio_sids) > 1
        for socket in map(self.sockets.get, eio_sids):
            if socket in self.congested and socket is not None:
                socket.outbox.let_read(is_shared=is_shared)

    def write(self, eio_sid: str, packets: Sequence[WirePacket]) -> bool:
        """
        Send as :meth:`post` does, then wait while the client is behind and reads.

        Args:
            eio_sid: The client.
            packets: What to send.

        Returns:
            As :meth:`post`.
        """
        socket = self.sockets.get(eio_sid)
        if socket is None:
            self.logger.debug("Cannot send, the client is gone")
            return False
        return socket.write(packets)

    def send(self, sid: str, data: Any) -> bool:
        """Send a message: text, bytes, or what JSON can hold; waits while the client is behind and reads."""
        return self.write(sid, (message_of(data),))

    def send_packet(self, sid: str, pkt: Any) -> bool:
        """Send a packet, one of ours or one of engineio's; never waits."""
        return self.post(sid, (packet_of(pkt),))

    # -- ending

    def close_client(self, eio_sid: str, reason: str, *, abort: bool = False) -> None:
        """
        End a client's session and run its disconnect handler; nothing happens to one that is gone.

        Args:
            eio_sid: The client.
            reason: What the disconnect handler gets.
            abort: True to end it without telling the client.
        """
        socket = self.sockets.get(eio_sid)
        if socket is not None:
            socket.finish(reason, abort=abort)

    def disconnect(self, sid: str | None = None) -> None:
        """End the session of one client, or of all."""
        for each in list(self.sockets) if sid is None else [sid]:
            self.close_client(each, self.reason.SERVER_DISCONNECT)

    def retire(self, socket: EngineSocket, *, keep: bool) -> None:
        """
        Take a session that is over off the table.

        Args:
            socket: The session.
            keep: Whether its last packets wait for one more poll. The JavaScript server keeps them 30 seconds.
        """
        if keep:
            self._parting[socket.sid] = socket
        self.sockets.pop(socket.sid, None)
        if keep:
            self.deadlines.set(socket, self.ping_timeout)

    def forget(self, socket: EngineSocket) -> None:
        """Stop waiting for the last poll of a session that is over."""
        self._parting.pop(socket.sid, None)
        self.deadlines.clear(socket)

    def shutdown(self) -> None:
        """Stop the timers; clients stay connected, and sends that wait for slow ones are given up."""
        for socket in list(self.congested):
            socket.outbox.give_up()
        self.hang_watch.stop()
        for member in self.deadlines.stop():
            member.on_shutdown()

    # -- requests

    def handle_request(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Serve one request, as a WSGI application."""
        is_admitted = self._admits(environ)
        answer = self._answer(environ) if is_admitted else http.foreign(environ["HTTP_ORIGIN"])
        if isinstance(answer, Switch):
            return self._serve_websocket(environ, answer)
        return self._respond(answer, environ, start_response, is_admitted=is_admitted)

    def _respond(
        self, response: http.Response, environ: dict[str, Any], start_response: Any, *, is_admitted: bool
    ) -> list[bytes]:
        if self.http_compression:
            methods = {name: getattr(self, f"_{name}") for name in self.compression_methods}
            accepted = environ.get("HTTP_ACCEPT_ENCODING", "")
            http.compress(response, accepted, methods, self.compression_threshold)
        body = response["response"]
        length = ("Content-Length", str(len(body)))
        headers = [*response["headers"], length, *self._connection_headers]
        if not self._origins.is_off:
            is_allowed = is_admitted and bool(environ.get("HTTP_ORIGIN"))
            headers += cors_headers(environ, is_allowed=is_allowed, with_credentials=self.cors_credentials)
        start_response(response["status"], headers)
        return [body]

    def _answer(self, environ: dict[str, Any]) -> Answer:
        if environ["REQUEST_METHOD"] == "OPTIONS":
            return http.accepted(b"OK")
        try:
            request = read_request(environ, self.transports, allow_eio3=self.allow_eio3)
            if request.is_websocket:
                self._check_websocket(environ)
            if request.sid is None:
                return self._handshake(environ, request)
            return self._serve(environ, request, self._find(request.sid, request))
        except RequestRefused as refused:
            self.report(refused.log, refused.log)
            return http.refusal(refused.code)

    def _admits(self, environ: dict[str, Any]) -> bool:
        """
        Tell whether the origin of a request, if it has one, is taken.

        Browsers apply CORS to responses; a WebSocket handshake is protected by looking at its origin only.
        """
        origin = environ.get("HTTP_ORIGIN")
        if not origin or self._origins.is_off:
            return True
        try:
            verdict = self._origins.admit(origin, environ)
        except Exception as error:  # noqa: BLE001 - the application's; the client is refused
            self.report(f"cors_allowed_origins raised {error!r}", "origins-failed")
            return False
        if inspect.isawaitable(verdict):
            self.report("cors_allowed_origins gave something to await, which a sync server cannot", "origins-failed")
            if inspect.iscoroutine(verdict):
                verdict.close()
            return False
        if not verdict:
            self.report(f"{shown_text(origin)} is not an accepted origin.", "bad-origin")
        return bool(verdict)

    def _check_websocket(self, environ: dict[str, Any]) -> None:
        if not accepting.can_accept(self, environ):
            raise RequestRefused(http.Code.BAD_REQUEST, "The web server cannot serve WebSockets")
        if accept_response(environ) is None:
            raise RequestRefused(http.Code.BAD_REQUEST, "Not a WebSocket handshake of version 13")

    def _find(self, sid: str, request: Request) -> EngineSocket:
        socket = self.sockets.get(sid)
        is_poll = request.method == "GET" and not request.is_websocket
        if socket is None and is_poll:
            socket = self._parting.get(sid)
        # A poll may come while the disconnect handler runs: it gets the last packets.
        if socket is None or (socket.closing and not socket.closed and not is_poll):
            raise RequestRefused(http.Code.UNKNOWN_SID, "Invalid session")
        if request.protocol not in (None, socket.protocol):
            raise RequestRefused(http.Code.BAD_REQUEST, "A request that changes the protocol of its session")
        if not socket.connected:
            raise RequestRefused(http.Code.BAD_REQUEST, "A request for a session that is not connected yet")
        if socket.is_overdue():
            # The timer is up to a slice late; who asks at the very moment finds the session closed.
            socket.expire()
            raise RequestRefused(http.Code.UNKNOWN_SID, "Invalid session")
        if socket.upgraded and not request.is_websocket:
            raise RequestRefused(http.Code.BAD_REQUEST, "Unexpected request for an upgraded session")
        return socket

    def _serve(self, environ: dict[str, Any], request: Request, socket: EngineSocket) -> Answer:
        if request.method == "POST":
            return polling.handle_post(socket, environ)
        if request.is_websocket:
            return self._switch(socket, request) if socket.claim_probe() else Switch(None)
        return polling.handle_get(socket, environ, request.jsonp_index)

    def _switch(self, socket: EngineSocket, request: Request) -> Switch:
        socket.frames_base64 = request.base64
        return Switch(socket, is_upgrade=socket.connected)

    def _serve_websocket(self, environ: dict[str, Any], switch: Switch) -> Any:
        socket = switch.socket
        if socket is None:
            return accepting.accept(self, environ, partial(websocket.turn_away, self))
        try:
            return accepting.accept(self, environ, partial(websocket.serve, socket))
        finally:
            socket.probing = False
            if not switch.is_upgrade:
                # Nothing is left of a session whose WebSocket could not even be accepted.
                socket.finish(self.reason.TRANSPORT_CLOSE, abort=True)

    def _handshake(self, environ: dict[str, Any], request: Request) -> Answer:
        sid = self.generate_id()
        socket = self.sockets[sid] = self._new_socket(sid, environ, request)
        is_answered = False
        try:
            answer = self._open(socket, environ, request)
            is_answered = True
        finally:
            if not socket.accepted:
                socket.reject()
                self.sockets.pop(sid, None)
            elif not is_answered:
                # Whatever failed, nothing is left of a session that its client will never hear of.
                socket.finish(self.reason.TRANSPORT_ERROR, abort=True)
        return answer

    def _open(self, socket: EngineSocket, environ: dict[str, Any], request: Request) -> Answer:
        """Ask the application about a new client, and begin its session if it is accepted."""
        opened = ControlPacket(OPEN, self._open_data(socket.sid, environ, is_websocket=request.is_websocket))
        socket.outbox.post((opened,), is_limited=False)
        verdict = self.run_connect(socket.sid, environ)
        if not (verdict is None or verdict is True):
            self.logger.warning("Application rejected connection")
            return http.unauthorized(verdict)
        doomed = socket.accept()
        if doomed is not None:
            socket.finish(doomed, abort=True)
            return http.refusal(http.Code.UNKNOWN_SID)
        socket.start_heartbeat()
        if request.is_websocket:
            return self._switch(socket, request)
        socket.connected = True
        packets = polling.take(socket, environ)
        return polling.answer(socket, packets, jsonp_index=request.jsonp_index, headers=self._cookies(socket.sid))

    def _new_socket(self, sid: str, environ: dict[str, Any], request: Request) -> EngineSocket:
        if request.protocol != Eio3Socket.protocol:
            return EngineSocket(self, sid)
        environ[PROTOCOL_KEY] = Eio3Socket.protocol
        return Eio3Socket(self, sid, base64=request.base64)

    def _open_data(self, sid: str, environ: dict[str, Any], *, is_websocket: bool) -> str:
        interval_s = self.ping_interval + self.ping_interval_grace_period
        can_upgrade = self.allow_upgrades and not is_websocket and accepting.can_accept(self, environ)
        upgrades = '["websocket"]' if can_upgrade and "websocket" in self.transports else "[]"
        times = f'"pingInterval":{round(interval_s * 1000)},"pingTimeout":{round(self.ping_timeout * 1000)}'
        return f'{{"sid":"{sid}","upgrades":{upgrades},{times},"maxPayload":{self.max_http_buffer_size}}}'

    def _cookies(self, sid: str) -> list[tuple[str, str]]:
        return [("Set-Cookie", sid_cookie(sid, self.cookie))] if self.cookie else []

    # -- the application

    def run_connect(self, sid: str, environ: dict[str, Any]) -> Any:
        """Ask the application to accept a client; an error in its handler refuses it."""
        handler = self.handlers.get("connect")
        if handler is None:
            return None
        try:
            return handler(sid, environ)
        except Exception:
            self.logger.exception("connect handler error")
            return False

    def run_message(self, socket: EngineSocket, data: str | bytes) -> None:
        """Give the application a message that came in a POST."""
        on_message, key = socket.message_handler()
        try:
            on_message(key, data)
        except Exception:
            self.logger.exception("message handler error")

    def run_disconnect(self, sid: str, reason: str) -> None:
        """Tell the application that a client is gone."""
        handler = self.handlers.get("disconnect")
        if handler is None:
            return
        try:
            handler(sid, reason)
        except Exception:
            self.logger.exception("disconnect handler error")

    # -- background

    def report(self, message: str, kind: str) -> None:
        """
        Log what a client did wrong: the first of a kind as an error, later ones as information and once a minute.

        Args:
            message: What it was.
            kind: A word for it, without anything that the client sent.
        """
        due = self._reports.due(kind, monotonic())
        if due is None:
            return
        is_first, skipped = due
        if is_first:
            self.logger.error("%s (more of this kind are logged as information, once a minute)", message)
        else:
            self.logger.info("%s (and %d more of this kind since the last)", message, skipped)

    def _on_due(self, members: list[Due]) -> None:
        for member in members:
            try:
                member.on_deadline()
            except Exception:
                self.logger.exception("the deadline of a client could not be served, it is tried again")
                self.deadlines.set(member, self.ping_timeout)
