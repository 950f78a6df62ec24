"""
The writer of a client for threads: a thread of its own writes the packets that other threads post.

The other parts of :mod:`.client` that differ with threads stand here too: waiting for the end of a connection or a
thread, and reading from a WebSocket.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from fastsio._extras import require
from fastsio.engine.payload import MAX_POSTED, next_post

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from logging import Logger

    from fastsio.engine.packet import WirePacket

current: Final = threading.current_thread


class Outlet:
    """
    The packets that go out to the server over one connection, from any thread to the one that writes.

    A signal handler may post, or end the connection, at any moment, so nothing is locked: what waits is the sum of what
    was posted and not taken. *on_failure* gets the exception of a write.
    """

    def __init__(
        self, on_failure: Callable[[Exception], None], *, high_water_bytes: int, high_water_packets: int
    ) -> None:
        self._on_failure = on_failure
        # What belongs together, a packet and its attachments, is one entry; None ends the writing.
        self._entries: queue.SimpleQueue[Sequence[WirePacket] | None] = queue.SimpleQueue()
        self._high_water_bytes = high_water_bytes
        self._high_water_packets = high_water_packets
        #: Packets and bytes of each entry that has not been taken.
        self._waiting: deque[tuple[int, int]] = deque()
        #: What was taken for POSTs.
        self._taken: deque[WirePacket] = deque()
        self._room = threading.Event()
        self._is_closed = self._is_over = False
        self._writer: threading.Thread | None = None
        self._claims = [None]

    def post(self, packets: Sequence[WirePacket]) -> None:
        """Queue packets, in order."""
        self._waiting.append((len(packets), sum([packet.size for packet in packets])))
        self._entries.put(packets)

    def close(self) -> None:
        """Accept no more packets; those that wait are still written."""
        self._entries.put(None)

    def end(self) -> None:
        """Wake the callers that wait: nothing is written any more."""
        self._is_over = True
        self._room.set()

    def claim_end(self) -> bool:
        """Return True to the first caller, which then ends the connection."""
        try:
            self._claims.pop()
        except IndexError:
            return False
        return True

    def wait_for_room(self) -> None:
        """Wait while much waits, until half of that is left or writing has ended; the thread that writes does not."""
        if threading.current_thread() is self._writer:
            return
        while not self._is_over and self._is_behind(1):
            self._room.clear()
            if self._is_behind(1) and not self._is_over:
                self._room.wait()

    # In the thread that writes.

    def write_to(self, socket: Any) -> None:
        """Write to a WebSocket until the connection is closed."""
        self._writer = threading.current_thread()
        try:
            while (packets := self.get()) is not None:
                for packet in packets:
                    if packet.binary:
                        socket.send_binary(packet.wire)
                    else:
                        socket.send(packet.wire)
        except Exception as error:  # noqa: BLE001 - websocket-client has several ways to say that the server is gone
            self._on_failure(error)
        finally:
            self.end()

    def next_post(self, max_bytes: int) -> bytes | None:
        """Wait for what one POST may carry, and take it; None once the connection is closed and nothing waits."""
        self._writer = threading.current_thread()
        while not self._is_closed and (not self._taken or (len(self._taken) < MAX_POSTED and not self.empty())):
            packets = self.get()
            self._is_closed = packets is None
            self._taken.extend(packets or ())
        return next_post(self._taken, max_bytes).encode() if self._taken else None

    def get(self) -> Sequence[WirePacket] | None:
        """Wait for the next packets."""
        packets = self._entries.get()
        if packets is not None:
            self._waiting.popleft()
            if not self._room.is_set() and not self._is_behind(2):
                self._room.set()
        return packets

    def empty(self) -> bool:
        """Return whether nothing waits."""
        return self._entries.empty()

    def _is_behind(self, share: int) -> bool:
        """Tell whether more waits than the high-water mark, or a share of it; however much it is, in bounded time."""
        if len(self._waiting) * share > self._high_water_packets:  # no entry is empty
            return True
        waiting = tuple(self._waiting)
        return (
            sum([size for _, size in waiting]) * share > self._high_water_bytes
            or sum([count for count, _ in waiting]) * share > self._high_water_packets
        )


class End:
    """The end of a connection; a signal handler may bring it about in a thread that waits for it."""

    def __init__(self) -> None:
        self._has_come: queue.SimpleQueue[None] = queue.SimpleQueue()

    def set(self) -> None:
        """Wake all threads that wait."""
        self._has_come.put(None)

    def wait(self) -> None:
        """Wait for the end."""
        self._has_come.put(self._has_come.get())


def join(thread: Any, timeout_s: float) -> None:
    """Wait for the end of a thread, unless it is the current one."""
    if thread is not None and thread is not threading.current_thread():
        thread.join(timeout_s)


def frames(socket: Any, logger: Logger) -> Iterator[str | bytes]:
    """Wait for each frame of the server, until the WebSocket is over, which is logged."""
    websocket = require("websocket", "client")
    while True:
        try:
            opcode, data = socket.recv_data()
        except websocket.WebSocketTimeoutException:
            logger.warning("The server has stopped communicating, the connection is ended")
            return
        except (websocket.WebSocketException, OSError, AttributeError) as error:
            # AttributeError: another thread has closed the socket just now.
            logger.info("The WebSocket was closed: %r", error)
            return
        if opcode == websocket.ABNF.OPCODE_TEXT:
            yield data.decode()
        elif opcode == websocket.ABNF.OPCODE_BINARY:
            yield bytes(data)
        else:
            logger.info("The WebSocket was closed by the server")
            return
