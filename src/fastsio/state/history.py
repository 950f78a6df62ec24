"""
The histories of rooms: the events that were sent to them lately, for clients that join later or come back.

:class:`RoomLogs` has the events of all rooms of one class. Beyond the limits of a room it drops the oldest events of
that room, beyond those of the class the rooms that had no event for the longest time. It knows neither the time nor
packets or servers: times are arguments, frames are opaque.

An offset is the place of an event in its room, as a text: the epoch, a dash, and a number that is one greater than that
of the event before. An epoch is the time for which a room's numbers go on. A new one begins when the store has lost
what it knew of the room, as at a restart; so an offset of another epoch says nothing about what a client has missed.

Processes that all get the same events in one order, out of a log that they share, have one epoch, and the positions in
that log as numbers: an offset of one of them is an offset of each.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence

#: What an event in a history takes in memory beside its frames, about.
ENTRY_BYTES: Final = 400
#: Digits of an offset's number; more are not one of ours.
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


@dataclass(frozen=True, slots=True)
class Since:
    """
    What a client that joins has had already.

    Args:
        offset: The offset of the last event that it had; empty for none, so that everything kept is sent.
        epoch: The epoch that it knows; None if it did not say.
    """

    offset: str
    epoch: str | None = None


class HistoryState(NamedTuple):
    """
    The state of a room's history, for the confirmation of a join.

    Args:
        epoch: The epoch of the room.
        offset: The offset of the newest event.
        complete: Whether it has got every event since the offset that it sent.
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
        frames: What is written to a client.
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
        """Whether it is for a client that is in rooms."""
        return sid not in self.skip and (not self.without or not any(room in self.without for room in (sid, *rooms)))


class RoomLog:
    """
    The events of one room.

    Args:
        epoch: The epoch.
        start: The number before the first event that the store has got; 0 if there was no event before that.

    Attributes:
        last: The number of the newest event; *start* before the first.
        dropped: The number of the newest event that is not kept any more; *start* while all are.
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
        """Return the number of the last event that a client had; None if this epoch cannot say, or it is above both."""
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
        size: How many events of a room are kept.
        ttl_s: How long each is kept, in seconds.
        max_bytes: How many bytes the events of a room may take; the frames count, and 400 bytes more for each event.
        max_rooms: How many rooms are known.
        max_total_bytes: How many bytes the events of all rooms may take.
        make_epoch: Returns a text that no other epoch has.
        shared_epoch: The epoch of a log that several processes share, whose positions are the numbers; None if this
            process counts the events of each room.

    Attributes:
        newest: The position in that log up to which this process has got everything; 0 without one.
    """

    __slots__ = (
        "_forgotten",
        "_loud",
        "_make_epoch",
        "_max_bytes",
        "_max_rooms",
        "_max_total_bytes",
        "_quiet",
        "_shared_epoch",
        "_size",
        "_start",
        "_total_bytes",
        "_ttl_s",
        "newest",
    )

    def __init__(
        self,
        *,
        size: int,
        ttl_s: float,
        max_bytes: int,
        max_rooms: int,
        max_total_bytes: int,
        make_epoch: Callable[[], str],
        shared_epoch: str | None = None,
    ) -> None:
        self._size, self._ttl_s, self._max_bytes = size, ttl_s, max_bytes
        self._max_rooms, self._max_total_bytes = max_rooms, max_total_bytes
        self._make_epoch, self._shared_epoch = make_epoch, shared_epoch
        #: The number before the first event of rooms that are not known.
        self._start = self.newest = 0
        #: The rooms with events, that of the newest event last; and those without, which keep their epoch and number.
        self._loud: OrderedDict[str, RoomLog] = OrderedDict()
        self._quiet: OrderedDict[str, RoomLog] = OrderedDict()
        self._total_bytes = 0
        #: The rooms with events that were forgotten since the last event was added.
        self._forgotten: list[str] = []

    def __len__(self) -> int:
        return len(self._loud) + len(self._quiet)

    @property
    def total_bytes(self) -> int:
        """How many bytes the events of all rooms take."""
        return self._total_bytes

    def has_events(self, room: str) -> bool:
        """Whether events of a room are kept."""
        return room in self._loud

    def log_of(self, room: str) -> RoomLog:
        """Return the log of a room; a new one, with an epoch of its own, if it is not known."""
        log = self._loud.get(room) or self._quiet.get(room)
        if log is None:
            while len(self) >= self._max_rooms:
                self._drop_room()
            log = self._quiet[room] = RoomLog(self._shared_epoch or self._make_epoch(), self._start)
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
        Add the newest event of a room, and drop what is beyond the limits.

        Args:
            room: The room.
            frames: What is written to a client.
            size: The size of the frames in bytes.
            now: The time, in seconds.
            skip: The sids that it is not sent to.
            without: The rooms whose clients it is not for, sids among them.
            position: Its position in the log that several processes share.

        Returns:
            The rooms of which no event is kept any more.
        """
        log = self.log_of(room)
        log.last = log.last + 1 if position is None else position
        log.events.append(KeptEvent(log.last, frames, skip, size, now, without))
        log.size += size + ENTRY_BYTES
        self._total_bytes += size + ENTRY_BYTES
        self._quiet.pop(room, None)
        self._loud[room] = log
        self._loud.move_to_end(room)
        while len(log.events) > self._size or log.size > self._max_bytes:
            self._total_bytes -= log.drop_oldest()
        forgotten, self._forgotten = self._forgotten, []
        return [*forgotten, *self.drop_old(now), *self._free()]

    def drop_old(self, now: float) -> list[str]:
        """Drop the events of rooms that had none for long; return those rooms."""
        silent = []
        for room, log in self._loud.items():
            if log.events and log.events[-1].time + self._ttl_s > now:
                break
            silent.append(room)
        for room in silent:
            self._silence(room)
        return silent

    def _free(self) -> Iterator[str]:
        """Drop the events of the rooms that had none for the longest time, while all take too many bytes."""
        while self._total_bytes > self._max_total_bytes:
            room = next(iter(self._loud))
            self._silence(room)
            yield room

    def _silence(self, room: str) -> None:
        """Drop the events of a room, which keeps its epoch and number."""
        log = self._quiet[room] = self._loud.pop(room)
        while log.events:
            self._total_bytes -= log.drop_oldest()

    def _drop_room(self) -> None:
        """Forget a room: one without events if there is one."""
        room = next(iter(self._quiet or self._loud))
        if room in self._loud:
            self._forgotten.append(room)
        self.forget(room)

    def forget(self, room: str) -> None:
        """Forget a room: its next event begins a new epoch."""
        log = self._quiet.pop(room, None) or self._loud.pop(room, None)
        if log is not None:
            self._total_bytes -= log.size
            if self._shared_epoch is not None:
                self._start = max(self._start, log.last)  # the epoch goes on, and it is not known which room this was

    def clear(self, position: int = 0) -> None:
        """Forget all rooms, and what is up to a position in the log that several processes share."""
        self._loud.clear()
        self._quiet.clear()
        self._total_bytes = 0
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

        Args:
            room: The room.
            since: What it has had already. None for a client that asks for nothing: it gets the newest event where only
                one is kept.
            sid: The client; events that have skipped it are left out.
            now: The time, in seconds.
            rooms: The rooms that it is in; events that are not for one of them are left out.
            until: The number of the last event that it may have missed; None for the newest.
        """
        log = self.log_of(room)
        while log.events and log.events[0].time + self._ttl_s <= now:
            self._total_bytes -= log.drop_oldest()
        if not log.events and room in self._loud:
            self._silence(room)
        if since is None:
            newest = [event for event in log.events if self._size == 1 and event.is_for(sid, rooms)]
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
