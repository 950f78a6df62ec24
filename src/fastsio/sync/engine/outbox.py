"""
What waits to be sent to one client, and how it goes out, whichever threads send.

**Writing.** One thread writes at a time: the one that found nobody writing. Who posts to a WebSocket then writes
itself, as far as that does not wait; so a message to a client that keeps up costs one system call and no other thread.
When the client lags, a thread of its own finishes the write and whatever is posted meanwhile, in order. So nobody who
posts waits for a client, and a packet's attachments stay together.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from fastsio.engine.packet import NOOP_PACKET
from fastsio.sync.engine.framing import CLOSE_FRAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastsio.engine.packet import WirePacket
    from fastsio.sync.engine.links import Link
    from fastsio.sync.engine.socket import EngineSocket

#: How much of what waits becomes one write.
BATCH_BYTES: Final = 65_536
#: After this many batches of other threads a thread that posts hands over to one of the session's own.
ROUNDS: Final = 8


class Outbox:
    """
    The packets of one session.

    Args:
        socket: The session.

    Attributes:
        buffered_bytes: What waits, and what is being written to a client that lags.
        buffered_count: The same in packets.
        dropped: Packets dropped because the client was too slow.
        is_lagging: True while a thread waits for the client to read.
    """

    __slots__ = (
        "_closed",
        "_drained",
        "_held",
        "_in_flight",
        "_link",
        "_lock",
        "_pending",
        "_poll",
        "_slow",
        "_socket",
        "_writing",
        "buffered_bytes",
        "buffered_count",
        "dropped",
        "is_lagging",
    )

    def __init__(self, socket: EngineSocket) -> None:
        self._socket = socket
        # Held for a few steps that never wait, so a plain lock serves greenlets too.
        self._lock = threading.Lock()
        self._pending: list[WirePacket] = []
        #: Packets and bytes under way that still count as buffered.
        self._in_flight = (0, 0)
        self._link: Link | None = None
        self._poll: Any = None
        self._drained: Any = None
        self._writing = self._held = self._slow = self._closed = self.is_lagging = False
        self.buffered_bytes = self.buffered_count = self.dropped = 0

    # Sending.

    def post(self, packets: Sequence[WirePacket], *, is_limited: bool = True) -> bool:
        """
        Send packets in order and with nothing between them, at once if the client keeps up, else as soon as it does.

        Args:
            packets: What to send.
            is_limited: False for packets of the transport itself: the buffer's limits do not apply.

        Returns:
            False when the session is over, or its buffer is full and the packets were dropped.
        """
        with self._lock:
            if self._closed:
                return False
            link = None if self._writing else self._link
            if link is not None:
                self._writing = True
            elif not is_limited or self._has_room(packets):
                self._append(packets)
                return True
        if link is not None:
            return self._write(link, packets)
        self._overflow(len(packets))
        return False

    def drain(self) -> None:
        """Wait until at most half of the buffer is in use, or the session is over."""
        while True:
            with self._lock:
                if self._closed or not self._is_congested():
                    return
                if self._drained is None:
                    self._drained = self._socket.server.create_event()
                drained = self._drained
            drained.wait()

    def _has_room(self, packets: Sequence[WirePacket]) -> bool:
        if not self.buffered_count:
            return True
        server = self._socket.server
        size = sum([packet.size for packet in packets])
        return (
            self.buffered_bytes + size <= server.max_buffer_bytes
            and self.buffered_count + len(packets) <= server.max_buffer_packets
        )

    def _append(self, packets: Sequence[WirePacket]) -> None:
        self._pending.extend(packets)
        self.buffered_bytes += sum([packet.size for packet in packets])
        self.buffered_count += len(packets)
        self._end_poll()

    def _overflow(self, count: int) -> None:
        """Apply the policy for slow clients, and say so once for each client."""
        server = self._socket.server
        drops = server.slow_client == "drop"
        with self._lock:
            self.dropped += count if drops else 0
            is_known, self._slow = self._slow, True
        if is_known:
            return
        server.logger.error(
            "A client is too slow, %d packets of %d bytes wait for it: %s",
            self.buffered_count,
            self.buffered_bytes,
            "new packets are dropped" if drops else "its session is ended",
        )
        if not drops:
            self._socket.finish_in_background(server.reason.TRANSPORT_ERROR)

    def _is_congested(self) -> bool:
        server = self._socket.server
        return self.buffered_bytes * 2 > server.max_buffer_bytes or self.buffered_count * 2 > server.max_buffer_packets

    def _cut(self, max_bytes: int) -> tuple[list[WirePacket], int]:
        """Take what waits, in order, up to *max_bytes* but at least one packet; return its size too."""
        count = size = 0
        for packet in self._pending:
            if count and size + packet.size > max_bytes:
                break
            count += 1
            size += packet.size
        taken, self._pending = self._pending[:count], self._pending[count:]
        return taken, size

    def _left(self, count: int, size: int) -> None:
        """Account for packets that left the buffer."""
        self.buffered_count -= count
        self.buffered_bytes -= size
        if self._drained is not None and not self._is_congested():
            self._release_drained()

    def _release_drained(self) -> None:
        if self._drained is not None:
            self._drained.set()
            self._drained = None

    # Writing to a WebSocket; by whoever has set _writing.

    def attach(self, link: Link) -> None:
        """Make *link* the way to the client, and write what waits."""
        with self._lock:
            self._held = False
            self._link = link
            if self._closed:
                self._append([CLOSE_FRAME])
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
        self._socket.server.start_background_task(self._finish_writing, link)
        return True

    def _count_in_flight(self, packets: Sequence[WirePacket]) -> None:
        """Count packets that never waited, but did not go out at once either."""
        with self._lock:
            if not self._in_flight[0]:
                size = sum([packet.size for packet in packets])
                self._in_flight = (len(packets), size)
                self.buffered_count += len(packets)
                self.buffered_bytes += size

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
        server = self._socket.server
        server.logger.debug("A write failed, the client is gone: %r", error)
        self._socket.finish_in_background(server.reason.TRANSPORT_CLOSE)

    # Polls.

    @property
    def is_polled(self) -> bool:
        """Whether a poll waits."""
        return self._poll is not None

    def wait_for_packets(self) -> bool:
        """Wait until a poll is to be answered; False when another poll waits already."""
        with self._lock:
            if self._poll is not None:
                return False
            if self._pending or self._held or self._link is not None or self._closed:
                return True
            poll = self._poll = self._socket.server.create_event()
        poll.wait()
        with self._lock:
            self._poll = None
        return True

    def take(self, max_bytes: int) -> list[WirePacket]:
        """Take what waits, up to *max_bytes* but at least one packet; what is for a WebSocket is not for polls."""
        with self._lock:
            if self._held or self._link is not None or not self._pending:
                return [NOOP_PACKET]
            packets, size = self._cut(max_bytes)
            self._left(len(packets), size)
            return packets

    def hold(self, *, is_held: bool) -> None:
        """Keep packets for the WebSocket that is about to take over, or keep them no longer."""
        with self._lock:
            self._held = is_held
            self._end_poll()

    def _end_poll(self) -> None:
        if self._poll is not None:
            self._poll.set()

    # The end.

    def close(self) -> bool:
        """
        Take no more packets; what waits still goes out, then the closing handshake of a WebSocket begins.

        Returns:
            Whether a poll waited, which takes what was left.
        """
        with self._lock:
            if self._closed:
                return False
            self._closed = True
            self._release_drained()
            was_polled = self.is_polled
            self._end_poll()
            link = self._link
            if link is None:
                return was_polled
            self._append([CLOSE_FRAME])
            if self._writing:
                return False
            self._writing = True
        self._write_pending(link)
        return False
