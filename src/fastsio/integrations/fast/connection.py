"""
One request for a WebSocket that the ASGI application answers: ``receive`` and ``send``, the log, the closing.

The application runs as under uvicorn's own protocol. If the engine accepts the request, it takes the wire out of the
scope, and frames need no ASGI events after that.

Source: ASGI specification, "WebSocket".
"""

from __future__ import annotations

import asyncio
import logging
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.utils import ClientDisconnected, get_client_addr, get_path_with_query_string

from fastsio.aio.engine import websocket
from fastsio.aio.engine.eager import Rest, run_or_begin
from fastsio.aio.engine.frameworks.asgi import new_environ
from fastsio.aio.engine.links import DIRECT, direct_link
from fastsio.aio.engine.session import Session
from fastsio.engine.frame_reader import NORMAL_CLOSURE, LinkLost, closing_code
from fastsio.engine.websocket_handshake import choose_subprotocol
from fastsio.exceptions import PacketError
from fastsio.integrations.fast.handshake import acceptance
from fastsio.integrations.fast.light_frames import ShortTextFraming
from fastsio.integrations.fast.site import status_line
from fastsio.integrations.fast.websocket import Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextvars import Context

    from uvicorn.server import ServerState

    from fastsio.aio.engine.links import Event
    from fastsio.aio.engine.server import EngineServer
    from fastsio.integrations.fast.handshake import Handshake

logger = logging.getLogger("uvicorn.error")
#: The bytes that are read before the handshake is answered; more are left in the network.
MAX_EARLY_BYTES: Final = 8192
INTERNAL_ERROR: Final = 1011
SERVICE_RESTART: Final = 1012


class Connection(asyncio.BufferedProtocol):
    """
    A request, and the WebSocket that it becomes. It does nothing until :meth:`serve` is called.

    A message has *limit* bytes at most, and *max_rate* frames without one may come in a second. *framing* is the module
    :mod:`fastsio.integrations.fast.framing`, which needs picows.
    """

    __slots__ = (
        "__weakref__",
        "_app",
        "_body",
        "_early",
        "_framing",
        "_is_accepted",
        "_is_answered",
        "_is_connect_sent",
        "_key",
        "_limit",
        "_loop",
        "_max_rate",
        "_response",
        "_scope",
        "_state",
        "_transport",
        "_wire",
    )

    def __init__(
        self,
        app: Any,
        server_state: ServerState,
        transport: asyncio.Transport,
        handshake: Handshake,
        scope: dict[str, Any],
        *,
        limit: int,
        max_rate: int,
        framing: Any,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._app = app
        self._state = server_state
        self._transport = transport
        self._key = handshake.key
        self._scope = scope
        self._limit = limit
        self._max_rate = max_rate
        self._framing = framing
        self._loop = loop
        self._wire = Wire(transport, loop, limit, self)
        scope["extensions"][DIRECT] = self._wire
        self._early = b""
        self._is_connect_sent = self._is_accepted = self._is_answered = False
        self._response: Event | None = None
        self._body = b""
        server_state.connections.add(self)  # type: ignore[arg-type] # it has what uvicorn calls

    def serve(self, engine: EngineServer | None) -> asyncio.BufferedProtocol:
        """
        Serve the request; return the protocol that reads the connection: this object until the request is answered.

        *engine* is given if the application would do nothing but call it and it answers at once.
        """
        environ = None if engine is None else new_environ(self._scope, self._receive, self._send)
        if engine is None or environ is None or not engine.is_admitted(environ):
            self.spawn(self._run(self._app, self._scope, self._receive, self._send))
            return self
        self._is_connect_sent = True
        try:
            answer: Any = run_or_begin(engine.answer(environ))
        except Exception:
            logger.exception("Exception in ASGI application\n")
            self._fail()
            return self
        if isinstance(answer, Session):
            return self._begin(answer)
        self.spawn(self._run(self._answer_later, engine, environ, answer))
        return self

    def upgrade(self, session: Session) -> asyncio.BufferedProtocol:
        """Accept the WebSocket for a session that upgrades from polling; return the protocol that reads it."""
        protocol = self._accept({})
        websocket.begin(session, self._wire)
        return protocol

    async def _answer_later(self, engine: EngineServer, environ: dict[str, Any], answer: Any) -> None:
        """Finish an answer that has to wait, or that refuses the WebSocket."""
        if isinstance(answer, Rest):
            answer = await answer
        if isinstance(answer, Session):
            self._begin(answer)
        else:
            await engine.respond(answer, environ, is_admitted=True)

    def _begin(self, session: Session) -> asyncio.BufferedProtocol:
        """Accept the WebSocket for a new session; return the protocol that reads it."""
        direct_link(self._scope)
        offered = self._scope["subprotocols"]
        protocol = self._accept({"subprotocol": choose_subprotocol(offered)} if offered else {})
        websocket.begin(session, self._wire)
        return protocol

    # Called by the transport until the framing reads the connection.

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Return the buffer to read into."""
        return self._wire.scratch

    def buffer_updated(self, nbytes: int) -> None:
        """Keep what a client sends before the handshake is answered."""
        self.data_received(self._wire.scratch[:nbytes])

    def data_received(self, data: bytes | memoryview) -> None:
        """Keep what a client sends before the handshake is answered."""
        self._early += data
        if len(self._early) > MAX_EARLY_BYTES and not self._transport.is_closing():
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """End the WebSocket: the client gave up during the handshake."""
        self._wire.lost()

    def on_closed(self) -> None:
        """Remove the closed connection from those that uvicorn closes when it stops."""
        self._is_answered = True
        self._state.connections.discard(self)

    def spawn(self, coroutine: Coroutine[Any, Any, None], context: Context | None = None) -> asyncio.Task[None]:
        """Start a task that uvicorn waits for when it stops."""
        task = self._loop.create_task(coroutine, context=context)
        tasks = self._state.tasks
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return task

    # Called by uvicorn.

    def shutdown(self) -> None:
        """Close the connection: the server stops."""
        if self._is_accepted:
            self._wire.hang_up(SERVICE_RESTART)
        else:
            self._fail()

    # The application.

    async def _run(self, serve: Callable[..., Any], *args: Any) -> None:
        code = NORMAL_CLOSURE
        try:
            result = await serve(*args)
        except ClientDisconnected:
            pass
        except BaseException:
            logger.exception("Exception in ASGI application\n")
            code = INTERNAL_ERROR
        else:
            if not self._is_answered:
                logger.error("ASGI callable returned without completing handshake.")
            elif result is not None:
                logger.error("ASGI callable should return None, but returned '%s'.", result)
        if not self._is_answered:
            self._fail()
        elif self._is_accepted and not (self._wire.is_taken_over or self._wire.is_closing):
            self._wire.hang_up(code)

    async def _receive(self) -> Event:
        if not self._is_connect_sent:
            self._is_connect_sent = True
            return {"type": "websocket.connect"}
        try:
            return await self._wire.receive()
        except LinkLost:
            return {"type": "websocket.disconnect", "code": 1006}
        except PacketError as error:
            code = closing_code(error)
            self._wire.close(code)
            return {"type": "websocket.disconnect", "code": code}

    async def _send(self, event: Event) -> None:
        kind = event["type"]
        if self._is_accepted:
            try:
                await self._wire.send(event)
            except LinkLost:
                raise ClientDisconnected from None
        elif self._is_answered:
            raise ClientDisconnected
        elif kind == "websocket.accept":
            self._accept(event)
        elif kind == "websocket.close":
            self._refuse({"status": HTTPStatus.FORBIDDEN})
        elif kind == "websocket.http.response.start":
            self._response = event
        elif kind == "websocket.http.response.body" and self._response is not None:
            self._body += event.get("body", b"")
            if not event.get("more_body", False):
                self._refuse(self._response)
        else:
            raise RuntimeError(f"Unexpected ASGI message {kind!r} before the handshake is answered.")

    # The answer to the handshake.

    def _accept(self, event: Event) -> ShortTextFraming:
        self._log("[accepted]")
        headers = [*self._state.default_headers, *event.get("headers", ())]
        self._is_accepted = self._is_answered = True
        # It is written together with the first packets of the engine.
        self._wire.write(acceptance(self._key, headers, event.get("subprotocol")))
        protocol = ShortTextFraming(
            self._wire, self._transport, self._framing, max_bytes=self._limit, max_rate=self._max_rate
        )
        self._transport.set_protocol(protocol)
        early, self._early = self._early, b""
        if early:
            protocol.handle_data(early)
            if len(early) > MAX_EARLY_BYTES and not self._transport.is_closing():
                self._transport.resume_reading()
        return protocol

    def _refuse(self, response: Event) -> None:
        self._log(str(int(response["status"])))
        self._respond(response["status"], list(response.get("headers", ())), self._body)

    def _fail(self) -> None:
        self._respond(HTTPStatus.INTERNAL_SERVER_ERROR, [], b"Internal Server Error")

    def _respond(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Write a response and close."""
        self._is_answered = True
        given = {name.lower() for name, _ in headers}
        headers += [(name, value) for name, value in _defaults(body) if name.lower() not in given]
        if not self._transport.is_closing():
            lines = [b"%b: %b\r\n" % header for header in headers]
            self._transport.write(b"".join((status_line(int(status)), *lines, b"\r\n", body)))
            self._transport.close()

    def _log(self, outcome: str) -> None:
        if not logger.isEnabledFor(logging.INFO):
            return
        scope: Any = self._scope
        logger.info('%s - "WebSocket %s" %s', get_client_addr(scope), get_path_with_query_string(scope), outcome)


def _defaults(body: bytes) -> list[tuple[bytes, bytes]]:
    """Return the default headers of a response."""
    return [
        (b"Date", formatdate(usegmt=True).encode("ascii")),
        (b"Connection", b"close"),
        (b"Content-Length", b"%d" % len(body)),
        (b"Content-Type", b"text/plain; charset=utf-8"),
    ]
