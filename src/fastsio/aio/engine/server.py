"""
The Engine.IO server: requests in, sessions kept, packets out.

What a session does stands in :mod:`.session`; this module finds the session, answers the request, and sends by the
session's id, never to a session that is over.
"""

from __future__ import annotations

import asyncio
import inspect
from contextlib import asynccontextmanager
from enum import Enum
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeAlias

from engineio.payload import Payload

from fastsio.aio.engine import polling, websocket
from fastsio.aio.engine.eager import NOTHING
from fastsio.aio.engine.frameworks import drivers
from fastsio.aio.engine.read_ahead import AHEAD_AFTER_S
from fastsio.aio.engine.session import Eio3Session, Session
from fastsio.aio.engine.timers import Deadlines
from fastsio.engine import http
from fastsio.engine.log_format import shown_text
from fastsio.engine.packet import OPEN, ControlPacket, WirePacket, join_frames, message_of, packet_of
from fastsio.engine.request import PROTOCOL_KEY, Request, RequestRefused, read_request
from fastsio.engine.server_base import ServerBase, check_session
from fastsio.engine.session import Life, Move, Step
from fastsio.engine.websocket_handshake import websocket_key
from fastsio.exceptions import SetupError

# Only threads:
# | from functools import partial
# |
# | from fastsio.engine.websocket_handshake import accept_response
# | from fastsio.sync.engine import accepting, thread_modes
# | from fastsio.sync.engine.hang_watch import HangWatch
# Both:

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence

    # Only threads:
    # | from fastsio.sync.engine.links import Link
    # Both:


class Surplus(Enum):
    """A WebSocket for a session that has one already: it is accepted, and closed."""

    SURPLUS = "surplus"


#: What is no response: the request becomes a WebSocket, which serves the session, if there is one.
Answer: TypeAlias = http.Response | Session | Surplus


class EngineServer(ServerBase):
    """
    An Engine.IO server, with the interface and the options of engineio's, and more of both.

    Messages of one client are handled one after the other, whatever ``async_handlers`` says. With asyncio, the handlers
    given to :meth:`on` are coroutine functions, and ``message`` may be a function that returns None instead of
    something to await.

    Args:
        options: Those of :class:`~fastsio.engine.server_base.ServerBase`.

    Raises:
        SetupError: There is no such ``async_mode``, or what it needs is not installed.
        ValueError: Another option is not what it may be.
    """

    # Only asyncio:
    _kind = "AsyncServer"
    # Only threads:
    # | _kind = "Server"
    # Both:
    clock = staticmethod(monotonic)
    sockets: dict[str, Session]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        #: The sessions that others wait for: more waits for them than the high-water mark.
        self.congested: set[Session] = set()
        self._parting: dict[str, Session] = {}
        # Only asyncio:
        self.deadlines: Deadlines[Session] = Deadlines(self._on_due)
        self._has_advised = False
        self._async = drivers.driver_for(self.async_mode)
        self._chosen_mode: str | None = options.get("async_mode")
        #: Message handlers that run no application code of events themselves: they may be stepped outside of a
        #: task.
        self.stepped_handlers: frozenset[Callable[..., Any]] = frozenset()
        #: How long a message is handled before more is read; a pong must be found in time.
        self.ahead_after = min(AHEAD_AFTER_S, self.ping_timeout / 4)
        self._tasks: set[asyncio.Task[Any]] = set()
        # Only threads:
        # | self.deadlines = Deadlines(self._on_due, self)
        # | self._threads = thread_modes.threads_of(self.async_mode)
        # | self.hang_watch = HangWatch(self)
        # | # uWSGI ends the connection with the response without a word: a client that used it again would lose a
        # | # request.
        # | self._connection_headers = [("Connection", "close")] if self.async_mode == "gevent_uwsgi" else []
        # Both:

    @property
    def packets_per_payload(self) -> int:
        """How many packets of one POST are handled before others have a turn."""
        return self.max_decode_packets or int(Payload.max_decode_packets)

    # Only asyncio:
    @property
    def wait_disconnected(self) -> Callable[[dict[str, Any]], Awaitable[None]] | None:
        """Waits until the client of a request has gone; None where the framework cancels the request instead."""
        return self._async.get("wait_disconnected")

    def use_mode(self, async_mode: str) -> None:
        """
        Serve the requests of a framework, whatever framework is installed.

        Args:
            async_mode: ``"aiohttp"``, ``"asgi"``, ``"sanic"`` or ``"tornado"``.

        Raises:
            SetupError: The server was made for another framework, or serves one already.
        """
        if self._chosen_mode not in (None, async_mode):
            raise SetupError(
                f"a server with async_mode={self._chosen_mode!r} cannot serve {async_mode} too; leave async_mode "
                "out, or make a server for each"
            )
        self.async_mode = self._chosen_mode = async_mode
        self._async = drivers.driver_for(async_mode)

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
        """
        Return what the application keeps for a client of Engine.IO; few do.

        Args:
            sid: The session's id.

        Raises:
            KeyError: There is no such session.
        """
        session: dict[str, Any] = self._get_socket(sid).session
        return session

    async def save_session(self, sid: str, session: dict[str, Any]) -> None:
        """
        Keep something else for a client.

        Args:
            sid: The session's id.
            session: What :meth:`get_session` returns from now on.

        Raises:
            KeyError: There is no such session.
        """
        self._get_socket(sid).session = session

    @asynccontextmanager
    async def session(self, sid: str) -> AsyncIterator[dict[str, Any]]:
        """
        Give what the application keeps for a client in an ``async with`` block, and save it at the end of the block.

        Args:
            sid: The session's id.

        Raises:
            KeyError: There is no such session, or none any more at the end.
        """
        session = await self.get_session(sid)
        try:
            yield session
        finally:
            await self.save_session(sid, session)

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
        return session.post(packets, waits)

    def post_to_all(self, sessions: Iterable[Session], packets: Sequence[WirePacket], waits: bool = False) -> None:
        """
        Send packets to many clients as :meth:`post` does to one; those that are gone are left out.

        Args:
            sessions: The sessions of the clients.
            packets: What to send, shared by all.
            waits: As with :meth:`post`.
        """
        # Only asyncio:
        frames = b""
        for session in sessions:
            write_shared = session.write_shared
            if write_shared is None or session.idle_send is None:
                session.post(packets, waits)
                continue
            frames = frames or join_frames(packets)
            if not write_shared(frames):
                session.post(packets, waits)
        # Only threads:
        # | for session in sessions:
        # |     session.post(packets, waits)
        # Both:

    async def let_read(self, eio_sids: Sequence[str]) -> None:
        """
        Wait while any of some clients is behind and reads; call it when there are :attr:`congested` ones.

        Args:
            eio_sids: The clients. With several, one delays the caller by no more than ``slow_client_timeout``.
        """
        sockets, is_shared = self.sockets, len(eio_sids) > 1
        for session in self.congested.intersection(map(sockets.get, eio_sids)):
            await session.let_read(is_shared=is_shared)

    # Only asyncio:
    def write(self, eio_sid: str, packets: Sequence[WirePacket]) -> Awaitable[None]:
        """
        Send as :meth:`post` does; await the result to wait while the client is behind and reads.

        Args:
            eio_sid: The client.
            packets: What to send.
        """
        session = self.sockets.get(eio_sid)
        if session is None:
            self.logger.debug("Cannot send, the client is gone")
            return NOTHING
        return session.write(packets)

    # Only threads:
    # | def write(self, eio_sid: str, packets: Sequence[WirePacket]) -> bool:
    # |     """
    # |     Send as :meth:`post` does, then wait while the client is behind and reads.
    # |
    # |     Args:
    # |         eio_sid: The client.
    # |         packets: What to send.
    # |
    # |     Returns:
    # |         As :meth:`post`.
    # |     """
    # |     session = self.sockets.get(eio_sid)
    # |     if session is None:
    # |         self.logger.debug("Cannot send, the client is gone")
    # |         return False
    # |     return session.write(packets)
    # Both:

    async def send(self, sid: str, data: Any) -> bool:
        """Send a message: text, bytes, or what JSON can hold; waits while the client is behind and reads."""
        is_sent = self.post(sid, (message_of(data),), True)
        if self.congested:
            await self.let_read((sid,))
        return is_sent

    async def send_packet(self, sid: str, pkt: Any) -> bool:
        """Send a packet, one of ours or one of engineio's; never waits."""
        return self.post(sid, (packet_of(pkt),))

    # -- ending

    async def close_client(self, eio_sid: str, reason: str, *, abort: bool = False) -> None:
        """
        End a client's session and wait for its disconnect handler; nothing happens to one that is gone.

        Args:
            eio_sid: The client.
            reason: What the disconnect handler gets.
            abort: True to end it without telling the client.
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

    async def shutdown(self) -> None:
        """Stop timers and background tasks. Clients stay connected; sends that wait for slow ones are given up."""
        for session in list(self.congested):
            session.give_up()
        # Only asyncio:
        self.deadlines.stop()
        current = asyncio.current_task()
        for task in list(self._tasks):
            if task is not current:
                task.cancel()
        # Only threads:
        # | self.hang_watch.stop()
        # | for member in self.deadlines.stop():
        # |     member.on_shutdown()
        # Both:

    # -- requests

    # Only asyncio:
    async def handle_request(self, *args: Any, **kwargs: Any) -> Any:
        """Serve one request; the arguments and the result are the web framework's."""
        environ = self._async["translate_request"](*args, **kwargs)
        if not isinstance(environ, dict):
            environ = await environ
        if not environ:
            return None
        is_admitted = await self._admits(environ) if "HTTP_ORIGIN" in environ else True
        answer = await self._answer(environ) if is_admitted else http.foreign(environ["HTTP_ORIGIN"])
        accept = self._async.get("accept")
        if isinstance(answer, Surplus):
            if accept is None:
                return await self._async["websocket"](websocket.turn_away, self)(environ)
            return await websocket.turn_away(await accept(environ))
        if not isinstance(answer, Session):
            return await self._respond(answer, environ, is_admitted=is_admitted)
        # Served from here, not from below: each frame between this one and the reading loop stays in memory for as
        # long as the WebSocket is open.
        is_served = False
        try:
            if accept is None:
                serving = websocket.Serving(answer)
                try:
                    return await self._async["websocket"](serving.begin, self)(environ)
                finally:
                    is_served = serving.has_begun
            if not self._has_advised:
                self._advise(environ)
            link = await accept(environ)
            is_served = True
            return await websocket.serve(answer, link)
        finally:
            if not is_served:
                await self._drop_websocket(answer)

    def _advise(self, environ: dict[str, Any]) -> None:
        """Say once what the web server had better be told."""
        self._has_advised = True
        self._async["advise"](environ, self.max_http_buffer_size)

    async def _respond(self, response: http.Response, environ: dict[str, Any], *, is_admitted: bool) -> Any:
        headers = self._headers_of(response, environ, is_admitted=is_admitted)
        answer = self._async["make_response"](response["status"], headers, response["response"], environ)
        return await answer if inspect.iscoroutine(answer) else answer

    # Only threads:
    # | def handle_request(self, environ: dict[str, Any], start_response: Any) -> Any:
    # |     """Serve one request, as a WSGI application."""
    # |     is_admitted = self._admits(environ)
    # |     answer = self._answer(environ) if is_admitted else http.foreign(environ["HTTP_ORIGIN"])
    # |     if isinstance(answer, Surplus):
    # |         return accepting.accept(self, environ, partial(websocket.turn_away, self))
    # |     if not isinstance(answer, Session):
    # |         return self._respond(answer, environ, start_response, is_admitted=is_admitted)
    # |     is_served = False
    # |
    # |     def serve(link: Link) -> None:
    # |         nonlocal is_served
    # |         is_served = True
    # |         websocket.serve(answer, link)
    # |
    # |     try:
    # |         return accepting.accept(self, environ, serve)
    # |     finally:
    # |         if not is_served:
    # |             self._drop_websocket(answer)
    # |
    # | def _respond(
    # |     self, response: http.Response, environ: dict[str, Any], start_response: Any, *, is_admitted: bool
    # | ) -> list[bytes]:
    # |     headers = self._headers_of(response, environ, is_admitted=is_admitted)
    # |     body = response["response"]
    # |     headers = [*headers, ("Content-Length", str(len(body))), *self._connection_headers]
    # |     start_response(response["status"], headers)
    # |     return [body]
    # Both:

    async def _drop_websocket(self, session: Session) -> None:
        """Forget a WebSocket that could not be accepted: nothing is left of a session that would have begun on it."""
        if not session.move(Move.FAIL):
            await session.finish(self.reason.TRANSPORT_CLOSE, abort=True)

    async def _answer(self, environ: dict[str, Any]) -> Answer:
        if environ["REQUEST_METHOD"] == "OPTIONS":
            return http.accepted(b"OK")
        try:
            request = read_request(environ, self.transports, allow_eio3=self.allow_eio3)
            if request.is_websocket:
                self._check_websocket(environ)
            if request.sid is None:
                return await self._handshake(environ, request)
            return await self._serve(environ, request, self._find(request.sid, request))
        except RequestRefused as refused:
            self.report(refused.log, refused.log)
            return http.refusal(refused.code)

    async def _admits(self, environ: dict[str, Any]) -> bool:
        """
        Tell whether the origin of a request, if it has one, is taken.

        Browsers apply CORS to responses; a WebSocket handshake is protected by looking at its origin only.
        """
        origin = environ.get("HTTP_ORIGIN")
        if not origin or self._origins.is_off:
            return True
        try:
            verdict = self._origins.admit(origin, environ)
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
        # | if not accepting.can_accept(self, environ):
        # |     raise RequestRefused(http.Code.BAD_REQUEST, "The web server cannot serve WebSockets")
        # | if accept_response(environ) is None:
        # |     raise RequestRefused(http.Code.BAD_REQUEST, "Not a WebSocket handshake of version 13")
        # Both:

    def _find(self, sid: str, request: Request) -> Session:
        session = self.sockets.get(sid)
        if session is None and request.method == "GET" and not request.is_websocket:
            session = self._parting.get(sid)
        return check_session(session, request)

    async def _serve(self, environ: dict[str, Any], request: Request, session: Session) -> Answer:
        if request.method == "POST":
            return await polling.handle_post(session, environ)
        if request.is_websocket:
            return self._switch(session, request) if session.move(Move.HANDSHAKE) else Surplus.SURPLUS
        return await polling.handle_get(session, environ, request.jsonp_index)

    def _switch(self, session: Session, request: Request) -> Session:
        session.frames_base64 = request.base64
        return session

    async def _handshake(self, environ: dict[str, Any], request: Request) -> Answer:
        sid = self.generate_id()
        session = self.sockets[sid] = self._new_session(sid, environ, request)
        try:
            return await self._open(session, environ, request)
        except BaseException:
            # Whatever failed, nothing is left of a session that its client will never hear of.
            if session.life is Life.OPENING or session.life is Life.DOOMED:
                self._reject(session)
            else:
                await session.finish(self.reason.TRANSPORT_ERROR, abort=True)
            raise

    def _reject(self, session: Session) -> None:
        session.reject()
        self.sockets.pop(session.sid, None)

    async def _open(self, session: Session, environ: dict[str, Any], request: Request) -> Answer:
        """Ask the application about a new client, and begin its session if it is accepted."""
        can_upgrade = not request.is_websocket
        # Only threads:
        # | can_upgrade = can_upgrade and "websocket" in self.transports and accepting.can_accept(self, environ)
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
            return self._switch(session, request)
        session.move(Move.POLL)
        packets = polling.take(session, environ)
        return polling.answer(session, packets, jsonp_index=request.jsonp_index, headers=self._cookies(session.sid))

    def _new_session(self, sid: str, environ: dict[str, Any], request: Request) -> Session:
        if request.protocol != Eio3Session.protocol:
            return Session(self, sid)
        environ[PROTOCOL_KEY] = Eio3Session.protocol
        return Eio3Session(self, sid, base64=request.base64)

    # -- the application

    async def run_connect(self, sid: str, environ: dict[str, Any]) -> Any:
        """Ask the application to accept a client; an error in its handler refuses it."""
        handler = self.handlers.get("connect")
        if handler is None:
            return None
        try:
            return await handler(sid, environ)
        except Exception:
            self.logger.exception("connect handler error")
            return False

    async def run_message(self, session: Session, data: str | bytes) -> None:
        """Give the application a message that came in a POST."""
        on_message, key = session.message_handler()
        try:
            # Only asyncio:
            waiting = on_message(key, data)
            if waiting is not None:
                await waiting
            # Only threads:
            # | on_message(key, data)
            # Both:
        except Exception:
            self.logger.exception("message handler error")

    async def run_disconnect(self, sid: str, reason: str) -> None:
        """Tell the application that a client is gone."""
        handler = self.handlers.get("disconnect")
        if handler is None:
            return
        try:
            await handler(sid, reason)
        except Exception:
            self.logger.exception("disconnect handler error")

    # -- background

    # Only asyncio:
    def start_background_task(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> asyncio.Future[Any]:
        """
        Run a coroutine function in a task, which :meth:`shutdown` leaves alone.

        Args:
            target: The function.
            args: What it is called with.
            kwargs: The same by keyword.

        Returns:
            The task. The caller keeps it: the event loop holds tasks weakly.
        """
        task: asyncio.Future[Any] = asyncio.ensure_future(target(*args, **kwargs))
        return task

    async def sleep(self, seconds: float = 0) -> None:
        """Wait, while others run."""
        await asyncio.sleep(seconds)

    def create_queue(self, *args: Any, **kwargs: Any) -> asyncio.Queue[Any]:
        """Return a queue for tasks; the arguments are those of :class:`asyncio.Queue`."""
        return asyncio.Queue(*args, **kwargs)

    def get_queue_empty_exception(self) -> type[Exception]:
        """Return what ``get_nowait()`` of such a queue raises when there is nothing in it."""
        return asyncio.QueueEmpty

    def create_event(self, *args: Any, **kwargs: Any) -> asyncio.Event:
        """Return an event for tasks."""
        return asyncio.Event(*args, **kwargs)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine in a task that is kept alive until it is done."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

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
    # | def start_background_task(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    # |     """
    # |     Run a function in a thread, or in a greenlet where the ``async_mode`` has these.
    # |
    # |     Args:
    # |         target: The function.
    # |         args: What it is called with.
    # |         kwargs: The same by keyword.
    # |
    # |     Returns:
    # |         Something with a method ``join()``.
    # |     """
    # |     return self._threads.start(target, args, kwargs)
    # |
    # | def sleep(self, seconds: float = 0) -> None:
    # |     """Wait, while others run."""
    # |     self._threads.sleep(seconds)
    # |
    # | def create_queue(self, *args: Any, **kwargs: Any) -> Any:
    # |     """Return a queue for threads, or greenlets; the arguments are those of :class:`queue.Queue`."""
    # |     return self._threads.queue(*args, **kwargs)
    # |
    # | def get_queue_empty_exception(self) -> type[Exception]:
    # |     """Return what ``get()`` of such a queue raises when there is nothing in it."""
    # |     return self._threads.queue_empty
    # |
    # | def create_event(self, *args: Any, **kwargs: Any) -> Any:
    # |     """Return an event for threads, or greenlets."""
    # |     return self._threads.event(*args, **kwargs)
    # |
    # | def _on_due(self, members: list[Any]) -> None:
    # |     for member in members:
    # |         try:
    # |             member.on_deadline()
    # |         except Exception:
    # |             self.logger.exception("the deadline of a client could not be served, it is tried again")
    # |             self.deadlines.set(member, self.ping_timeout)
    # Both:
