"""
The histories of rooms: the latest events of each room, for clients that join later or come back.

:class:`RoomLogs` has the events of all rooms of one class. Beyond the limits of a room it drops the oldest events of
that room. Beyond the limits of the class it drops the events of the room whose newest event is the oldest. It must not
know clocks, packets or servers: times are arguments, frames are opaque.

The offset of an event is a text: the epoch of its room, a dash, and the number of the event. The first event of a room
has the number 1, and each later one the next number. When the server forgets a room, for instance at a restart, the
room gets a new epoch and its numbers begin again. So nobody knows what a client with an offset of another epoch has
missed.

Where processes read the same events in one order out of a log that they share, all have the same epoch, and the number
of an event is its position in that log. So each process knows the offsets of the others.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fastsio.exceptions import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence

#: About how many bytes an event in a history takes in memory, without its frames.
ENTRY_BYTES: Final = 400
#: The most digits of the number in an offset; a text with more is not an offset.
_MAX_DIGITS: Final = 20
_DASH: Final = "-"


def join_offset(epoch: str, number: int) -> str:
    """
    Return the offset of an event.

    >>> join_offset("9f1c", 17)
    '9f1c-17'
    """
    return f"{epoch}{_DASH}{number}"


def split_offset(offset: str) -> tuple[str, int] | None:
    """
    Return the epoch and the number of an offset; None for any other text.

    >>> split_offset("9f1c-17"), split_offset("17")
    (('9f1c', 17), None)
    """
    epoch, _, digits = offset.rpartition(_DASH)
    if not epoch or len(digits) > _MAX_DIGITS or not (digits.isascii() and digits.isdigit()):
        return None
    return epoch, int(digits)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """
    The attribute ``history`` of a room class: how many events of its rooms are kept, for clients that join later.

    Events are kept in the memory of each server process. The oldest are dropped first.

    Args:
        size: How many events of a room are kept. 100. With 1, each client that joins gets the newest event.
        ttl: For how many seconds an event is kept. 300.
        max_bytes: How many bytes the events of a room may take: their frames, and 400 more for each. 1,048,576.
        max_rooms: How many rooms of the class are known; beyond it rooms without events are forgotten first. 10,000.
        max_total_bytes: How many bytes the events of all rooms of the class may take. 67,108,864.

    Raises:
        SetupError: A value is not a positive number.
    """

    size: int = 100
    ttl: float = 300.0
    max_bytes: int = 1 << 20
    max_rooms: int = 10_000
    max_total_bytes: int = 64 << 20

    def __post_init__(self) -> None:
        for name in ("size", "ttl", "max_bytes", "max_rooms", "max_total_bytes"):
            value: Any = getattr(self, name)
            number = (int, float) if name == "ttl" else int
            if isinstance(value, bool) or not isinstance(value, number) or not value > 0:
                raise SetupError(f"History({name}={value!r}) is not valid; give it a positive number")


@dataclass(frozen=True, slots=True)
class Since:
    """
    What a client that joins a room has received of the room before.

    Args:
        offset: The offset of the last event that it has received; empty if it asks for all events that are kept.
        epoch: The epoch that it knows; None if it has sent no epoch.
    """

    offset: str
    epoch: str | None = None


class HistoryState(NamedTuple):
    """
    The state of a room's history, for the confirmation of a join.

    Args:
        epoch: The epoch of the room.
        offset: The offset of the newest event.
        complete: Whether the client has been sent each event after the offset that it has sent.
    """

    epoch: str
    offset: str
    complete: bool


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """
    An event in the history of a room.

    Args:
        number: Its number in the room.
        frames: The frames that are written to a client.
        skip: The sids that it was not sent to.
        size: The size of the frames in bytes.
        time: When it was sent, in seconds.
        without: The rooms whose clients it is not for, sids among them.
    """

    number: int
    frames: Sequence[Any]
    skip: Collection[str]
    size: int
    time: float
    without: Collection[Hashable] = ()

    def is_for(self, sid: str, rooms: Iterable[Hashable]) -> bool:
        """Return whether the event is for a client, which is in *rooms*."""
        return sid not in self.skip and (not self.without or not any(room in self.without for room in (sid, *rooms)))


class RoomLog:
    """
    The events of one room.

    Args:
        epoch: The epoch.
        start: The number before the first event that is known; 0 if there were no earlier events.

    Attributes:
        last: The number of the newest event; *start* before the first.
        dropped: The number of the newest event that was dropped; *start* if none was.
        events: The events that are kept, the oldest first.
        size: How many bytes they take.
    """

    __slots__ = ("dropped", "epoch", "events", "last", "size", "start")

    def __init__(self, epoch: str, start: int = 0) -> None:
        self.epoch = epoch
        self.start = self.last = self.dropped = start
        self.size = 0
        self.events: deque[KeptEvent] = deque()

    def drop_oldest(self) -> int:
        """Drop the oldest event; return how many bytes it took."""
        event = self.events.popleft()
        self.dropped = event.number
        freed = event.size + ENTRY_BYTES
        self.size -= freed
        return freed

    def number_of(self, since: Since, newest: int) -> int | None:
        """
        Return the number of the last event that a client has received, 0 for no event.

        No event of any room has a number beyond *newest*, where processes share a log. The result is None for an offset
        of another epoch, or of an event that does not exist.
        """
        if since.epoch is not None and since.epoch != self.epoch:
            return None
        if not since.offset:
            return 0  # the events before the start are not known, if there were any
        epoch, number = split_offset(since.offset) or ("", 0)
        return number if epoch == self.epoch and number <= max(self.last, newest) else None


class RoomLogs:
    """
    The events of the rooms of one class.

    Args:
        limits: How many events are kept, and for how long.
        make_epoch: Returns a text that no other epoch has.
        shared_epoch: The epoch of a log that several processes share, whose positions are the numbers; None if this
            process counts the events of each room.

    Attributes:
        newest: The position in that log up to which this process has got everything; 0 without one.
        total_bytes: How many bytes the events of all rooms take.
    """

    def __init__(self, limits: History, make_epoch: Callable[[], str], shared_epoch: str | None = None) -> None:
        self._limits = limits
        self._make_epoch, self._shared_epoch = make_epoch, shared_epoch
        #: The number before the first event of rooms that are not known.
        self._start = self.newest = 0
        #: The rooms with events, in the order of their newest events, and those without, whose epochs and numbers stay.
        self._active: OrderedDict[str, RoomLog] = OrderedDict()
        self._silent: OrderedDict[str, RoomLog] = OrderedDict()
        self.total_bytes = 0
        #: The rooms with events that were forgotten since the last event was added.
        self._forgotten: list[str] = []

    def __len__(self) -> int:
        return len(self._active) + len(self._silent)

    def has_events(self, room: str) -> bool:
        """Return whether events of a room are kept."""
        return room in self._active

    def log_of(self, room: str) -> RoomLog:
        """Return the log of a room; a new one, with an epoch of its own, if it is not known."""
        log = self._active.get(room) or self._silent.get(room)
        if log is None:
            while len(self) >= self._limits.max_rooms:
                self._drop_room()
            log = self._silent[room] = RoomLog(self._shared_epoch or self._make_epoch(), self._start)
        return log

    def next_offset(self, room: str, position: int | None = None) -> str:
        """Return the offset of the event of a room that will be added next; *position* as for :meth:`append`."""
        log = self.log_of(room)
        return join_offset(log.epoch, log.last + 1 if position is None else position)

    def append(
        self,
        room: str,
        frames: Sequence[Any],
        size: int,
        now: float,
        *,
        skip: Collection[str] = (),
        without: Collection[Hashable] = (),
        position: int | None = None,
    ) -> list[str]:
        """
        Add the newest event of a room, and drop what is beyond the limits; return the rooms that have no more events.

        The event is not for the sids in *skip*, nor for clients in the rooms *without*. *position* is its place in the
        log that processes share; None without such a log.
        """
        log = self.log_of(room)
        log.last = log.last + 1 if position is None else position
        log.events.append(KeptEvent(log.last, frames, skip, size, now, without))
        log.size += size + ENTRY_BYTES
        self.total_bytes += size + ENTRY_BYTES
        self._silent.pop(room, None)
        self._active[room] = log
        self._active.move_to_end(room)
        while len(log.events) > self._limits.size or log.size > self._limits.max_bytes:
            self.total_bytes -= log.drop_oldest()
        forgotten, self._forgotten = self._forgotten, []
        return [*forgotten, *self.drop_old(now), *self._free()]

    def drop_old(self, now: float) -> list[str]:
        """Drop the events of the rooms whose newest event is too old; return those rooms."""
        emptied = []
        for room, log in self._active.items():
            if log.events and log.events[-1].time + self._limits.ttl > now:
                break
            emptied.append(room)
        for room in emptied:
            self._drop_events(room)
        return emptied

    def _free(self) -> Iterator[str]:
        """While all events take too many bytes, drop those of the room whose newest event is the oldest; yield it."""
        while self.total_bytes > self._limits.max_total_bytes:
            room = next(iter(self._active))
            self._drop_events(room)
            yield room

    def _drop_events(self, room: str) -> None:
        """Drop the events of a room, which keeps its epoch and number."""
        log = self._silent[room] = self._active.pop(room)
        while log.events:
            self.total_bytes -= log.drop_oldest()

    def _drop_room(self) -> None:
        """Forget a room: one without events, if there is such a room."""
        room = next(iter(self._silent or self._active))
        if room in self._active:
            self._forgotten.append(room)
        self.forget(room)

    def forget(self, room: str) -> None:
        """Forget a room: its next event begins a new epoch."""
        log = self._silent.pop(room, None) or self._active.pop(room, None)
        if log is not None:
            self.total_bytes -= log.size
            if self._shared_epoch is not None:
                self._start = max(self._start, log.last)  # the epoch stays, and any new room may be the forgotten one

    def clear(self, position: int = 0) -> None:
        """Forget all rooms, and all events up to a position in the log that processes share."""
        self._active.clear()
        self._silent.clear()
        self.total_bytes = 0
        self._start = self.newest = position

    def missed(
        self,
        room: str,
        since: Since | None,
        sid: str,
        now: float,
        *,
        rooms: Iterable[Hashable] = (),
        until: int | None = None,
    ) -> tuple[list[KeptEvent], HistoryState]:
        """
        Return the events that are sent to a client that joins, and the state of the history for its confirmation.

        A client without *since* does not ask for events: it gets the newest one if rooms of the class keep only one. No
        client gets events that were not for it or for one of the *rooms* that it is in, nor events after the number
        *until*, if that is given.
        """
        log = self.log_of(room)
        while log.events and log.events[0].time + self._limits.ttl <= now:
            self.total_bytes -= log.drop_oldest()
        if not log.events and room in self._active:
            self._drop_events(room)
        if since is None:
            newest = [event for event in log.events if self._limits.size == 1 and event.is_for(sid, rooms)]
            return newest, self._state_of(log, complete=True)
        after, stop = log.number_of(since, self.newest), log.last if until is None else until
        start = log.start if after is None else after
        found = [event for event in log.events if start < event.number <= stop and event.is_for(sid, rooms)]
        return found, self._state_of(log, complete=after is not None and (after >= log.dropped or after >= stop))

    def state_of(self, room: str, *, complete: bool) -> HistoryState:
        """Return the state of the history of a room."""
        return self._state_of(self.log_of(room), complete=complete)

    def _state_of(self, log: RoomLog, *, complete: bool) -> HistoryState:
        return HistoryState(log.epoch, join_offset(log.epoch, max(log.last, self.newest)), complete)
