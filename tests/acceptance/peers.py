"""A python-socketio client that keeps what it hears, and the snippets of snippets.md as namespaces."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import socketio

from tests.docs.snippets import snippets
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FENCE = "fence"
SNIPPETS = [snippet.code for snippet in snippets(Path(__file__).with_name("snippets.md"), "python")]


def run_snippet(number: int, **missing: Any) -> dict[str, Any]:
    """Execute snippet *number*, counted from 1, with the names it leaves undefined; return its names."""
    names = {"__name__": f"snippet_{number}", **missing}
    exec(compile(SNIPPETS[number - 1], f"snippet {number}", "exec"), names)  # noqa: S102 - our own text
    return names


class Peer:
    """
    A connected client.

    Args:
        client: The python-socketio client.
        namespaces: The namespaces whose events are kept.
    """

    def __init__(self, client: socketio.AsyncClient, namespaces: list[str]) -> None:
        self.client = client
        self._heard: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
        for namespace in namespaces:
            client.on("*", self._keep, namespace=namespace)

    async def _keep(self, *heard: Any) -> None:
        self._heard.put_nowait(heard)

    def sid(self, namespace: str = "/") -> str:
        """Return the sid the server knows this client by."""
        return self.client.get_sid(namespace)

    async def emit(self, event: str, data: Any = None, *, namespace: str = "/") -> None:
        """Send an event and ask for no acknowledgement."""
        await self.client.emit(event, data, namespace=namespace)

    async def call(self, event: str, data: Any = None, *, namespace: str = "/") -> Any:
        """Send an event and return the acknowledgement."""
        return await self.client.call(event, data, namespace=namespace, timeout=WAIT_S)

    async def next(self) -> tuple[Any, ...]:
        """Return the next event that was heard: its name and arguments."""
        return await asyncio.wait_for(self._heard.get(), WAIT_S)

    async def heard_until_fence(self, sio: Any, *, namespace: str = "/") -> list[tuple[Any, ...]]:
        """Return what arrives before an event the server sends now: everything it had sent until here."""
        await sio.emit(FENCE, to=self.sid(namespace), namespace=namespace)
        heard = [await self.next()]
        while heard[-1][0] != FENCE:
            heard.append(await self.next())
        return heard[:-1]


@asynccontextmanager
async def connected(
    url: str, *namespaces: str, transports: list[str] | None = None, serializer: Any = "default", **options: Any
) -> AsyncIterator[Peer]:
    """Connect a client, to ``/`` unless told otherwise, for the block."""
    names = list(namespaces) or ["/"]
    async with aiohttp.ClientSession() as http_session:
        client = socketio.AsyncClient(reconnection=False, serializer=serializer, http_session=http_session)
        peer = Peer(client, names)
        await client.connect(
            url, namespaces=names, transports=transports or ["websocket"], wait_timeout=WAIT_S, **options
        )
        try:
            yield peer
        finally:
            await client.disconnect()
