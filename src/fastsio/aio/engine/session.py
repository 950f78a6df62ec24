"""
One Engine.IO session with asyncio: how its packets go out, and how it ends.

Its decisions are made in :mod:`fastsio.engine.session`, and the transports that read from the client in
:mod:`.websocket` and :mod:`.polling`.

**Writing.** ``idle_link`` is the WebSocket's link while nothing is being written and nothing waits, else None: one test
tells whether a packet may go out at once. Its ``send`` is then stepped (see :mod:`.eager`) in the caller's task. When
the peer lags and the write has to wait, a task finishes it and whatever is posted meanwhile, in order. So a cancelled
caller cannot separate a packet from its attachments. A direct link writes packets itself while the peer does not lag.

**Waiting.** Packets that are posted get their place in the buffer before a caller waits: :meth:`Session.let_read` only
keeps the caller from posting more while the client is behind. How long is decided in :mod:`fastsio.engine.congestion`.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from fastsio.aio.engine.eager import DONE, NOTHING, Rest
from fastsio.aio.engine.links import DirectLink, Link, send_as_text, trace_frames
from fastsio.aio.engine.read_ahead import CANCEL_S
from fastsio.engine.frames import SHORT, SHORT_HEADS, TEXT, frame
from fastsio.engine.packet import CLOSE_PACKET, ControlPacket, MessagePacket, WirePacket, join_frames
from fastsio.engine.session import UPGRADE_CHECK_S, UPGRADE_GRACE_S, SessionState
from fastsio.engine.session_tables import Move, Transport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from fastsio.aio.engine.host import Host
    from fastsio.aio.engine.links import AnyLink

#: The heads of text frames that are short, which are most, by their length: looked up here without a call.
SHORT_TEXT_HEADS: Final = SHORT_HEADS[TEXT]


class Cancellable(Protocol):
    """The task or object that reads from a WebSocket."""

    def cancel(self) -> object:
        """Wake the reader, so that it notices that the session is over."""


class PollWaiter(Protocol):
    """What a poll waits for: a future, or what answers the poll."""

    def done(self) -> bool:
        """Tell whether it is about to look at the session."""
        ...

    def set_result(self, result: None, /) -> None:
        """Have it look at the session."""


class Session(SessionState):
    """
    A session whose packets go out with asyncio.

    Attributes:
        body_reader: The task that reads the body of a POST; it is cancelled when the session is over.
        direct_link: The link, if it tells how much of what was written the network has not taken.
        has_progressed: True if a handler that was waited for has ended since the last check of the heartbeat.
        idle_link: ``link`` while nothing is being written and no packet waits, else None.
        is_given_up: True once the message handler was cancelled, some time after the client was gone.
        is_direct: Whether ``link`` is a direct link that is given frames.
        is_limited: True once the message handler must end within ``handler_grace``.
        link: Writes events to the WebSocket; None without one.
        poll_waiter: The future of the poll that waits; None while none does.
        post_waiter: The future of an upgrade that waits until a POST has been handled.
        reader: The task or object that reads from the WebSocket.
        shares_frames: Whether the frames of a broadcast, joined once for all such clients, may be written as they are.
        writer: The task that finishes a write that has to wait.
    """

    __slots__ = (
        "body_reader",
        "direct_link",
        "has_progressed",
        "idle_link",
        "is_direct",
        "is_given_up",
        "is_limited",
        "link",
        "poll_waiter",
        "post_waiter",
        "reader",
        "shares_frames",
        "writer",
    )

    #: Whether packets have the same form for all clients of this class as for those of most sessions.
    has_usual_form: ClassVar[bool] = True
    server: Host  # pyright: ignore[reportIncompatibleVariableOverride] # never set again
    clock = staticmethod(monotonic)

    def __init__(self, server: Host, sid: str) -> None:
        super().__init__(server, sid)
        self.has_progressed = self.is_limited = self.is_given_up = self.is_direct = self.shares_frames = False
        self.link: AnyLink | None = None
        # A direct link if ``is_direct``; one test of that is all that the hot path needs.
        self.idle_link: Any = None
        self.direct_link: DirectLink | None = None
        self.writer: asyncio.Task[None] | None = None
        self.reader: Cancellable | None = None
        self.body_reader: asyncio.Task[Any] | None = None
        self.poll_waiter: PollWaiter | None = None
        self.post_waiter: asyncio.Future[None] | None = None

    # Sending.

    def post(self, packets: Sequence[WirePacket], waits: bool = False) -> bool:
        """Send packets, as :meth:`.SessionState.post` says; a caller waits with :meth:`let_read`."""
        link = self.idle_link
        if link is None:
            return self._enqueue(packets, waits)
        if self.is_direct:
            if not link.write(join_frames(packets)):
                self.idle_link = None
                self._finish_in_task(None, packets)
            return True
        self.idle_link = None
        if link.needs_task:
            self._finish_in_task(None, packets)
            return True
        send = link.send
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
            self._on_write_failure(error)
            return False
        if self.pending:
            self._finish_in_task(None, ())
        else:
            self.idle_link = link
        return True

    def write_text(self, text: str) -> Awaitable[None] | None:
        """
        Send a message of text as :meth:`post` does; on a direct link without a packet.

        Returns:
            What to await to wait while the client is behind and reads; None when it is not behind.
        """
        link = self.idle_link
        if link is not None and self.is_direct:
            payload = b"4" + text.encode("utf-8", "replace")
            size = len(payload)
            if link.write(SHORT_TEXT_HEADS[size] + payload if size <= SHORT else frame(TEXT, payload)):
                return None
        self.post((MessagePacket(text),), True)
        return None if self.congestion is None else self.let_read()

    def write(self, packets: Sequence[WirePacket]) -> Awaitable[None]:
        """Send packets as :meth:`post` does; await the result to wait while the client is behind and reads."""
        self.post(packets, True)
        return NOTHING if self.congestion is None else self.let_read()

    def post_control(self, packet: ControlPacket) -> None:
        """Send a packet of Engine.IO itself; the buffer's limits do not apply."""
        if self.idle_link is not None:
            self.post((packet,))
        elif not self.closed:
            self.append((packet,), packet.size)
            self.end_poll()

    async def let_read(self, *, is_shared: bool = False) -> None:
        """Wait until the client has caught up, as long as it reads; one that does not is treated by ``slow_client``."""
        while (left_s := self.pause_s(is_shared=is_shared)) > 0 and (congestion := self.congestion) is not None:
            if congestion.released is None:
                congestion.released = asyncio.get_running_loop().create_future()
            await asyncio.wait((congestion.released,), timeout=left_s)
        congestion = self.congestion
        if congestion is not None and congestion.is_refused:
            self.treat_as_slow()

    def wake(self, released: asyncio.Future[None]) -> None:
        """Wake the callers that wait for the client."""
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
        server = self.server
        self.direct_link = link if isinstance(link, DirectLink) else None
        if self.frames_base64 or server.is_traced:
            send = send_as_text(link.send) if self.frames_base64 else link.send
            if server.is_traced:
                send = trace_frames(send, self.sid, server.logger)
            link = Link(link.receive, send)
        else:
            self.is_direct = self.direct_link is not None
            self.shares_frames = self.is_direct and self.has_usual_form
        self.link = self.idle_link = link
        if self.pending:
            self.post(self.take_all())

    async def detach(self) -> None:
        """Stop writing, after the write that is under way."""
        if self.writer is not None:
            await asyncio.wait([self.writer])
        self.link = self.idle_link = self.direct_link = None

    def drop_link(self) -> None:
        """Stop writing, because the peer closed the WebSocket."""
        self.link = self.idle_link = self.direct_link = None
        self.stop_writing()

    def stop_writing(self) -> None:
        """Give up on what is being written: the peer does not read."""
        if self.writer is not None:
            self.writer.cancel()

    def _finish_in_task(self, rest: Rest | None, packets: Sequence[WirePacket]) -> None:
        if packets:
            self.pending = [*packets, *(self.pending or ())]
            self.count_waiting(len(packets), sum([packet.size for packet in packets]))
        self.writer = self.server.spawn(self._write(rest))

    async def _write(self, rest: Rest | None) -> None:
        """Finish a write that had to wait, then write what was posted meanwhile."""
        try:
            if rest is not None:
                await rest
            while self.pending and self.link is not None:
                batch, self.pending = self.pending, None
                for packet in batch:
                    await self.link.send({"type": "websocket.send", "bytes" if packet.binary else "text": packet.wire})
                    self.count_sent(1, packet.size)
        except Exception as error:  # noqa: BLE001 - each server has its own way to say that the peer is gone
            self._on_write_failure(error)
        else:
            self.idle_link = self.link
        finally:
            self.writer = None

    def _on_write_failure(self, error: Exception) -> None:
        """End the session after a failed write."""
        self.server.logger.debug("A write failed, the client is gone: %r", error)
        self.link = self.idle_link = self.direct_link = None
        self.finish_later(self.server.reason.TRANSPORT_CLOSE)

    # Polls.

    def end_poll(self) -> None:
        """Have a pending poll answer now."""
        if self.poll_waiter is not None and not self.poll_waiter.done():
            self.poll_waiter.set_result(None)

    shut = end_poll

    async def wait_for_upgrade(self) -> None:
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
        while not (self.pending or self.holds_polls or self.closed):
            await self._wait_as_poll()
        return True

    async def _wait_as_poll(self) -> None:
        """Wait as the pending poll until :meth:`end_poll` wakes it."""
        waiter = self.poll_waiter = asyncio.get_running_loop().create_future()
        try:
            await waiter
        finally:
            self.poll_waiter = None

    # POSTs.

    async def switch(self) -> bool:
        """Move to the WebSocket once no POST is handled, for packets have an order; False if the session has ended."""
        while self.posting:
            self.post_waiter = asyncio.get_running_loop().create_future()
            await self.post_waiter
        return self.try_switch()

    def try_switch(self) -> bool:
        """Move to the WebSocket; return False if the session has ended, or a POST is handled."""
        return not self.closing and self.move(Move.SWITCH)

    def end_post(self) -> None:
        """Record that the POST has been handled."""
        self.posting = False
        waiter, self.post_waiter = self.post_waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # The heartbeat.

    def may_have_answered(self) -> bool:
        """
        Tell whether the pong may stand behind messages that are being handled.

        On a WebSocket it is found there, unless it is behind more than is read ahead; then messages must get done
        for it. A client that polls cannot send it before its POST is answered, but it goes on polling.
        """
        if not self.handling or self.writer is not None:
            return False
        return self.has_progressed or (self.posting and self.poll_waiter is not None)

    def wait_longer(self) -> None:
        """Record the progress of the messages being handled, for the next deadline to compare."""
        self.has_progressed = False

    # The end.

    def finish_later(self, reason: str, *, abort: bool = True) -> None:
        """End the session without waiting for its disconnect handler."""
        if not self.closing:
            self.server.spawn(self.finish(reason, abort=abort))

    async def finish(self, reason: str, *, abort: bool = False) -> None:
        """End the session, as :meth:`.SessionState.finish` says."""
        if not self.claim_end(reason):
            return
        self.give_up()
        # In a task of its own, so that a request that is cancelled does not cancel the application's handler.
        await asyncio.shield(self.server.spawn(self._end(reason, abort=abort)))

    async def _end(self, reason: str, *, abort: bool) -> None:
        server = self.server
        is_silent = abort or reason == server.reason.PING_TIMEOUT
        server.deadlines.clear(self)
        if is_silent:
            self.stop_writing()
        try:
            await server.run_disconnect(self.sid, reason)
            if not abort:
                self.post_control(CLOSE_PACKET)
        finally:
            self.end_transport(reason, is_silent=is_silent)

    def end_reading(self, reason: str) -> None:
        """Have what reads for the session notice its end."""
        if self.body_reader is not None:
            self.body_reader.cancel()
        if self.handling:
            # The reader checks after the message. A handler that ends its own session may take its time.
            if reason != self.server.reason.SERVER_DISCONNECT:
                self.limit_handling()
        elif self.transport is Transport.UPGRADING and reason == self.server.reason.SERVER_SHUTDOWN:
            # The client has paused its polls. Only when its upgrade is through does it notice at once that the
            # WebSocket is closed.
            asyncio.get_running_loop().call_later(min(UPGRADE_GRACE_S, self.server.close_grace), self._cancel_reader)
        else:
            self._cancel_reader()

    def limit_handling(self) -> None:
        """Cancel the running message handler after ``handler_grace`` seconds, because the client is gone."""
        if self.handling and not self.is_limited:
            self.is_limited = True
            asyncio.get_running_loop().call_later(self.server.handler_grace, self._interrupt)

    def _interrupt(self) -> None:
        """Cancel the message handler, and end the session even if the handler ignores that."""
        self.is_given_up = True
        if self.handling:
            self._cancel_reader()
        if not self.closing:
            asyncio.get_running_loop().call_later(CANCEL_S, self.finish_later, self.server.reason.TRANSPORT_CLOSE)

    def _cancel_reader(self) -> None:
        if self.reader is not None:
            self.reader.cancel()
