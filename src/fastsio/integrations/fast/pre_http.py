"""
The protocol that reads the requests of a connection before uvicorn's HTTP protocol does.

uvicorn's HTTP protocol parses a request with a callback for each header, starts a task, and writes head and body of a
response separately. Here a plain request for Socket.IO, one for a WebSocket or one of long-polling, is recognised in
the bytes as they arrive. Any other bytes go, unchanged, to uvicorn's protocol. uvicorn's protocol then reads the
connection, until it has answered its requests and a plain request of long-polling follows.

This module must not know which application serves a request for a WebSocket: a function that it gets decides that.
"""

from __future__ import annotations

import asyncio
import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from uvicorn.logging import TRACE_LOG_LEVEL
from uvicorn.protocols.http.h11_impl import H11Protocol

from fastsio.aio.engine.direct_polling import Exchange
from fastsio.aio.engine.frameworks.asgi import new_environ, receive_nothing, send_nothing
from fastsio.engine.gc_policy import freeze_loaded_objects
from fastsio.integrations.fast.asgi_exchange import SERVER_ERROR, AsgiExchange
from fastsio.integrations.fast.handshake import client_of, server_of
from fastsio.integrations.fast.plain_request import FIRST_LINE, GET, read_request
from fastsio.integrations.fast.site import HTTPTOOLS, Site, compose, engine_head

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from uvicorn.config import Config
    from uvicorn.server import ServerState

    from fastsio.aio.engine.server import EngineServer
    from fastsio.aio.engine.session import Session
    from fastsio.engine import http
    from fastsio.integrations.fast.plain_request import PlainRequest
    from fastsio.integrations.fast.site import Route

    #: Returns the protocol for a request for a WebSocket: :func:`fastsio.integrations.uvicorn.open_connection`.
    Open = Callable[[Config, ServerState, dict[str, Any], Any, bytes, Site], asyncio.BaseProtocol | None]
    Prepare = Callable[[Config, ServerState, dict[str, Any]], object]

logger = logging.getLogger("uvicorn.error")
#: Longer requests for a WebSocket go to uvicorn's protocol. h11 accepts requests of the same size.
MAX_REQUEST_BYTES: Final = 16_384
#: As the default of ``slow_client_timeout``, for the responses of other applications.
DEFAULT_SLOW_S: Final = 20.0
#: The protocols of uvicorn that fastsio knows; httptools need not be installed.
STANDARD: Final = (H11Protocol, H11Protocol if HTTPTOOLS is None else HTTPTOOLS)


class Front(Exchange, asyncio.Protocol):
    """
    Reads a connection before its first request, between requests, and while it answers one of long-polling.

    *open_connection* returns the protocol for a request for a WebSocket; None when the request is not certainly one.
    """

    __slots__ = (
        "_closes",
        "_early",
        "_engine",
        "_exchange",
        "_idle_since",
        "_is_behind",
        "_is_busy",
        "_log_fields",
        "_open",
        "_site",
        "_timer",
        "_transport",
    )

    def __init__(self, site: Site, open_connection: Open) -> None:
        super().__init__()
        self._site = site
        self._open = open_connection
        self._transport: Any = None
        self._engine: EngineServer | None = None
        #: The request that the application answers.
        self._exchange: AsgiExchange | None = None
        #: The parts of the request for the access log; None if it is off.
        self._log_fields: dict[str, Any] | None = None
        #: The bytes that have arrived while a request was served, or while the client did not read its responses.
        self._early = b""
        self._is_busy = self._is_behind = self._closes = False
        self._timer: asyncio.TimerHandle | None = None
        self._idle_since = 0.0

    # Called by the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start reading the connection."""
        self._transport = transport
        self._site.state.connections.add(self)  # type: ignore[arg-type] # it has what uvicorn calls

    def data_received(self, data: bytes) -> None:
        """Serve a plain request; give the connection with any other bytes to the protocol that reads them."""
        if self._is_busy or self._is_behind:
            self._keep_early(data)
        elif not self.try_serve(data):
            self._pass_on(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Remove the connection from the server, and abandon the request that is not answered."""
        self._unregister()
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.abandon()
        self.lost()

    def pause_writing(self) -> None:
        """Serve no further request: the client does not read its responses."""
        self._is_behind = True
        self._await_reading()

    def resume_writing(self) -> None:
        """Serve requests again."""
        self._is_behind = False
        self._stop_timer()
        if not self._is_busy and not self._transport.is_closing():
            self._continue()

    # Called by uvicorn.

    def shutdown(self) -> None:
        """Close the connection, after the response of a request: the server stops."""
        if self._is_busy:
            self._closes = True
        else:
            self._close()

    # Requests.

    def try_serve(self, data: bytes) -> bool:
        """Serve *data* if it is one whole plain request of long-polling; return False if it is not."""
        site = self._site
        request = read_request(data, site.blocks) if site.reads_polls else None
        if request is None:
            return False
        is_client_known = request.fields.is_forwarded or site.logs_access
        client = client_of(self._transport) if is_client_known else None
        route = site.route_of(request, client)
        engine = None if route is None else route.engine
        if route is None or engine is None:
            return False
        if request.sid is None:
            return request.method == GET and self._open_session(request, route, engine)
        session = engine.sockets.get(request.sid.decode("ascii"))
        if session is None or not engine.is_admitted(request.fields.environ):
            return False
        self._engine = engine
        self._log_fields = site.log_fields(request, client)
        self._is_busy = True
        is_served = self._start_request(session, request)
        if not is_served:
            self._is_busy = False
        return is_served

    def _start_request(self, session: Session, request: PlainRequest) -> bool:
        """Pass a request to its session; return False if uvicorn must serve it."""
        fields, body = request.fields, request.body
        self.environ = fields.environ
        if request.method == GET:
            return self.poll(session)
        if fields.is_binary or len(body) > session.server.max_http_buffer_size:
            return False
        return self._site.new_context().run(self.post, session, body)

    def _open_session(self, request: PlainRequest, route: Route, engine: EngineServer) -> bool:
        """Open a session: with the engine, or through the application if other code is called before the engine."""
        freeze_loaded_objects()
        site, transport, fields = self._site, self._transport, request.fields
        scope = site.make_scope(request, client_of(transport))
        scope["server"] = server_of(transport)
        self._is_busy = True
        self._log_fields = scope if site.logs_access else None
        app = route.app
        if app is None or not (engine.answers_at_once and engine.is_admitted(fields.environ)):
            self._exchange = AsgiExchange(scope, self)
            self.spawn(self._exchange.run(site.entry_for(fields)))
            return True
        app.prepare(scope)
        self._engine = engine
        self.environ = new_environ(scope, receive_nothing, send_nothing)
        try:
            site.new_context().run(self.open, engine)
        except Exception:
            logger.exception("Exception in ASGI application\n")
            self.write_response(*SERVER_ERROR)
        return True

    def _keep_early(self, data: bytes) -> None:
        """Keep bytes that arrive while a request is served or the client is behind, and stop reading."""
        if not self._early:
            self._transport.pause_reading()
        self._early += data

    def _continue(self) -> None:
        """Handle the bytes that were kept, or wait for the next request."""
        early, self._early = self._early, b""
        if early:
            self._transport.resume_reading()
            self.data_received(early)
        else:
            self._idle_since = self._site.loop.time()
            if self._timer is None:
                self._timer = self._site.loop.call_later(self._site.keep_alive_s, self._hang_up_idle)

    def _hang_up_idle(self) -> None:
        """Close the connection if no request has come for the seconds of uvicorn's ``timeout_keep_alive``."""
        self._timer = None
        if self._is_busy or self._transport.is_closing():
            return
        site = self._site
        left_s = self._idle_since + site.keep_alive_s - site.loop.time()
        if left_s > 0:
            self._timer = site.loop.call_later(left_s, self._hang_up_idle)
        else:
            self._close()

    def _close(self) -> None:
        """Close the connection when the client has read its responses."""
        self._transport.close()
        if self._transport.get_write_buffer_size() and not self._is_behind:
            self._await_reading()

    def _await_reading(self) -> None:
        """Abort the connection if the client reads nothing for the seconds of ``slow_client_timeout``."""
        engine, unread = self._engine, self._transport.get_write_buffer_size()
        timeout_s = DEFAULT_SLOW_S if engine is None else engine.slow_client_timeout
        self._stop_timer()
        self._timer = self._site.loop.call_later(timeout_s, self._check_reading, unread)

    def _check_reading(self, unread: int) -> None:
        if self._transport.get_write_buffer_size() < unread:
            self._await_reading()
        else:
            self._transport.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Responses.

    def respond(self, response: http.Response) -> None:
        """Write a response of the engine."""
        engine, site = self._engine, self._site
        if engine is None:
            return
        headers = engine.headers_of(response, self.environ, is_admitted=True)
        status, first, lines = engine_head(response["status"], tuple(headers))
        body = response["response"]
        end = b"\r\nconnection: close\r\n\r\n" if self._closes else b"\r\n\r\n"
        self._write(
            status, b"".join((first, site.default_lines(), lines, b"%d" % len(body), end, body)), closes=self._closes
        )

    def write_response(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Write a response of the application."""
        self._exchange = None
        data, closes = compose(status, self._site.default_lines(), headers, body, closes=self._closes)
        self._write(status, data, closes=closes)

    def hang_up(self) -> None:
        """Close the connection: the application gave no response."""
        self._exchange = None
        self._close()

    def _write(self, status: int, data: bytes, *, closes: bool) -> None:
        site, transport = self._site, self._transport
        log_fields, self._log_fields = self._log_fields, None
        self._is_busy = False
        if transport.is_closing():
            return
        if log_fields is not None:
            site.log(log_fields, status)
        transport.write(data)
        site.state.total_requests += 1
        if closes:
            self._close()
        elif not self._is_behind:
            self._continue()

    def call_later(self) -> None:
        """Call ``flush()`` at the end of this turn of the loop."""
        self._site.flusher.add(self)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Start a task that uvicorn waits for when it stops."""
        self._site.spawn(coroutine)

    # Other protocols.

    def _pass_on(self, data: bytes) -> None:
        """Pass the connection to the protocol of a WebSocket, or to uvicorn if *data* is no request for a WebSocket."""
        self._unregister()
        site, transport = self._site, self._transport
        protocol = None
        if len(data) <= MAX_REQUEST_BYTES:
            protocol = self._open(site.config, site.state, site.app_state, transport, data, site)
        if protocol is None:
            self._give_to_uvicorn(data)
        else:
            transport.set_protocol(protocol)

    def _give_to_uvicorn(self, data: bytes) -> None:
        """Let a new HTTP protocol of uvicorn read *data* and what follows."""
        site = self._site
        kind = _returning(site.standard) if site.reads_polls else site.standard
        protocol = kind(config=site.config, server_state=site.state, app_state=site.app_state, _loop=site.loop)
        if site.reads_polls:
            protocol.new_front = self._new_front
        protocol.connection_made(self._transport)
        self._transport.set_protocol(protocol)
        protocol.data_received(data)

    def _new_front(self) -> Front:
        """Return a front for the same connection, which may read it again after uvicorn."""
        front = Front(self._site, self._open)
        front._transport = self._transport
        return front

    def resume(self) -> None:
        """Read the connection again, after uvicorn has answered its requests."""
        self._site.state.connections.add(self)  # type: ignore[arg-type] # it has what uvicorn calls
        self._transport.set_protocol(self)

    def _unregister(self) -> None:
        self._site.state.connections.discard(self)
        self._stop_timer()


@lru_cache(maxsize=2)
def _returning(standard: Any) -> Any:
    """Return a subclass of uvicorn's protocol that gives the connection back to a :class:`Front` when it can."""

    class Returning(standard):  # type: ignore[misc] # uvicorn's, which mypy does not know here
        """uvicorn's HTTP protocol, until a plain request of long-polling follows an answered request."""

        new_front: Callable[[], Front]

        def data_received(self, data: bytes) -> None:
            """Let a front serve a plain request of long-polling; read any other bytes here."""
            front = self.new_front() if _is_idle(self) and FIRST_LINE.match(data) else None
            if front is None or not front.try_serve(data):
                super().data_received(data)
                return
            self._unset_keepalive_if_required()
            self.connections.discard(self)
            front.resume()
            # The protocol and its parser hold each other, and would wait for the garbage collector.
            self.__dict__.clear()

    return Returning


def _is_idle(protocol: Any) -> bool:
    """Tell whether uvicorn's protocol has read and answered one request, and has read nothing of another."""
    cycle = protocol.cycle
    return (
        cycle is not None
        and cycle.response_complete
        and not cycle.more_body
        and cycle.keep_alive
        and protocol.scope is cycle.scope  # uvicorn makes a scope when it reads the first byte of a request
        and not protocol.pipeline
        and not getattr(protocol, "early", b"")  # half a first line, which the workers' protocol keeps
        and not protocol.flow.write_paused
        and not protocol.transport.is_closing()
    )


class Gate:
    """Makes the protocol of each new connection, in place of uvicorn's HTTP protocol; the arguments are as below."""

    def __init__(self, open_connection: Open, standard: Any, prepare: Prepare | None) -> None:
        self._open = open_connection
        self._standard = standard
        self._prepare = prepare
        self._site: Site | None = None

    def __call__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> Front:
        """Return the protocol of a connection."""
        site = self._site
        if site is None or site.state is not server_state or site.entry is not config.loaded_app:
            loop = _loop or asyncio.get_running_loop()
            site = self._site = Site(config, server_state, app_state, self._standard, loop)
            if self._prepare is not None:
                self._prepare(config, server_state, app_state)
        return Front(site, self._open)


def install_gate(
    config: Config, open_connection: Open, known: Sequence[Any] = STANDARD, prepare: Prepare | None = None
) -> None:
    """
    Let :class:`Front` read new connections before uvicorn's HTTP protocol does.

    uvicorn asks its configuration for the protocol class of each connection. A :class:`Gate` replaces the class if it
    is exactly one of *known*: a second call changes nothing, and the class of another package stays. Under uvicorn's
    log level ``trace`` the class stays too, because uvicorn's own protocol then logs every connection. When a server
    gets its first connection, *prepare* is called.
    """
    standard: Any = config.http_protocol_class
    if standard in known and not logger.isEnabledFor(TRACE_LOG_LEVEL):
        config.http_protocol_class = Gate(open_connection, standard, prepare)  # type: ignore[assignment] # uvicorn calls it
