"""
How a client writes to its server: to a WebSocket in the caller's task as far as that does not wait, else in a task.

While there is no WebSocket, packets wait for the POST of :mod:`.client`. So nobody who posts waits for the server, and
a packet's attachments stay behind it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from fastsio.aio.engine.stepping import DONE, Rest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fastsio.engine.packet import WirePacket


class Outlet:
    """
    What goes out to the server.

    Args:
        on_failure: Called with what a write raised.

    Attributes:
        waiting: The packets that nothing has taken yet.
        arrived: Set when one is put there.
    """

    def __init__(self, on_failure: Callable[[Exception], None]) -> None:
        self._on_failure = on_failure
        self._socket: Any = None
        self._writer: asyncio.Task[None] | None = None
        self.waiting: deque[WirePacket] = deque()
        self.arrived = asyncio.Event()

    def attach(self, socket: Any) -> None:
        """Write to a WebSocket from now on, what waits first."""
        self._socket = socket
        if self.waiting:
            self._finish_in_task(None)

    def detach(self) -> None:
        """Write no more, and forget what waits."""
        self._socket = None
        self.waiting.clear()
        if self._writer is not None:
            self._writer.cancel()

    def post(self, packets: Sequence[WirePacket]) -> None:
        """Send packets in order, at once if the server keeps up, else as soon as it does."""
        if self._socket is None or self._writer is not None:
            self.waiting.extend(packets)
            self.arrived.set()
            return
        for number, packet in enumerate(packets, 1):
            iterator = self._send(packet).__await__()
            try:
                waited = next(iterator, DONE)
            except Exception as error:  # noqa: BLE001 - aiohttp has several ways to say that the server is gone
                self._on_failure(error)
                return
            if waited is not DONE:
                self.waiting.extend(packets[number:])
                self._finish_in_task(Rest(iterator, waited))
                return

    async def drained(self, timeout_s: float | None = None) -> None:
        """Wait until nothing waits for the server to read any more."""
        if self._writer is not None:
            await asyncio.wait({self._writer}, timeout=timeout_s)

    def _send(self, packet: WirePacket) -> Any:
        if packet.binary:
            return self._socket.send_bytes(packet.wire)
        return self._socket.send_str(packet.wire)

    def _finish_in_task(self, rest: Rest | None) -> None:
        self._writer = asyncio.create_task(self._finish(rest))

    async def _finish(self, rest: Rest | None) -> None:
        try:
            if rest is not None:
                await rest
            while self.waiting and self._socket is not None:
                await self._send(self.waiting.popleft())
        except Exception as error:  # noqa: BLE001 - as in post()
            self._on_failure(error)
        finally:
            self._writer = None
