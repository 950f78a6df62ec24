"""What one connection of a client for threads has to write, and who waits until it is written."""

from __future__ import annotations

import queue
import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastsio.engine.packet import WirePacket


class Outgoing:
    """
    The queue of one connection, from any thread to the one that writes.

    A signal handler may put something there at any moment, so nothing is locked: what waits is the sum of what was put
    and not taken.

    Args:
        high_water_bytes: How much may wait before those who send wait.
        high_water_packets: The same in packets.
    """

    __slots__ = ("_entries", "_high_water_bytes", "_high_water_packets", "_is_over", "_room", "_waiting")

    def __init__(self, *, high_water_bytes: int, high_water_packets: int) -> None:
        # What belongs together, a packet and its attachments, is one entry; None ends the writing.
        self._entries: queue.SimpleQueue[Sequence[WirePacket] | None] = queue.SimpleQueue()
        self._high_water_bytes = high_water_bytes
        self._high_water_packets = high_water_packets
        #: Packets and bytes of each entry that has not been taken.
        self._waiting: deque[tuple[int, int]] = deque()
        self._room = threading.Event()
        self._is_over = False

    def put(self, packets: Sequence[WirePacket] | None) -> None:
        """Have packets written, in order; None is the last."""
        if packets is not None:
            self._waiting.append((len(packets), sum([packet.size for packet in packets])))
        self._entries.put(packets)

    def get(self) -> Sequence[WirePacket] | None:
        """Wait for the next packets; for the thread that writes."""
        packets = self._entries.get()
        if packets is not None:
            self._waiting.popleft()
            if not self._room.is_set() and not self._is_behind(2):
                self._room.set()
        return packets

    def empty(self) -> bool:
        """Tell whether nothing waits."""
        return self._entries.empty()

    def end(self) -> None:
        """Have nobody wait any more: nothing is written any more."""
        self._is_over = True
        self._room.set()

    def let_write(self) -> None:
        """Wait while much waits, until half of that is left or writing has ended."""
        while not self._is_over and self._is_behind(1):
            self._room.clear()
            if self._is_behind(1) and not self._is_over:
                self._room.wait()

    def _is_behind(self, share: int) -> bool:
        """Tell whether more waits than the high-water mark, or a share of it; however much it is, in bounded time."""
        if len(self._waiting) * share > self._high_water_packets:  # no entry is empty
            return True
        waiting = tuple(self._waiting)
        return (
            sum([size for _, size in waiting]) * share > self._high_water_bytes
            or sum([count for count, _ in waiting]) * share > self._high_water_packets
        )
