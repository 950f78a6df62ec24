"""
How a client writes to its server: to a WebSocket in the caller's task as far as that does not wait, else in a task.

While there is no WebSocket, packets wait for the POST of :mod:`.client`. A packet's attachments stay behind it: what is
posted has its place before anybody waits, with :meth:`Outlet.let_write`, for the server to read.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from fastsio.aio.engine.eager import DONE, Rest
from fastsio.engine.client_payload import next_post

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fastsio.engine.packet import WirePacket


class Outlet:
    """
    What goes out to the server.

    Args:
        on_failure: Called with what a write raised.
        high_water_bytes: How much may wait for POSTs before those who send wait.
        high_water_packets: The same in packets.

    Attributes:
        waiting: The packets that nothing has taken yet.
        arrived: Set when one is put there.
    """

    def __init__(
        self, on_failure: Callable[[Exception], None], *, high_water_bytes: int, high_water_packets: int
    ) -> None:
        self._on_failure = on_failure
        self._high_water_bytes = high_water_bytes
        self._high_water_packets = high_water_packets
        #: Bytes for POSTs.
        self._waiting_bytes = 0
        self._is_over = False
        self._released: asyncio.Future[None] | None = None
        self._socket: Any = None
        self._writer: asyncio.Task[None] | None = None
        self.waiting: deque[WirePacket] = deque()
        self.arrived = asyncio.Event()

    def attach(self, socket: Any) -> None:
        """Write to a WebSocket from now on, what waits first."""
        self._socket = socket
        if self.waiting:
            self._finish_in_task(None)
        self._release()

    def detach(self) -> None:
        """Write no more, and forget what waits."""
        self._socket = None
        self._is_over = True
        self.waiting.clear()
        self._release()
        if self._writer is not None:
            self._writer.cancel()

    def post(self, packets: Sequence[WirePacket]) -> None:
        """Send packets in order, at once if the server keeps up, else as soon as it does."""
        if self._socket is None:
            self._waiting_bytes += sum([packet.size for packet in packets])
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

    def next_post(self, max_bytes: int) -> str:
        """Take what one POST may carry; see :func:`~fastsio.engine.client_payload.next_post`."""
        body = next_post(self.waiting, max_bytes)
        self._waiting_bytes = sum([packet.size for packet in self.waiting])
        if not self._is_behind(2):
            self._release()
        return body

    async def let_write(self) -> None:
        """Wait while the server does not read: over a WebSocket until all is written, else until much is posted."""
        while self._socket is None and not self._is_over and self._is_behind(1):
            if self._released is None:
                self._released = asyncio.get_running_loop().create_future()
            await asyncio.wait((self._released,))
        if self._writer is not None:
            await asyncio.wait({self._writer})

    def _is_behind(self, share: int) -> bool:
        """Tell whether more waits than the high-water mark, or a share of it."""
        return (
            self._waiting_bytes * share > self._high_water_bytes or len(self.waiting) * share > self._high_water_packets
        )

    def _release(self) -> None:
        released, self._released = self._released, None
        if released is not None and not released.done():
            released.set_result(None)

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
