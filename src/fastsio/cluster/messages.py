"""
What the servers of a cluster say to each other, in the JSON of python-socketio 5.15.1 and later.

Owns the messages and how they are written; must not know how they travel, nor what is done about them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import isfinite
from typing import TYPE_CHECKING, Any, ClassVar, Final

from fastsio.exceptions import SocketIOError
from fastsio.state.room_names import RoomName

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable

    from fastsio.protocol.jsoncodec import JSONCodec
    from fastsio.types import EventName

#: What names a room in JSON and is the same on every server.
ROOM_TYPES: Final = (str, int, float)
#: The members whose names in JSON are others than those of the fields.
_KEYS: Final = {"ack_id": "id", "question": "id"}


class MessageError(SocketIOError, ValueError):
    """A message from the bus is not one that a Socket.IO server writes."""


@dataclass(frozen=True, slots=True)
class Emit:
    """
    Send an event to the clients of some rooms.

    Args:
        event: Name of the event.
        data: Its arguments, packed: they are unpacked where there is a client to send them to.
        binary: Whether there is binary in the data.
        namespace: The namespace.
        rooms: The rooms; ``(None,)`` is everybody.
        skip: sids to leave out.
        callback: What to tell ``host_id`` with the acknowledgement: room, namespace and id.
        host_id: Who asks for it; None is a program that is no server.
    """

    event: EventName
    data: Any
    binary: bool
    namespace: str
    rooms: tuple[Hashable, ...]
    skip: tuple[str, ...] = ()
    callback: tuple[Hashable, str, int] | None = None
    host_id: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the message as JSON has it."""
        return {
            "method": "emit",
            "event": self.event,
            "data": self.data,
            "binary": self.binary,
            "namespace": self.namespace,
            "room": self.rooms[0] if len(self.rooms) == 1 else list(self.rooms),
            "skip_sid": _one_or_list(self.skip),
            "callback": None if self.callback is None else list(self.callback),
            "host_id": self.host_id,
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What a client acknowledged; only for the server that asked.

    Args:
        host_id: The server that asked.
        sid: Whom it asked: the room in the callback of its emit.
        namespace: The namespace.
        ack_id: The id in that callback.
        data: The arguments, packed.
        binary: Whether there is binary in them.
    """

    host_id: str | None
    sid: Hashable
    namespace: str
    ack_id: int
    data: Any
    binary: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the message as JSON has it."""
        return {
            # python-socketio's callbacks cannot be binary. It ignores what it does not know, so there the answer is
            # missed, as it always was, instead of being misread.
            "method": "binary_callback" if self.binary else "callback",
            "host_id": self.host_id,
            "sid": self.sid,
            "namespace": self.namespace,
            "id": self.ack_id,
            "args": self.data,
        }


@dataclass(frozen=True, slots=True)
class Plain:
    """A message that is written field by field, in the order of the fields."""

    METHOD: ClassVar[str]

    def as_dict(self) -> dict[str, Any]:
        """Return the message as JSON has it."""
        written = {_KEYS.get(field.name, field.name): getattr(self, field.name) for field in fields(self)}
        return {"method": self.METHOD, **written}


@dataclass(frozen=True, slots=True)
class Disconnect(Plain):
    """End a client's connection to a namespace."""

    METHOD = "disconnect"
    sid: str
    namespace: str
    host_id: str | None = None


@dataclass(frozen=True, slots=True)
class EnterRoom(Plain):
    """Put a client into a room; the name of one that the application meant as that of a class is a RoomName."""

    METHOD = "enter_room"
    sid: str
    room: Hashable
    namespace: str
    host_id: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the message as JSON has it."""
        message = Plain.as_dict(self)
        return {**message, "of_class": True} if isinstance(self.room, RoomName) else message


@dataclass(frozen=True, slots=True)
class CloseRoom(Plain):
    """Take everybody out of a room."""

    METHOD = "close_room"
    room: Hashable
    namespace: str
    host_id: str | None = None


@dataclass(frozen=True, slots=True)
class NoAnswer(Plain):
    """
    A client left before it acknowledged; only for the server that asked.

    python-socketio, which ignores it, waits to the end of its timeout.

    Args:
        host_id: The server that asked.
        sid: The client.
        namespace: The namespace.
        ack_id: The id in the callback of its emit.
    """

    METHOD = "no_callback"
    host_id: str | None
    sid: Hashable
    namespace: str
    ack_id: int


@dataclass(frozen=True, slots=True)
class LeaveRoom(Plain):
    """Take a client out of a room."""

    METHOD = "leave_room"
    sid: str
    room: Hashable
    namespace: str
    host_id: str | None = None


@dataclass(frozen=True, slots=True)
class TellMembers:
    """
    Who is in a room; only for the server that asked.

    Args:
        host_id: The server that asked.
        question: The id of its question.
        members: The sid of each client of this server, and who it is, or None.
    """

    host_id: str | None
    question: int
    members: tuple[tuple[str, str | None], ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the message as JSON has it."""
        return {
            "method": "room_members_answer",
            "host_id": self.host_id,
            "id": self.question,
            "members": [list(member) for member in self.members],
        }


@dataclass(frozen=True, slots=True)
class AskMembers(Plain):
    """Tell who is in a room; python-socketio ignores what it does not know, and so its members are missed."""

    METHOD = "room_members"
    room: Hashable
    namespace: str
    question: int
    host_id: str | None = None


@dataclass(frozen=True, slots=True)
class Recheck(Plain):
    """Ask again whether the clients in a room may be there; python-socketio ignores what it does not know."""

    METHOD = "recheck"
    room: Hashable
    namespace: str
    host_id: str | None = None


Message = Emit | Answer | NoAnswer | Disconnect | EnterRoom | LeaveRoom | CloseRoom | AskMembers | TellMembers | Recheck

#: What is for the server that asked, and for no other.
ANSWERS: Final = ("callback", "binary_callback", "no_callback", "room_members_answer")


def _one_or_list(sids: Collection[str]) -> Any:
    """Write sids the way python-socketio reads them: none, one, or a list."""
    if not sids:
        return None
    listed = list(sids)
    return listed[0] if len(listed) == 1 else listed


def check_room(room: Hashable) -> None:
    """
    Make sure that a room can be named to another server.

    Raises:
        ValueError: The name is not text, a number or None.
    """
    is_nameable = isinstance(room, ROOM_TYPES) and (not isinstance(room, float) or isfinite(room))
    if room is not None and not is_nameable:
        raise ValueError(f"room {room!r} cannot be named to other servers; use text or a number")


def encode(message: dict[str, Any], codec: JSONCodec) -> bytes:
    """Write a message for the bus."""
    return codec.dumps(message).encode()
