"""
One Engine.IO session: what waits to be sent, how it is sent, and how the session ends.

The transports that read from the client stand in :mod:`.websocket` and :mod:`.polling`.

**Writing.** ``idle_send`` is the WebSocket's ``send`` while nothing is being written and nothing waits, else None; so
one look tells whether a packet may go out at once. A write is stepped (see :mod:`.stepping`) in the caller's task.
When the peer lags the write waits; then a task finishes it and whatever was posted meanwhile, in order. Nobody who
posts ever waits for a peer, and a cancelled caller cannot tear a packet from its attachments.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fastsio.aio.engine.packet import CLOSE_PACKET, PING_PACKET, ControlPacket, WirePacket
from fastsio.aio.engine.stepping import Rest, step
from fastsio.aio.engine.timers import NEVER
from fastsio.aio.engine.upstream import AsyncSocket

if TYPE_CHECKING:
    from fastsio.aio.engine.links import Link, Send
    from collections.abc import Sequence
    from fastsio.aio.engine.server import EngineServer


class EngineSocket(AsyncSocket):
    """
    A session.

    Args:
        server: The server it belongs to.
        sid: Its Engine.IO session id, a secret of the client.

    Attributes:
        dropped: Packets dropped because the client was too slow.
        handling: True while the message handler runs for this client.
    """

    __slots__ = (
        "accepted",
        "awaiting_pong",
        "buffered_bytes",
        "buffered_count",
        "closed",
        "closing",
        "connected",
        "doomed",
        "drained",
        "dropped",
        "handling",
        "idle_send",
        "pending",
        "poll_waiter",
        "posting",
        "reader",
        "send_event",
        "server",
        "session",
        "sid",
        "timer_key",
        "upgraded",
        "upgrading",
        "warned",
        "writer",
    )

    server: EngineServer

    def __init__(self, server: EngineServer, sid: str) -> None:  # engineio's would create a queue for each client
        self.server = server
        self.sid = sid
        self.session: dict[str, Any] = {}
        self.connected = self.upgrading = self.upgraded = self.closing = self.closed = False
        self.accepted = False
        #: The reason of a close asked for while the connect handler still ran.
        self.doomed: str | None = None
        self.pending: list[WirePacket] | None = None
        self.buffered_bytes = 0
        self.buffered_count = 0
        self.dropped = 0
        self.warned = False
        self.send_event: Send | None = None
        self.idle_send: Send | None = None
        self.writer: asyncio.Task[None] | None = None
        self.reader: asyncio.Task[Any] | None = None
        self.poll_waiter: asyncio.Future[None] | None = None
        self.drained: asyncio.Future[None] | None = None
        self.posting = False
        self.handling = False
        self.awaiting_pong = False
        self.timer_key = NEVER

    # -- sending

    def post(self, packets: Sequence[WirePacket]) -> bool:
        """
        Send packets in order, at once if the client keeps up, else as soon as it does.

        Returns:
            False when the session is over, or its buffer is full and the packets were dropped.
        """
        send = self.idle_send
        if send is None:
            return self._enqueue(packets)
        self.idle_send = None
        written = 0
        try:
            for packet in packets:
                event = {"type": "websocket.send", "bytes" if packet.binary else "text": packet.wire}
                written += 1
                rest = step(send(event))
                if rest is not None:
                    self._finish_in_task(rest, packets[written:])
                    return True
        except Exception as error:  # noqa: BLE001 - each server has its own way to say that the peer is gone
            self._lose(error)
            return False
        if self.pending:
            self._finish_in_task(None, ())
        else:
            self.idle_send = send
        return True

    def post_control(self, packet: ControlPacket) -> None:
        """Send a packet of the transport itself; the buffer's limits do not apply."""
        if self.idle_send is not None:
            self.post((packet,))
        elif not self.closed:
            self._append((packet,), packet.size)

    async def drain(self) -> None:
        """Wait until no more than half of the buffer is in use, or the session is over."""
        while self._is_congested() and not self.closed:
            if self.drained is None:
                self.drained = asyncio.get_running_loop().create_future()
            await asyncio.shield(self.drained)

    def _is_congested(self) -> bool:
        server = self.server
        return self.buffered_bytes * 2 > server.max_buffer_bytes or self.buffered_count * 2 > server.max_buffer_packets

    def _enqueue(self, packets: Sequence[WirePacket]) -> bool:
        if self.closed:
            return False
        size = sum([packet.size for packet in packets])
        server = self.server
        if self.buffered_count and (
            self.buffered_bytes + size > server.max_buffer_bytes
            or self.buffered_count + len(packets) > server.max_buffer_packets
        ):
            return self._overflow(len(packets))
        self._append(packets, size)
        return True

    def _append(self, packets: Sequence[WirePacket], size: int) -> None:
        if self.pending is None:
            self.pending = []
        self.pending.extend(packets)
        self.buffered_bytes += size
        self.buffered_count += len(packets)
        if self.poll_waiter is not None and not self.poll_waiter.done():
            self.poll_waiter.set_result(None)

    def _overflow(self, count: int) -> bool:
        server = self.server
        drops = server.slow_client == "drop"
        if drops:
            self.dropped += count
        if not self.warned:
            self.warned = True
            server.logger.warning(
                "A client is too slow: %d packets, %d bytes wait for it; %s",
                self.buffered_count,
                self.buffered_bytes,
                "new packets are dropped" if drops else "its connection is closed",
            )
            if not drops:
                server.spawn(self.finish(server.reason.TRANSPORT_ERROR, abort=True))
        return False

    def take(self, max_bytes: int) -> list[WirePacket]:
        """Take what waits, in order, up to *max_bytes* but at least one packet."""
        packets = self.pending or []
        count, size = 0, 0
        for packet in packets:
            size += packet.size
            if count and size > max_bytes:
                size -= packet.size
                break
            count += 1
        self.pending = packets[count:] or None
        self.sent(count, size)
        return packets[:count]

    def sent(self, count: int, size: int) -> None:
        """Account for packets that left the buffer."""
        self.buffered_count -= count
        self.buffered_bytes -= size
        if self.drained is not None and not self._is_congested():
            self._release_drained()

    def _release_drained(self) -> None:
        if self.drained is not None:
            if not self.drained.done():
                self.drained.set_result(None)
            self.drained = None

    # -- writing to a WebSocket

    def attach(self, link: Link) -> None:
        """Make *link* the way to the client, and write what waits."""
        self.send_event = link.send
        self.reader = asyncio.current_task()
        if self.pending:
            self._finish_in_task(None, ())
        else:
            self.idle_send = link.send

    def _finish_in_task(self, rest: Rest | None, packets: Sequence[WirePacket]) -> None:
        if packets:
            behind, self.pending = self.pending, list(packets)
            self.buffered_count += len(packets)
            self.buffered_bytes += sum([packet.size for packet in packets])
            if behind:
                self.pending += behind
        self.writer = self.server.spawn(self._write(rest))

    async def _write(self, rest: Rest | None) -> None:
        send = self.send_event
        assert send is not None  # noqa: S101 - only a session with a WebSocket writes
        try:
            if rest is not None:
                await rest
            while self.pending:
                batch, self.pending = self.pending, None
                for packet in batch:
                    await send({"type": "websocket.send", "bytes" if packet.binary else "text": packet.wire})
                    self.sent(1, packet.size)
        except Exception as error:  # noqa: BLE001 - each server has its own way to say that the peer is gone
            self._lose(error)
        else:
            if self.send_event is not None:
                self.idle_send = send
        finally:
            self.writer = None

    def _lose(self, error: Exception) -> None:
        """A write failed: the peer is gone."""
        self.server.logger.debug("A write failed, the client is gone: %r", error)
        self.send_event = self.idle_send = None
        self.server.spawn(self.finish(self.server.reason.TRANSPORT_CLOSE, abort=True))

    # -- heartbeat

    def start_heartbeat(self) -> None:
        """Schedule the next ping."""
        self.awaiting_pong = False
        self.server.deadlines.set(self, self.server.ping_interval)

    def on_pong(self) -> None:
        """Schedule the next ping if this pong answers one; others start nothing."""
        if self.awaiting_pong:
            self.start_heartbeat()

    async def on_deadline(self) -> None:
        """Send the ping that is due, or end the session whose pong is overdue."""
        if self.closing:
            return
        server = self.server
        if not self.awaiting_pong:
            self.awaiting_pong = True
            server.deadlines.set(self, server.ping_timeout)
            self.post_control(PING_PACKET)
        elif not server.start_service_task or (self.handling and self.writer is None):
            # The pong may stand behind the message that is being handled; it is read when the handler returns.
            server.deadlines.set(self, server.ping_timeout)
        else:
            server.logger.info("A client did not answer a ping in time, closing its session")
            server.spawn(self.finish(server.reason.PING_TIMEOUT))

    # -- the end

    async def close(self, wait: bool = True, abort: bool = False, reason: str | None = None) -> None:  # noqa: ARG002 - engineio's signature
        """End the session; engineio's name for :meth:`finish`."""
        await self.finish(reason or self.server.reason.SERVER_DISCONNECT, abort=abort)

    async def finish(self, reason: str, *, abort: bool = False) -> None:
        """
        End the session: run the disconnect handler, tell the client, free everything. Only the first call counts.

        Args:
            reason: What the disconnect handler gets.
            abort: True when the client is gone or must not be told.
        """
        if self.closing:
            return
        if not self.accepted:
            self.doomed = self.doomed or reason
            return
        self.closing = True
        server = self.server
        server.deadlines.clear(self)
        if self.writer is not None and (abort or reason == server.reason.PING_TIMEOUT):
            self.writer.cancel()
        # In a task of its own, so that a cancelled caller (a request that is gone) does not cancel the application.
        await asyncio.shield(server.spawn(server.run_disconnect(self.sid, reason)))
        if not abort:
            self.post_control(CLOSE_PACKET)
        self.closed = True
        server.sockets.pop(self.sid, None)
        self._release_drained()
        self.end_poll()
        self._stop_reader()

    def end_poll(self) -> None:
        """Have a pending poll answer now."""
        if self.poll_waiter is not None and not self.poll_waiter.done():
            self.poll_waiter.set_result(None)

    def _stop_reader(self) -> None:
        """Wake the task that reads from the WebSocket, unless it is busy with a message (then it looks itself)."""
        reader = self.reader
        if reader is not None and not self.handling and reader is not asyncio.current_task():
            reader.cancel()
