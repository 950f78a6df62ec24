"""People in chat rooms: WebSockets to an application in the test's process."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastsio.consumers import WebsocketRouter
from fastsio.testing import WebsocketCommunicator
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Person(WebsocketCommunicator):
    """A patient client that can say what it hears."""

    async def receive_output(self, timeout: float = 1) -> dict[str, Any]:  # noqa: ASYNC109 - as its parent has it
        """Return the next message to the server."""
        return await super().receive_output(max(timeout, WAIT_S))

    async def wait(self, timeout: float = 1) -> None:  # noqa: ASYNC109 - as its parent has it
        """Wait until the application has ended."""
        await super().wait(max(timeout, WAIT_S))

    async def hears(self, count: int = 1) -> list[str]:
        """Return the next *count* frames, and fail if there is not as much."""
        return [str(await self.receive_from()) for _ in range(count)]

    async def hears_json(self, count: int = 1) -> list[Any]:
        """Return the next *count* frames, decoded."""
        return [json.loads(frame) for frame in await self.hears(count)]

    async def reads(self, count: int = 1) -> list[str]:
        """Return the texts of the next *count* messages of a room."""
        return [frame["payload"]["message"] for frame in await self.hears_json(count)]

    def pending(self) -> int:
        """Return how many frames wait to be read."""
        return self._from_application.qsize()


def room_app(consumer: Any, path: str = "/ws/room/{room_name}") -> WebsocketRouter:
    """Return an application with one consumer."""
    router = WebsocketRouter()
    router.add_websocket_route(path, consumer.as_asgi())
    return router


@asynccontextmanager
async def present(app: Any, *paths: str, **options: Any) -> AsyncIterator[list[Person]]:
    """Connect a person for each path; whoever still is there leaves at the end."""
    people = [Person(app, path, **options) for path in paths]
    try:
        for person in people:
            await person.__aenter__()
        yield people
    finally:
        for person in people:
            if person._running is not None and not person._running.done():
                await person.disconnect()
