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

import sys
import threading
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from fastsio.engine.congestion import Congestion, PauseBudget, buffers_for
from fastsio.engine.frame_reader import NORMAL_CLOSURE
from fastsio.engine.packet import NOOP_PACKET
from fastsio.sync.engine.framing import CLOSE_FRAME

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fastsio.engine.packet import WirePacket
    from fastsio.sync.engine.links import Link
    from fastsio.sync.engine.session import Session

#: How much of what waits becomes one write.
BATCH_BYTES: Final = 65_536
#: After this many batches of other threads a thread that posts hands over to one of the session's own.
ROUNDS: Final = 8
#: How long a poll that comes during an upgrade waits to see its end.
UPGRADE_CHECK_S: Final = 0.1


class Outbox:
    """
    The packets of one session.

    Args:
        socket: The session.

    Attributes:
        buffered_bytes: What waits, and what is being written to a client that lags.
        buffered_count: The same in packets.
        close_frame: What the WebSocket is closed with.
        congestion: Set while the client is behind: more waits for it than the high-water mark.
        is_lagging: True while a thread waits for the client to read.
    """

    __slots__ = (
        "_closed",
        "_held",
        "_in_flight",
        "_link",
        "_lock",
        "_pause_budget",
        "_pending",
        "_poll",
        "_session",
        "_slow",
        "_writing",
        "buffered_bytes",
        "buffered_count",
        "close_frame",
        "congestion",
        "is_lagging",
    )

    def __init__(self, socket: Session) -> None:
        self._session = socket
        # Held for a few steps that never wait, so a plain lock serves greenlets too.
        self._lock = threading.Lock()
        self._pending: list[WirePacket] = []
        #: Packets and bytes under way that still count as buffered.
        self._in_flight = (0, 0)
        self._link: Link | None = None
        self._poll: Any = None
        self.congestion: Congestion | None = None
        #: How long those who send to several may be held up by this client; None until it has been behind.
        self._pause_budget: PauseBudget | None = None
        self.close_frame = CLOSE_FRAME
        self._writing = self._held = self._slow = self._closed = self.is_lagging = False
        self.buffered_bytes = self.buffered_count = 0

    # Sending.

    def post(self, packets: Sequence[WirePacket], *, is_limited: bool = True, waits: bool = False) -> bool:
        """
        Send packets in order and with nothing between them, at once if the client keeps up, else as soon as it does.

        Args:
            packets: What to send.
            is_limited: False for packets of the transport itself: the buffer's limits do not apply.
            waits: Whether the caller waits afterwards, with :meth:`let_read`.

        Returns:
            False when the session is over, or its buffer is full and the packets were dropped.
        """
        with self._lock:
            if self._closed:
                return False
            link = None if self._writing else self._link
            is_stuck = False
            if link is not None:
                self._writing = True
            else:
                is_stuck = is_limited and self._is_stuck()
                if not is_limited or self._has_room(packets, waits=waits):
                    self._append(packets)
                    return True
        if link is not None:
            return self._write(link, packets)
        if is_stuck:
            self.give_up()
        self._overflow()
        return False

    def let_read(self, *, is_shared: bool = False) -> None:
        """
        Wait until the client has caught up, as long as it reads; one that does not is treated by ``slow_client``.

        Args:
            is_shared: Whether others wait for the same call. Then slow reading counts as none.
        """
        while True:
            with self._lock:
                congestion, now = self.congestion, monotonic()
                if congestion is None or not self._is_worth_waiting(congestion):
                    return
                self._look(congestion)
                left_s = congestion.left_s(now, is_shared=is_shared)
                if left_s <= 0:
                    break
                if congestion.released is None:
                    congestion.released = self._session.server.create_event()
                released, left_s = congestion.released, congestion.next_look_s(left_s)
            released.wait(left_s)
        self._treat_if_stuck()

    def _is_worth_waiting(self, congestion: Congestion) -> bool:
        """Tell whether the client can read, now or soon, without the caller's going on."""
        socket = self._session
        if socket.closing or not socket.accepted or congestion.is_given_up:
            return False
        # A client ends an upgrade when its POST is answered, and the caller may be what the POST waits for.
        return not (self._held and socket.posting)

    def give_up(self) -> None:
        """Have nobody wait for this client any more."""
        with self._lock:
            congestion = self.congestion
            if congestion is not None:
                congestion.is_given_up = True
                self._session.server.congested.discard(self._session)
                self._wake_waiting(congestion)

    def _is_stuck(self) -> bool:
        """Tell whether the client reads nothing; then packets are refused until it has caught up."""
        congestion = self.congestion
        if congestion is None or congestion.is_refused or self._held:
            return False
        self._look(congestion)
        if not congestion.is_stuck(monotonic()):
            return False
        congestion.is_refused = True
        return True

    def _look(self, congestion: Congestion) -> None:
        """Find out whether the client reads a packet that takes long."""
        if self._link is not None:
            congestion.look(monotonic(), self._link.unsent())

    def _treat_if_stuck(self) -> None:
        """Apply the policy for slow clients to one that reads nothing."""
        with self._lock:
            is_stuck = self._is_stuck()
        if is_stuck:
            self.give_up()
            self._overflow()

    def _wake_waiting(self, congestion: Congestion) -> None:
        released, congestion.released = congestion.released, None
        if released is not None:
            released.set()

    @property
    def reads(self) -> bool:
        """Whether the client is behind, but has read something lately."""
        congestion = self.congestion
        if congestion is None:
            return False
        self._look(congestion)
        return not congestion.is_stuck(monotonic())

    def _has_room(self, packets: Sequence[WirePacket], *, waits: bool) -> bool:
        if not self.buffered_count:
            return True
        server, congestion = self._session.server, self.congestion
        if congestion is not None and congestion.is_refused:
            return False
        size = sum([packet.size for packet in packets])
        buffers = buffers_for(congestion, monotonic(), waits=waits and not self._session.closing)
        return (
            self.buffered_bytes + size <= server.max_buffer_bytes * buffers
            and self.buffered_count + len(packets) <= server.max_buffer_packets * buffers
        )

    def _append(self, packets: Sequence[WirePacket]) -> None:
        self._pending.extend(packets)
        self._arrived(len(packets), sum([packet.size for packet in packets]))
        self._end_poll()

    def _overflow(self) -> None:
        """Apply the policy for slow clients, and say so once for each client."""
        server = self._session.server
        drops = server.slow_client == "drop"
        with self._lock:
            is_known, self._slow = self._slow, True
        if is_known:
            return
        server.logger.error(
            "A client is too slow, %d packets of %d bytes wait for it: %s (slow_client=%r)",
            self.buffered_count,
            self.buffered_bytes,
            "new packets are dropped" if drops else "its session is ended",
            server.slow_client,
        )
        if not drops:
            self._session.finish_in_background(server.reason.TRANSPORT_ERROR)

    def _cut(self, max_bytes: int, max_packets: int = sys.maxsize) -> tuple[list[WirePacket], int]:
        """Take what waits, in order, within the limits but at least one packet; return its size too."""
        count = size = 0
        for packet in self._pending:
            if count and (count >= max_packets or size + packet.size > max_bytes):
                break
            count += 1
            size += packet.size
        taken, self._pending = self._pending[:count], self._pending[count:]
        return taken, size

    def _arrived(self, count: int, size: int) -> None:
        """Account for packets that came into the buffer."""
        self.buffered_count += count
        self.buffered_bytes += size
        server = self._session.server
        if (
            self.congestion is None
            and (self.buffered_bytes > server.high_water_bytes or self.buffered_count > server.high_water_packets)
            and not self._session.closing
        ):
            self._pause_budget = self._pause_budget or PauseBudget(server.slow_client_timeout)
            self.congestion = Congestion(monotonic(), server.slow_client_timeout, self._pause_budget)
            server.congested.add(self._session)

    def _left(self, count: int, size: int) -> None:
        """Account for packets that left the buffer."""
        self.buffered_count -= count
        self.buffered_bytes -= size
        congestion, server = self.congestion, self._session.server
        if congestion is None:
            return
        congestion.move(monotonic())
        if self.buffered_bytes * 2 > server.high_water_bytes or self.buffered_count * 2 > server.high_water_packets:
            return
        self.congestion = None
        server.congested.discard(self._session)
        self._wake_waiting(congestion)

    # Writing to a WebSocket, by the one thread that has set _writing.

    def attach(self, link: Link) -> None:
        """Make *link* the way to the client, and write what waits."""
        with self._lock:
            self._held = False
            self._link = link
            self._end_poll()
            if self._closed:
                self._append([self.close_frame])
            if not self._pending:
                return
            self._writing = True
        self._write_pending(link)

    def detach(self) -> None:
        """Forget the link, which is over."""
        with self._lock:
            self._link = None
            self._pending = []

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
        self._session.server.start_background_task(self._finish_writing, link)
        return True

    def _count_in_flight(self, packets: Sequence[WirePacket]) -> None:
        """Count packets that never waited, but did not go out at once either."""
        with self._lock:
            if not self._in_flight[0]:
                size = sum([packet.size for packet in packets])
                self._in_flight = (len(packets), size)
                self._arrived(len(packets), size)

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
            self._left(*self._in_flight)
            if not self._pending:
                self._in_flight = (0, 0)
                self._writing = self.is_lagging = False
                return None
            packets, size = self._cut(BATCH_BYTES)
            self._in_flight = (len(packets), size)
            return packets

    def _lose(self, link: Link, error: OSError) -> None:
        """End the session after a failed write."""
        with self._lock:
            self._link = None
            self._pending = []
            self._writing = self.is_lagging = False
        link.abort()
        server = self._session.server
        server.logger.debug("A write failed, the client is gone: %r", error)
        self._session.finish_in_background(server.reason.TRANSPORT_CLOSE)

    # Polls.

    @property
    def is_polled(self) -> bool:
        """Whether a poll waits."""
        return self._poll is not None

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
                if self._poll is not poll:  # another one waits
                    return
                left_s = until - monotonic()
                if not self._held or self._closed or left_s <= 0:
                    self._poll = None
                    return
                poll = self._poll = self._session.server.create_event()
            poll.wait(left_s)

    def wait_for_packets(self) -> bool:
        """Wait until a poll is to be answered; False when another poll waits already."""
        with self._lock:
            if self._poll is not None:
                return False
            if self._pending or self._held or self._link is not None or self._closed:
                return True
            poll = self._poll = self._session.server.create_event()
        poll.wait()
        with self._lock:
            self._poll = None
        return True

    def take(self, max_bytes: int, max_packets: int) -> list[WirePacket]:
        """Take what waits, within the limits but at least one packet; what is for a WebSocket is not for polls."""
        with self._lock:
            if self._held or self._link is not None or not self._pending:
                return [NOOP_PACKET]
            packets, size = self._cut(max_bytes, max_packets)
            self._left(len(packets), size)
            return packets

    def hold(self, *, is_held: bool) -> None:
        """Keep packets for the WebSocket that is about to take over, or keep them no longer."""
        with self._lock:
            self._held = is_held
            self._end_poll()
            congestion = self.congestion
            if congestion is not None:
                # The client could not read meanwhile; who waits looks whether it may go on.
                congestion.move(monotonic())
                self._wake_waiting(congestion)

    def _end_poll(self) -> None:
        if self._poll is not None:
            self._poll.set()

    # The end.

    def close(self) -> None:
        """Take no more packets; what waits still goes out, then the closing handshake of a WebSocket begins."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._end_poll()
            link = self._link
            if link is None:
                return
            self._append([self.close_frame])
            if self._writing:
                return
            self._writing = True
        self._write_pending(link)
