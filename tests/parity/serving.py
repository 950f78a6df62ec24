"""
uvicorn for the parity suite, in the test's own event loop.

``tests.support.servers`` hands uvicorn a socket of protocol 0, on which asyncio does not set TCP_NODELAY: answers then
wait up to 40 ms for the client's delayed TCP acknowledgement, longer than a scenario waits for the end of all movement.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import uvicorn

from tests.support.waiting import START_S

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator


class Server(uvicorn.Server):
    """A uvicorn that says when it accepts connections."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Bind, then tell."""
        await super().startup(sockets)
        self.ready.set()


class Site:
    """
    A running server whose application each scenario sets.

    Args:
        config: Of the server. The application is set in it rather than called by another one, so that the fast transport
            finds it.
        address: ``host:port`` where it listens.
    """

    def __init__(self, config: uvicorn.Config, address: str) -> None:
        self._config = config
        self.address = address

    def serve(self, app: Any) -> None:
        """Let *app* answer all connections from now on."""
        self._config.loaded_app = app


async def _nothing(_scope: Any, _receive: Any, _send: Any) -> None:
    """Stand where an application must be."""


@asynccontextmanager
async def serving(ws: str) -> AsyncIterator[Site]:
    """Run a server on a free port for the length of the block; *ws* is uvicorn's option."""
    config = uvicorn.Config(_nothing, port=0, lifespan="off", log_level="critical", ws=ws)
    server = Server(config)
    running = asyncio.create_task(server.serve())
    await asyncio.wait_for(server.ready.wait(), START_S)
    host, port = server.servers[0].sockets[0].getsockname()
    try:
        yield Site(config, f"{host}:{port}")
    finally:
        server.should_exit = True
        await running
