# Written by tools/unasync.py from aio/hearing.py; change that one.
"""
The hearing half of a manager on a bus: does for this server's clients what other servers ask.

Works on the tables of its manager, never on the bus itself but to send an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastsio.base.expected_acks import ExpectedAcks
from fastsio.base.manager import ELSEWHERE
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
    TellMembers,
)
from fastsio.cluster.payloads import unpack, unpack_event
from fastsio.cluster.reading import copy_id, decode, read
from fastsio.cluster.recent import Recent
from fastsio.cluster.relay import is_for_us
from fastsio.exceptions import BusError
from fastsio.protocol import LEGACY
from fastsio.sync import concurrency
from fastsio.sync.acks import AckWaiter
from fastsio.sync.manager import Manager

if TYPE_CHECKING:
    from collections.abc import Hashable

    from fastsio.sync.pubsub import PubSubManager


#: Messages with several copies that are known: their copies come close together.
REMEMBERED: Final = 10_000


class RemoteAnswer(ExpectedAcks):
    """
    Tells a server that asked what a client of this one has acknowledged, or that it will not.

    Args:
        manager: The manager of this server.
        host_id: The server that asked.
        asked: The room that it asked, the namespace, and its id of the acknowledgement.
    """

    def __init__(self, manager: PubSubManager, host_id: str, asked: tuple[Hashable, str, int]) -> None:
        super().__init__()
        self._manager = manager
        self._host_id = host_id
        self._asked = asked
        room, namespace, _ = asked
        # In another room there may be clients of other servers, which may answer yet.
        self._is_of_client = manager.is_sid_room(namespace, room) or manager.has_departed(namespace, room)

    def __call__(self, *arguments: Any) -> None:
        """Pass on what the client acknowledged."""
        room, namespace, ack_id = self._asked
        packed, binary = self._manager._format.pack(arguments, self._manager._codec)
        self._manager._tell_others(Answer(self._host_id, room, namespace, ack_id, packed, binary))

    def give_up(self) -> None:
        """Tell the server that asked that the client has left."""
        if self._is_of_client:
            self._manager.server.start_task(self._tell)

    def _tell(self) -> None:
        manager = self._manager
        try:
            manager._tell_others(NoAnswer(self._host_id, *self._asked))
        except BusError as error:
            manager._get_logger().warning("%s: a question could not be answered: %s", manager.name, error)


class Hearing:
    """
    Takes the messages of the bus.

    Args:
        manager: Whose clients they are about; what a message asks for is done by the methods of
            :class:`Manager`, which tell nobody else.
    """

    def __init__(self, manager: PubSubManager) -> None:
        self._manager = manager
        self._recent = Recent(REMEMBERED)

    def take(self, raw: Any) -> None:
        """Do what a message says; one that makes no sense is logged and dropped."""
        manager = self._manager
        try:
            data = decode(raw, manager._codec)
            if is_for_us(data, manager.host_id) and not self._recent.is_known(copy_id(data)):
                self._do(read(data))
        except ValueError as error:  # also of a room that cannot be entered, left or closed
            manager._get_logger().warning("%s: message on %r dropped: %s", manager.name, manager.channel, error)
        except Exception:  # noqa: BLE001 - one message must not end the listening, and it is logged
            manager._get_logger().exception("%s: error in handling a message on %r", manager.name, manager.channel)

    def _do(self, message: Message) -> None:
        manager = self._manager
        match message:
            case Emit():
                self._emit(message)
            case Answer() | NoAnswer():
                self._take_answer(message)
            case CloseRoom(room, namespace):
                Manager.close_room(manager, room, namespace)
            case AskMembers() | Recheck():
                manager.server.start_task(self._look_into_room, message)
            case TellMembers():
                manager._asking.take(message)
            case _ if not manager.is_sid_room(message.namespace, message.sid):
                pass  # another server has the client, or none
            case Disconnect(sid, namespace):
                # Its handler may take its time, and may itself wait for a message.
                manager.server.start_task(self._disconnect, sid, namespace)
            case EnterRoom(sid, room, namespace):
                Manager.enter_room(manager, sid, namespace, room)
            case LeaveRoom(sid, room, namespace):
                Manager.leave_room(manager, sid, namespace, room)

    def _emit(self, message: Emit) -> None:
        manager = self._manager
        namespace, rooms = message.namespace, message.rooms
        answer = None
        if message.callback is not None and message.host_id is not None:
            answer = RemoteAnswer(manager, message.host_id, message.callback)
        if not manager.has_participants(namespace, rooms):
            if answer is not None:
                answer.sent()  # to nobody: if it was for a client that has left, the server that asked is told so
            return
        arguments = unpack_event(message.data, binary=message.binary)
        # What other servers say to others must not wait for one client here.
        Manager.emit(
            manager, message.event, arguments, namespace, room=rooms, skip_sid=message.skip, callback=answer, wait=False
        )

    def _look_into_room(self, message: AskMembers | Recheck) -> None:
        if isinstance(message, AskMembers):
            self._tell_members(message)
        else:
            self._recheck(message.namespace, message.room)

    def _tell_members(self, question: AskMembers) -> None:
        """Tell the server that asked who of a room is here."""
        manager = self._manager
        members = manager.server.room_keeper.members_here(question.namespace, question.room)
        told = tuple((member.sid, member.user) for member in members)
        try:
            manager._tell_others(TellMembers(question.host_id, question.question, told))
        except BusError as error:
            manager._get_logger().warning("%s: a question could not be answered: %s", manager.name, error)

    def _recheck(self, namespace: str, room: Hashable) -> None:
        manager = self._manager
        try:
            manager.server.room_keeper.recheck_here(namespace, room)
        except Exception:  # noqa: BLE001 - runs in the background, and is logged
            manager._get_logger().exception("%s: the members of %r could not be rechecked", manager.name, room)

    def _take_answer(self, message: Answer | NoAnswer) -> None:
        manager = self._manager
        callback = manager._pop_remote_callback(message.ack_id)
        # What is logged of a client elsewhere: its sid is a secret if it is an old one, and nobody here knows.
        label = LEGACY.label(str(message.sid))
        if callback is None:
            manager._get_logger().debug("%s: unexpected acknowledgement %s", label, message.ack_id)
            return
        if isinstance(message, NoAnswer):
            if isinstance(callback, ExpectedAcks):
                callback.lose(ELSEWHERE, message.ack_id)
            return
        arguments = unpack(message.data, binary=message.binary)
        if isinstance(callback, AckWaiter):
            callback(*arguments)
        else:
            # It may take its time, and may itself wait for an answer.
            manager.server.start_task(self._call_back, label, callback, arguments)

    def _call_back(self, label: str, callback: Any, arguments: tuple[Any, ...]) -> None:
        manager = self._manager
        try:
            concurrency.outcome(manager.server.run_callback(label, callback, arguments))
        except Exception:  # noqa: BLE001 - runs in the background, and is logged
            manager._get_logger().exception("%s: error in the callback of an acknowledgement", label)

    def _disconnect(self, sid: str, namespace: str) -> None:
        manager = self._manager
        label = manager.server.label_of(sid)
        try:
            manager.server.disconnect(sid, namespace=namespace, ignore_queue=True)
        except Exception:  # noqa: BLE001 - as above
            manager._get_logger().exception("%s: cannot be disconnected", label)
