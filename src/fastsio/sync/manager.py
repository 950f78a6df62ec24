# Written by tools/unasync.py from aio/manager.py; change that one.
"""
The client manager of one process: it sends events to rooms.

It knows rooms and packets, and must not know handlers or transports.
"""

from __future__ import annotations

from functools import partial
from itertools import chain
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Any, ClassVar

from fastsio.base.answers import AckWaiter
from fastsio.base.emit_args import event_arguments, rooms_of, skipped
from fastsio.base.history import KeptEmit
from fastsio.base.manager import BaseManager, ExpectedAcks
from fastsio.engine.packet import frames_of
from fastsio.protocol import PacketType
from fastsio.routing import single_namespace
from fastsio.sync import concurrency

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Mapping
    from typing import Never

    from fastsio.base.history import Arrival
    from fastsio.base.internals import ServerInternals
    from fastsio.base.recovery_state import RecoveryState
    from fastsio.engine.packet import MessagePacket
    from fastsio.state import Client
    from fastsio.state.history import KeptEvent, RoomLogs, Since
    from fastsio.state.recovery import Received
    from fastsio.types import AckCallback, EventName, Rooms, Sids


class Manager(BaseManager):
    """
    Keeps the clients of one process and sends to them.

    Subclasses that connect several processes override the methods that send, and call those of this class for the
    clients of this process. Methods with a namespace as argument raise ValueError for one without a slash in front.
    """

    asynchronous: ClassVar[bool | None] = concurrency.ASYNCHRONOUS

    def __init__(self, **unknown: Never) -> None:
        super().__init__(lock=concurrency.guard(), **unknown)

    def shutdown(self) -> None:
        """Release what the manager holds; called when the server shuts down."""

    def can_disconnect(self, sid: str, namespace: str) -> bool:
        """Whether the server may disconnect a client itself."""
        return self.is_connected(sid, single_namespace(namespace))

    def admits_at_once(self) -> bool:
        """Return whether :meth:`pre_connect` waits for nothing, so that :meth:`admit` may be called in its place."""
        return self._has_pre_connect(Manager.pre_connect)

    def _has_pre_connect(self, *known: Any) -> bool:
        """Return whether :meth:`pre_connect` is one of these functions, and not one of the application."""
        return getattr(self.pre_connect, "__func__", None) in known

    def connects_at_once(self) -> bool:
        """Return whether :meth:`connect` waits for nothing, so that it need not run in a task."""
        return getattr(self.connect, "__func__", None) is Manager.connect

    def pre_connect(self, eio_sid: str, namespace: str) -> str:
        """Add a client whose connect handler is about to run; return its sid."""
        return self.admit(eio_sid, namespace)

    def connect(self, sid: str, namespace: str) -> str:
        """Mark a client as connected, and send the frames that were held for it."""
        with self._lock:
            client, frames = self._table.get(namespace, sid), []
            if client is not None and client.has_overflowed:  # once more, since it was sent what it had missed
                parts = self._recovery.read_on(client)
                if parts is None:
                    self._recovery.cut_off(client)
                    return sid
                frames = [*chain.from_iterable(parts)]
            frames += self.basic_accept(sid, namespace)
            if client is not None and frames:
                self.server.__fastsio__.dispatcher.send_frames(client.eio_sid, frames)
        return sid

    def disconnect(self, sid: str, namespace: str, **kwargs: Any) -> None:
        """Remove a client."""
        self.basic_disconnect(sid, namespace, **kwargs)

    def restore_rooms(self, client: Client, rooms: Mapping[Hashable, Any]) -> None:
        """
        Put a client that comes back into the rooms that it was in; the values are kept with them.

        The client may still answer what it was asked before, so the ids of its acknowledgements go on after those of
        then: they count from the time, in milliseconds.
        """
        limits = self.server.__fastsio__.limits
        with self._lock:
            self._acks.start_after(client.sid, time_ns() // 1_000_000 % (limits.max_ack_id // 2 + 1))
        for room, entered in rooms.items():
            self._table.enter(client.namespace, client.sid, room)
            if client.rooms is not None:
                client.rooms[room] = entered

    def enter_room(self, sid: str, namespace: str, room: Hashable, eio_sid: str | None = None) -> None:
        """
        Put a client into a room.

        Raises:
            ValueError: The room is another client's own, or the client is in too many.
            KeyError: The client is not in the namespace.
        """
        namespace = single_namespace(namespace)
        histories = self._histories
        if histories is None or not histories.keeps_events_of(namespace, room):
            self.basic_enter_room(sid, namespace, room, eio_sid)
            return
        with self._lock:
            is_new = not self._table.is_in(namespace, sid, room)
            self.basic_enter_room(sid, namespace, room, eio_sid)
            if is_new:
                missed = histories.enter(namespace, room, sid, monotonic(), self._rooms_of(namespace, sid))
                self._send_history(sid, namespace, missed)

    def reach(self, since: Since) -> None:
        """Wait until this node has all events that a client has had, on another node perhaps."""

    def catch_up(self, sid: str, namespace: str, room: str, arrival: Arrival, entered: int | None) -> None:
        """Send a client that is in a room already what the room's history has for it."""
        histories = self._histories
        if histories is not None:
            with self._lock:
                rooms = self._rooms_of(namespace, sid)
                missed = histories.reenter(namespace, room, sid, arrival, entered, monotonic(), rooms)
                self._send_history(sid, namespace, missed)

    def _send_history(self, sid: str, namespace: str, events: Iterable[KeptEvent]) -> None:
        client = self._table.get(namespace, sid)
        if client is not None:
            for event in events:
                self._send_frames([client], list(event.frames), False)

    def leave_room(self, sid: str, namespace: str, room: Hashable) -> None:
        """Take a client out of a room."""
        self.basic_leave_room(sid, single_namespace(namespace), room)

    def begin_join(self, namespace: str, room: Hashable) -> None:
        """Listen from now on to messages of other servers about a room that a client asks to join."""

    def close_room(self, room: Hashable, namespace: str) -> None:
        """
        Take all clients out of a room.

        Raises:
            ValueError: The room is a client's own.
        """
        self.basic_close_room(room, single_namespace(namespace))

    def emit(
        self,
        event: EventName,
        data: Any,
        namespace: str,
        room: Rooms = None,
        skip_sid: Sids = None,
        callback: AckCallback = None,
        to: Rooms = None,
        *,
        wait: bool = True,
        **_kwargs: Any,
    ) -> None:
        """
        Send an event to the local clients of a room.

        Args:
            event: Event name.
            data: Payload; a tuple is several arguments, None is no argument.
            namespace: The namespace.
            room: A room or sid, or several; None is all clients.
            skip_sid: The sid, or several, to leave out.
            callback: Called with what each client acknowledges.
            to: The same as *room*.
            wait: Whether to wait while a client is behind and reads.
        """
        rooms, skip = rooms_of(room if to is None else to), skipped(skip_sid)
        recipients = self._send_here(event, data, namespace, rooms, skip, callback, wait)
        if not recipients:
            single_namespace(namespace)  # a name without its slash may be the reason
        if wait and self.server.eio.congested:
            self._let_read(recipients, callback)

    def _send_here(
        self,
        event: EventName,
        data: Any,
        namespace: str,
        rooms: Iterable[Hashable],
        skip: Collection[str],
        callback: Any,
        waits: bool,
        received: Received | None = None,
    ) -> list[Client]:
        """
        Send an event to this server's clients in rooms, without waiting for any of them; return them.

        *received* is where the event stands in a log that all nodes share.
        """
        shared: ServerInternals | None = None if self.server is None else self.server.__fastsio__
        histories, recovery = (None, None) if shared is None else (shared.histories, shared.recovery_state)
        if histories is not None and callback is None and (received.is_kept if received else not histories.is_shared):
            keepers = histories.logs_for_event(namespace, rooms, event)
            if keepers:
                arguments = [event, *event_arguments(data)]
                return self._send_kept(keepers, arguments, namespace, tuple(rooms), skip, waits, received)
        if recovery is not None and callback is None and namespace not in recovery.excluded:
            return self._send_numbered(recovery, event, data, namespace, rooms, skip, waits, received)
        recipients = self._recipients(namespace, rooms, skip)
        if not recipients:
            if isinstance(callback, ExpectedAcks):
                callback.mark_sent()
            return recipients
        arguments = [event, *event_arguments(data)]
        self._observe_event(recipients, namespace, arguments)
        if callback is None:
            self._send_frames(recipients, self._frames_of(namespace, arguments), waits)
        else:
            self._ask_each(recipients, namespace, arguments, callback, waits)
        return recipients

    def _send_numbered(
        self,
        recovery: RecoveryState,
        event: EventName,
        data: Any,
        namespace: str,
        rooms: Iterable[Hashable],
        skip: Collection[str],
        waits: bool,
        received: Received | None,
    ) -> list[Client]:
        """Send an event as :meth:`_send_here` does, and keep it for clients that come back."""
        rooms = tuple(rooms)
        # Who gets it, and its place among other events, are decided at once: a client that comes back has missed it or
        # gets it now.
        with recovery.lock:
            recipients = self._recipients(namespace, rooms, skip)
            if not (recipients or received is not None or recovery.has_sessions(namespace)):
                return recipients
            arguments = [event, *event_arguments(data)]
            self._observe_event(recipients, namespace, arguments)
            frames = recovery.log.number(namespace, rooms, skip, arguments, received)
            clients = [client for client in recipients if client.recovery is not None]
            self._send_frames(clients, frames, waits, recovery.log.keeps(received))
            others = [client for client in recipients if client.recovery is None]
            if others:
                self._send_frames(others, self._frames_of(namespace, arguments), waits)
        return recipients

    def _send_kept(
        self,
        keepers: dict[str, RoomLogs],
        arguments: list[Any],
        namespace: str,
        rooms: tuple[Hashable, ...],
        skip: Collection[str],
        waits: bool,
        received: Received | None,
    ) -> list[Client]:
        """
        Send an event that the histories of some rooms, *keepers*, keep, with its offsets; return its recipients.

        *rooms* are all rooms that it is sent to, *received* is as of :meth:`_send_here`.
        """
        recovery, changed, is_logged = self._recovery, list[str](), False
        event = KeptEmit(arguments, partial(self._frames_of, namespace))
        position, without, _ = (None, (), False) if received is None else received
        # The lock is held until the event is sent, so that each client gets the events of a room in their order.
        with self._lock:
            recipients = self._recipients(namespace, rooms, skip)
            self._observe_event(recipients, namespace, arguments)
            for room, logs in keepers.items():
                if not logs.has_events(room):
                    changed.append(room)
                changed += event.keep(room, logs, skip, monotonic(), position, without)
            if recovery is not None and (recipients or received is not None or recovery.has_sessions(namespace)):
                names = tuple(keepers) if len(rooms) == 1 else ()
                numbered = recovery.log.number(namespace, rooms, skip, event.content(names), received)
                event.number(names, numbered, recovery.log.offset_of(received))
                is_logged = recovery.log.keeps(received)
            for clients, frames in event.deliveries(recipients, rooms):
                self._send_frames(clients, frames, waits, is_logged)
        for room in changed:  # a manager that listens to rooms of its own does so while events are kept
            self.end_join(namespace, room)
        return recipients

    def _frames_of(self, namespace: str, content: list[Any]) -> list[MessagePacket]:
        return frames_of(self.server.packet_class(PacketType.EVENT, content, namespace))

    def _send_frames(
        self, recipients: list[Client], frames: list[MessagePacket], waits: bool, is_logged: bool = False
    ) -> None:
        """
        Send the frames of an event to clients, or keep them for those that are about to connect.

        *is_logged* is whether the event is kept for clients that miss it.
        """
        server = self.server
        shared: ServerInternals = server.__fastsio__
        if shared.observer is not None:
            shared.observer.frames_sent(frames, len(recipients))
        if shared.shows_frames:
            self._send_each(recipients, frames, waits, is_logged)
            return
        sessions, others = [], []
        for client in recipients:
            session = client.connection.session
            if session is not None and client.outgoing is None:
                sessions.append(session)
            else:
                others.append(client)
        server.eio.post_to_all(sessions, frames, waits)
        if others:
            self._send_each(others, frames, waits, is_logged)

    def _send_each(self, recipients: list[Client], frames: list[MessagePacket], waits: bool, is_logged: bool) -> None:
        """Send frames to clients one by one, or hold them for those whose CONNECT has not been answered yet."""
        for client in recipients:
            if not self._hold(client, frames, is_logged=is_logged):
                self.server.__fastsio__.dispatcher.send_frames(client.eio_sid, frames, waits)

    def _ask_each(
        self, recipients: list[Client], namespace: str, arguments: list[Any], callback: Any, waits: bool
    ) -> None:
        """Send an event to clients, each with its own id for the acknowledgement."""
        server = self.server
        for client in recipients:
            ack_id = self._expect_ack(client.sid, namespace, callback)
            packet = server.packet_class(PacketType.EVENT, arguments, namespace, ack_id)
            try:
                if client.outgoing is None or not self._hold(client, frames_of(packet)):
                    server.__fastsio__.dispatcher.send(client.eio_sid, packet, waits)
            except Exception:
                self.discard_callback(client.sid, ack_id)
                raise
        if isinstance(callback, ExpectedAcks):
            callback.mark_sent()

    def _let_read(self, recipients: list[Client], callback: Any) -> None:
        """Wait while a client is behind and reads; not for ``call()``, which waits for the client's answer."""
        if not isinstance(callback, AckWaiter):
            self.server.eio.let_read([client.eio_sid for client in recipients])

    def trigger_callback(self, sid: str, id: int, data: list[Any]) -> None:  # noqa: A002 - python-socketio's name
        """Call the callback that waits for an acknowledgement; without one the acknowledgement is ignored."""
        callback = self._pop_callback(sid, id)
        if callback is None:
            self._get_logger().debug("%s: unexpected acknowledgement %s", self.server.__fastsio__.label_of(sid), id)
        else:
            self.server.__fastsio__.runner.run_callback(sid, callback, data)
