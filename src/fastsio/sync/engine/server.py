# Written by tools/unasync.py from aio/engine/server.py; change that one.
"""
The Engine.IO server: requests in, sessions kept, packets out.

Sessions are in :mod:`.session`; this module finds the session of a request, answers the request, and
sends packets by the id of a session, never to one that is over.
"""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from fastsio.engine import http, polls
from fastsio.engine.hang_watch import HangWatch
from fastsio.engine.log_format import shown_text
from fastsio.engine.packet import OPEN, ControlPacket, WirePacket, message_of, packet_of
from fastsio.engine.request import PROTOCOL_KEY, Request, RequestRefused, read_request
from fastsio.engine.server_base import SecondWebSocket
from fastsio.engine.session_tables import Life, Move, Step
from fastsio.engine.websocket_handshake import accept_response
from fastsio.sync.engine import polling, socketlink, thread_modes, websocket
from fastsio.sync.engine.eio3_session import Eio3Session
from fastsio.sync.engine.host import Host
from fastsio.sync.engine.lent_sockets import lends
from fastsio.sync.engine.session import Session
from fastsio.sync.engine.timers import Deadlines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fastsio.sync.engine.socketlink import SocketLink


#: The response to a request; or, for a WebSocket, the session that is served over it, or that it is to be closed.
Answer: TypeAlias = http.Response | Session | SecondWebSocket


class EngineServer(Host):
    """
    An Engine.IO server, with the interface and the options of engineio's, and more of both.

    Messages of one client are handled one after the other, whatever ``async_handlers`` says. With asyncio, the handlers
    given to :meth:`on` are coroutine functions, and ``message`` may be a function that returns None instead of
    something to await.
    """

    _kind = "Server"
    sockets: dict[str, Session]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.deadlines = Deadlines(self._on_due, self)
        self._background = thread_modes.threads_of(self.async_mode)
        self.hang_watch = HangWatch(self, websocket.how_client_left, websocket.end_left_client)
        # uWSGI ends the connection with the response without a word: a client that used it again would lose a
        # request.
        self._connection_headers = [("Connection", "close")] if self.async_mode == "gevent_uwsgi" else []

    def _is_installed(self, async_mode: str) -> bool:
        return thread_modes.is_installed(async_mode)

    # -- sessions' data

    def get_session(self, sid: str) -> dict[str, Any]:
        """Return the session data that the application keeps for a client; raise KeyError without such a session."""
        session: dict[str, Any] = self._get_socket(sid).session
        return session

    def save_session(self, sid: str, session: dict[str, Any]) -> None:
        """Replace the session data of a client, from now on; raise KeyError without such a session."""
        self._get_socket(sid).session = session

    @contextmanager
    def session(self, sid: str) -> Iterator[dict[str, Any]]:
        """
        Give the session data of a client in an ``async with`` block, and save it at the end of the block.

        Raises:
            KeyError: There is no such session, or none any more at the end.
        """
        session = self.get_session(sid)
        try:
            yield session
        finally:
            self.save_session(sid, session)

    # -- sending

    def post_to_all(self, sessions: Iterable[Session], packets: Sequence[WirePacket], waits: bool = False) -> None:
        """Send packets, which they share, to many clients as :meth:`post` does to one; those that are gone get none."""
        for session in sessions:
            session.post(packets, waits)

    def let_read(self, eio_sids: Sequence[str]) -> None:
        """
        Wait while one of these clients is behind and reads; without :attr:`congested` sessions no call is needed.

        If there are several, one delays the caller by no more than ``slow_client_timeout``.
        """
        sockets, is_shared = self.sockets, len(eio_sids) > 1
        for session in self.congested.intersection(map(sockets.get, eio_sids)):
            session.let_read(is_shared=is_shared)

    def write(self, eio_sid: str, packets: Sequence[WirePacket]) -> Any:
        """Send as :meth:`post` does, then wait while the client is behind and reads; with asyncio, await the result."""
        session = self.sockets.get(eio_sid)
        if session is None:
            self.logger.debug("Cannot send, the client is gone")
            return False
        return session.write(packets)

    def send(self, sid: str, data: Any) -> bool:
        """Send a message: text, bytes, or what JSON can hold; waits while the client is behind and reads."""
        is_sent = self.post(sid, (message_of(data),), True)
        if self.congested:
            self.let_read((sid,))
        return is_sent

    def send_packet(self, sid: str, pkt: Any) -> bool:
        """Send a packet of fastsio or of engineio; never waits."""
        return self.post(sid, (packet_of(pkt),))

    # -- ending

    def close_client(self, eio_sid: str, reason: str, *, abort: bool = False) -> None:
        """
        End a client's session and wait for its disconnect handler, which gets *reason*.

        With *abort*, the client is not told. Nothing happens to one that is gone.
        """
        session = self.sockets.get(eio_sid)
        if session is not None:
            session.finish(reason, abort=abort)

    def disconnect(self, sid: str | None = None) -> None:
        """End the session of one client, or of all."""
        sids = list(self.sockets) if sid is None else [sid]
        for each in sids:
            self.close_client(each, self.reason.SERVER_DISCONNECT)

    def shutdown(self) -> None:
        """Stop timers and background tasks. Clients stay connected; sends that wait for slow ones are given up."""
        for session in list(self.congested):
            session.give_up()
        for member in self.deadlines.stop():
            member.on_shutdown()

    # -- requests

    def handle_request(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Serve one request, as a WSGI application."""
        is_admitted = self._accepts_origin(environ)
        answer = self.answer(environ) if is_admitted else http.origin_refused(environ["HTTP_ORIGIN"])
        if isinstance(answer, SecondWebSocket):
            return socketlink.accept(self, environ, partial(websocket.turn_away, self))
        if not isinstance(answer, Session):
            return self.respond(answer, environ, start_response, is_admitted=is_admitted)
        is_served = False

        def serve(link: SocketLink) -> None:
            nonlocal is_served
            is_served = True
            websocket.serve(answer, link)

        try:
            return socketlink.accept(self, environ, serve)
        finally:
            if not is_served:
                self._drop_websocket(answer)

    def respond(
        self, response: http.Response, environ: dict[str, Any], start_response: Any, *, is_admitted: bool
    ) -> list[bytes]:
        """Answer a request that becomes no WebSocket."""
        headers = self.headers_of(response, environ, is_admitted=is_admitted)
        body = response["response"]
        headers = [*headers, ("Content-Length", str(len(body))), *self._connection_headers]
        start_response(response["status"], headers)
        return [body]

    def _drop_websocket(self, session: Session) -> None:
        """Forget a WebSocket that could not be accepted: nothing is left of a session that would have begun on it."""
        if not session.move(Move.FAIL):
            session.finish(self.reason.TRANSPORT_CLOSE, abort=True)

    def answer(self, environ: dict[str, Any]) -> Answer:
        """Read a request whose origin is accepted, and decide what becomes of it."""
        if environ["REQUEST_METHOD"] == "OPTIONS":
            return http.accepted(b"OK")
        try:
            request = read_request(environ, self.transports, allow_eio3=self.allow_eio3)
            if request.is_websocket:
                self._check_websocket(environ)
            if request.sid is None:
                return self._handshake(environ, request)
            return self._serve(environ, request, self.find(request.sid, request))
        except RequestRefused as refused:
            return self._refuse(refused)

    def _accepts_origin(self, environ: dict[str, Any]) -> bool:
        """
        Return whether the origin of a request, if it has one, is accepted.

        Browsers apply CORS to responses; a WebSocket handshake is protected by looking at its origin only.
        """
        origin = environ.get("HTTP_ORIGIN")
        if not origin or self._origins.is_off:
            return True
        try:
            verdict = self._origins.accepts(origin, environ)
            if verdict is True:
                return True
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
        if not lends(self, environ):
            raise RequestRefused(http.Code.BAD_REQUEST, "The web server cannot serve WebSockets")
        if accept_response(environ) is None:
            raise RequestRefused(http.Code.BAD_REQUEST, "Not a WebSocket handshake of version 13")

    def _serve(self, environ: dict[str, Any], request: Request, session: Session) -> Answer:
        if request.method == "POST":
            return polling.handle_post(session, environ)
        if request.is_websocket:
            if not session.move(Move.HANDSHAKE):
                return SecondWebSocket.REFUSED
            session.frames_base64 = request.base64
            return session
        return polling.handle_get(session, environ, request.jsonp_index)

    def _handshake(self, environ: dict[str, Any], request: Request) -> Answer:
        if not self.is_admitting:
            return http.unavailable()
        sid = self.generate_id() + self.sid_suffix
        session = self.sockets[sid] = self._new_session(sid, environ, request)
        try:
            return self._open(session, environ, request)
        except BaseException:
            # The client is not told of the session, so nothing of it is kept.
            if session.life is Life.OPENING or session.life is Life.DOOMED:
                self._reject(session)
            else:
                session.finish(self.reason.TRANSPORT_ERROR, abort=True)
            raise

    def _open(self, session: Session, environ: dict[str, Any], request: Request) -> Answer:
        """Ask the application about a new client, and begin its session if it is accepted."""
        can_upgrade = not request.is_websocket
        can_upgrade = can_upgrade and "websocket" in self.transports and lends(self, environ)
        session.post_control(ControlPacket(OPEN, self._open_data(session.sid, can_upgrade=can_upgrade)))
        verdict = self.run_connect(session.sid, environ)
        if not (verdict is None or verdict is True):
            self._reject(session)
            self.logger.warning("Application rejected connection")
            return http.unauthorized(verdict)
        session.advance(Step.ACCEPT)
        if session.doomed is not None:
            session.finish(session.doomed, abort=True)
            return http.refusal(http.Code.UNKNOWN_SID)
        session.start_heartbeat()
        if request.is_websocket:
            session.frames_base64 = request.base64
            return session
        session.move(Move.POLL)
        packets = polls.take(session, environ)
        return polls.answer(session, packets, jsonp_index=request.jsonp_index, headers=self._cookies(session.sid))

    def _new_session(self, sid: str, environ: dict[str, Any], request: Request) -> Session:
        if request.protocol != Eio3Session.protocol:
            return Session(self, sid)
        environ[PROTOCOL_KEY] = Eio3Session.protocol
        return Eio3Session(self, sid, base64=request.base64)

    # -- background

    def _on_due(self, members: list[Any]) -> None:
        for member in members:
            try:
                member.on_deadline()
            except Exception:
                self.logger.exception("the deadline of a client could not be served, it is tried again")
                self.deadlines.set(member, self.ping_timeout)
