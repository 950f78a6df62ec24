"""
How the packets of one Engine.IO session go out, with asyncio.

**Writing.** ``idle_send`` is the WebSocket's ``send`` while nothing is being written and nothing waits, else None: one
look tells whether a packet may go out at once. It is then stepped (see :mod:`.eager`) in the caller's task. When the
peer lags and the write has to wait, a task finishes it and whatever is posted meanwhile, in order. So a cancelled
caller cannot tear a packet from its attachments. A direct link writes packets itself, as long as the peer does not lag.

**Waiting.** What is posted is in the buffer, in its place, before anybody waits: :meth:`Outbox.let_read` only
keeps the caller from posting more while the client is behind. How long is decided in :mod:`fastsio.engine.congestion`.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Protocol

from fastsio.aio.engine.eager import DONE, NOTHING, Rest
from fastsio.aio.engine.links import DirectLink, send_as_text, trace_frames
from fastsio.engine.frames import SHORT, SHORT_HEADS, TEXT, frame
from fastsio.engine.packet import NOOP_PACKET, ControlPacket, MessagePacket, WirePacket, join_frames
from fastsio.engine.session import UPGRADE_CHECK_S, Move, SessionState, Transport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from fastsio.aio.engine.links import AnyLink, Send

#: The heads of text frames that are short, which are most, by their length: looked up here without a call.
SHORT_TEXT_HEADS: Final = SHORT_HEADS[TEXT]


class Cancellable(Protocol):
    """What reads from a WebSocket."""

    def cancel(self) -> object:
        """Have it notice that the session is over."""


class Outbox(SessionState):
    """
    A session that sends, and what a session has with asyncio alone.

    Args:
        server: The server it belongs to.
        sid: Its Engine.IO session id.

    Attributes:
        body_reader: The task that reads the body of a POST, which nobody wants once the session is over.
        direct_link: The link, if it tells how much of what was written the network has not taken.
        has_progressed: True once a message that was waited for was handled, until the heartbeat looks.
        idle_send: What writes an event, while nothing is being written and nothing waits.
        is_given_up: True once the message handler has had its time after the client was gone; it is cancelled.
        is_limited: True once the message handler has its last while.
        poll_waiter: What a poll waits for; None while none does.
        post_waiter: What an upgrade waits for until a POST is taken.
        reader: What reads from the WebSocket.
        send_event: What writes an event.
        user_session: What the application keeps with the Engine.IO server; None while that is nothing.
        write_now: What writes frames without waiting, if the link can.
        write_shared: The same for the frames of a broadcast.
        writer: The task that finishes a write that has to wait.
    """

    __slots__ = (
        "body_reader",
        "direct_link",
        "has_progressed",
        "idle_send",
        "is_given_up",
        "is_limited",
        "poll_waiter",
        "post_waiter",
        "reader",
        "send_event",
        "user_session",
        "write_now",
        "write_shared",
        "writer",
    )

    clock = staticmethod(monotonic)

    def __init__(self, server: Any, sid: str) -> None:
        super().__init__(server, sid)
        self.user_session: dict[str, Any] | None = None
        self.has_progressed = self.is_limited = self.is_given_up = False
        self.send_event: Send | None = None
        self.idle_send: Send | None = None
        self.write_now: Callable[[bytes], bool] | None = None
        self.write_shared: Callable[[bytes], bool] | None = None
        self.direct_link: DirectLink | None = None
        self.writer: asyncio.Task[None] | None = None
        self.reader: Cancellable | None = None
        self.body_reader: asyncio.Task[Any] | None = None
        self.poll_waiter: asyncio.Future[None] | None = None
        self.post_waiter: asyncio.Future[None] | None = None

    # Sending.

    def post(self, packets: Sequence[WirePacket], waits: bool = False) -> bool:
        """
        Send packets in order, at once if the client keeps up, else as soon as it does.

        Args:
            packets: What to send.
            waits: Whether the caller waits afterwards, with :meth:`let_read`.

        Returns:
            False when the session is over, or its buffer is full and the packets were dropped.
        """
        send = self.idle_send
        if send is None:
            return self._enqueue(packets, waits)
        write_now = self.write_now
        if write_now is not None:
            if not write_now(join_frames(packets)):
                self.idle_send = None
                self._finish_in_task(None, packets)
            return True
        self.idle_send = None
        written = 0
        try:
            for packet in packets:
                event = {"type": "websocket.send", "bytes" if packet.binary else "text": packet.wire}
                iterator = send(event).__await__()
                waited = next(iterator, DONE)
                written += 1
                if waited is not DONE:
                    self._finish_in_task(Rest(iterator, waited), packets[written:])
                    return True
        except Exception as error:  # noqa: BLE001 - each server has its own way to say that the peer is gone
            self._lose(error)
            return False
        if self.pending:
            self._finish_in_task(None, ())
        else:
            self.idle_send = send
        return True

    def write_text(self, text: str) -> Awaitable[None] | None:
        """
        Send a message of text as :meth:`post` does. A client on a direct link gets its frame without a packet.

        Returns:
            What to await to wait while the client is behind and reads; None when it is not behind.
        """
        if self.idle_send is not None:
            write_now = self.write_now
            if write_now is not None:
                payload = b"4" + text.encode("utf-8", "replace")
                size = len(payload)
                if write_now(SHORT_TEXT_HEADS[size] + payload if size <= SHORT else frame(TEXT, payload)):
                    return None
        self.post((MessagePacket(text),), True)
        return None if self.congestion is None else self.let_read()

    def write(self, packets: Sequence[WirePacket]) -> Awaitable[None]:
        """Send packets as :meth:`post` does; await the result to wait while the client is behind and reads."""
        self.post(packets, True)
        return NOTHING if self.congestion is None else self.let_read()

    def post_control(self, packet: ControlPacket) -> None:
        """Send a packet of the transport itself; the buffer's limits do not apply."""
        if self.idle_send is not None:
            self.post((packet,))
        elif not self.closed:
            self.append((packet,), packet.size)
            self.end_poll()

    async def let_read(self, *, is_shared: bool = False) -> None:
        """
        Wait until the client has caught up, as long as it reads; one that does not is treated by ``slow_client``.

        Args:
            is_shared: Whether others wait for the same call. Then slow reading counts as none.
        """
        while (left_s := self.pause_s(is_shared=is_shared)) > 0 and (congestion := self.congestion) is not None:
            if congestion.released is None:
                congestion.released = asyncio.get_running_loop().create_future()
            await asyncio.wait((congestion.released,), timeout=left_s)
        congestion = self.congestion
        if congestion is not None and congestion.is_refused:
            self.treat_as_slow()

    def wake(self, released: asyncio.Future[None]) -> None:
        """Wake those who wait for the client."""
        if not released.done():
            released.set_result(None)

    def unsent(self) -> int | None:
        """Return how many bytes were written that the network has not taken yet, if the link is a direct one."""
        return None if self.direct_link is None else self.direct_link.unsent()

    def _enqueue(self, packets: Sequence[WirePacket], waits: bool) -> bool:
        if self.closed:
            return False
        size = sum([packet.size for packet in packets])
        if not self.has_room(len(packets), size, waits=waits):
            self.treat_as_slow()
            return False
        self.append(packets, size)
        self.end_poll()
        return True

    # Writing to a WebSocket.

    def attach(self, link: AnyLink) -> None:
        """Make *link* the way to the client, and write what waits."""
        self.move(Move.SWITCH)
        send, server = link.send, self.server
        direct = self.direct_link = link if isinstance(link, DirectLink) else None
        if self.frames_base64 or server.is_traced:
            if self.frames_base64:
                send = send_as_text(send)
            if server.is_traced:
                send = trace_frames(send, self.sid, server.logger)
        elif direct is not None:
            self.write_now = direct.write
            self.write_shared = self._shared_writer(direct)
        self.send_event = self.idle_send = send
        if self.pending:
            self.post(self.cut_all())

    def _shared_writer(self, link: DirectLink) -> Callable[[bytes], bool] | None:
        """Return what writes the frames of a broadcast, if they are the same for this client as for others."""
        return link.write_at_once

    async def detach(self) -> None:
        """Write no more once what is being written is out."""
        if self.writer is not None:
            await asyncio.wait([self.writer])
        self.send_event = self.idle_send = self.direct_link = None

    def lose_link(self) -> None:
        """Note that the peer closed the WebSocket: nothing can be written any more."""
        self.send_event = self.idle_send = self.direct_link = None
        self.stop_writing()

    def stop_writing(self) -> None:
        """Give up on what is being written: the peer does not read."""
        if self.writer is not None:
            self.writer.cancel()

    def _finish_in_task(self, rest: Rest | None, packets: Sequence[WirePacket]) -> None:
        if packets:
            self.pending = [*packets, *(self.pending or ())]
            self.arrived(len(packets), sum([packet.size for packet in packets]))
        self.writer = self.server.spawn(self._write(rest))

    async def _write(self, rest: Rest | None) -> None:
        """Finish a write that had to wait, then write what was posted meanwhile."""
        try:
            if rest is not None:
                await rest
            while self.pending and self.send_event is not None:
                batch, self.pending = self.pending, None
                for packet in batch:
                    await self.send_event({"type": "websocket.send", "bytes" if packet.binary else "text": packet.wire})
                    self.left(1, packet.size)
        except Exception as error:  # noqa: BLE001 - each server has its own way to say that the peer is gone
            self._lose(error)
        else:
            self.idle_send = self.send_event
        finally:
            self.writer = None

    def _lose(self, error: Exception) -> None:
        """End the session after a failed write."""
        self.server.logger.debug("A write failed, the client is gone: %r", error)
        self.send_event = self.idle_send = self.direct_link = None
        self.finish_later(self.server.reason.TRANSPORT_CLOSE)

    # Polls.

    def end_poll(self) -> None:
        """Have a pending poll answer now."""
        if self.poll_waiter is not None and not self.poll_waiter.done():
            self.poll_waiter.set_result(None)

    shut = end_poll

    async def see_upgrade_decided(self) -> None:
        """
        Wait a moment for the end of an upgrade that is under way.

        The frame that completes it may have arrived before the poll and not have been read. A poll that the client
        needs an answer to before it completes the upgrade is answered within this time, as by the JavaScript server.
        """
        if self.poll_waiter is not None or self.transport is not Transport.UPGRADING:
            return
        try:
            async with asyncio.timeout(UPGRADE_CHECK_S):
                while self.transport is Transport.UPGRADING and not self.closed:
                    await self._wait_as_poll()
        except TimeoutError:
            return

    async def wait_for_packets(self) -> bool:
        """Wait until a poll is to be answered; False when another poll waits already."""
        if self.poll_waiter is not None:
            return False
        while not (self.pending or self.holds or self.closed):
            await self._wait_as_poll()
        return True

    async def _wait_as_poll(self) -> None:
        """Be the pending poll until something has changed."""
        self.poll_waiter = asyncio.get_running_loop().create_future()
        try:
            await self.poll_waiter
        finally:
            self.poll_waiter = None

    def take(self, max_bytes: int, max_packets: int) -> list[WirePacket]:
        """Take what waits, within the limits but at least one packet; what is for a WebSocket is not for polls."""
        if self.holds or not self.pending:
            return [NOOP_PACKET]
        if len(self.pending) <= max_packets and self.buffered_bytes <= max_bytes:
            return self.cut_all()
        packets, size = self.cut(max_bytes, max_packets)
        self.left(len(packets), size)
        return packets

    # POSTs and upgrades.

    async def let_post_end(self) -> None:
        """Wait until no POST is taken: the packets of a session are taken one after the other."""
        while self.posting:
            self.post_waiter = asyncio.get_running_loop().create_future()
            await self.post_waiter

    def end_post(self) -> None:
        """Note that a POST has been taken."""
        self.posting = False
        waiter, self.post_waiter = self.post_waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def hold_polls(self) -> None:
        """Keep packets for the WebSocket that takes over."""
        self.move(Move.PROBE)
        self.end_poll()
        self.restart_pause()

    def end_upgrade(self) -> None:
        """Give packets to polls again, unless the WebSocket has taken over; a poll that waits looks anew."""
        self.move(Move.FAIL)
        self.end_poll()
        self.restart_pause()
