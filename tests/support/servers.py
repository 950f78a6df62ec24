"""Start real servers in the test's process, on a free port of the loopback interface."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import uvicorn

from tests.support.waiting import START_S, WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from websockets.asyncio.client import ClientConnection

#: Options of every server, under those that a test gives.
OPTIONS: dict[str, Any] = {"lifespan": "auto", "log_level": "warning", "timeout_graceful_shutdown": 2}
#: The value of ``ws`` for fastsio's own protocol.
FAST_WS = "fastsio.integrations.uvicorn:WebSocketProtocol"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a started server listens."""

    host: str
    port: int

    @property
    def http(self) -> str:
        """The base URL for HTTP, without a slash at the end."""
        return f"http://{self.host}:{self.port}"

    @property
    def ws(self) -> str:
        """The base URL for WebSocket, without a slash at the end."""
        return f"ws://{self.host}:{self.port}"


class Server(uvicorn.Server):
    """A uvicorn that says when it accepts connections, stops at once, and leaves the signals to pytest."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self.leave = asyncio.Event()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self.leave.wait()

    def stop(self) -> None:
        """Close the connections and stop listening."""
        self.should_exit = True
        self.leave.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@asynccontextmanager
async def serve(app: Any, **options: Any) -> AsyncIterator[Address]:
    """
    Run an ASGI application under uvicorn for the length of the block.

    Args:
        app: The application.
        options: Further options of ``uvicorn.Config``.
    """
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    async with serve_on(listener, app, **options):
        yield Address(*listener.getsockname())


@asynccontextmanager
async def serve_on(listener: socket.socket, app: Any, **options: Any) -> AsyncIterator[None]:
    """Serve likewise on a socket of any family, which is closed with the block."""
    server = Server(uvicorn.Config(app, **{**OPTIONS, **options}))
    running = asyncio.create_task(server._serve([listener]))
    ready = asyncio.create_task(server.ready.wait())
    try:
        await asyncio.wait({running, ready}, timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
        if not server.started:
            raise RuntimeError("uvicorn did not start")
        yield
    finally:
        ready.cancel()
        server.stop()
        await asyncio.wait_for(running, WAIT_S)
        listener.close()


def is_fast(websocket: ClientConnection) -> bool:
    """Tell whether picows frames: a client that offers compression gets it from uvicorn's own protocol only."""
    assert websocket.request is not None
    assert websocket.response is not None
    assert "Sec-WebSocket-Extensions" in websocket.request.headers
    return "Sec-WebSocket-Extensions" not in websocket.response.headers
