"""
What waits to be sent to one client, and how it goes out, whichever threads send.

**Writing.** One thread writes at a time: the one that found nobody writing. Who posts to a WebSocket then writes
itself, as far as that does not wait; so a message to a client that keeps up costs one system call and no other thread.
When the client lags, a thread of its own finishes the write and whatever is posted meanwhile, in order. So a packet's
attachments stay together.

**Waiting.** What is posted is in the buffer, in its place, before anybody waits: :meth:`Outbox.let_read` only keeps the
caller from posting more while the client is behind. How long it does is decided in :mod:`fastsio.engine.congestion`.
"""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Protocol

from fastsio.engine.frame_reader import NORMAL_CLOSURE
from fastsio.engine.packet import NOOP_PACKET, MessagePacket, closing_frame
from fastsio.engine.session import UPGRADE_CHECK_S, Move, SessionState, Step, Transport
from fastsio.sync.engine.links import TextLink

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fastsio.engine.packet import WirePacket
    from fastsio.sync.engine.links import Link

#: How much of what waits becomes one write.
BATCH_BYTES: Final = 65_536
#: After this many batches of other threads a thread that posts hands over to one of the session's own.
ROUNDS: Final = 8
#: As far as what stands unread is counted.
RECEIVE_BYTES: Final = 65_536
#: What a WebSocket is closed with that nothing is wrong with.
CLOSE_FRAME: Final = closing_frame(NORMAL_CLOSURE)
#: The revision whose servers ping; before, clients did.
PINGED: Final = 4


class Cuttable(Protocol):
    """The reading of a body."""

    def cut_off(self) -> None:
        """End the body, which nobody wants any more."""


class Outbox(SessionState):
    """
    A session that sends, and what a session has with threads alone.

    Args:
        server: The server it belongs to.
        sid: Its Engine.IO session id.

    Attributes:
        body: The reading of a POST's body; None while no body is read.
        close_frame: What the WebSocket is closed with.
        is_lagging: True while a thread waits for the client to read.
        poll_waiter: What a poll waits for; None while none does.
        progress: How many messages were handled.
        progress_seen: How many had been when the heartbeat looked.
        unread_seen: How much stood unread behind the message that is handled when the heartbeat looked; None before it
            has.
        user_session: What the application keeps with the Engine.IO server; None while that is nothing.
    """

    __slots__ = (
        "_in_flight",
        "_is_shut",
        "_is_writing",
        "_link",
        "_lock",
        "body",
        "close_frame",
        "is_lagging",
        "poll_waiter",
        "progress",
        "progress_seen",
        "unread_seen",
        "user_session",
    )

    clock = staticmethod(monotonic)

    def __init__(self, server: Any, sid: str) -> None:
        super().__init__(server, sid)
        # Held for a few steps that never wait, so a plain lock serves greenlets too.
        self._lock = threading.Lock()
        #: Packets and bytes under way that still count as buffered.
        self._in_flight = (0, 0)
        self._link: Link | None = None
        self._is_writing = self._is_shut = self.is_lagging = False
        self.user_session: dict[str, Any] | None = None
        self.close_frame = CLOSE_FRAME
        self.poll_waiter: Any = None
        self.progress = self.progress_seen = 0
        self.unread_seen: int | None = None
        self.body: Cuttable | None = None

    # Steps: of several threads one gets through.

    def advance(self, step: Step) -> bool:
        """Take a step in the life of the session; tell whether it could be taken."""
        with self._lock:
            return super().advance(step)

    def claim_end(self, reason: str) -> bool:
        """Begin to end the session; only the first call counts."""
        with self._lock:
            return super().claim_end(reason)

    def move(self, move: Move) -> bool:
        """Take a step from one transport to another; tell whether it could be taken."""
        with self._lock:
            return super().move(move)

    def claim_post(self) -> bool:
        """Begin to take a POST; False while another is taken."""
        with self._lock:
            return super().claim_post()

    def end_post(self) -> None:
        """Note that a POST has been taken."""
        self.posting = False

    # Sending.

    def post(self, packets: Sequence[WirePacket], waits: bool = False) -> bool:
        """
        Send packets in order and with nothing between them, at once if the client keeps up, else as soon as it does.

        Args:
            packets: What to send.
            waits: Whether the caller waits afterwards, with :meth:`let_read`.

        Returns:
            False when the session is over, or its buffer is full and the packets were dropped.
        """
        with self._lock:
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
        """Send a packet of the transport itself; the buffer's limits do not apply."""
        with self._lock:
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
        """
        Send packets, then wait while the client is behind and reads.

        Returns:
            False when the session is over, or its buffer is full and the packets were dropped.
        """
        is_sent = self.post(packets, True)
        if self.congestion is not None:
            self.let_read()
        return is_sent

    def let_read(self, *, is_shared: bool = False) -> None:
        """
        Wait until the client has caught up, as long as it reads; one that does not is treated by ``slow_client``.

        Args:
            is_shared: Whether others wait for the same call. Then slow reading counts as none.
        """
        while True:
            with self._lock:
                left_s, congestion = self.pause_s(is_shared=is_shared), self.congestion
                if left_s <= 0 or congestion is None:
                    break
                if congestion.released is None:
                    congestion.released = self.server.create_event()
                released = congestion.released
            released.wait(left_s)
        if congestion is not None and congestion.is_refused:
            self.treat_as_slow()

    def give_up(self) -> None:
        """Have nobody wait for this client any more."""
        with self._lock:
            super().give_up()

    def claim_overflow(self) -> bool:
        """Give up on a client whose packets are refused; tell the first caller to apply the policy for slow clients."""
        with self._lock:
            return super().claim_overflow()

    def wake(self, released: Any) -> None:
        """Wake those who wait for the client."""
        released.set()

    def unsent(self) -> int | None:
        """Return how many bytes of what is being written the network has not taken yet."""
        link = self._link
        return None if link is None else link.unsent()

    def _put(self, packets: Sequence[WirePacket], size: int) -> None:
        self.append(packets, size)
        self._end_poll()

    # Writing to a WebSocket, by the one thread that has set _is_writing.

    def attach(self, link: Link) -> None:
        """Make *link* the way to the client, and write what waits."""
        self.move(Move.SWITCH)
        if self.frames_base64:
            link = TextLink(link)
        with self._lock:
            self._link = link
            self._end_poll()
            if self._is_shut:
                self._put([self.close_frame], self.close_frame.size)
            if not self.pending:
                return
            self._is_writing = True
        self._write_pending(link)

    def detach(self) -> None:
        """Forget the link, which is over."""
        with self._lock:
            self._link = None
            self.pending = None

    @property
    def is_attached(self) -> bool:
        """Whether a WebSocket is the way to the client."""
        return self._link is not None

    def unread(self) -> int | None:
        """Tell how much the client has sent over its WebSocket that nobody has read yet; None if nobody knows."""
        link = self._link
        return None if link is None else link.unread()

    def read_ahead(self, take: Callable[[str | bytes], bool]) -> Exception | None:
        """Read what the client has sent over its WebSocket; see :meth:`.Link.read_ahead`."""
        link = self._link
        return None if link is None else link.read_ahead(take)

    def peer_code(self) -> int:
        """Return the code that the peer has closed the WebSocket with."""
        link = self._link
        return NORMAL_CLOSURE if link is None else link.peer_code()

    def abort(self) -> None:
        """Cut the connection."""
        link = self._link
        if link is not None:
            link.abort()

    def stop_writing(self) -> None:
        """Give up on what is being written: the peer does not read."""
        if self.is_lagging:
            self.abort()

    def _write_pending(self, link: Link) -> None:
        packets = self._next()
        if packets is not None:
            self._write(link, packets)

    def _write(self, link: Link, packets: Sequence[WirePacket]) -> bool:
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
            self._lose(link, error)
            return False
        self.is_lagging = True
        self.server.start_background_task(self._finish_writing, link)
        return True

    def _count_in_flight(self, packets: Sequence[WirePacket]) -> None:
        """Count packets that never waited, but did not go out at once either."""
        with self._lock:
            if not self._in_flight[0]:
                size = sum([packet.size for packet in packets])
                self._in_flight = (len(packets), size)
                self.arrived(len(packets), size)

    def _finish_writing(self, link: Link) -> None:
        """Finish a write that has to wait, then write what was posted meanwhile."""
        try:
            link.flush()
            while (packets := self._next()) is not None:
                if not link.write(packets):
                    link.flush()
        except OSError as error:
            self._lose(link, error)

    def _next(self) -> list[WirePacket] | None:
        """Account for the last write and take the next batch; None when nothing waits, and writing is over."""
        with self._lock:
            self.left(*self._in_flight)
            if not self.pending:
                self._in_flight = (0, 0)
                self._is_writing = self.is_lagging = False
                return None
            packets, size = self.cut(BATCH_BYTES)
            self._in_flight = (len(packets), size)
            return packets

    def _lose(self, link: Link, error: OSError) -> None:
        """End the session after a failed write."""
        with self._lock:
            self._link = None
            self.pending = None
            self._is_writing = self.is_lagging = False
        link.abort()
        self.server.logger.debug("A write failed, the client is gone: %r", error)
        self.finish_later(self.server.reason.TRANSPORT_CLOSE)

    # Polls.

    def see_upgrade_decided(self) -> None:
        """
        Wait a moment for the end of an upgrade that is under way.

        The frame that completes it may have arrived before the poll and not have been read. A poll that the client
        needs an answer to before it completes the upgrade is answered within this time, as by the JavaScript server.
        """
        until = monotonic() + UPGRADE_CHECK_S
        poll: Any = None
        while True:
            with self._lock:
                if self.poll_waiter is not poll:  # another one waits
                    return
                left_s = until - monotonic()
                if self.transport is not Transport.UPGRADING or self._is_shut or left_s <= 0:
                    self.poll_waiter = None
                    return
                poll = self.poll_waiter = self.server.create_event()
            poll.wait(left_s)

    def wait_for_packets(self) -> bool:
        """Wait until a poll is to be answered; False when another poll waits already."""
        with self._lock:
            if self.poll_waiter is not None:
                return False
            if self.pending or self.holds or self._is_shut:
                return True
            poll = self.poll_waiter = self.server.create_event()
        poll.wait()
        with self._lock:
            self.poll_waiter = None
        return True

    def take(self, max_bytes: int, max_packets: int) -> list[WirePacket]:
        """Take what waits, within the limits but at least one packet; what is for a WebSocket is not for polls."""
        with self._lock:
            if self.holds or not self.pending:
                return [NOOP_PACKET]
            if len(self.pending) <= max_packets and self.buffered_bytes <= max_bytes:
                return self.cut_all()
            packets, size = self.cut(max_bytes, max_packets)
            self.left(len(packets), size)
            return packets

    def hold_polls(self) -> None:
        """Keep packets for the WebSocket that is about to take over."""
        self._move_anew(Move.PROBE)

    def end_upgrade(self) -> None:
        """Give packets to polls again, unless the WebSocket has taken over; a poll that waits looks anew."""
        self._move_anew(Move.FAIL)

    def _move_anew(self, move: Move) -> None:
        with self._lock:
            super().move(move)
            self._end_poll()
            self.restart_pause()

    def _end_poll(self) -> None:
        if self.poll_waiter is not None:
            self.poll_waiter.set()

    # The end.

    def shut(self) -> None:
        """Take no more packets; what waits still goes out, then the closing handshake of a WebSocket begins."""
        with self._lock:
            if self._is_shut:
                return
            self._is_shut = True
            self._end_poll()
            link = self._link
            if link is None:
                return
            self._put([self.close_frame], self.close_frame.size)
            if self._is_writing:
                return
            self._is_writing = True
        self._write_pending(link)
