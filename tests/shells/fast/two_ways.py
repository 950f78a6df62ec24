"""One application under uvicorn's HTTP protocol and before it, on transports without a network, and what each answers."""

from __future__ import annotations

import asyncio
import itertools
import logging
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from fastsio import ASGIApp, AsyncServer
from fastsio.integrations.uvicorn import WebSocketProtocol
from tests.shells.fast.transport import FakeTransport

#: Turns of the loop after which nothing more happens.
MOST_TURNS = 40
LOGGERS = ("tests.two_ways", "uvicorn.error", "uvicorn.access")


class Line(FakeTransport):
    """A connection from a client to a way."""

    def __init__(self, way: Way) -> None:
        super().__init__()
        self._way = way
        self.is_lost = False
        self.early: list[bytes] = []
        self.protocol = way.config.http_protocol_class(  # type: ignore[call-arg] # as uvicorn does
            config=way.config, server_state=way.state, app_state={"kept": 1}, _loop=None
        )
        self.protocol.connection_made(self)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("127.0.0.1", 4711), "sockname": ("10.0.0.2", 80)}.get(name, default)

    def get_protocol(self) -> Any:
        return self.protocol

    def resume_reading(self) -> None:
        super().resume_reading()
        early, self.early = self.early, []
        for data in early:
            asyncio.get_running_loop().call_soon(self.send, data)

    def send(self, data: bytes) -> None:
        """Let data arrive, as soon as the protocol reads."""
        if not self.is_reading_:
            self.early.append(data)
        elif not self.closed:
            self.arrive(data)

    def leave(self) -> None:
        """Lose the connection."""
        if not self.is_lost:
            self.is_lost = self.closed = True
            self.protocol.connection_lost(None)

    @property
    def output(self) -> bytes:
        """All that was written."""
        return b"".join(self.writes)


class Records(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname} {record.getMessage()}")


class Way:
    """
    A server.

    Args:
        is_fast: Whether requests are read before uvicorn's HTTP protocol.
        config: Options of uvicorn.
        options: Options of the Socket.IO server.

    Attributes:
        happened: What handlers were called with.
        records: What was logged while this way had its turn.
    """

    def __init__(self, *, is_fast: bool, config: dict[str, Any] | None = None, **options: Any) -> None:
        self.sio = AsyncServer(
            async_mode="asgi",
            **{"logger": False, "engineio_logger": logging.getLogger(LOGGERS[0]), "monitor_clients": False, **options},
        )
        self.happened: list[Any] = []
        self.records = Records()
        self.sio.eio.generate_id = map("id{:018}".format, itertools.count()).__next__  # type: ignore[method-assign] # the same in both
        self.app = ASGIApp(self.sio)
        ws = WebSocketProtocol if is_fast else "websockets-sansio"
        self.config = Config(self.app, ws=ws, http="httptools", log_config=None, **(config or {}))
        self.config.load()
        if is_fast:
            WebSocketProtocol.begin(self.config)
        self.state = ServerState()
        self.state.default_headers = [(b"date", b"today"), (b"server", b"uvicorn")]
        self.lines: list[Line] = []
        self._add_handlers()

    def _add_handlers(self) -> None:
        @self.sio.event
        async def connect(sid: str, environ: dict[str, Any]) -> None:
            self.happened.append(("connect", sid, comparable(environ)))

        @self.sio.event
        async def disconnect(sid: str, reason: str) -> None:
            self.happened.append(("disconnect", sid, reason))

        @self.sio.on("*")
        async def anything(event: str, sid: str, *data: Any) -> Any:
            self.happened.append((event, sid, data))
            if event == "wait":
                await asyncio.sleep(0)
            return data

    def dial(self) -> Line:
        """Connect."""
        self.lines.append(Line(self))
        return self.lines[-1]

    async def settle(self) -> None:
        """Wait until nothing happens any more."""
        handlers = [logging.getLogger(name) for name in LOGGERS]
        for logger in handlers:
            logger.addHandler(self.records)
        try:
            quiet, before = 0, -1
            for _ in range(MOST_TURNS):
                await asyncio.sleep(0)
                now = sum(len(line.writes) for line in self.lines) + len(self.happened) + len(self.state.tasks)
                quiet, before = (quiet + 1 if now == before else 0), now
                if quiet > MOST_TURNS // 4:
                    break
            for line in self.lines:
                if line.closed:
                    line.leave()
        finally:
            for logger in handlers:
                logger.removeHandler(self.records)

    async def say(self, line: Line, *parts: bytes) -> None:
        """Send something in parts, each after what the one before has led to."""
        for part in parts:
            for logger in LOGGERS:
                logging.getLogger(logger).addHandler(self.records)
            try:
                line.send(part)
            finally:
                for logger in LOGGERS:
                    logging.getLogger(logger).removeHandler(self.records)
            await self.settle()

    async def open_session(self, line: Line, head: str = "") -> str:
        """Connect a client of Socket.IO, and return the id of its session."""
        await self.say(line, get("", head))
        sid = next(reversed(self.sio.eio.sockets))
        await self.say(line, post(sid, b"40", head))
        await self.say(line, get(sid, head))
        return sid

    async def close(self) -> None:
        """Lose all connections, and end all sessions."""
        for line in self.lines:
            line.leave()
        self.lines.clear()
        await self.sio.eio.disconnect()
        await self.settle()


def comparable(environ: dict[str, Any]) -> dict[str, Any]:
    """Return what two environs of the same request have in common."""
    plain = {key: value for key, value in environ.items() if not callable(value)}
    scope = plain.pop("asgi.scope")
    own = ("app", "router", "state")
    return {**plain, "wsgi.input": None, "scope": {key: value for key, value in scope.items() if key not in own}}


def target(sid: str, query: str = "EIO=4&transport=polling&t=abc") -> str:
    """Return where a client sends its requests."""
    return f"/socket.io/?{query}{f'&sid={sid}' if sid else ''}"


def get(sid: str, head: str = "") -> bytes:
    """Return a poll; *head* is more lines of its head."""
    return f"GET {target(sid)} HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode()


def post(sid: str, body: bytes, head: str = "") -> bytes:
    """Return a POST."""
    lines = f"Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {len(body)}\r\n"
    return f"POST {target(sid)} HTTP/1.1\r\nHost: x\r\n{lines}{head}\r\n".encode() + body
