"""
Histories of rooms: those of all classes, and the fields of joins and events that belong to them.

:mod:`fastsio.state.history` decides which events are kept. The managers in ``fastsio.aio`` and ``fastsio.sync`` call
this module when clients join, and send them the events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastsio.exceptions import SetupError, ValidationFailed
from fastsio.state.history import HistoryState, RoomLogs, Since, split_offset
from fastsio.state.room_names import key_of_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence

    from fastsio.state.clients import Client
    from fastsio.state.history import History, KeptEvent
    from fastsio.types import EventName

#: The names in the payload of a join.
SINCE, EPOCH = "since", "epoch"
#: The name in the last argument of an event, and in the frame of a consumer.
OFFSETS: Final = "offsets"
#: The event of room classes that says who is in a room now. It is not kept, because it would be out of date later.
_PRESENCE: Final = "presence"
#: A number that is greater than the count of a stream's entries in one millisecond.
_PER_MS: Final = 1_000_000


class Arrival:
    """
    The entry of a client into a room with a history.

    Args:
        since: The last event that the client has received before; None if it does not ask for events.

    Attributes:
        number: The number of the room's newest event when the client entered; None before that.
        history_state: The state of the room's history that the confirmation of the join has.
    """

    __slots__ = ("history_state", "number", "since")

    def __init__(self, since: Since | None) -> None:
        self.since = since
        self.number: int | None = None
        self.history_state: HistoryState | None = None


class Histories:
    """
    The histories of the rooms of one server, or of one class of consumers.

    Threads hold the manager's lock while they call its methods.

    Args:
        make_epoch: Returns the text of a new epoch.
        shared_epoch: The epoch of a log that several processes share; None without such a log.

    Attributes:
        is_shared: Whether there is such a log. Only its events are kept then, and they are the same in all processes.
    """

    def __init__(self, make_epoch: Callable[[], str], shared_epoch: str | None = None) -> None:
        self._make_epoch, self._shared_epoch = make_epoch, shared_epoch
        self._newest = 0
        self.is_shared = shared_epoch is not None
        #: Namespace and key -> the events, and whether the rooms send ``presence`` events.
        self._logs: dict[tuple[str, str], tuple[RoomLogs, bool]] = {}
        #: Namespace, room and sid -> the arrival of a client that is about to enter.
        self._arrivals: dict[tuple[str, str, str], Arrival] = {}

    def add(self, namespace: str, room_class: type[Any], *, is_present: bool) -> None:
        """
        Keep the events of the rooms of a class, if it has a history; *is_present*: they send ``presence`` events.

        Raises:
            SetupError: The names of its rooms cannot be told from sids.
        """
        history: History | None = room_class.history
        if history is None:
            return
        if not room_class.key:
            raise SetupError(f"{room_class.__qualname__} has a history and an empty key; give it a key")
        logs = RoomLogs(history, self._make_epoch, self._shared_epoch)
        logs.clear(self._newest)
        self._logs.setdefault((namespace, room_class.key), (logs, is_present))

    def logs_of(self, namespace: str, room: Hashable) -> RoomLogs | None:
        """Return the logs of a room's class; None for a room without a history."""
        found = self._logs.get((namespace, key_of_name(room))) if isinstance(room, str) else None
        return None if found is None else found[0]

    def logs_for_event(self, namespace: str, rooms: Iterable[Hashable], event: EventName) -> dict[str, RoomLogs]:
        """Return room -> logs of its class, for those of the rooms whose histories keep an event."""
        found = {}
        for room in rooms:
            if isinstance(room, str):
                kept = self._logs.get((namespace, key_of_name(room)))
                if kept is not None and not (kept[1] and event == _PRESENCE):
                    found[room] = kept[0]
        return found

    def keeps_events_of(self, namespace: str, room: Hashable) -> bool:
        """Return whether a room has a history."""
        return self.logs_of(namespace, room) is not None

    def has_events(self, namespace: str, room: Hashable) -> bool:
        """Return whether the history of a room has events at present."""
        logs = self.logs_of(namespace, room)
        return logs is not None and isinstance(room, str) and logs.has_events(room)

    def forget(self, namespace: str, room: Hashable) -> None:
        """Forget a room, because this process does not get all of its events any more."""
        logs = self.logs_of(namespace, room)
        if logs is not None and isinstance(room, str):
            logs.forget(room)

    def forget_all(self) -> None:
        """Forget all rooms, because events of other processes may have been lost; not those of a shared log."""
        if not self.is_shared:
            for logs, _ in self._logs.values():
                logs.clear()

    def restart(self, position: tuple[int, int]) -> None:
        """Forget all rooms, because not all events up to a position of the shared log were received."""
        self._newest = number_at(position)
        for logs, _ in self._logs.values():
            logs.clear(self._newest)

    def advance(self, position: tuple[int, int]) -> None:
        """Set the position of the newest event: no further event up to this position of the shared log will come."""
        self._newest = number_at(position)
        for logs, _ in self._logs.values():
            logs.newest = self._newest

    def position_of(self, since: Since) -> tuple[int, int] | None:
        """Return the position in the shared log that a client's offset stands for; None for any other offset."""
        epoch, number = split_offset(since.offset) or ("", 0)
        return divmod(number, _PER_MS) if self.is_shared and epoch == self._shared_epoch else None

    # Clients that enter

    def begin_arrival(self, namespace: str, room: str, sid: str, arrival: Arrival) -> None:
        """Store the arrival of a client that is about to enter a room."""
        self._arrivals[namespace, room, sid] = arrival

    def end_arrival(self, namespace: str, room: str, sid: str) -> None:
        """Forget the arrival of a client."""
        self._arrivals.pop((namespace, room, sid), None)

    def enter(
        self, namespace: str, room: Hashable, sid: str, now: float, rooms: Iterable[Hashable] = ()
    ) -> list[KeptEvent]:
        """Record that a client has entered a room; return the events that it is sent before all later ones."""
        logs = self.logs_of(namespace, room)
        if logs is None or not isinstance(room, str):
            return []
        arrival = self._arrivals.get((namespace, room, sid)) or Arrival(None)
        missed, arrival.history_state = logs.missed(room, arrival.since, sid, now, rooms=rooms)
        arrival.number = logs.log_of(room).last
        return missed

    def newest(self, namespace: str, room: Hashable) -> int:
        """Return the number of the newest event of a room."""
        logs = self.logs_of(namespace, room)
        return 0 if logs is None or not isinstance(room, str) else logs.log_of(room).last

    def after(self, namespace: str, room: Hashable, sid: str, number: int) -> list[KeptEvent]:
        """Return the events of a room after a number, for a client that enters and has been sent those before."""
        logs = self.logs_of(namespace, room)
        if logs is None or not isinstance(room, str):
            return []
        log, arrival = logs.log_of(room), self._arrivals.get((namespace, room, sid))
        if arrival is not None and arrival.history_state is not None and number < log.dropped:
            # Events were dropped while the client was sent those before them.
            arrival.history_state = arrival.history_state._replace(complete=False)
        return [event for event in log.events if event.number > number and event.is_for(sid, ())]

    def reenter(
        self,
        namespace: str,
        room: str,
        sid: str,
        arrival: Arrival,
        entered: int | None,
        now: float,
        rooms: Iterable[Hashable] = (),
    ) -> list[KeptEvent]:
        """
        Record that a client has asked to join a room in which it is; return what it has missed before its entry.

        *entered* is the number of the room's newest event when the client entered, after which it was sent all events;
        None if that is not known.
        """
        logs = self.logs_of(namespace, room)
        if logs is None:
            return []
        if arrival.since is None or entered is None:
            arrival.history_state = logs.state_of(room, complete=True)
            return []
        missed, arrival.history_state = logs.missed(room, arrival.since, sid, now, rooms=rooms, until=entered)
        return missed

    def confirmation(self, namespace: str, room: str, arrival: Arrival) -> dict[str, Any]:
        """Return the history's fields in the confirmation of a join: the state at present, as the client has it."""
        logs, state = self.logs_of(namespace, room), arrival.history_state
        if logs is None or state is None:
            return {}
        now = logs.state_of(room, complete=state.complete)
        if now.epoch != state.epoch:  # the history was lost since the client entered
            now = now._replace(complete=False)
        return dict(now._asdict())


class KeptEmit:
    """An event that histories keep, and its frames for each kind of recipient; *write* makes frames."""

    __slots__ = ("_arguments", "_frames", "_mark", "_offsets", "_write")

    def __init__(self, arguments: list[Any], write: Callable[[list[Any]], list[Any]]) -> None:
        self._arguments = arguments
        self._write = write
        self._offsets: dict[str, str] = {}
        self._mark: str | None = None
        #: The rooms whose offsets the event has, and whether it has one of recovery -> its frames.
        self._frames: dict[tuple[tuple[str, ...], bool], list[Any]] = {}

    def keep(
        self,
        room: str,
        logs: RoomLogs,
        skip: Collection[str],
        now: float,
        position: tuple[int, int] | None = None,
        without: Collection[Hashable] = (),
    ) -> list[str]:
        """
        Add the event to the history of a room; return the rooms that have no events any more.

        *position* is the place of the event in the log that processes share; None without such a log. The event is not
        for clients in *without*.
        """
        number = None if position is None else number_at(position)
        self._offsets[room] = logs.next_offset(room, number)
        frames = self._frames_for((room,), is_numbered=False)
        size = sum([frame.size for frame in frames])
        return logs.append(room, frames, size, now, skip=skip, without=without, position=number)

    def content(self, names: tuple[str, ...]) -> list[Any]:
        """Return the name of the event and its arguments; if rooms are named, the last one has its offsets in them."""
        if not names:
            return self._arguments
        return [*self._arguments, {OFFSETS: {name: self._offsets[name] for name in names}}]

    def number(self, names: tuple[str, ...], frames: list[Any], mark: str) -> None:
        """
        Store the frames that recovery has made for clients whose sessions can be recovered.

        The offsets of the rooms *names* are in them, and *mark*, the offset of recovery, is their last argument.
        """
        self._frames[names, True] = frames
        self._mark = mark

    def deliveries(
        self, recipients: list[Client], rooms: Sequence[Hashable]
    ) -> Iterator[tuple[list[Client], list[Any]]]:
        """Yield clients and their frames: a client gets the offsets in those rooms that it is in."""
        found: dict[tuple[tuple[str, ...], bool], list[Client]] = {}
        everywhere = tuple(self._offsets)
        for client in recipients:
            joined = client.rooms or ()
            names = everywhere if len(rooms) == 1 else tuple([name for name in everywhere if name in joined])
            found.setdefault((names, self._mark is not None and client.recovery is not None), []).append(client)
        for (names, is_numbered), clients in found.items():
            yield clients, self._frames_for(names, is_numbered=is_numbered)

    def _frames_for(self, names: tuple[str, ...], *, is_numbered: bool) -> list[Any]:
        frames = self._frames.get((names, is_numbered))
        if frames is None:
            content = self.content(names)
            frames = self._frames[names, is_numbered] = self._write([*content, self._mark] if is_numbered else content)
        return frames


def number_at(position: tuple[int, int]) -> int:
    """Return a position in a shared log, of milliseconds and a number among those of one, as one number."""
    milliseconds, number = position
    return milliseconds * _PER_MS + min(number, _PER_MS - 1)


def split_payload(args: tuple[Any, ...]) -> tuple[tuple[Any, ...], Since | None]:
    """
    Split the payload of a join into the application's arguments and the fields of the history.

    Returns:
        The arguments that the application sees, and the last event that the client has received; None if the client
        does not ask for events.

    Raises:
        ValidationFailed: A field of the history is neither a text nor null.
    """
    if not args or type(args[0]) is not dict or not (SINCE in args[0] or EPOCH in args[0]):
        return args, None
    payload: dict[str, Any] = args[0]
    rest = {name: value for name, value in payload.items() if name not in (SINCE, EPOCH)}
    for name in (SINCE, EPOCH):
        if not isinstance(payload.get(name), str | None):
            mistake = {"loc": ["args", 0, name], "msg": "Input should be a valid string", "type": "string_type"}
            raise ValidationFailed([mistake])
    since = Since(payload[SINCE] or "", payload.get(EPOCH)) if SINCE in payload else None
    return (rest, *args[1:]), since
