"""
One Engine.IO session with threads: how its packets go out, whichever threads send, and how it ends.

Its decisions are made in :mod:`fastsio.engine.session`, and the transports that read from the client in
:mod:`.websocket` and :mod:`.polling`.

**Writing.** One thread writes at a time: the first that posts while no other writes. It writes as far as that does not
wait; so a message to a client that keeps up costs one system call and no other thread. When the client lags, a thread
of its own finishes the write and whatever is posted meanwhile, in order. So a packet's attachments stay together.

**Waiting.** Packets that are posted get their place in the buffer before a caller waits: :meth:`Session.let_read` only
keeps the caller from posting more while the client is behind. How long is decided in :mod:`fastsio.engine.congestion`.
"""

from __future__ import annotations

import math
import threading
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from fastsio.engine.frame_reader import GOING_AWAY, NORMAL_CLOSURE
from fastsio.engine.packet import CLOSE_PACKET, PING_PACKET, MessagePacket, closing_frame
from fastsio.engine.session import UPGRADE_CHECK_S, SessionState
from fastsio.engine.session_tables import Move, Transport
from fastsio.sync.engine.socketlink import RECEIVE_BYTES, as_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fastsio.engine.packet import WirePacket
    from fastsio.sync.engine.host import Host
    from fastsio.sync.engine.limit import Limit
    from fastsio.sync.engine.socketlink import SocketLink

#: How much of what waits becomes one write.
BATCH_BYTES: Final = 65_536
#: After this many batches of other threads a thread that posts hands over to one of the session's own.
ROUNDS: Final = 8
#: The close frame of a WebSocket without an error.
CLOSE_FRAME: Final = closing_frame(NORMAL_CLOSURE)
#: The revision whose servers ping; before, clients did.
PINGED: Final = 4
#: Seconds between two checks whether the POST that an upgrade waits for has been handled.
POST_POLL_S: Final = 0.01

MethodT = TypeVar("MethodT", bound="Callable[..., Any]")


def guarded(step: MethodT) -> MethodT:
    """Make a method of a session hold its lock, so that one of several threads takes the step."""

    def take_step(session: Session, *args: Any, **kwargs: Any) -> Any:
        with session.lock:
            return step(session, *args, **kwargs)

    return cast("MethodT", take_step)


class Session(SessionState):
    """
    A session whose packets go out in threads.

    Attributes:
        body: The time limit of the body that is being read; None while no body is read.
        close_frame: The close frame of the WebSocket.
        is_lagging: True while a thread waits for the client to read.
        lock: Held for a few steps that never wait, so a plain lock serves greenlets too.
        poll_waiter: The event of the poll that waits; None while none does.
        progress: How many messages were handled.
        progress_seen: How many had been at the last check of the heartbeat.
        unread_seen: How many bytes were unread behind the message that is handled at the last check of the heartbeat;
            None before the first check.
    """

    __slots__ = (
        "_in_flight",
        "_is_shut",
        "_is_writing",
        "_link",
        "body",
        "close_frame",
        "is_lagging",
        "lock",
        "poll_waiter",
        "progress",
        "progress_seen",
        "unread_seen",
    )

    server: Host  # pyright: ignore[reportIncompatibleVariableOverride] # never set again
    clock = staticmethod(monotonic)

    def __init__(self, server: Host, sid: str) -> None:
        super().__init__(server, sid)
        self.lock = threading.Lock()
        #: Packets and bytes under way that still count as buffered.
        self._in_flight = (0, 0)
        self._link: SocketLink | None = None
        self._is_writing = self._is_shut = self.is_lagging = False
        self.close_frame = CLOSE_FRAME
        self.poll_waiter: Any = None
        self.progress = self.progress_seen = 0
        self.unread_seen: int | None = None
        self.body: Limit | None = None

    advance = guarded(SessionState.advance)
    claim_end = guarded(SessionState.claim_end)
    claim_overflow = guarded(SessionState.claim_overflow)
    claim_post = guarded(SessionState.claim_post)
    end_upgrade = guarded(SessionState.end_upgrade)
    give_up = guarded(SessionState.give_up)
    hold_polls = guarded(SessionState.hold_polls)
    move = guarded(SessionState.move)
    take = guarded(SessionState.take)

    # Sending.

    def post(self, packets: Sequence[WirePacket], waits: bool = False) -> bool:
        """Send packets, as :meth:`.SessionState.post` says; a caller waits with :meth:`let_read`."""
        with self.lock:
            if self._is_shut:
                return False
            link = None if self._is_writing else self._link
            if link is not None:
                self._is_writing = True
            else:
                size = sum([packet.size for packet in packets])
                if self.has_room(len(packets), size, waits=waits):
                    self._put(packets, size)
                    return True
        if link is not None:
            return self._write(link, packets)
        self.treat_as_slow()
        return False

    def post_control(self, packet: WirePacket) -> None:
        """Send a packet of Engine.IO itself; the buffer's limits do not apply."""
        with self.lock:
            if self._is_shut:
                return
            link = self._link
            if link is None or self._is_writing:
                self._put((packet,), packet.size)
                return
            self._is_writing = True
        self._write(link, (packet,))

    def write_text(self, text: str) -> bool:
        """Send a message of text as :meth:`write` does."""
        return self.write((MessagePacket(text),))

    def write(self, packets: Sequence[WirePacket]) -> bool:
        """Send packets as :meth:`post` does, then wait while the client is behind and reads."""
        is_sent = self.post(packets, True)
        if self.congestion is not None:
            self.let_read()
        return is_sent

    def let_read(self, *, is_shared: bool = False) -> None:
        """Wait until the client has caught up, as long as it reads; one that does not is treated by ``slow_client``."""
        while True:
            with self.lock:
                left_s, congestion = self.pause_s(is_shared=is_shared), self.congestion
                if left_s <= 0 or congestion is None:
                    break
                if congestion.released is None:
                    congestion.released = self.server.create_event()
                released = congestion.released
            released.wait(left_s)
        if congestion is not None and congestion.is_refused:
            self.treat_as_slow()

    def wake(self, released: Any) -> None:
        """Wake the callers that wait for the client."""
        released.set()

    def unsent(self) -> int | None:
        """Return how many bytes of what is being written the network has not taken yet."""
        link = self._link
        return None if link is None else link.unsent()

    def _put(self, packets: Sequence[WirePacket], size: int) -> None:
        self.append(packets, size)
        self.end_poll()

    # Writing to a WebSocket, by the one thread that has set _is_writing.

    def attach(self, link: SocketLink) -> None:
        """Make *link* the way to the client, and write what waits."""
        self.move(Move.SWITCH)
        if self.frames_base64:
            link.join = as_text(link.join)
        with self.lock:
            self._link = link
            self.end_poll()
            if self._is_shut:
                self._put([self.close_frame], self.close_frame.size)
            if not self.pending:
                return
            self._is_writing = True
        self._write_pending(link)

    def detach(self) -> None:
        """Forget the link, which is over."""
        with self.lock:
            self._link = None
            self.pending = None

    @property
    def is_attached(self) -> bool:
        """Whether a WebSocket is the way to the client."""
        return self._link is not None

    def unread(self) -> int | None:
        """Return how many bytes of the client's WebSocket are unread; None if that is not known."""
        link = self._link
        return None if link is None else link.unread()

    def read_ahead(self, take: Callable[[str | bytes], bool]) -> Exception | None:
        """Read what the client has sent over its WebSocket; see :meth:`.SocketLink.read_ahead`."""
        link = self._link
        return None if link is None else link.read_ahead(take)

    def abort(self) -> None:
        """Cut the connection."""
        link = self._link
        if link is not None:
            link.abort()

    def stop_writing(self) -> None:
        """Give up on what is being written: the peer does not read."""
        if self.is_lagging:
            self.abort()

    def _write_pending(self, link: SocketLink) -> None:
        packets = self._next()
        if packets is not None:
            self._write(link, packets)

    def _write(self, link: SocketLink, packets: Sequence[WirePacket]) -> bool:
        """Write packets, and what others post meanwhile, as far as that does not wait; False when the peer is gone."""
        try:
            for _ in range(ROUNDS):
                if not link.write(packets):
                    self._count_in_flight(packets)
                    break
                following = self._next()
                if following is None:
                    return True
                packets = following
            else:
                link.write_later(packets)
        except OSError as error:
            self._on_write_failure(link, error)
            return False
        self.is_lagging = True
        self.server.start_background_task(self._finish_writing, link)
        return True

    def _count_in_flight(self, packets: Sequence[WirePacket]) -> None:
        """Count packets that never waited, but did not go out at once either."""
        with self.lock:
            if not self._in_flight[0]:
                size = sum([packet.size for packet in packets])
                self._in_flight = (len(packets), size)
                self.count_waiting(len(packets), size)

    def _finish_writing(self, link: SocketLink) -> None:
        """Finish a write that has to wait, then write what was posted meanwhile."""
        try:
            link.flush()
            while (packets := self._next()) is not None:
                if not link.write(packets):
                    link.flush()
        except OSError as error:
            self._on_write_failure(link, error)

    def _next(self) -> list[WirePacket] | None:
        """Account for the last write and take the next batch; None when nothing waits, and writing is over."""
        with self.lock:
            self.count_sent(*self._in_flight)
            if not self.pending:
                self._in_flight = (0, 0)
                self._is_writing = self.is_lagging = False
                return None
            packets, size = self.take_some(BATCH_BYTES)
            self._in_flight = (len(packets), size)
            return packets

    def _on_write_failure(self, link: SocketLink, error: OSError) -> None:
        """End the session after a failed write."""
        with self.lock:
            self._link = None
            self.pending = None
            self._is_writing = self.is_lagging = False
        link.abort()
        self.server.logger.debug("A write failed, the client is gone: %r", error)
        self.finish_later(self.server.reason.TRANSPORT_CLOSE)

    # Polls.

    def wait_for_upgrade(self) -> None:
        """Wait a moment for the end of an upgrade that is under way, as in :mod:`fastsio.aio.engine.session`."""
        self._wait_as_poll(lambda: self.transport is not Transport.UPGRADING, UPGRADE_CHECK_S)

    def wait_for_packets(self) -> bool:
        """Wait until a poll is to be answered; False when another poll waits already."""
        return self._wait_as_poll(lambda: bool(self.pending) or self.holds_polls)

    def _wait_as_poll(self, is_due: Callable[[], bool], most_s: float = math.inf) -> bool:
        """Wait as the pending poll until it is due, or the session is over; False when another poll waits already."""
        until = monotonic() + most_s
        poll: Any = None
        while True:
            with self.lock:
                if self.poll_waiter is not poll:
                    return False
                left_s = until - monotonic()
                if is_due() or self._is_shut or left_s <= 0:
                    self.poll_waiter = None
                    return True
                poll = self.poll_waiter = self.server.create_event()
            poll.wait(left_s if left_s < math.inf else None)

    def end_poll(self) -> None:
        """Have a pending poll check whether it is due."""
        if self.poll_waiter is not None:
            self.poll_waiter.set()

    # POSTs.

    def switch(self, limit: Limit) -> bool:
        """Move to the WebSocket once no POST is handled, for packets have an order; False if it is too late."""
        while not (self.closing or limit.is_cut):
            if self.move(Move.SWITCH):
                return True
            self.server.sleep(POST_POLL_S)
        return False

    def end_post(self) -> None:
        """Record that the POST has been handled."""
        self.posting = False

    # The heartbeat.

    def may_have_answered(self) -> bool:
        """
        Tell whether the pong may stand behind the message that is being handled.

        A client that is connected answers one more ping, so that more bytes are unread at the next check. One that
        polls cannot answer before its POST is answered, but goes on polling.
        """
        if not self.handling or self.is_lagging:
            return False
        has_progressed = self.progress != self.progress_seen
        if has_progressed or not self.is_attached:
            return has_progressed or (self.posting and self.poll_waiter is not None)
        before, unread = self.unread_seen, self.unread()
        if unread is None:
            return before is None
        return unread >= 0 and (before is None or not unread <= before < RECEIVE_BYTES)

    def start_heartbeat(self) -> None:
        """Wait for the next ping to send, and forget how many bytes were unread at the last."""
        self.unread_seen = None
        super().start_heartbeat()

    def wait_longer(self) -> None:
        """Ping a client once more whose pong may stand behind the message that is being handled."""
        self.progress_seen = self.progress
        self.unread_seen = self.unread() or 0
        if self.handling and self.is_attached and self.protocol == PINGED:
            self.post_control(PING_PACKET)

    # The end.

    def shut(self) -> None:
        """Take no more packets; what waits still goes out, then the closing handshake of a WebSocket begins."""
        with self.lock:
            if self._is_shut:
                return
            self._is_shut = True
            self.end_poll()
            link = self._link
            if link is None:
                return
            self._put([self.close_frame], self.close_frame.size)
            if self._is_writing:
                return
            self._is_writing = True
        self._write_pending(link)

    def finish_later(self, reason: str, *, abort: bool = True) -> None:
        """End the session without waiting for its disconnect handler."""
        if not self.closing:
            self.server.start_background_task(self.finish, reason, abort=abort)

    def finish(self, reason: str, *, abort: bool = False) -> None:
        """End the session, as :meth:`.SessionState.finish` says."""
        if not self.claim_end(reason):
            return
        server = self.server
        is_silent = abort or reason == server.reason.PING_TIMEOUT
        self.give_up()
        server.deadlines.clear(self)
        if is_silent:
            self.stop_writing()
        try:
            server.run_disconnect(self.sid, reason)
            if not abort:
                self.post_control(CLOSE_PACKET)
        finally:
            self.end_transport(reason, is_silent=is_silent)

    def end_transport(self, reason: str, *, is_silent: bool) -> None:
        """End the transport as without I/O; a WebSocket is closed with the code for the end of the server."""
        if reason == self.server.reason.SERVER_SHUTDOWN:
            self.close_frame = closing_frame(GOING_AWAY)
        super().end_transport(reason, is_silent=is_silent)

    def end_reading(self, reason: str) -> None:  # noqa: ARG002 - as with asyncio
        """Cut off the body that is being read; a WebSocket gets ``close_grace`` seconds for its closing handshake."""
        body = self.body
        if body is not None:
            body.cut_off()
        if self.is_attached:
            self.server.deadlines.set(self, self.server.close_grace)

    def forget(self) -> None:
        """Stop waiting for the client of a session that is over."""
        super().forget()
        self.abort()

    def on_shutdown(self) -> None:
        """Stop waiting for a client whose session is over."""
        if self.closing:
            self.forget()
