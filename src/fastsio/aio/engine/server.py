"""
The Engine.IO server: requests in, sessions kept, packets out.

Sessions are in :mod:`.session`; this module finds the session of a request, answers the request, and
sends packets by the id of a session, never to one that is over.
"""

from __future__ import annotations

import asyncio
import inspect
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from fastsio.aio.engine import polling, websocket
from fastsio.aio.engine.eager import NOTHING
from fastsio.aio.engine.eio3_session import Eio3Session
from fastsio.aio.engine.frameworks import drivers

# Only asyncio:
from fastsio.aio.engine.frameworks.environ import SID_KEY

# Both:
from fastsio.aio.engine.host import Host
from fastsio.aio.engine.session import Session
from fastsio.aio.engine.timers import Deadlines
from fastsio.engine import http, polls
from fastsio.engine.log_format import shown_text
from fastsio.engine.packet import OPEN, ControlPacket, WirePacket, join_frames, message_of, packet_of
from fastsio.engine.request import PROTOCOL_KEY, Request, RequestRefused, read_request
from fastsio.engine.server_base import Background, SecondWebSocket
from fastsio.engine.session_tables import Asked, Life, Move, Step
from fastsio.engine.websocket_handshake import websocket_key
from fastsio.exceptions import SetupError

# Only threads:
# | from functools import partial
# |
# | from fastsio.engine.hang_watch import HangWatch
# | from fastsio.engine.websocket_handshake import accept_response
# | from fastsio.sync.engine import socketlink, thread_modes
# | from fastsio.sync.engine.lent_sockets import lends
# Both:

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

    # Only threads:
    # | from fastsio.sync.engine.socketlink import SocketLink
    # Both:


# Only asyncio:
TASKS: Final = Background(
    start=lambda target, args, kwargs: asyncio.ensure_future(target(*args, **kwargs)),
    sleep=asyncio.sleep,
    queue=asyncio.Queue,
    queue_empty=asyncio.QueueEmpty,
    event=asyncio.Event,
)
# Both:
#: The response to a request; or, for a WebSocket, the session that is served over it, or that it is to be closed.
Answer: TypeAlias = http.Response | Session | SecondWebSocket


class EngineServer(Host):
    """
    An Engine.IO server, with the interface and the options of engineio's, and more of both.

    Messages of one client are handled one after the other, whatever ``async_handlers`` says. With asyncio, the handlers
    given to :meth:`on` are coroutine functions, and ``message`` may be a function that returns None instead of
    something to await.
    """

    # Only asyncio:
    _kind = "AsyncServer"
    # Only threads:
    # | _kind = "Server"
    # Both:
    sockets: dict[str, Session]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # Only asyncio:
        self.deadlines: Deadlines[Session] = Deadlines(self._on_due)
        #: Whether the options of the web server were checked.
        self._has_warned = False
        self._async = drivers.DRIVERS[self.async_mode]
        self._background = TASKS
        self._chosen_mode: str | None = options.get("async_mode")
        # Only threads:
        # | self.deadlines = Deadlines(self._on_due, self)
        # | self._background = thread_modes.threads_of(self.async_mode)
        # | self.hang_watch = HangWatch(self, websocket.how_client_left, websocket.end_left_client)
        # | # uWSGI ends the connection with the response without a word: a client that used it again would lose a
        # | # request.
        # | self._connection_headers = [("Connection", "close")] if self.async_mode == "gevent_uwsgi" else []
        # Both:

    # Only asyncio:
    def use_mode(self, async_mode: str) -> None:
        """
        Serve the requests of a framework, whatever framework is installed.

        Raises:
            SetupError: The server was made for another framework, or serves one already.
        """
        if self._chosen_mode not in (None, async_mode):
            raise SetupError(
                f"a server with async_mode={self._chosen_mode!r} cannot serve {async_mode} too; leave async_mode "
                "out, or make a server for each"
            )
        self.async_mode = self._chosen_mode = async_mode
        self._async = drivers.DRIVERS[async_mode]

    def attach(
        self,
        app: Any,
        engineio_path: str = "engine.io",
        *,
        on_shutdown: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """
        Answer at a path of an aiohttp or Sanic application.

        Args:
            app: The application.
            engineio_path: The path, with or without slashes at its ends.
            on_shutdown: Called when the application shuts down, while its connections are still open.

        Raises:
            SetupError: The application is of another framework, or of another one than the server.
        """
        self.use_mode(drivers.async_mode_of(app))
        path = engineio_path.strip("/")
        self._async["create_route"](app, self, f"/{path}/" if path else "/")
        if on_shutdown is not None:
            self._async["on_shutdown"](app, on_shutdown)

    # Both:

    def _is_installed(self, async_mode: str) -> bool:
        # Only asyncio:
        return drivers.is_installed(async_mode)
        # Only threads:
        # | return thread_modes.is_installed(async_mode)
        # Both:

    # -- sessions' data

    async def get_session(self, sid: str) -> dict[str, Any]:
        """Return the session data that the application keeps for a client; raise KeyError without such a session."""
        session: dict[str, Any] = self._get_socket(sid).session
        return session

    async def save_session(self, sid: str, session: dict[str, Any]) -> None:
        """Replace the session data of a client, from now on; raise KeyError without such a session."""
        self._get_socket(sid).session = session

    @asynccontextmanager
    async def session(self, sid: str) -> AsyncIterator[dict[str, Any]]:
        """
        Give the session data of a client in an ``async with`` block, and save it at the end of the block.

        Raises:
            KeyError: There is no such session, or none any more at the end.
        """
        session = await self.get_session(sid)
        try:
            yield session
        finally:
            await self.save_session(sid, session)

    # -- sending

    def post_to_all(self, sessions: Iterable[Session], packets: Sequence[WirePacket], waits: bool = False) -> None:
        """Send packets, which they share, to many clients as :meth:`post` does to one; those that are gone get none."""
        # Only asyncio:
        frames = b""
        for session in sessions:
            link = session.idle_link
            if link is None or not session.shares_frames:
                session.post(packets, waits)
                continue
            frames = frames or join_frames(packets)
            if not link.write_at_once(frames):
                session.post(packets, waits)
        # Only threads:
        # | for session in sessions:
        # |     session.post(packets, waits)
        # Both:

    async def let_read(self, eio_sids: Sequence[str]) -> None:
        """
        Wait while one of these clients is behind and reads; without :attr:`congested` sessions no call is needed.

        If there are several, one delays the caller by no more than ``slow_client_timeout``.
        """
        sockets, is_shared = self.sockets, len(eio_sids) > 1
        for session in self.congested.intersection(map(sockets.get, eio_sids)):
            await session.let_read(is_shared=is_shared)

    def write(self, eio_sid: str, packets: Sequence[WirePacket]) -> Any:
        """Send as :meth:`post` does, then wait while the client is behind and reads; with asyncio, await the result."""
        session = self.sockets.get(eio_sid)
        if session is None:
            self.logger.debug("Cannot send, the client is gone")
            # Only asyncio:
            return NOTHING
            # Only threads:
            # | return False
            # Both:
        return session.write(packets)

    async def send(self, sid: str, data: Any) -> bool:
        """Send a message: text, bytes, or what JSON can hold; waits while the client is behind and reads."""
        is_sent = self.post(sid, (message_of(data),), True)
        if self.congested:
            await self.let_read((sid,))
        return is_sent

    async def send_packet(self, sid: str, pkt: Any) -> bool:
        """Send a packet of fastsio or of engineio; never waits."""
        return self.post(sid, (packet_of(pkt),))

    # -- ending

    async def close_client(self, eio_sid: str, reason: str, *, abort: bool = False) -> None:
        """
        End a client's session and wait for its disconnect handler, which gets *reason*.

        With *abort*, the client is not told. Nothing happens to one that is gone.
        """
        session = self.sockets.get(eio_sid)
        if session is not None:
            await session.finish(reason, abort=abort)

    async def disconnect(self, sid: str | None = None) -> None:
        """End the session of one client, or of all."""
        sids = list(self.sockets) if sid is None else [sid]
        # Only asyncio:
        await asyncio.gather(*[self.close_client(each, self.reason.SERVER_DISCONNECT) for each in sids])
        # Only threads:
        # | for each in sids:
        # |     self.close_client(each, self.reason.SERVER_DISCONNECT)
        # Both:

    async def shutdown(self) -> None:
        """Stop timers and background tasks. Clients stay connected; sends that wait for slow ones are given up."""
        for session in list(self.congested):
            session.give_up()
        # Only asyncio:
        self.deadlines.stop()
        self.watches.stop()
        current = asyncio.current_task()
        for task in list(self._tasks):
            if task is not current:
                task.cancel()
        # Only threads:
        # | for member in self.deadlines.stop():
        # |     member.on_shutdown()
        # Both:

    # -- requests

    # Only asyncio:
    async def handle_request(self, *args: Any, **kwargs: Any) -> Any:
        """Serve one request; the arguments and the result are the web framework's."""
        found = self._find_open(*args)
        if found is not None:
            return await self._serve_session(*found)
        environ = self._async["translate_request"](*args, **kwargs)
        if not isinstance(environ, dict):
            environ = await environ
        if not environ:
            return None
        is_admitted = await self._accepts_origin(environ) if "HTTP_ORIGIN" in environ else True
        answer = await self.answer(environ) if is_admitted else http.origin_refused(environ["HTTP_ORIGIN"])
        accept = self._async.get("accept")
        if not isinstance(answer, Session):
            return await self.respond(answer, environ, is_admitted=is_admitted)
        # Served here and not in a function of its own: each call between this one and the reading loop stays in memory
        # for as long as the WebSocket is open.
        is_served = False
        try:
            if accept is None:
                serving = websocket.Serving(answer)
                try:
                    return await self._async["serve_websocket"](environ, serving.begin, self)
                finally:
                    is_served = serving.has_begun
            if not self._has_warned:
                self._has_warned = True
                self._async["warn_of_limits"](environ, self.max_http_buffer_size)
            link = await accept(environ)
            is_served = True
            # What is in this function while the WebSocket is open stays in memory as well.
            del args, kwargs, environ
            return await websocket.serve(answer, link)
        finally:
            if not is_served:
                await self._drop_websocket(answer)

    @property
    def answers_at_once(self) -> bool:
        """Whether handshakes need not wait, and run no application code that may ask for its task."""
        announced = self.announced
        return self.handlers.get("connect") in self.stepped_handlers and (announced is None or announced.is_set())

    def _find_open(self, *args: Any) -> tuple[Session, dict[str, Any]] | None:
        """Return the session and the short environ of a plain poll or POST; None leaves a request to be looked at."""
        translate = self._async.get("translate_session_request")
        if translate is None or self._origins.asks_application or "polling" not in self.transports:
            return None
        environ: dict[str, Any] | None = translate(*args)
        session = None if environ is None else self.sockets.get(environ[SID_KEY])
        if environ is None or session is None:
            return None
        asked = Asked.POLL if environ["REQUEST_METHOD"] == "GET" else Asked.POST
        return (session, environ) if session.takes_at_once(asked) else None

    async def _serve_session(self, session: Session, environ: dict[str, Any]) -> Any:
        is_admitted = await self._accepts_origin(environ) if "HTTP_ORIGIN" in environ else True
        try:
            if not is_admitted:
                response = http.origin_refused(environ["HTTP_ORIGIN"])
            elif environ["REQUEST_METHOD"] == "GET":
                response = await polling.handle_get(session, environ, None)
            else:
                response = await polling.handle_post(session, environ)
        except RequestRefused as refused:
            response = self._refuse(refused)
        headers = self.headers_of(response, environ, is_admitted=is_admitted)
        return await self._async["make_response"](response["status"], headers, response["response"], environ)

    async def respond(
        self, answer: http.Response | SecondWebSocket, environ: dict[str, Any], *, is_admitted: bool
    ) -> Any:
        """Answer a request that becomes no WebSocket of a session."""
        if isinstance(answer, SecondWebSocket):
            accept = self._async.get("accept")
            if accept is None:
                return await self._async["serve_websocket"](environ, websocket.turn_away, self)
            return await websocket.turn_away(await accept(environ))
        headers = self.headers_of(answer, environ, is_admitted=is_admitted)
        response = self._async["make_response"](answer["status"], headers, answer["response"], environ)
        return await response if inspect.iscoroutine(response) else response

    # Only threads:
    # | def handle_request(self, environ: dict[str, Any], start_response: Any) -> Any:
    # |     """Serve one request, as a WSGI application."""
    # |     is_admitted = self._accepts_origin(environ)
    # |     answer = self.answer(environ) if is_admitted else http.origin_refused(environ["HTTP_ORIGIN"])
    # |     if isinstance(answer, SecondWebSocket):
    # |         return socketlink.accept(self, environ, partial(websocket.turn_away, self))
    # |     if not isinstance(answer, Session):
    # |         return self.respond(answer, environ, start_response, is_admitted=is_admitted)
    # |     is_served = False
    # |
    # |     def serve(link: SocketLink) -> None:
    # |         nonlocal is_served
    # |         is_served = True
    # |         websocket.serve(answer, link)
    # |
    # |     try:
    # |         return socketlink.accept(self, environ, serve)
    # |     finally:
    # |         if not is_served:
    # |             self._drop_websocket(answer)
    # |
    # | def respond(
    # |     self, response: http.Response, environ: dict[str, Any], start_response: Any, *, is_admitted: bool
    # | ) -> list[bytes]:
    # |     """Answer a request that becomes no WebSocket."""
    # |     headers = self.headers_of(response, environ, is_admitted=is_admitted)
    # |     body = response["response"]
    # |     headers = [*headers, ("Content-Length", str(len(body))), *self._connection_headers]
    # |     start_response(response["status"], headers)
    # |     return [body]
    # Both:

    async def _drop_websocket(self, session: Session) -> None:
        """Forget a WebSocket that could not be accepted: nothing is left of a session that would have begun on it."""
        if not session.move(Move.FAIL):
            await session.finish(self.reason.TRANSPORT_CLOSE, abort=True)

    async def answer(self, environ: dict[str, Any]) -> Answer:
        """Read a request whose origin is accepted, and decide what becomes of it."""
        if environ["REQUEST_METHOD"] == "OPTIONS":
            return http.accepted(b"OK")
        try:
            request = read_request(environ, self.transports, allow_eio3=self.allow_eio3)
            if request.is_websocket:
                self._check_websocket(environ)
            if request.sid is None:
                return await self._handshake(environ, request)
            return await self._serve(environ, request, self.find(request.sid, request))
        except RequestRefused as refused:
            return self._refuse(refused)

    async def _accepts_origin(self, environ: dict[str, Any]) -> bool:
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
            # Only asyncio:
            if inspect.isawaitable(verdict):
                verdict = await verdict
            # Both:
        except Exception as error:  # noqa: BLE001 - the application's; the client is refused
            self.report(f"cors_allowed_origins raised {error!r}", "origins-failed")
            return False
        # Only threads:
        # | if inspect.isawaitable(verdict):
        # |     self.report(
        # |         "cors_allowed_origins gave something to await, which a sync server cannot", "origins-failed"
        # |     )
        # |     if inspect.iscoroutine(verdict):
        # |         verdict.close()
        # |     return False
        # Both:
        if not verdict:
            self.report(f"{shown_text(origin)} is not an accepted origin.", "bad-origin")
        return bool(verdict)

    def _check_websocket(self, environ: dict[str, Any]) -> None:
        # Only asyncio:
        # An ASGI server has judged the handshake. The frameworks do so when it is accepted: too late to refuse it.
        if "accept" not in self._async and websocket_key(environ) is None:
            raise RequestRefused(http.Code.BAD_REQUEST, "Not a WebSocket handshake of version 13")
        # Only threads:
        # | if not lends(self, environ):
        # |     raise RequestRefused(http.Code.BAD_REQUEST, "The web server cannot serve WebSockets")
        # | if accept_response(environ) is None:
        # |     raise RequestRefused(http.Code.BAD_REQUEST, "Not a WebSocket handshake of version 13")
        # Both:

    async def _serve(self, environ: dict[str, Any], request: Request, session: Session) -> Answer:
        if request.method == "POST":
            return await polling.handle_post(session, environ)
        if request.is_websocket:
            if not session.move(Move.HANDSHAKE):
                return SecondWebSocket.REFUSED
            session.frames_base64 = request.base64
            return session
        return await polling.handle_get(session, environ, request.jsonp_index)

    async def _handshake(self, environ: dict[str, Any], request: Request) -> Answer:
        if not self.is_admitting:
            return http.unavailable()
        # Only asyncio:
        if self.announced is not None and not request.is_websocket:
            await self.announced.wait()
        # Both:
        sid = self.generate_id() + self.sid_suffix
        session = self.sockets[sid] = self._new_session(sid, environ, request)
        try:
            return await self._open(session, environ, request)
        except BaseException:
            # The client is not told of the session, so nothing of it is kept.
            if session.life is Life.OPENING or session.life is Life.DOOMED:
                self._reject(session)
            else:
                await session.finish(self.reason.TRANSPORT_ERROR, abort=True)
            raise

    async def _open(self, session: Session, environ: dict[str, Any], request: Request) -> Answer:
        """Ask the application about a new client, and begin its session if it is accepted."""
        can_upgrade = not request.is_websocket
        # Only threads:
        # | can_upgrade = can_upgrade and "websocket" in self.transports and lends(self, environ)
        # Both:
        session.post_control(ControlPacket(OPEN, self._open_data(session.sid, can_upgrade=can_upgrade)))
        verdict = await self.run_connect(session.sid, environ)
        if not (verdict is None or verdict is True):
            self._reject(session)
            self.logger.warning("Application rejected connection")
            return http.unauthorized(verdict)
        session.advance(Step.ACCEPT)
        if session.doomed is not None:
            await session.finish(session.doomed, abort=True)
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

    # Only asyncio:
    def _on_due(self, members: list[Session]) -> None:
        # In a task: a WebSocket's send may ask which task it runs in, and a callback of the loop runs in none.
        self.spawn(self._serve_deadlines(members))

    async def _serve_deadlines(self, members: list[Session]) -> None:
        for session in members:
            try:
                session.on_deadline()
            except Exception:
                self.logger.exception("the heartbeat of a client failed, its session is ended")
                self.spawn(session.finish(self.reason.TRANSPORT_ERROR, abort=True))

    # Only threads:
    # | def _on_due(self, members: list[Any]) -> None:
    # |     for member in members:
    # |         try:
    # |             member.on_deadline()
    # |         except Exception:
    # |             self.logger.exception("the deadline of a client could not be served, it is tried again")
    # |             self.deadlines.set(member, self.ping_timeout)
    # Both:
