# Written by tools/unasync.py from aio/manager.py; change that one.
"""
The client manager of one process: sends events to rooms.

Knows rooms and packets; must not know handlers or transports, which it reaches through the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from fastsio.base.emit_args import event_arguments, rooms_of, skipped
from fastsio.base.manager import BaseManager, ExpectedAcks
from fastsio.protocol import PacketType
from fastsio.routing import place_of
from fastsio.sync import concurrency
from fastsio.sync.acks import AckWaiter

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable
    from typing import Never

    from fastsio.engine.packet import MessagePacket
    from fastsio.state import Client
    from fastsio.types import AckCallback, EventName, Rooms, Sids


class Manager(BaseManager):
    """
    Keeps the clients of one process and sends to them.

    Subclasses that connect several processes override the methods that send, and call those of this class for what is
    local. Methods that are given a namespace raise ValueError for one without a slash in front.
    """

    asynchronous: ClassVar[bool | None] = concurrency.ASYNCHRONOUS

    def __init__(self, **unknown: Never) -> None:
        super().__init__(lock=concurrency.guard(), **unknown)

    def shutdown(self) -> None:
        """Release what the manager holds; called when the server shuts down."""

    def can_disconnect(self, sid: str, namespace: str) -> bool:
        """Whether the server may disconnect a client itself."""
        return self.is_connected(sid, place_of(namespace))

    def admits_at_once(self) -> bool:
        """Whether :meth:`pre_connect` waits for nobody: :meth:`admit` does the same then."""
        return self._has_pre_connect(Manager.pre_connect)

    def _has_pre_connect(self, *known: Any) -> bool:
        """Whether :meth:`pre_connect` is one of these functions, and not an application's own."""
        return getattr(self.pre_connect, "__func__", None) in known

    def connects_at_once(self) -> bool:
        """Whether :meth:`connect` waits for nobody, so that it need not run in a task."""
        return getattr(self.connect, "__func__", None) is Manager.connect

    def pre_connect(self, eio_sid: str, namespace: str) -> str:
        """Add a client whose connect handler is about to run; return its sid."""
        return self.admit(eio_sid, namespace)

    def admit(self, eio_sid: str, namespace: str) -> str:
        """Do as :meth:`pre_connect` does, without waiting for anybody."""
        sid: str = self.server.known_sid(eio_sid, namespace) or self._make_sid()
        self.basic_connect(sid, eio_sid, namespace)
        return sid

    def _make_sid(self) -> str:
        """Return a name for a client that nobody else has."""
        return self.server.eio.generate_id()  # type: ignore[no-any-return] # the server is Any here

    def connect(self, sid: str, namespace: str) -> str:
        """Mark a client as connected and send what was held for it."""
        with self._lock:
            held = self.basic_accept(sid, namespace)
            eio_sid = self.eio_sid_from_sid(sid, namespace) if held else None
            if eio_sid is not None:
                self.server.send_frames(eio_sid, held)
        return sid

    def disconnect(self, sid: str, namespace: str, **kwargs: Any) -> None:
        """Forget a client."""
        self.basic_disconnect(sid, namespace, **kwargs)

    def enter_room(self, sid: str, namespace: str, room: Hashable, eio_sid: str | None = None) -> None:
        """
        Put a client into a room.

        Raises:
            ValueError: The room is another client's own, or the client is in too many.
            KeyError: The client is not in the namespace.
        """
        self.basic_enter_room(sid, place_of(namespace), room, eio_sid)

    def leave_room(self, sid: str, namespace: str, room: Hashable) -> None:
        """Take a client out of a room."""
        self.basic_leave_room(sid, place_of(namespace), room)

    def begin_join(self, namespace: str, room: Hashable) -> None:
        """Hear from now on what other servers say of a room that a client may be let into."""

    def end_join(self, namespace: str, room: Hashable) -> None:
        """Note that a client is in a room now, or was not let in."""

    def close_room(self, room: Hashable, namespace: str) -> None:
        """
        Take everybody out of a room.

        Raises:
            ValueError: The room is a client's own.
        """
        self.basic_close_room(room, place_of(namespace))

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
            room: A room or sid, or several; None is everybody.
            skip_sid: The sid, or several, to leave out.
            callback: Called with what each client acknowledges.
            to: The same as *room*.
            wait: Whether to wait while a client is behind and reads.
        """
        rooms, skip = rooms_of(room if to is None else to), skipped(skip_sid)
        recipients = self._send_here(event, data, namespace, rooms, skip, callback, wait)
        if not recipients:
            place_of(namespace)  # that may be the reason
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
    ) -> list[Client]:
        """Send an event to the local clients of rooms without waiting for any; return them."""
        recipients = self._recipients(namespace, rooms, skip)
        if not recipients:
            if isinstance(callback, ExpectedAcks):
                callback.sent()
            return recipients
        server = self.server
        arguments = [event, *event_arguments(data)]
        if server.observer is not None:
            server.observer.event_sent([(each.sid, each.eio_sid) for each in recipients], namespace, arguments)
        if callback is not None:
            self._ask_each(recipients, namespace, arguments, callback, waits)
            return recipients
        frames = server.frames_of(server.packet_class(PacketType.EVENT, arguments, namespace))
        if server.observer is not None:
            server.observer.frames_sent(frames, len(recipients))
        if server.shows_frames:
            self._send_each(recipients, frames, waits)
            return recipients
        sessions, others = [], []
        for client in recipients:
            session = client.connection.session
            if session is not None and client.outgoing is None:
                sessions.append(session)
            else:
                others.append(client)
        server.eio.post_to_all(sessions, frames, waits)
        if others:
            self._send_each(others, frames, waits)
        return recipients

    def _send_each(self, recipients: list[Client], frames: list[MessagePacket], waits: bool) -> None:
        """Send frames to clients one by one, or keep them for those that have not been told that they are connected."""
        for client in recipients:
            if not self._hold(client, frames):
                self.server.send_frames(client.eio_sid, frames, waits)

    def _ask_each(
        self, recipients: list[Client], namespace: str, arguments: list[Any], callback: Any, waits: bool
    ) -> None:
        """Send an event that each client is to acknowledge under an id of its own."""
        server = self.server
        for client in recipients:
            ack_id = self._expect_ack(client.sid, namespace, callback)
            packet = server.packet_class(PacketType.EVENT, arguments, namespace, ack_id)
            if client.outgoing is None or not self._hold(client, server.frames_of(packet)):
                server.send_packet(client.eio_sid, packet, waits)
        if isinstance(callback, ExpectedAcks):
            callback.sent()

    def _let_read(self, recipients: list[Client], callback: Any) -> None:
        """Wait while a client is behind and reads; ``call()`` waits for its answer anyway."""
        if not isinstance(callback, AckWaiter):
            self.server.eio.let_read([client.eio_sid for client in recipients])

    def _hold(self, client: Client, frames: list[MessagePacket]) -> bool:
        """Keep frames for a client that has not been told that it is connected; False when it has been."""
        with self._lock:
            if client.outgoing is None or self.server.always_connect:
                return False
            most, most_bytes = self.server.options.max_held_packets, self.server.eio.max_buffer_bytes
            size = sum([frame.size for frame in frames])
            if client.hold_outgoing(frames, size, most=most, most_bytes=most_bytes):
                return True
        self._get_logger().warning(
            "%s: max_held_packets or max_buffer_bytes reached before connect was decided, event dropped",
            client.label,
        )
        return True

    def trigger_callback(self, sid: str, id: int, data: list[Any]) -> None:  # noqa: A002 - python-socketio's name
        """Call what waits for an acknowledgement; one that nothing waits for is ignored."""
        callback = self._pop_callback(sid, id)
        if callback is None:
            self._get_logger().debug("%s: unexpected acknowledgement %s", self.server.label_of(sid), id)
        else:
            self.server.run_callback(sid, callback, data)
