"""The WebSocket of a test client, on which frames can be held back, delayed and lost."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from fastsio.testing.communicator import WebsocketCommunicator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Event = dict[str, Any]

#: The close code of a WebSocket that ended without a closing handshake (RFC 6455, 7.1.5).
ABNORMAL_CLOSURE: Final = 1006


class Wire(WebsocketCommunicator):
    """
    A WebSocket in memory. As on TCP, frames of one direction never overtake each other.

    Args:
        app: The ASGI application.
        path: The path, with its query.
        headers: Headers of the handshake.
        delay: Returns for how many seconds a frame that is sent now travels.

    Attributes:
        eio_sid: The Engine.IO session id, once the client knows it.
    """

    def __init__(self, app: Any, path: str, headers: Iterable[tuple[bytes, bytes]], delay: Callable[[], float]) -> None:
        super().__init__(app, path, headers)
        self.eio_sid = ""
        self._delay = delay
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._is_lost = asyncio.Event()
        #: When the frames that are under way arrive, by the clock of the loop.
        self._to_server: deque[float] = deque()
        self._to_client: deque[float] = deque()
        #: The event that was taken for the application, which stopped waiting for it.
        self._arriving: Event | None = None

    def freeze(self) -> None:
        """Read nothing more: the application's next frame is not taken."""
        self._may_read.clear()

    def thaw(self) -> None:
        """Read again."""
        self._may_read.set()

    async def lose(self, within_s: float) -> None:
        """Lose the connection, with the frames that are under way, and wait until the application has ended."""
        self._is_lost.set()
        self._may_read.set()
        await self.disconnect(ABNORMAL_CLOSURE, within_s)

    def write(self, frames: Iterable[str | bytes]) -> None:
        """Send frames."""
        self._raise_failure()
        for frame in frames:
            self._to_server.append(self._arrival())
            kind = "text" if isinstance(frame, str) else "bytes"
            self._to_application.put_nowait({"type": "websocket.receive", kind: frame})

    async def next_frame(self) -> str | bytes | None:
        """Return the next frame once it has arrived and the client reads; None at the end of the connection."""
        frame = await super().next_frame()
        if frame is not None:
            await self._arrives(self._to_client.popleft())
        await self._may_read.wait()
        return frame

    async def _serve(self, receive: Any, send: Any) -> None:
        """Run the application, with what is between it and the client."""

        async def read() -> Event:
            while True:
                event: Event = self._arriving or await receive()
                if event["type"] != "websocket.receive":
                    return event
                self._arriving = event
                has_arrived = await self._arrives(self._to_server[0])
                self._arriving = None
                self._to_server.popleft()
                if has_arrived:
                    return event

        async def write(event: Event) -> None:
            if event["type"] == "websocket.send":
                if not self._may_read.is_set():
                    await self._may_read.wait()
                if self._is_lost.is_set():
                    return
                self._to_client.append(self._arrival())
            await send(event)

        await self.application(self.scope, read, write)

    def _arrival(self) -> float:
        delay_s = self._delay()
        return asyncio.get_running_loop().time() + delay_s if delay_s else 0.0

    async def _arrives(self, at: float) -> bool:
        """Wait until a frame has arrived; False if it is lost with the connection."""
        left_s = at - asyncio.get_running_loop().time()
        if left_s <= 0:
            return True
        with suppress(asyncio.TimeoutError):
            async with asyncio.timeout(left_s):
                await self._is_lost.wait()
        return not self._is_lost.is_set()
