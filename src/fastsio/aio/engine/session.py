"""
One Engine.IO session: what waits to be sent, how it is written, its heartbeat, and how it ends.

The transports that read from the client stand in :mod:`.websocket` and :mod:`.polling`. What a client of Engine.IO 3
has otherwise, the form of binary and a heartbeat that the client starts, is :class:`Eio3Session`; Socket.IO clients 1.x
and 2.x are such clients.

Source: Engine.IO protocol v4 and v3; the JavaScript server's ``allowEIO3``.

**Writing.** ``idle_send`` is the WebSocket's ``send`` while nothing is being written and nothing waits, else None: one
look tells whether a packet may go out at once. It is then stepped (see :mod:`.eager`) in the caller's task. When the
peer lags and the write has to wait, a task finishes it and whatever is posted meanwhile, in order. So a cancelled
caller cannot tear a packet from its attachments. A direct link writes packets itself, as long as the peer does not lag.

**Waiting.** What is posted is in the buffer, in its place, before anybody waits: :meth:`Session.let_read` only
keeps the caller from posting more while the client is behind. How long is decided in :mod:`fastsio.engine.congestion`.
"""

from __future__ import annotations

import asyncio
import math
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from fastsio.aio.engine.eager import DONE, NOTHING, Rest
from fastsio.aio.engine.links import DirectLink, send_as_text, trace_frames
from fastsio.aio.engine.read_ahead import CANCEL_S
from fastsio.aio.engine.timers import NEVER, PUNCTUAL
from fastsio.engine.congestion import Congestion, PauseBudget, buffers_for
from fastsio.engine.frames import SHORT, SHORT_HEADS, TEXT, frame
from fastsio.engine.log_format import label, shown_message
from fastsio.engine.packet import (
    CLOSE_PACKET,
    PING_PACKET,
    PONG_PACKET,
    ControlPacket,
    MessagePacket,
    WirePacket,
    join_frames,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from logging import Logger

    from fastsio.aio.engine.links import AnyLink, Send
    from fastsio.aio.engine.server import EngineServer
    from fastsio.engine.packet import WirePacket

    MessageHandler = Callable[[Any, str | bytes], Awaitable[Any] | None]


#: The heads of text frames that are short, which are most, by their length: looked up here without a call.
SHORT_TEXT_HEADS: Final = SHORT_HEADS[TEXT]


class Cancellable(Protocol):
    """What reads from a WebSocket."""

    def cancel(self) -> object:
        """Have it notice that the session is over."""


class Session:
    """
    A session.

    Args:
        server: The server it belongs to.
        sid: Its Engine.IO session id, a secret of the client.

    Attributes:
        connection: What message handlers that are ``receivers`` of the server get in place of the sid.
        congestion: Set while the client is behind: more waits for it than the high-water mark.
        expires: When the session is over unless a pong comes, by the system's clock.
        frames_base64: Whether binary messages go over the WebSocket as text; its own handshake says so.
        handling: True while the message handler runs for this client.
        has_progressed: True once a message that was waited for was handled, until the heartbeat looks.
        is_given_up: True once the message handler has had its time after the client was gone; it is cancelled.
        pause_budget: How long those who send to several may be held up by this client; None until it has been behind.
        probing: True from the handshake of a WebSocket that would take over to its success or failure.
        upgrading: True from its probe on: packets wait for it, polls are answered empty.
    """

    __slots__ = (
        "_session",
        "accepted",
        "awaiting_pong",
        "body_reader",
        "buffered_bytes",
        "buffered_count",
        "closed",
        "closing",
        "congestion",
        "connected",
        "connection",
        "direct_link",
        "doomed",
        "expires",
        "frames_base64",
        "handling",
        "has_progressed",
        "idle_send",
        "is_given_up",
        "is_limited",
        "pause_budget",
        "pending",
        "poll_waiter",
        "post_waiter",
        "posting",
        "probing",
        "reader",
        "send_event",
        "server",
        "sid",
        "slow",
        "timer_key",
        "upgraded",
        "upgrading",
        "write_now",
        "write_shared",
        "writer",
    )

    #: The revision of Engine.IO that the client speaks.
    protocol: ClassVar[int] = 4
    server: EngineServer

    def __init__(self, server: EngineServer, sid: str) -> None:
        self.server = server
        self.sid = sid
        self.connection: Any = None
        self._session: dict[str, Any] | None = None
        self.connected = self.upgrading = self.upgraded = self.closing = self.closed = False
        self.frames_base64 = False
        self.accepted = self.probing = self.posting = self.handling = self.awaiting_pong = self.slow = False
        self.has_progressed = self.is_limited = self.is_given_up = False
        #: The reason of an end asked for while the connect handler still ran.
        self.doomed: str | None = None
        self.pending: list[WirePacket] | None = None
        self.buffered_bytes = self.buffered_count = 0
        self.send_event: Send | None = None
        self.idle_send: Send | None = None
        self.write_now: Callable[[bytes], bool] | None = None
        self.write_shared: Callable[[bytes], bool] | None = None
        #: The link, if it tells how much of what was written the network has not taken.
        self.direct_link: DirectLink | None = None
        self.writer: asyncio.Task[None] | None = None
        self.reader: Cancellable | None = None
        self.poll_waiter: asyncio.Future[None] | None = None
        self.post_waiter: asyncio.Future[None] | None = None
        #: The task that reads the body of a POST, which nobody wants once the session is over.
        self.body_reader: asyncio.Task[Any] | None = None
        self.congestion: Congestion | None = None
        self.pause_budget: PauseBudget | None = None
        self.timer_key = NEVER
        self.expires = math.inf

    @property
    def session(self) -> dict[str, Any]:
        """What the application keeps with the Engine.IO server, which few do."""
        if self._session is None:
            self._session = {}
        return self._session

    @session.setter
    def session(self, session: dict[str, Any]) -> None:
        self._session = session

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

    def message_handler(self) -> tuple[MessageHandler, Any]:
        """Return the handler of the server's messages, and what it gets to know the session by."""
        server = self.server
        handler = server.handlers["message"]
        key = self.connection if handler in server.receivers else self.sid
        return trace_messages(handler, self.sid, server.logger) if server.is_traced else handler, key

    def post_control(self, packet: ControlPacket) -> None:
        """Send a packet of the transport itself; the buffer's limits do not apply."""
        if self.idle_send is not None:
            self.post((packet,))
        elif not self.closed:
            self._append((packet,), packet.size)

    async def let_read(self, *, is_shared: bool = False) -> None:
        """
        Wait until the client has caught up, as long as it reads; one that does not is treated by ``slow_client``.

        Args:
            is_shared: Whether others wait for the same call. Then slow reading counts as none.
        """
        while (congestion := self.congestion) is not None and self._is_worth_waiting(congestion):
            is_stuck = self._is_stuck(congestion)
            left_s = congestion.left_s(monotonic(), is_shared=is_shared)
            if left_s <= 0:
                if is_stuck:
                    self._treat_as_stuck(congestion)
                return
            if congestion.released is None:
                congestion.released = asyncio.get_running_loop().create_future()
            if self.direct_link is not None:
                left_s = congestion.next_look_s(left_s)
            await asyncio.wait((congestion.released,), timeout=left_s)

    def _is_stuck(self, congestion: Congestion) -> bool:
        """Tell whether the client could have read something for a whole timeout, and has not."""
        now = monotonic()
        if self.direct_link is not None:
            congestion.look(now, self.direct_link.unsent())
        return congestion.is_stuck(now) and not self.upgrading

    def _is_worth_waiting(self, congestion: Congestion) -> bool:
        """Tell whether the client can read, now or soon, without the caller's going on."""
        if self.closing or not self.accepted or congestion.is_given_up:
            return False
        # A client ends an upgrade when its POST is answered, and the caller may be what the POST waits for.
        return not (self.upgrading and self.posting)

    def give_up(self) -> None:
        """Have nobody wait for this client any more."""
        congestion = self.congestion
        if congestion is not None:
            congestion.is_given_up = True
            self.server.congested.discard(self)
            self._wake_waiting(congestion)

    def _treat_as_stuck(self, congestion: Congestion) -> None:
        """Apply the policy for slow clients to one that reads nothing; packets are dropped until it has caught up."""
        if not congestion.is_refused:
            congestion.is_refused = True
            self.give_up()
            self._overflow()

    def _wake_waiting(self, congestion: Congestion) -> None:
        released, congestion.released = congestion.released, None
        if released is not None and not released.done():
            released.set_result(None)

    def take(self, max_bytes: int, max_packets: int) -> list[WirePacket]:
        """Take what waits, in order, up to *max_packets* and up to *max_bytes* but at least one packet."""
        packets = self.pending or []
        count = size = 0
        for packet in packets:
            if count and (count >= max_packets or size + packet.size > max_bytes):
                break
            count += 1
            size += packet.size
        self.pending = packets[count:] or None
        self._left(count, size)
        return packets[:count]

    def _enqueue(self, packets: Sequence[WirePacket], waits: bool) -> bool:
        if self.closed:
            return False
        size = sum([packet.size for packet in packets])
        if self.buffered_count and not self._has_room(len(packets), size, waits):
            self._overflow()
            return False
        self._append(packets, size)
        return True

    def _has_room(self, count: int, size: int, waits: bool) -> bool:
        server, congestion = self.server, self.congestion
        if congestion is not None and self._is_stuck(congestion):
            self._treat_as_stuck(congestion)
        if congestion is not None and congestion.is_refused:
            return False
        buffers = buffers_for(congestion, monotonic(), waits=waits and not self.closing)
        return (
            self.buffered_bytes + size <= server.max_buffer_bytes * buffers
            and self.buffered_count + count <= server.max_buffer_packets * buffers
        )

    def _append(self, packets: Sequence[WirePacket], size: int) -> None:
        if self.pending is None:
            self.pending = []
        self.pending.extend(packets)
        self._arrived(len(packets), size)
        self.end_poll()

    def _overflow(self) -> None:
        """Apply the policy for slow clients, and say so once for each client."""
        server = self.server
        drops = server.slow_client == "drop"
        if self.slow:
            return
        self.slow = True
        server.logger.error(
            "A client is too slow, %d packets of %d bytes wait for it: %s (slow_client=%r)",
            self.buffered_count,
            self.buffered_bytes,
            "new packets are dropped" if drops else "its session is ended",
            server.slow_client,
        )
        if not drops:
            server.spawn(self.finish(server.reason.TRANSPORT_ERROR, abort=True))

    def _arrived(self, count: int, size: int) -> None:
        """Account for packets that came into the buffer."""
        self.buffered_count += count
        self.buffered_bytes += size
        server = self.server
        if (
            self.congestion is None
            and (self.buffered_bytes > server.high_water_bytes or self.buffered_count > server.high_water_packets)
            and not self.closing
        ):
            self.pause_budget = self.pause_budget or PauseBudget(server.slow_client_timeout)
            self.congestion = Congestion(monotonic(), server.slow_client_timeout, self.pause_budget)
            server.congested.add(self)

    def _left(self, count: int, size: int) -> None:
        """Account for packets that left the buffer."""
        self.buffered_count -= count
        self.buffered_bytes -= size
        congestion, server = self.congestion, self.server
        if congestion is None:
            return
        congestion.move(monotonic())
        if self.buffered_bytes * 2 > server.high_water_bytes or self.buffered_count * 2 > server.high_water_packets:
            return
        self.congestion = None
        server.congested.discard(self)
        self._wake_waiting(congestion)

    # Writing to a WebSocket.

    def attach(self, link: AnyLink) -> None:
        """Make *link* the way to the client, and write what waits."""
        send = link.send
        if isinstance(link, DirectLink):
            self.direct_link = link
        if self.frames_base64:
            send = send_as_text(send)
        if self.server.is_traced:
            send = trace_frames(send, self.sid, self.server.logger)
        elif isinstance(link, DirectLink) and not self.frames_base64:
            self.write_now = link.write
            self.write_shared = self._shared_writer(link)
        self.send_event = self.idle_send = send
        if self.pending:
            packets, self.pending = self.pending, None
            self._left(self.buffered_count, self.buffered_bytes)
            self.post(packets)

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
        self._stop_writer()

    def _stop_writer(self) -> None:
        """Give up on what is being written: the peer does not read."""
        if self.writer is not None:
            self.writer.cancel()

    def _finish_in_task(self, rest: Rest | None, packets: Sequence[WirePacket]) -> None:
        if packets:
            self.pending = [*packets, *(self.pending or ())]
            self._arrived(len(packets), sum([packet.size for packet in packets]))
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
                    self._left(1, packet.size)
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
        self.server.spawn(self.finish(self.server.reason.TRANSPORT_CLOSE, abort=True))

    # Polls.

    def end_poll(self) -> None:
        """Have a pending poll answer now."""
        if self.poll_waiter is not None and not self.poll_waiter.done():
            self.poll_waiter.set_result(None)

    # POSTs.

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

    # Upgrades.

    def hold_polls(self) -> None:
        """Keep packets for the WebSocket that takes over."""
        self.upgrading = True
        self.end_poll()
        if self.congestion is not None:
            self._wake_waiting(self.congestion)

    def end_hold(self) -> None:
        """Give packets to polls again: the WebSocket has not taken over. The client could not read them meanwhile."""
        self.upgrading = False
        if self.congestion is not None:
            self.congestion.move(monotonic())

    # The heartbeat.

    def start_heartbeat(self) -> None:
        """Schedule the next ping; it is never late, so that the client has all of its time to answer."""
        server = self.server
        self.awaiting_pong = False
        self.expires = monotonic() + server.ping_interval + server.ping_timeout
        server.deadlines.set(self, server.ping_interval * PUNCTUAL)

    def on_heartbeat(self) -> None:
        """Take a pong: schedule the next ping if one was waited for; others start nothing (CVE-2026-48802)."""
        if self.awaiting_pong and not self.closing:
            self.start_heartbeat()

    def on_deadline(self) -> None:
        """Send the ping that is due, or end the session whose pong is overdue."""
        server = self.server
        if self.closing:
            server.forget(self)
        elif not self.awaiting_pong:
            self.awaiting_pong = True
            now = monotonic()
            if self.expires - now < server.ping_timeout / 2:
                # The ping is late, for the server was busy: the client has time to answer all the same.
                self.expires = now + server.ping_timeout
            server.deadlines.set(self, self.expires - now)
            self.post_control(PING_PACKET)
        elif self._is_excused():
            self.has_progressed = False
            server.deadlines.set(self, server.ping_timeout)
        else:
            self.expire()

    def is_overdue(self) -> bool:
        """Whether the pong should have come by now; the timer may be about to find that out."""
        return self.awaiting_pong and not self.closing and monotonic() >= self.expires and not self._is_excused()

    def _is_excused(self) -> bool:
        """
        Whether a pong need not come yet.

        It may stand behind messages that are being handled. And the ping may stand behind much that the client is still
        reading.
        """
        return not self.server.start_service_task or self._may_have_answered() or self._reads()

    def expire(self) -> None:
        """End the session: its pong has not come."""
        self.server.logger.info("A client missed its heartbeat, its session is ended")
        self.server.spawn(self.finish(self.server.reason.PING_TIMEOUT))

    def _may_have_answered(self) -> bool:
        """
        Tell whether the pong may stand behind messages that are being handled.

        On a WebSocket it is found there, unless it is behind more than is read ahead; then messages must get done for
        it. A client that polls cannot send it before its POST is answered, but it goes on polling.
        """
        if not self.handling or self.writer is not None:
            return False
        return self.has_progressed or (self.posting and self.poll_waiter is not None)

    def _reads(self) -> bool:
        """Tell whether the client is behind, but has read something lately."""
        return self.congestion is not None and not self._is_stuck(self.congestion)

    # The end.

    async def close(self, wait: bool = True, abort: bool = False, reason: str | None = None) -> None:  # noqa: ARG002 - engineio's signature
        """End the session; engineio's name for :meth:`finish`."""
        await self.finish(reason or self.server.reason.SERVER_DISCONNECT, abort=abort)

    async def finish(self, reason: str, *, abort: bool = False) -> None:
        """
        End the session: run the disconnect handler, tell the client, free everything. Only the first call counts.

        Args:
            reason: What the disconnect handler gets.
            abort: True when the client is gone, said goodbye itself, or broke the protocol.
        """
        if self.closing:
            return
        if not self.accepted:
            self.doomed = self.doomed or reason
            return
        self.closing = True
        self.give_up()
        # In a task of its own, so that a request that is cancelled does not cancel the application's handler.
        await asyncio.shield(self.server.spawn(self._end(reason, abort=abort)))

    async def _end(self, reason: str, *, abort: bool) -> None:
        server = self.server
        silent = abort or reason == server.reason.PING_TIMEOUT
        server.deadlines.clear(self)
        if silent:
            self._stop_writer()
        try:
            await server.run_disconnect(self.sid, reason)
            if not abort:
                self.post_control(CLOSE_PACKET)
        finally:
            self.closed = True
            server.retire(self, keep=not silent and not self.upgraded)
            self.end_poll()
            if self.body_reader is not None:
                self.body_reader.cancel()
            if not self.handling:
                self._cancel_reader()
            elif reason != server.reason.SERVER_DISCONNECT:
                # What is busy with a message looks itself. A handler that ends the session may do so in its own time.
                self.limit_handling()

    def limit_handling(self) -> None:
        """Give the message handler under way a last while, for the client is gone; then cancel it."""
        if self.handling and not self.is_limited:
            self.is_limited = True
            asyncio.get_running_loop().call_later(self.server.handler_grace, self._interrupt)

    def _interrupt(self) -> None:
        """Cancel the message handler, and end the session even if it does not mind."""
        self.is_given_up = True
        if self.handling:
            self._cancel_reader()
        if not self.closing:
            asyncio.get_running_loop().call_later(CANCEL_S, self._end_anyway)

    def _end_anyway(self) -> None:
        if not self.closing:
            self.server.spawn(self.finish(self.server.reason.TRANSPORT_CLOSE, abort=True))

    def _cancel_reader(self) -> None:
        if self.reader is not None:
            self.reader.cancel()


class Eio3Session(Session):
    """
    A session of an Engine.IO 3 client.

    Args:
        server: The server it belongs to.
        sid: Its Engine.IO session id.
        base64: Whether the client said in its handshake that it reads no binary.

    Attributes:
        polls_base64: Whether polls are answered with nothing but text.
    """

    __slots__ = ("polls_base64",)

    protocol: ClassVar[int] = 3

    def __init__(self, server: EngineServer, sid: str, *, base64: bool) -> None:
        super().__init__(server, sid)
        self.polls_base64 = self.frames_base64 = base64

    def post(self, packets: Sequence[WirePacket], waits: bool = False) -> bool:
        """Send packets as :class:`Session` does, each in the form this client reads."""
        forms = [packet.eio3 for packet in packets]
        return super().post([form.text for form in forms] if self.frames_base64 else forms, waits)

    def _shared_writer(self, link: DirectLink) -> None:
        """Have none: binary has a form of its own."""

    def start_heartbeat(self) -> None:
        """Wait for the client's ping."""
        server = self.server
        self.awaiting_pong = True
        allowed_s = server.ping_interval + server.ping_interval_grace_period + server.ping_timeout
        self.expires = monotonic() + allowed_s
        server.deadlines.set(self, allowed_s)

    def on_heartbeat(self) -> None:
        """Answer a ping; it counts like a message, so that a client that never reads cannot pile up pongs."""
        if not self.closing:
            self.start_heartbeat()
            self.post((PONG_PACKET,))


def trace_messages(on_message: MessageHandler, sid: str, logger: Logger) -> MessageHandler:
    """Log each message of a session before it is handled; a session that is not traced pays nothing for it."""

    def traced(key: Any, data: str | bytes) -> Awaitable[Any] | None:
        logger.info("%s: Received packet MESSAGE data %s", label(sid), shown_message(data, from_server=False))
        return on_message(key, data)

    return traced
