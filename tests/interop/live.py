"""A uvicorn server in the tests' own event loop, which can be stopped and started again on the same port."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import uvicorn

from tests.support.ports import HOST, reserve_port
from tests.support.servers import Server
from tests.support.waiting import WAIT_S

#: Options of every server.
OPTIONS: dict[str, Any] = {"log_level": "error", "timeout_graceful_shutdown": 1, "lifespan": "off"}


class LiveServer:
    """
    Serves one application after the other on a free port of the loopback.

    Args:
        ws: uvicorn's option: who serves WebSockets.
    """

    def __init__(self, ws: str) -> None:
        self._ws = ws
        self._reservation = reserve_port()
        self._port: int = self._reservation.getsockname()[1]
        self._app: Any = None
        self._server: Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where the server is."""
        return f"http://{HOST}:{self._port}"

    async def serve(self, app: Any) -> None:
        """Let *app* answer all connections from now on."""
        self._app = app
        if self._server is None:
            await self.start()
        else:
            self._server.config.loaded_app = app

    async def start(self) -> None:
        """Listen, on the same port as before; returns once connections are taken."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, self._port))
        self._server = Server(uvicorn.Config(self._app, ws=self._ws, **OPTIONS))
        self._task = asyncio.create_task(self._server._serve([listener]))
        async with asyncio.timeout(WAIT_S):
            await self._server.ready.wait()

    async def stop(self) -> None:
        """End every connection and stop listening; the port is kept."""
        if self._server is None or self._task is None:
            return
        self._server.stop()
        await self._task
        self._server = self._task = None

    async def close(self) -> None:
        """Stop for good."""
        await self.stop()
        self._reservation.close()
