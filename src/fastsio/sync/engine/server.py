"""
The Engine.IO server: requests in, sessions kept, packets out.

What a session does stands in :mod:`.session`; this module finds the session and answers the request.
"""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from engineio.payload import Payload

from fastsio.engine import http
from fastsio.engine.log_format import shown_text
from fastsio.engine.packet import OPEN, ControlPacket, WirePacket, message_of, packet_of
from fastsio.engine.request import PROTOCOL_KEY, Request, RequestRefused, read_request
from fastsio.engine.server_base import ServerBase, check_session
from fastsio.engine.websocket_handshake import accept_response
from fastsio.sync.engine import accepting, polling, websocket
from fastsio.sync.engine.hang_watch import HangWatch
from fastsio.sync.engine.session import Eio3Session, Session
from fastsio.sync.engine.thread_modes import is_installed, threads_of
from fastsio.sync.engine.timers import Deadlines, Timed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence


@dataclass(frozen=True, slots=True)
class Switch:
    """Not a response: the request becomes a WebSocket, which serves this session, or none: then it is closed."""

    session: Session | None
    is_upgrade: bool = False


Answer: TypeAlias = http.Response | Switch


class Due(Timed, Protocol):
    """What the server's timer may call."""

    def on_deadline(self) -> None:
        """Act on the end of the time, without waiting."""

    def on_shutdown(self) -> None:
        """Act on the shutdown of the server: the deadline does not come any more."""


class EngineServer(ServerBase):
    """
    An Engine.IO server for threads and greenlets, with the interface and options of ``engineio.Server`` and more.

    ``message`` handlers are called one after the other for each client, in the thread that reads, whatever
    ``async_handlers`` says.

    Args:
        options: Those of :class:`~fastsio.engine.server_base.ServerBase`.

    Raises:
        SetupError: There is no such ``async_mode``, or what it needs is not installed.
        ValueError: Another option is not what it may be.
    """

    _kind = "Server"

    sockets: dict[str, Session]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._threads = threads_of(self.async_mode)
        #: The sessions that others wait for: more waits for them than the high-water mark.
        self.congested: set[Session] = set()
        self.deadlines: Deadlines[Due] = Deadlines(self._on_due, self)
        self.hang_watch = HangWatch(self)
        self._parting: dict[str, Session] = {}
        # uWSGI ends the connection with the response without a word: a client that used it again would lose a request.
        self._connection_headers = [("Connection", "close")] if self.async_mode == "gevent_uwsgi" else []

    @property
    def packets_per_payload(self) -> int:
        """How many packets of one POST are handled before others have a turn."""
        return self.max_decode_packets or int(Payload.max_decode_packets)

    def _is_installed(self, async_mode: str) -> bool:
        return is_installed(async_mode)

    # -- sessions' data

    def get_session(self, sid: str) -> dict[str, Any]:
        """
        Return what the application keeps for a client of Engine.IO; few do.

        Args:
            sid: The session's id.

        Raises:
            KeyError: There is no such session.
        """
        session: dict[str, Any] = self._get_socket(sid).session
        return session

    def save_session(self, sid: str, session: dict[str, Any]) -> None:
        """
        Keep something else for a client.

        Args:
            sid: The session's id.
            session: What :meth:`get_session` returns from now on.

        Raises:
            KeyError: There is no such session.
        """
        self._get_socket(sid).session = session

    @contextmanager
    def session(self, sid: str) -> Iterator[dict[str, Any]]:
        """
        Give what the application keeps for a client in a ``with`` block, and save it at the end of the block.

        Args:
            sid: The session's id.

        Raises:
            KeyError: There is no such session, or none any more at the end.
        """
        session = self.get_session(sid)
        try:
            yield session
        finally:
            self.save_session(sid, session)

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
        session = self.sockets.get(eio_sid)
        if session is None:
            self.logger.debug("Cannot send, the client is gone")
            return False
        return session.outbox.post(packets, waits=waits)

    def post_to_all(self, sessions: Iterable[Session], packets: Sequence[WirePacket], waits: bool = False) -> None:
        """
        Send packets to many clients as :meth:`post` does to one; those that are gone are left out.

        Args:
            sessions: The sessions of the clients.
            packets: What to send, shared by all.
            waits: As with :meth:`post`.
        """
        for session in sessions:
            session.outbox.post(packets, waits=waits)

    def let_read(self, eio_sids: Sequence[str]) -> None:
        """
        Wait while any of some clients is behind and reads; call it when there are :attr:`congested` ones.

        Args:
            eio_sids: The clients. With several, one delays the caller by no more than ``slow_client_timeout``.
        """
        is_shared = len(eio_sids) > 1
        for session in map(self.sockets.get, eio_sids):
            if session in self.congested and session is not None:
                session.outbox.let_read(is_shared=is_shared)

    def write(self, eio_sid: str, packets: Sequence[WirePacket]) -> bool:
        """
        Send as :meth:`post` does, then wait while the client is behind and reads.

        Args:
            eio_sid: The client.
            packets: What to send.

        Returns:
            As :meth:`post`.
        """
        session = self.sockets.get(eio_sid)
        if session is None:
            self.logger.debug("Cannot send, the client is gone")
            return False
        return session.write(packets)

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
        session = self.sockets.get(eio_sid)
        if session is not None:
            session.finish(reason, abort=abort)

    def disconnect(self, sid: str | None = None) -> None:
        """End the session of one client, or of all."""
        for each in list(self.sockets) if sid is None else [sid]:
            self.close_client(each, self.reason.SERVER_DISCONNECT)

    def retire(self, session: Session, *, keep: bool) -> None:
        """
        Take a session that is over off the table.

        Args:
            session: The session.
            keep: Whether its last packets wait for one more poll. The JavaScript server keeps them 30 seconds.
        """
        if keep:
            self._parting[session.sid] = session
        self.sockets.pop(session.sid, None)
        if keep:
            self.deadlines.set(session, self.ping_timeout)

    def forget(self, session: Session) -> None:
        """Stop waiting for the last poll of a session that is over."""
        self._parting.pop(session.sid, None)
        self.deadlines.clear(session)

    def shutdown(self) -> None:
        """Stop the timers; clients stay connected, and sends that wait for slow ones are given up."""
        for session in list(self.congested):
            session.outbox.give_up()
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
        headers = self._headers_of(response, environ, is_admitted=is_admitted)
        body = response["response"]
        headers = [*headers, ("Content-Length", str(len(body))), *self._connection_headers]
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

    def _find(self, sid: str, request: Request) -> Session:
        session = self.sockets.get(sid)
        if session is None and request.method == "GET" and not request.is_websocket:
            session = self._parting.get(sid)
        return check_session(session, request)

    def _serve(self, environ: dict[str, Any], request: Request, session: Session) -> Answer:
        if request.method == "POST":
            return polling.handle_post(session, environ)
        if request.is_websocket:
            return self._switch(session, request) if session.claim_probe() else Switch(None)
        return polling.handle_get(session, environ, request.jsonp_index)

    def _switch(self, session: Session, request: Request) -> Switch:
        session.frames_base64 = request.base64
        return Switch(session, is_upgrade=session.connected)

    def _serve_websocket(self, environ: dict[str, Any], switch: Switch) -> Any:
        session = switch.session
        if session is None:
            return accepting.accept(self, environ, partial(websocket.turn_away, self))
        try:
            return accepting.accept(self, environ, partial(websocket.serve, session))
        finally:
            session.probing = False
            if not switch.is_upgrade:
                # Nothing is left of a session whose WebSocket could not even be accepted.
                session.finish(self.reason.TRANSPORT_CLOSE, abort=True)

    def _handshake(self, environ: dict[str, Any], request: Request) -> Answer:
        sid = self.generate_id()
        session = self.sockets[sid] = self._new_session(sid, environ, request)
        is_answered = False
        try:
            answer = self._open(session, environ, request)
            is_answered = True
        finally:
            if not session.accepted:
                session.reject()
                self.sockets.pop(sid, None)
            elif not is_answered:
                # Whatever failed, nothing is left of a session that its client will never hear of.
                session.finish(self.reason.TRANSPORT_ERROR, abort=True)
        return answer

    def _open(self, session: Session, environ: dict[str, Any], request: Request) -> Answer:
        """Ask the application about a new client, and begin its session if it is accepted."""
        can_upgrade = (
            not request.is_websocket and "websocket" in self.transports and accepting.can_accept(self, environ)
        )
        opened = ControlPacket(OPEN, self._open_data(session.sid, can_upgrade=can_upgrade))
        session.outbox.post((opened,), is_limited=False)
        verdict = self.run_connect(session.sid, environ)
        if not (verdict is None or verdict is True):
            self.logger.warning("Application rejected connection")
            return http.unauthorized(verdict)
        doomed = session.accept()
        if doomed is not None:
            session.finish(doomed, abort=True)
            return http.refusal(http.Code.UNKNOWN_SID)
        session.start_heartbeat()
        if request.is_websocket:
            return self._switch(session, request)
        session.connected = True
        packets = polling.take(session, environ)
        return polling.answer(session, packets, jsonp_index=request.jsonp_index, headers=self._cookies(session.sid))

    def _new_session(self, sid: str, environ: dict[str, Any], request: Request) -> Session:
        if request.protocol != Eio3Session.protocol:
            return Session(self, sid)
        environ[PROTOCOL_KEY] = Eio3Session.protocol
        return Eio3Session(self, sid, base64=request.base64)

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

    def run_message(self, session: Session, data: str | bytes) -> None:
        """Give the application a message that came in a POST."""
        on_message, key = session.message_handler()
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

    def start_background_task(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """
        Run a function in a thread, or in a greenlet where the ``async_mode`` has these.

        Args:
            target: The function.
            args: What it is called with.
            kwargs: The same by keyword.

        Returns:
            Something with a method ``join()``.
        """
        return self._threads.start(target, args, kwargs)

    def sleep(self, seconds: float = 0) -> None:
        """Wait, while others run."""
        self._threads.sleep(seconds)

    def create_queue(self, *args: Any, **kwargs: Any) -> Any:
        """Return a queue for threads, or greenlets; the arguments are those of :class:`queue.Queue`."""
        return self._threads.queue(*args, **kwargs)

    def get_queue_empty_exception(self) -> type[Exception]:
        """Return what ``get()`` of such a queue raises when there is nothing in it."""
        return self._threads.queue_empty

    def create_event(self, *args: Any, **kwargs: Any) -> Any:
        """Return an event for threads, or greenlets."""
        return self._threads.event(*args, **kwargs)

    def _on_due(self, members: list[Due]) -> None:
        for member in members:
            try:
                member.on_deadline()
            except Exception:
                self.logger.exception("the deadline of a client could not be served, it is tried again")
                self.deadlines.set(member, self.ping_timeout)
