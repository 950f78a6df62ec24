"""
The writer of a client: it writes to a WebSocket in the caller's task, and in a task of its own if that would wait.

While there is no WebSocket, packets wait for the POST of :mod:`.client`. A packet's attachments stay behind it:
:meth:`Outlet.post` gives all of them their place, before the caller waits in :meth:`Outlet.wait_for_room`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from fastsio.aio.engine.eager import DONE, Rest
from fastsio.engine.payload import next_post

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fastsio.engine.packet import WirePacket

current: Final = asyncio.current_task
#: The end of a connection.
End: Final = asyncio.Event


class Outlet:
    """The packets that go out to the server over one connection; *on_failure* gets the exception of a write."""

    def __init__(
        self, on_failure: Callable[[Exception], None], *, high_water_bytes: int, high_water_packets: int
    ) -> None:
        self._on_failure = on_failure
        self._high_water_bytes = high_water_bytes
        self._high_water_packets = high_water_packets
        #: Bytes for POSTs.
        self._waiting_bytes = 0
        self._is_closed = self._is_over = self._is_claimed = False
        self._released: asyncio.Future[None] | None = None
        self._socket: Any = None
        self._writer: asyncio.Task[None] | None = None
        self.waiting: deque[WirePacket] = deque()
        #: Set when a packet waits, or the connection is closed.
        self._arrived = asyncio.Event()

    async def write_to(self, socket: Any) -> None:
        """Write to a WebSocket from now on, what waits first."""
        self._socket = socket
        if self.waiting:
            self._finish_in_task(None)
        self._release()

    def close(self) -> None:
        """Accept no more packets; those that wait are still written."""
        self._is_closed = True
        self._arrived.set()

    def end(self) -> None:
        """Write no more, and drop the packets that wait."""
        self._socket = None
        self._is_over = True
        self.waiting.clear()
        self.close()
        self._release()
        if self._writer is not None:
            self._writer.cancel()

    def claim_end(self) -> bool:
        """Return True to the first caller, which then ends the connection."""
        is_claimed, self._is_claimed = self._is_claimed, True
        return not is_claimed

    def post(self, packets: Sequence[WirePacket]) -> None:
        """Send packets in order, at once if the server keeps up, else as soon as it does."""
        if self._socket is None:
            self._waiting_bytes += sum([packet.size for packet in packets])
        if self._socket is None or self._writer is not None:
            self.waiting.extend(packets)
            self._arrived.set()
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

    async def next_post(self, max_bytes: int) -> bytes | None:
        """Wait for what one POST may carry, and take it; None once the connection is closed and nothing waits."""
        while not self.waiting:
            if self._is_closed:
                return None
            self._arrived.clear()
            await self._arrived.wait()
        body = next_post(self.waiting, max_bytes)
        self._waiting_bytes = sum([packet.size for packet in self.waiting])
        if not self._is_behind(2):
            self._release()
        return body.encode()

    async def wait_for_room(self) -> None:
        """Wait while the server is behind: until all is written to a WebSocket, or few packets wait for POSTs."""
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


async def join(task: asyncio.Task[Any] | None, timeout_s: float | None = None) -> None:
    """Wait for the end of a task, unless it is the current one."""
    if task is not None and task is not asyncio.current_task() and not task.done():
        await asyncio.wait({task}, timeout=timeout_s)
