# Written by tools/unasync.py from aio/pubsub.py; change that one.
"""
The client manager of a cluster: it acts on this server's clients itself, and publishes messages about all others.

:mod:`fastsio.cluster` has the messages and decides which server acts. A subclass carries them over a broker with its
``_publish()`` and ``_listen()``, as in python-socketio.
"""

from __future__ import annotations

import json as stdlib_json
import logging
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, Final
from uuid import uuid4

from fastsio.base.answers import AckWaiter
from fastsio.base.emit_args import check_event_name, event_arguments, rooms_of, skipped, unwritable
from fastsio.base.manager import ELSEWHERE, ExpectedAcks
from fastsio.base.options import startup_logger
from fastsio.base.seams import MANAGER_REFUSED, refuse_class
from fastsio.base.server import require_patched_sockets
from fastsio.cluster.formats import BusFormatName, format_named
from fastsio.cluster.messages import (
    Answer,
    AskMembers,
    CloseRoom,
    Disconnect,
    Emit,
    EnterRoom,
    LeaveRoom,
    Message,
    NoAnswer,
    Recheck,
    ReportClients,
    TellMembers,
    check_room,
    copy_id,
    decode,
    read,
)
from fastsio.cluster.payloads import unpack, unpack_event
from fastsio.cluster.relay import Reach, Recent, askable_room, is_for_us, reach_of_emit
from fastsio.exceptions import BusError
from fastsio.protocol import LEGACY, Packet, PacketType, PendingAcks
from fastsio.protocol.jsoncodec import adapt
from fastsio.routing import single_namespace
from fastsio.sync import concurrency
from fastsio.sync.bus import BusSubscriber
from fastsio.sync.manager import Manager

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator
    from typing import Never

    from fastsio.types import AckCallback, EventName, Rooms, Sids

    Members = list[tuple[str, str | None]]

#: A healthy broker needs milliseconds, and handlers wait for it.
PUBLISH_TIMEOUT_S: Final = 5.0
#: Callbacks are small. There are more only if the answers for them got lost.
MAX_REMOTE_CALLBACKS: Final = 100_000
#: Clients that have left this server: a ``call()`` to one of them, from any server, fails at once.
REMEMBERED_CLIENTS: Final = 10_000
#: Messages that arrive in several copies, of which the first is handled; copies arrive close together.
REMEMBERED_COPIES: Final = 10_000


class RemoteAnswer(ExpectedAcks):
    """
    Sends the acknowledgement of a client of this server to the server that has emitted the event.

    *refuse* tells that server that there will be none; None if a client of another server may still send one.
    """

    def __init__(self, answer: Callable[[tuple[Any, ...]], None], refuse: Callable[[], object] | None) -> None:
        super().__init__()
        self._answer = answer
        self._refuse = refuse

    def __call__(self, *arguments: Any) -> None:
        """Send what the client has acknowledged."""
        self._answer(arguments)

    def give_up(self) -> None:
        """Send that the client has left."""
        if self._refuse is not None:
            self._refuse()


class PubSubManager(Manager):
    """
    Base of the managers that connect several servers over a message broker.

    A subclass has ``def _publish(self, data)``, which sends a dict to all servers and raises when it cannot, and
    ``_listen(self)``, a generator that connects when it is entered, yields what was published as a dict
    or as :meth:`_encode` has written it, and raises when the connection breaks: it is then entered again, after a
    while. It may call :meth:`_on_listening` once it is subscribed. A class whose ``_listen()`` always calls that may
    have ``serves_when_listening = True``: the first clients of a server wait for the call, so that they miss nothing.

    Making one does no I/O. Methods that ask or tell other servers raise BusError when the broker does not take the
    message.

    Args:
        channel: Name of the channel, topic or exchange; all servers of a cluster have the same.
        write_only: Whether this process only emits and has no clients of its own.
        logger: A logger object; None is the server's.
        json: A module or object with ``dumps`` and ``loads`` for the bus; None is the server's.
        publish_timeout: Seconds that the broker may take to accept a message. 5; a healthy one needs milliseconds.
        max_remote_callbacks: Callbacks that clients of other servers have not answered yet; the oldest is dropped
            beyond it. 100,000.
        bus_format: How messages are written: ``"json"``, which python-socketio reads too, or ``"msgpack"``, which is
            smaller, carries bytes as they are, and is unpacked only by nodes with a client for it. Both are read in any
            case.

    Raises:
        SetupError: There is no such format.
        MissingExtraError: msgpack is not installed.

    Attributes:
        host_id: Name of this process on the bus, from when it begins to listen.
    """

    name: ClassVar[str] = "pubsub"
    has_other_nodes = True
    #: Whether a server's first clients are let in only when ``_listen()`` has called :meth:`_on_listening`.
    serves_when_listening: ClassVar[bool] = False
    #: Whether the broker's client waits on Python's own sockets. Where greenlets run they must be patched.
    _waits_on_sockets: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        refuse_class(cls, MANAGER_REFUSED)

    def __init__(
        self,
        channel: str = "socketio",
        write_only: bool = False,
        logger: Any = None,
        json: Any = None,
        *,
        publish_timeout: float = PUBLISH_TIMEOUT_S,
        max_remote_callbacks: int = MAX_REMOTE_CALLBACKS,
        bus_format: BusFormatName = "json",
        **unknown: Never,
    ) -> None:
        super().__init__(**unknown)
        self.channel = channel
        self.write_only = write_only
        self.logger = logger
        self.json = stdlib_json if json is None else json
        self.host_id = uuid4().hex
        self.publish_timeout = publish_timeout
        self._format = format_named(bus_format)
        self._codec = adapt(json)
        self._has_own_json = json is not None
        self._remote_callbacks = PendingAcks(max_remote_callbacks)
        #: Namespace and sid of the clients that have left this server. They can be on no other server.
        self._departed = Recent(REMEMBERED_CLIENTS)
        self._copies = Recent(REMEMBERED_COPIES)
        self._subscriber = self._new_subscriber()
        self._question_ids = count(1)
        #: Question -> the clients that other servers have named so far.
        self._questions: dict[int, Members] = {}

    # Methods that a subclass implements

    def _publish(self, data: dict[str, Any]) -> Any:
        """Send a message to all servers; raise when it cannot be sent."""
        raise NotImplementedError("a subclass sends messages here")

    def _listen(self) -> Iterator[Any]:
        """Connect, then yield each message that any server has sent, as a dict or as JSON."""
        raise NotImplementedError("a subclass receives messages here")

    # Methods that a subclass may call

    def _encode(self, data: dict[str, Any]) -> bytes:
        """Return a message in the format of the bus."""
        return self._format.encode(data, self._codec)

    def _on_listening(self) -> None:
        """Mark the bus as connected; a manager that does not call this is connected with its first message."""
        self._subscriber.confirm()

    @property
    def listening(self) -> bool:
        """Whether messages of other servers arrive at present."""
        return self._subscriber.is_active

    @property
    def is_stopping(self) -> bool:
        """Whether the server shuts down: ``_listen()`` shall end."""
        return self._subscriber.is_stopping

    def _get_logger(self) -> Any:
        if self.logger is None and self.server is None:
            return logging.getLogger("socketio")
        return super()._get_logger()

    # Life

    def set_server(self, server: Any) -> None:
        """Set the server that the manager belongs to."""
        if self._waits_on_sockets:
            require_patched_sockets(server.async_mode, type(self).__name__)
        super().set_server(server)
        if not self._has_own_json:
            self._codec = adapt(server.packet_class.json)

    def initialize(self) -> None:
        """Start listening; a manager with ``write_only`` logs a warning instead, because its server has a client."""
        super().initialize()
        if not self.write_only:
            self._start_listening()
            return
        text = "%s: write_only=True, and a client connects: what other processes emit does not reach it; leave it out"
        startup_logger(self._get_logger()).warning(text, self.name)

    def shutdown(self) -> None:
        """Stop listening; a subclass also closes the client of its broker."""
        self._subscriber.stop()
        super().shutdown()

    # Listening

    def _new_subscriber(self) -> BusSubscriber:
        return BusSubscriber(self._take_messages, self._report_loss, self._report_return)

    def _start_listening(self) -> bool:
        """Start listening; return False if the manager has started before."""
        if self._subscriber.is_stopping:  # the server was shut down, and starts again
            self._subscriber = self._new_subscriber()
        if self._subscriber.is_started:
            return False
        # If the manager was made before the process forked, several processes have its name, and would take messages of
        # each other for their own.
        self.host_id = uuid4().hex
        self._subscriber.start(self.server.eio)
        return True

    def _take_messages(self) -> None:
        """Handle the messages of other servers, until the connection breaks."""
        messages: Any = self._listen()
        subscriber = self._subscriber  # in threads a server that starts again may have another one meanwhile
        try:
            for message in messages:
                if subscriber.is_stopping:
                    return
                self._on_listening()
                self._take(message)
        finally:
            messages.close()

    def _report_loss(self, why: str) -> None:
        self._forget_kept()
        text = "%s: other servers are not heard, trying to listen to %r again: %s"
        self._get_logger().error(text, self.name, self.channel, why)

    def _forget_kept(self) -> None:
        """Drop the events that are kept for clients: events of other servers may be missing among them."""
        if self._recovery is not None:
            self._recovery.log.forget_all()
        if self._histories is not None:
            with self._lock:
                self._histories.forget_all()

    def _report_return(self) -> None:
        self._forget_kept()  # again: this server has sent and kept events meanwhile, and others too
        # At the level of an error, so that the log that has the loss has its end too.
        self._get_logger().error("%s: listening to %r again", self.name, self.channel)

    # Clients that have left

    def basic_connect(self, sid: str, eio_sid: str, namespace: str) -> None:
        """Add a client whose connect handler has not decided yet."""
        with self._lock:
            self._departed.forget((namespace, sid))
        super().basic_connect(sid, eio_sid, namespace)

    def basic_disconnect(self, sid: str, namespace: str, **kwargs: Any) -> None:
        """Remove a client with its rooms and its callbacks."""
        if self.is_sid_room(namespace, sid):
            with self._lock:
                self._departed.add((namespace, sid))
        super().basic_disconnect(sid, namespace, **kwargs)

    def has_departed(self, namespace: str, room: Hashable) -> bool:
        """Return whether a room is the own room of a client that has left this server, and has no other client here."""
        return (namespace, room) in self._departed and not self.has_participants(namespace, (room,))

    # Calls of the application

    def admits_at_once(self) -> bool:
        """Return whether :meth:`pre_connect` waits for nothing."""
        if not self.serves_when_listening or self._subscriber.has_settled:
            return self._has_pre_connect(Manager.pre_connect, PubSubManager.pre_connect)
        return False

    def pre_connect(self, eio_sid: str, namespace: str) -> str:
        """
        Add a client whose connect handler is about to run; return its sid.

        The first clients of a server wait until messages of other servers arrive, so that they miss none. They do not
        wait for a broker that cannot be reached, nor longer than ``publish_timeout``.
        """
        if self.serves_when_listening:
            self._subscriber.settle(self.publish_timeout)
        return super().pre_connect(eio_sid, namespace)

    def emit(
        self,
        event: EventName,
        data: Any,
        namespace: str | None = None,
        room: Rooms = None,
        skip_sid: Sids = None,
        callback: AckCallback = None,
        to: Rooms = None,
        **kwargs: Any,
    ) -> None:
        """
        Send an event to the clients of a room, whichever server they are connected to.

        When this returns or raises, the event is sent to the clients of this server. An event for one client of this
        server is not published.

        Args:
            event: Event name.
            data: Payload; a tuple is several arguments, None is no argument.
            namespace: The namespace; None is ``"/"``.
            room: A room or sid, or several; None is all clients.
            skip_sid: The sid, or several, to leave out.
            callback: Called with what the client acknowledges; *room* must then be the room of one client.
            to: The same as *room*.
            kwargs: ``ignore_queue=True`` sends to this server's clients only; ``wait=False`` does not wait while a
                client of this server is behind.

        Raises:
            ValueError: The event's name is not valid, or a callback is given without the room of one client.
            RuntimeError: A callback is given, and there is no server to call it.
            BusError: Clients of other servers do not get the event.
        """
        check_event_name(event)
        namespace = single_namespace(namespace)
        rooms = tuple(rooms_of(room if to is None else to))
        skip = tuple(skipped(skip_sid))
        reach = reach_of_emit(
            rooms,
            is_client_here=partial(self._is_client_here, namespace, isinstance(callback, ExpectedAcks)),
            has_server=self.server is not None,
            ignore_queue=bool(kwargs.get("ignore_queue")),
        )
        message = None
        if Reach.ELSEWHERE in reach:
            message = self._emit_message(event, data, namespace, rooms, skip, callback)
        wait = bool(kwargs.get("wait", True))
        recipients = []
        if Reach.HERE in reach:
            recipients = self._send_here(event, data, namespace, rooms, skip, callback, wait)
        if message is not None:
            self._send_emit(message)
        # The event is published before this waits for a client of this server.
        if wait and recipients and self.server.eio.congested:
            self._let_read(recipients, callback)
        if wait and message is not None:
            self._let_guests_read(namespace, rooms)

    def _is_client_here(self, namespace: str, is_call: bool, room: Hashable) -> bool:
        """Return whether a room is the own room of a client of this server; for a call, also of one that has left."""
        return self.is_sid_room(namespace, room) or (is_call and self.has_departed(namespace, room))

    def _let_guests_read(self, namespace: str, rooms: tuple[Any, ...]) -> None:
        """Wait for recipients in this process that are no clients of the server: here there are none."""

    def _emit_message(
        self, event: EventName, data: Any, namespace: str, rooms: tuple[Any, ...], skip: tuple[str, ...], callback: Any
    ) -> Emit:
        for room in rooms:
            check_room(room)
        arguments = event_arguments(data)
        try:
            packed, binary = self._format.pack_event(arguments, self._codec)
        except TypeError as error:
            raise unwritable(Packet(PacketType.EVENT, [event, *arguments]), error) from error
        asked = None if callback is None else self._expect_answer(askable_room(rooms), namespace, callback)
        return Emit(event, packed, binary, namespace, rooms, skip, asked, self.host_id)

    def _expect_answer(self, room: Hashable, namespace: str, callback: Any) -> tuple[Hashable, str, int]:
        """Register the callback of an event for a client of another server; return what its answer refers to."""
        if self.server is None:
            raise RuntimeError("Callbacks can only be issued from the context of a server.")
        self._listen_for_answers()
        with self._lock:
            ack_id = self._remote_callbacks.add(ELSEWHERE, callback)
        if isinstance(callback, ExpectedAcks):
            callback.expect(ELSEWHERE, ack_id)
        return room, namespace, ack_id

    def _listen_for_answers(self) -> None:
        """Start listening, if no client has connected yet, and wait until answers arrive."""
        if not self.write_only and (self._start_listening() or self.serves_when_listening):
            self._subscriber.settle(self.publish_timeout)

    def members_elsewhere(self, room: Hashable, namespace: str, timeout: float) -> Members:
        """
        Ask the other servers which clients are in a room.

        Args:
            room: The room.
            namespace: The namespace.
            timeout: Seconds to wait for answers; all of them where the number of servers is not known.

        Returns:
            The sid and, if known, the user of each client that the answers name.
        """
        check_room(room)
        self._listen_for_answers()
        question = next(self._question_ids)
        self._questions[question] = []
        try:
            self._ask_members(AskMembers(room, namespace, question, self.host_id), timeout)
        finally:
            found = self._questions.pop(question)
        return found

    def _ask_members(self, question: AskMembers, timeout_s: float) -> None:
        """Ask the other servers, and wait until all have answered; how many there are is not known here."""
        self._tell_others(question)
        self.server.sleep(timeout_s)

    def _take_members(self, message: TellMembers) -> None:
        self._questions.get(message.question, []).extend(message.members)

    def recheck_elsewhere(self, room: Hashable, namespace: str) -> None:
        """Have the other servers call ``can_join`` again for their clients in a room."""
        check_room(room)
        self._tell_others(Recheck(room, namespace, self.host_id))

    def report_clients_elsewhere(self, to: str, namespace: str) -> None:
        """Have the other servers report their clients to an administrator, in the namespace of the interface."""
        self._tell_others(ReportClients(to, namespace, self.host_id))

    def _send_emit(self, message: Emit) -> None:
        try:
            self._tell_others(message)
        except BaseException:
            if message.callback is not None:
                self.discard_callback(ELSEWHERE, message.callback[2])
            raise

    def _pop_remote_callback(self, ack_id: int) -> Any:
        with self._lock:
            return self._remote_callbacks.pop(ELSEWHERE, ack_id)

    def discard_callback(self, sid: str, ack_id: int) -> None:
        """Stop waiting for one acknowledgement."""
        if sid == ELSEWHERE:
            self._pop_remote_callback(ack_id)
        else:
            super().discard_callback(sid, ack_id)

    def can_disconnect(self, sid: str, namespace: str) -> bool:
        """Return whether the client is one of this server, which then disconnects it; otherwise ask the others to."""
        namespace = single_namespace(namespace)
        if self._has_client(sid, namespace):
            return super().can_disconnect(sid, namespace)
        self._tell_others(Disconnect(sid, namespace, self.host_id))
        return False

    def disconnect(self, sid: str, namespace: str | None = None, **kwargs: Any) -> None:
        """
        End a client's connection to a namespace, whichever server has it.

        Args:
            sid: The client.
            namespace: The namespace; None is ``"/"``.
            kwargs: ``ignore_queue=True`` only forgets a client of this server.
        """
        namespace = single_namespace(namespace)
        if kwargs.get("ignore_queue"):
            super().disconnect(sid, namespace, **kwargs)
        elif self._has_client(sid, namespace):
            self.server.disconnect(sid, namespace=namespace, ignore_queue=True)
        else:
            self._tell_others(Disconnect(sid, namespace, self.host_id))

    def enter_room(self, sid: str, namespace: str, room: Hashable, eio_sid: str | None = None) -> None:
        """
        Put a client into a room, whichever server has it.

        Raises:
            ValueError: The room is another client's own, or that of a class and given as text, or the client is in too
                many.
        """
        namespace = single_namespace(namespace)
        if self._has_client(sid, namespace):
            super().enter_room(sid, namespace, room, eio_sid)
        else:
            check_room(room)
            if self.is_sid_room(namespace, room):  # the client's own server cannot know that
                raise ValueError("cannot enter a sid room")
            self._check_way_in(namespace, room)
            self._tell_others(EnterRoom(sid, room, namespace, self.host_id))

    def leave_room(self, sid: str, namespace: str, room: Hashable) -> None:
        """Take a client out of a room, whichever server has it."""
        namespace = single_namespace(namespace)
        if self._has_client(sid, namespace):
            super().leave_room(sid, namespace, room)
        elif self._is_away(namespace, sid):
            self.basic_leave_room(sid, namespace, room)
        else:
            check_room(room)
            self._tell_others(LeaveRoom(sid, room, namespace, self.host_id))

    def close_room(self, room: Hashable, namespace: str | None = None) -> None:
        """
        Take all clients out of a room, on every server.

        Raises:
            ValueError: The room is a client's own.
            BusError: This server's clients have left the room, those of others have not.
        """
        namespace = single_namespace(namespace)
        check_room(room)
        super().close_room(room, namespace)
        self._tell_others(CloseRoom(room, namespace, self.host_id))

    def _has_client(self, sid: str, namespace: str) -> bool:
        """Return whether a client is one of this server: connecting, connected or leaving."""
        return self.is_sid_room(namespace, sid)

    def _tell_others(self, message: Message) -> None:
        """
        Publish a message for the other servers.

        Raises:
            BusError: The broker refused the message twice, or took too long. In the second case the message is not sent
                again, because it may have arrived.
        """
        data = message.as_dict()
        for is_last in (False, True):
            try:
                concurrency.bounded(self.publish_timeout, self._publish, data)
            except TimeoutError as error:
                raise BusError(f"{self.name}: publishing to {self.channel!r} took too long") from error
            except Exception as error:
                # An idle connection may turn out to be broken; the second attempt uses a new one.
                if is_last:
                    why = f"{type(error).__name__}: {error}"
                    raise BusError(f"{self.name}: cannot publish to {self.channel!r}: {why}") from error
            else:
                return

    # Messages of other servers: the methods of Manager act on this server only

    def _take(self, raw: Any) -> None:
        """Handle a message; one that is not valid is logged and dropped."""
        try:
            data = decode(raw, self._codec)
            if is_for_us(data, self.host_id) and not self._copies.is_known(copy_id(data)):
                self._do(read(data))
        except ValueError as error:  # also of a room that cannot be entered, left or closed
            self._get_logger().warning("%s: message on %r dropped: %s", self.name, self.channel, error)
        except Exception:  # noqa: BLE001 - one message must not end the listening, and it is logged
            self._get_logger().exception("%s: error in handling a message on %r", self.name, self.channel)

    def _do(self, message: Message) -> None:
        match message:
            case Emit():
                self._emit_here(message)
            case Answer() | NoAnswer():
                self._take_answer(message)
            case CloseRoom(room, namespace):
                super().close_room(room, namespace)
            case AskMembers():
                self.server.__fastsio__.runner.start_task(self._tell_members, message)
            case Recheck(room, namespace):
                self.server.__fastsio__.runner.start_task(self._recheck_here, namespace, room)
            case TellMembers():
                self._take_members(message)
            case ReportClients():
                self._report_clients(message)
            case Disconnect() | EnterRoom() | LeaveRoom():
                is_here = self._has_client(message.sid, message.namespace)
                # A client that is away can be taken out of rooms, but cannot enter any.
                if is_here or (type(message) is not EnterRoom and self._is_away(message.namespace, message.sid)):
                    self._do_to_client(message)

    def _report_clients(self, message: ReportClients) -> None:
        observer = self.server.__fastsio__.observer
        if observer is not None:
            observer.clients_asked_for(message.namespace, message.to)

    def _do_to_client(self, message: Disconnect | EnterRoom | LeaveRoom) -> None:
        match message:
            case Disconnect(sid, namespace):
                # The disconnect handler may be slow, and may itself wait for a message.
                self.server.__fastsio__.runner.start_task(self._disconnect_here, sid, namespace)
            case EnterRoom(sid, room, namespace):
                super().enter_room(sid, namespace, room)
            case LeaveRoom(sid, room, namespace):
                super().leave_room(sid, namespace, room)

    def _emit_here(self, message: Emit) -> None:
        namespace, rooms = message.namespace, message.rooms
        answer = None
        if message.callback is not None and message.host_id is not None:
            answer = self._remote_answer(message.host_id, message.callback)
        is_missed = self._has_lost_clients(namespace) or self._keeps(namespace, rooms, answer)
        if not (is_missed or self.has_participants(namespace, rooms)):
            if answer is not None:
                answer.mark_sent()  # to no client: it has left, and the server that emitted learns that
            return
        arguments = unpack_event(message.data, binary=message.binary)
        # Messages for other clients must not wait for one client here.
        super().emit(
            message.event, arguments, namespace, room=rooms, skip_sid=message.skip, callback=answer, wait=False
        )

    def _keeps(self, namespace: str, rooms: Iterable[Hashable], answer: object) -> bool:
        """Whether an event belongs into the history of a room."""
        histories = self._histories
        return (
            answer is None
            and histories is not None
            and any(histories.keeps_events_of(namespace, room) for room in rooms)
        )

    def _remote_answer(self, host_id: str, asked: tuple[Hashable, str, int]) -> RemoteAnswer:
        return RemoteAnswer(partial(self._acknowledge, host_id, asked), self._refusal(host_id, asked))

    def _refusal(self, host_id: str, asked: tuple[Hashable, str, int]) -> Callable[[], object] | None:
        """Return what tells the server that has emitted an event that no client here will acknowledge it."""
        room, namespace, _ = asked
        # In any other room there may be clients of other servers, which may still answer.
        if not (self.is_sid_room(namespace, room) or self.has_departed(namespace, room)):
            return None
        return partial(self.server.__fastsio__.runner.start_task, self._answer, NoAnswer(host_id, *asked))

    def _acknowledge(self, host_id: str, asked: tuple[Hashable, str, int], arguments: tuple[Any, ...]) -> None:
        packed, binary = self._format.pack(arguments, self._codec)
        self._tell_others(Answer(host_id, *asked, packed, binary))

    def _tell_members(self, question: AskMembers) -> None:
        """Tell the server that asked which clients of a room are here."""
        members = self.server.__fastsio__.room_keeper.members_here(question.namespace, question.room)
        told = tuple((member.sid, member.user) for member in members)
        self._answer(TellMembers(question.host_id, question.question, told))

    def _answer(self, answer: NoAnswer | TellMembers) -> None:
        try:
            self._tell_others(answer)
        except BusError as error:
            self._get_logger().warning("%s: a question could not be answered: %s", self.name, error)

    def _recheck_here(self, namespace: str, room: Hashable) -> None:
        try:
            self.server.__fastsio__.room_keeper.recheck_here(namespace, room)
        except Exception:  # noqa: BLE001 - runs in the background, and is logged
            self._get_logger().exception("%s: the members of %r could not be rechecked", self.name, room)

    def _take_answer(self, message: Answer | NoAnswer) -> None:
        callback = self._pop_remote_callback(message.ack_id)
        # The label for the log: the sid of an old client is a secret, and this server does not know whether it is one.
        label = LEGACY.label(str(message.sid))
        if callback is None:
            self._get_logger().debug("%s: unexpected acknowledgement %s", label, message.ack_id)
            return
        if isinstance(message, NoAnswer):
            if isinstance(callback, ExpectedAcks):
                callback.mark_lost(ELSEWHERE, message.ack_id)
            return
        arguments = unpack(message.data, binary=message.binary)
        if isinstance(callback, AckWaiter):
            callback(*arguments)
        else:
            # The callback may be slow, and may itself wait for an answer.
            self.server.__fastsio__.runner.start_task(self._call_back, label, callback, arguments)

    def _call_back(self, label: str, callback: Any, arguments: tuple[Any, ...]) -> None:
        try:
            concurrency.outcome(self.server.__fastsio__.runner.run_callback(label, callback, arguments))
        except Exception:  # noqa: BLE001 - runs in the background, and is logged
            self._get_logger().exception("%s: error in the callback of an acknowledgement", label)

    def _disconnect_here(self, sid: str, namespace: str) -> None:
        label = self.server.__fastsio__.label_of(sid)
        try:
            self.server.disconnect(sid, namespace=namespace, ignore_queue=True)
        except Exception:  # noqa: BLE001 - as above
            self._get_logger().exception("%s: cannot be disconnected", label)
