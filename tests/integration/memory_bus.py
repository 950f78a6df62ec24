"""A bus without a broker, with a manager on it as applications write them for python-socketio."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

import fastsio
from tests.shells.aio.fake_engine import Wire, turns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

#: A message of another server, as it is on the bus.
GOOD = json.dumps({"method": "emit", "event": "good", "data": [1], "namespace": "/", "host_id": "other"})


class Breakdown(Exception):  # noqa: N818 - says what happened
    """The bus broke."""


class MemoryBus:
    """
    Carries text from any publisher to all listeners.

    Attributes:
        published: The messages, in order.
        failures: What the next attempts to publish raise.
        is_hanging: Whether publishing takes for ever.
        refuses: Whether nobody can listen.
        entered: How often somebody tried to listen.
    """

    def __init__(self) -> None:
        self.published: list[dict[str, Any]] = []
        self.failures: list[Exception] = []
        self.is_hanging = False
        self.refuses = False
        self.entered = 0
        self._queues: list[asyncio.Queue[Any]] = []

    async def publish(self, text: str) -> None:
        """Hand a message to all listeners."""
        if self.is_hanging:
            await asyncio.Event().wait()
        if self.failures:
            raise self.failures.pop(0)
        self.published.append(json.loads(text))
        self.inject(text)

    def inject(self, item: Any) -> None:
        """Make all listeners receive something; an exception breaks their connections."""
        for queue in self._queues:
            queue.put_nowait(item)

    async def listen(self, on_listening: Callable[[], None] | None = None) -> AsyncIterator[Any]:
        """Yield messages until the connection breaks; *on_listening* is called when none is missed any more."""
        self.entered += 1
        if self.refuses:
            raise Breakdown("refused")
        queue: asyncio.Queue[Any] = asyncio.Queue()
        self._queues.append(queue)
        if on_listening is not None:
            on_listening()
        try:
            while True:
                item = await queue.get()
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self._queues.remove(queue)

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._queues)

    def methods(self) -> list[str]:
        """Return what was published, by method."""
        return [message["method"] for message in self.published]


class MemoryManager(fastsio.AsyncPubSubManager):
    """Written for python-socketio: knows nothing of fastsio."""

    name = "memory"

    def __init__(self, bus: MemoryBus, channel: str = "socketio", write_only: bool = False, logger: Any = None) -> None:
        super().__init__(channel=channel, write_only=write_only, logger=logger)
        self.bus = bus

    async def _publish(self, data: dict[str, Any]) -> None:
        self._get_logger().debug("publishing")
        await self.bus.publish(json.dumps(data))

    async def _listen(self) -> AsyncIterator[Any]:
        async for message in self.bus.listen():
            yield message


class Node(Wire):
    """A server on the bus, with a fake Engine.IO whose sids nobody else has."""

    def __init__(self, server: fastsio.AsyncServer, name: str) -> None:
        super().__init__(server)
        self.name = name

    def generate_id(self) -> str:
        """Return a new sid."""
        return f"{self.name}-{super().generate_id()}"

    def start_background_task(self, target: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> asyncio.Task[Any]:
        """Start a task."""
        return asyncio.get_running_loop().create_task(target(*args))

    @property
    def manager(self) -> MemoryManager:
        """The manager of the server."""
        manager: MemoryManager = self.server.manager
        return manager


def make_node(bus: MemoryBus, name: str, **options: Any) -> Node:
    """Make a server on the bus that logs to ``tests.socketio``."""
    logger = logging.getLogger("tests.socketio")
    logger.setLevel(logging.INFO)
    options.setdefault("client_manager", MemoryManager(bus))
    server = fastsio.AsyncServer(async_mode="asgi", logger=logger, **options)
    return Node(server, name)


async def quiet(*clients: Any) -> None:
    """Make sure that nothing is on its way to *clients*."""
    await turns()
    assert [client.frames for client in clients] == [[] for _ in clients]
