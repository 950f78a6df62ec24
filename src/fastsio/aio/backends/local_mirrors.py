"""
The sessions of one process's clients, mirrored in another process of the machine, so that they outlive a SIGKILL.

Each process, the owner, sends one other process, the mirror, the changes of its clients' sessions and the events of its
log, in the order of their positions. The mirror keeps copies of these, and the messages of the bus that the owner had
not handled at its last report. If the owner is killed, the mirror gives the sessions to processes that ask for them.

The owner writes an event to its mirror before it writes the event to clients and to the bus, unless the mirror is
behind. So a client has normally seen no event that the mirror lacks. A client that has seen one gets a new session.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from itertools import islice
from secrets import token_hex
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fastsio.cluster.payloads import MessageError
from fastsio.cluster.session_records import read_entries, read_kept, write_entries, write_kept
from fastsio.state.recovery import PacketLog, position_after

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping

    from fastsio.aio.backends.local import AsyncLocalManager
    from fastsio.aio.recovery import Recovery
    from fastsio.base.recovery import ConnectionStateRecovery
    from fastsio.cluster.messages import Message
    from fastsio.state.recovery import Entry, SavedSession

#: Seconds between two reports to the mirror: as a rule, and while the mirror is behind.
PERIOD_S: Final = 1.0
BEHIND_S: Final = 0.02
#: The most events, bytes of events, and sessions in one message to the mirror.
MAX_EVENTS: Final = 500
MAX_BYTES: Final = 262_144
MAX_SESSIONS: Final = 200
#: How many messages of the bus a mirror keeps before it drops those that the owner has handled.
PRUNE_AT: Final = 64


class BusMessage(NamedTuple):
    """
    A message of the bus, with its place.

    Args:
        publisher: The name of the publisher that has sent it.
        number: Its number among the messages of the publisher.
        message: The decoded message.
        size: Its encoded bytes.
    """

    publisher: str
    number: int
    message: Message
    size: int


class Mirroring:
    """
    Sends the sessions of this process to the process that mirrors them.

    *warn* is called with an error because of which sessions are not sent, *on_period* after each period of one second.
    """

    def __init__(
        self,
        bus: AsyncLocalManager,
        recovery: Recovery,
        warn: Callable[[Exception], object],
        on_period: Callable[[], object],
    ) -> None:
        self._bus = bus
        self._recovery = recovery
        self._warn = warn
        self._on_period = on_period
        self._name = token_hex(8)
        self._epoch = self._number = 0
        #: The name of the mirror; None if there is no mirror, or it needs everything anew.
        self._mirror: str | None = None
        #: The position before the first event of the log, until it was sent to a new mirror.
        self._start: int | None = None
        #: The pids of changed sessions and the events that are not sent yet, with the bytes of the events.
        self._changed: dict[str, None] = {}
        self._entries: deque[Entry] = deque()
        self._entry_bytes = 0
        #: The last report: how many messages of each publisher were handled, and whether more was left to send.
        self._told: dict[str, int] = {}
        self._had_rest = False
        #: The positions of the last event that was sent, and of the last one that was too large to send.
        self._sent_upto = self._floor = 0
        self._flushing: asyncio.Handle | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_stopped = False

    def touch(self, pid: str) -> None:
        """Send a changed or ended session to the mirror at the end of this turn of the loop."""
        self._changed[pid] = None
        if self._flushing is None and not self._is_stopped:
            self._flushing = asyncio.get_running_loop().call_soon(self._flush)
            self.start()

    def log(self, entry: Entry) -> None:
        """Send an event to the mirror, before this process sends it to clients."""
        if self._mirror is not None:
            self._add(entry)
            self._flush()

    def begin_anew(self, name: str | None = None) -> None:
        """Send everything anew, because the mirror lacks something; do nothing if *name* is that of another owner."""
        if name in {None, self._name}:
            self._abandon()

    def start(self) -> None:
        """Start the task that reports to the mirror every second."""
        if self._task is None and not self._is_stopped:
            self._task = asyncio.get_running_loop().create_task(self._keep_up())

    async def _keep_up(self) -> None:
        while True:
            try:
                with suppress(OSError):
                    await self._bus.open()
                self._flush()
                self._on_period()
            except Exception as error:  # noqa: BLE001 - a defect, after which the mirror may lack something
                self._warn(error)
                self._abandon()
            await asyncio.sleep(BEHIND_S if self._mirror is not None and self._has_rest() else PERIOD_S)

    def _flush(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        if self._recovery.state.is_stopped:
            return
        self._choose()
        mirror, handled = self._mirror, self._bus.handled()
        while mirror is not None and (self._has_rest() or self._had_rest or handled != self._told):
            is_behind = self._bus.is_behind(mirror)
            if is_behind and self._had_rest:
                return
            try:
                is_sent = self._bus.post(self._next(handled, is_empty=is_behind), mirror)
            except ValueError:  # an event is larger than the limit of the bus
                self._floor = self._sent_upto
                is_sent = False
            if not is_sent:
                self._abandon()
                return
            self._told, self._start = handled, None
            self._had_rest = self._has_rest()

    def _has_rest(self) -> bool:
        return bool(self._entries or self._changed) or self._start is not None

    def _choose(self) -> None:
        """Choose a mirror, if there is no connected one, and queue the whole state for it."""
        options = self._recovery.options
        if len(self._entries) > 2 * options.max_packets or self._entry_bytes > 2 * options.max_bytes:
            self._abandon()
        if self._mirror is not None and self._bus.is_there(self._mirror):
            return
        self._abandon()
        # Each process chooses the next one in the order of names, so that no process mirrors several others.
        mirror = min(self._bus.others(), key=lambda name: (name < self._bus.host_id, name), default=None)
        if mirror is None or self._bus.is_behind(mirror):
            return
        log = self._recovery.state.log.kept
        self._mirror, self._epoch, self._number = mirror, self._epoch + 1, 0
        self._start = max(int(log.complete_after), self._floor)
        for entry in log.entries:
            if entry.position > self._start:
                self._add(entry)
        self._changed.update(dict.fromkeys(self._recovery.state.pids()))

    def _abandon(self) -> None:
        self._mirror = self._start = None
        self._changed.clear()
        self._entries.clear()
        self._entry_bytes = 0
        self._had_rest = False

    def _add(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._entry_bytes += entry.size

    def _next(self, handled: dict[str, int], *, is_empty: bool) -> dict[str, Any]:
        """Return the next message: as much as fits into one, or with *is_empty* only the report."""
        entries, pids = ([], []) if is_empty else (self._next_entries(), list(islice(self._changed, MAX_SESSIONS)))
        for pid in pids:
            del self._changed[pid]
        self._number += 1
        return {
            "method": "mirror",
            "name": self._name,
            "epoch": self._epoch,
            "number": self._number,
            "start": self._start,
            "publisher": next(iter(self._bus.published()), ""),
            "handled": handled,
            "events": write_entries(entries),
            "sessions": {pid: self._record(pid) for pid in pids},
            "rest": bool(self._entries or self._changed),
        }

    def _next_entries(self) -> list[Entry]:
        entries: list[Entry] = []
        size, most = 0, min(MAX_BYTES, self._bus.most_posted_bytes // 4)
        while self._entries and len(entries) < MAX_EVENTS and size < most:
            entry = self._entries.popleft()
            entries.append(entry)
            size += entry.size
            self._sent_upto = entry.position
        self._entry_bytes -= size
        return entries

    def _record(self, pid: str) -> str | None:
        session = self._recovery.state.present_session(pid)
        try:
            return None if session is None else write_kept(session)
        except Exception as error:  # noqa: BLE001 - session data are objects of the application
            self._warn(error)
            return None

    async def stop(self) -> None:
        """Stop sending; the mirror keeps what it has."""
        self._is_stopped = True
        if self._flushing is not None:
            self._flushing.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


class Mirror:
    """
    The copy of another process's sessions and log: of the owner.

    Attributes:
        epoch: How often the owner has begun to send everything anew.
        number: The number of the owner's last message.
        host_id: The name of the owner on the bus.
        publisher: The name of the owner's publisher.
    """

    def __init__(self, epoch: int, start: int, options: ConnectionStateRecovery) -> None:
        self.epoch = epoch
        self.number = 0
        self.host_id = self.publisher = ""
        self._options = options
        self._log = PacketLog(options.max_packets, options.max_bytes, options.max_disconnection_duration, start)
        self._sessions: dict[str, str] = {}
        #: Publisher -> how many messages the owner has handled; later messages; the numbers up to which some were lost.
        self._handled: dict[str, int] = {}
        self._later: list[BusMessage] = []
        self._later_bytes = 0
        self._lost: dict[str, int] = {}
        self._ended_s: float | None = None
        #: Whether the owner had more to send at its last message.
        self._has_rest = True

    def take(self, message: Mapping[str, Any], handled: dict[str, int]) -> None:
        """Apply a message of the owner; raise MessageError if it is malformed."""
        now = monotonic()
        for entry in read_entries(message["events"], now):
            self._log.append(entry)
        self._log.drop_old(now)
        for pid, record in message["sessions"].items():
            if record is None:
                self._sessions.pop(pid, None)
            else:
                self._sessions[pid] = str(record)
        self.number, self._has_rest = message["number"], bool(message["rest"])
        self.host_id, self.publisher = str(message["host_id"]), str(message["publisher"])
        if not handled.keys() >= self._handled.keys():  # the owner leaves out publishers that ended long ago
            awaited = {each.publisher for each in self._later}
            handled = {name: count for name, count in self._handled.items() if name in awaited} | handled
        self._handled = handled
        if len(self._later) >= PRUNE_AT:
            self._prune()

    def record(self, received: BusMessage) -> None:
        """Keep a message that this process has handled, until the owner has handled it too."""
        if received.publisher == self.publisher:  # the owner's own messages are in its log
            return
        self._later.append(received)
        self._later_bytes += received.size
        if len(self._later) > self._options.max_packets or self._later_bytes > self._options.max_bytes:
            self._prune()
            if len(self._later) > self._options.max_packets or self._later_bytes > self._options.max_bytes:
                self.lose({each.publisher: each.number for each in self._later})

    def lose(self, upto: Mapping[str, int]) -> None:
        """Drop the kept messages, because some were lost up to a number of each publisher."""
        self._later, self._later_bytes = [], 0
        self._lost |= upto

    def _prune(self) -> None:
        self._later = [each for each in self._later if each.number > self._handled.get(each.publisher, 0)]
        self._later_bytes = sum(each.size for each in self._later)

    def has(self, namespace: str, pid: str, room: Hashable = None) -> bool:
        """Return whether the session of a pid is mirrored, in that namespace, and if *room* is given, in that room."""
        record = self._sessions.get(pid)
        if record is None:
            return False
        session = read_kept(record, pid)
        return session.namespace == namespace and (room is None or room in session.rooms)

    def is_over(self, *, is_alive: bool) -> bool:
        """Return whether the owner ended so long ago that none of its clients can come back."""
        if is_alive:
            self._ended_s = None
            return False
        now = monotonic()
        self._ended_s = self._ended_s or now
        return now - self._ended_s > self._options.max_disconnection_duration

    def give(self, pid: str, offset: str | None) -> tuple[SavedSession, list[Entry], list[BusMessage]] | None:
        """
        Remove the session of a client; return it, the events that the client has missed, and later messages of the bus.

        Returns:
            None if there is no such session, or something may be missing. The session is removed in any case.
        """
        record = self._sessions.pop(pid, None)
        is_behind = self._has_rest or any(self._handled.get(name, 0) < number for name, number in self._lost.items())
        if record is None or is_behind:
            return None
        session = read_kept(record, pid)
        after = position_after(session, offset, self._log.last)
        if after is None or self._log.has_missed_dropped(session, after):
            return None
        self._prune()
        return session, self._log.missed(session, after), self._later


class Mirrors:
    """The mirrors that this process keeps of other processes."""

    def __init__(self, options: ConnectionStateRecovery) -> None:
        self._options = options
        self._by_name: dict[str, Mirror] = {}

    def __bool__(self) -> bool:
        return bool(self._by_name)

    def __iter__(self) -> Iterator[tuple[str, Mirror]]:
        return iter(list(self._by_name.items()))

    def take(self, message: Mapping[str, Any], handled: dict[str, int]) -> bool:
        """
        Apply a message of an owner to its mirror; return False if an earlier message is missing.

        Raise MessageError if it is malformed.
        """
        try:
            name, epoch, number, start = (message[key] for key in ("name", "epoch", "number", "start"))
            mirror = self._by_name.get(name)
            if type(start) is int and type(epoch) is int:
                mirror = self._by_name[name] = Mirror(epoch, start, self._options)
            if mirror is None or mirror.epoch != epoch or mirror.number + 1 != number:
                self._by_name.pop(name, None)
                return False
            mirror.take(message, handled)
        except (AttributeError, KeyError, TypeError) as error:
            raise MessageError(f"the sessions of a process cannot be read: {error!r}") from error
        return True

    def record(self, received: BusMessage) -> None:
        """Record a message of the bus that this process has handled."""
        for mirror in self._by_name.values():
            mirror.record(received)

    def lose(self, upto: Mapping[str, int]) -> None:
        """Record that messages of the bus were lost in this process."""
        for mirror in self._by_name.values():
            mirror.lose(upto)

    def find(self, namespace: str, pid: str) -> Mirror | None:
        """Return the mirror that has a session."""
        return next((mirror for mirror in self._by_name.values() if mirror.has(namespace, pid)), None)

    def forget_old(self, is_alive: Callable[[Mirror], bool]) -> None:
        """Remove the mirrors of processes that ended long ago."""
        for name, mirror in self:
            if mirror.is_over(is_alive=is_alive(mirror)):
                del self._by_name[name]
