"""A uvicorn server in the test's own event loop, which can be stopped and started again on the same port."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import uvicorn

#: Options of every server.
OPTIONS: dict[str, Any] = {"log_level": "error", "timeout_graceful_shutdown": 1, "lifespan": "on"}


class _Uvicorn(uvicorn.Server):
    """A uvicorn that says when it listens and leaves the test's signal handlers alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self):
        yield


class LiveServer:
    """
    An ASGI application on a free port of the loopback.

    Args:
        app: The application.
        port: The port; 0 takes a free one at the first start and keeps it.
    """

    def __init__(self, app: Any, *, port: int = 0) -> None:
        self._app = app
        self.port = port
        self._server: _Uvicorn | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where the server is."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen; returns once connections are taken."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(self._app, **OPTIONS)
        self._server = _Uvicorn(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))
        async with asyncio.timeout(5):
            await self._server.listening.wait()

    async def stop(self) -> None:
        """End every connection and stop listening."""
        if self._server is None or self._task is None:
            return
        self._server.should_exit = True
        await self._task
        self._server = self._task = None
