"""
The events that a server keeps for clients that come back after a lost connection.

An event gets its number, is sent and is kept while one lock is held. :mod:`.recovery_state` decides which client gets
which events again; :class:`~fastsio.state.recovery.PacketLog` limits how many are kept.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from fastsio.protocol import PacketType
from fastsio.protocol.decoder import ServerDecoder
from fastsio.protocol.limits import UNLIMITED
from fastsio.state.recovery import Entry, PacketLog

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable
    from contextlib import AbstractContextManager

    from fastsio.base.parts import PartServer, Positions
    from fastsio.base.recovery import ConnectionStateRecovery
    from fastsio.protocol import Packet
    from fastsio.state.recovery import Received


class RecoveryLog:
    """
    Numbers the events that the server sends, and keeps them in memory.

    Args:
        server: The server.
        options: The limits of the log, and how long it keeps events.
        positions: Writes positions as offsets.
        start: The position before the first event.
        lock: In the half for threads, held while an event gets its number and is sent.
        is_shared: Whether the positions are those of a log that all nodes share.
        is_stopped: Returns whether the server has shut down.
        new_deadlines: Makes the timer that drops old events.
        now: The clock, in seconds.
        packet_frames: Returns the frames of a packet.

    Attributes:
        kept: The events.
        on_entry: Called with each event before it is sent, or None.
        timer_key: Used by the timer.
    """

    def __init__(
        self,
        server: PartServer,
        options: ConnectionStateRecovery,
        positions: Positions,
        start: Any,
        lock: AbstractContextManager[Any],
        *,
        is_shared: bool,
        is_stopped: Callable[[], bool],
        new_deadlines: Callable[..., Any],
        now: Callable[[], float],
        packet_frames: Callable[[Packet], list[Any]],
    ) -> None:
        self._packet_class = server.packet_class
        self._duration_s = options.max_disconnection_duration
        self._positions = positions
        self._is_shared = is_shared
        self._is_stopped = is_stopped
        self._now = now
        self._packet_frames = packet_frames
        self.kept = PacketLog(options.max_packets, options.max_bytes, self._duration_s, start)
        self.lock = lock
        self.on_entry: Callable[[Entry], object] | None = None
        self.timer_key = 0.0
        self._deadlines = new_deadlines(self._on_due, server.eio)

    def number(
        self,
        namespace: str,
        rooms: Iterable[Hashable],
        skip: Collection[str],
        arguments: list[Any],
        received: Received | None = None,
    ) -> list[Any]:
        """
        Number and keep an event that is about to be sent; return its frames, with its offset as last argument.

        *received* is its place in the log that all nodes share; None if it did not come out of that log. With such a
        log, an event without a place is not kept, and gets the offset of the newest event.
        """
        log = self.kept
        if received is not None:
            position, is_kept = received.position, received.is_kept
        elif not self._is_shared:
            position, is_kept = log.last + 1, True
        else:
            position, is_kept = log.last, False
        frames = self.frames_of(namespace, arguments, position)
        if is_kept:
            size = sum([frame.size for frame in frames])
            without = () if received is None else received.without
            self.append(Entry(position, namespace, tuple(rooms), skip, frames, size, self._now(), without))
        return frames

    def frames_of(self, namespace: str, arguments: list[Any], position: Any) -> list[Any]:
        """Return the frames of an event with the offset of its position as last argument."""
        arguments = [*arguments, self._positions.write(position)]
        return self._packet_frames(self._packet_class(PacketType.EVENT, arguments, namespace))

    def append(self, entry: Entry) -> None:
        """Keep an event. The caller holds the lock."""
        log = self.kept
        if not (len(log) or self._is_stopped()):
            # If no thread can be started for the timer, old events are dropped when new ones are appended.
            with suppress(Exception):
                self._deadlines.set(self, self._duration_s)
        log.append(entry)
        log.drop_old(entry.time)
        if self.on_entry is not None:
            self.on_entry(entry)

    # Events of a log that all nodes share

    def keeps(self, received: Received | None) -> bool:
        """Return whether the log keeps an event, for clients that miss it; *received* is as for :meth:`number`."""
        return not self._is_shared if received is None else received.is_kept

    def keep_unsent(
        self,
        namespace: str,
        rooms: tuple[Hashable, ...],
        arguments: list[Any],
        received: Received,
        size: int,
    ) -> None:
        """Keep an event that no client of this process gets: a client of another node may come back here."""
        position, without, _ = received
        with self.lock:
            self.append(Entry(position, namespace, rooms, (), None, size, self._now(), without, arguments))

    def advance(self, position: Any) -> None:
        """Set the position of the newest event: no further event up to this position will come."""
        with self.lock:
            self.kept.last = position

    def restart(self, position: Any) -> None:
        """Drop all events, because some of the events up to a position were not received."""
        with self.lock:
            self.kept.restart(position)

    def forget_all(self) -> None:
        """Drop all events, because events of other nodes may be missing; do nothing if the log is shared."""
        if not self._is_shared:
            self.restart(self.kept.last + 1)

    @property
    def last(self) -> Any:
        """The position of the newest event."""
        return self.kept.last

    def offset_of(self, received: Received | None) -> str:
        """Return the offset of a received event; without one, that of the newest event."""
        offset: str = self._positions.write(self.kept.last if received is None else received.position)
        return offset

    def complete(self, entries: Iterable[Entry]) -> None:
        """Encode the frames of events that do not have them yet."""
        for entry in entries:
            if entry.frames is None:
                entry.frames = self.frames_of(entry.namespace, entry.arguments or [], entry.position)
                entry.arguments = None

    def arguments_of(self, entry: Entry) -> list[Any]:
        """Decode the frames of an event; return its name and arguments without the offset."""
        decoder = ServerDecoder(self._packet_class, UNLIMITED)
        packet = None
        for frame in entry.frames or ():
            packet = decoder.feed(frame.data)
        return [] if packet is None else packet.data[:-1]

    # Time

    def _on_due(self, _: list[Any]) -> None:
        with self.lock:
            if self._is_stopped():
                return
            self.kept.drop_old(self._now())
            self.start()

    def start(self) -> None:
        """Start the timer that drops old events, if there are events. The caller holds the lock."""
        if len(self.kept):
            self._deadlines.set(self, self._duration_s)

    def stop(self) -> None:
        """Stop the timer: the server has shut down, and keeps nothing more."""
        self._deadlines.stop()
