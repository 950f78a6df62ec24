"""
The messages that the nodes of a cluster send each other, in the JSON of python-socketio 5.15.1 and later.

This module owns the messages, how they are written, and how they are read, from nodes of fastsio and of
python-socketio: unknown keys are ignored, missing keys have the same meaning as in python-socketio, and values of a
wrong type are refused. This module must not know how messages travel, nor what nodes do with them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from math import isfinite
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from fastsio.cluster import payloads
from fastsio.cluster.payloads import MessageError
from fastsio.protocol.limits import is_number
from fastsio.protocol.packet_type import RESERVED_EVENTS
from fastsio.state.room_names import RoomName

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable

    from fastsio.protocol.jsoncodec import JSONCodec
    from fastsio.types import EventName

#: The types of room names that JSON can carry to other nodes.
ROOM_TYPES: Final = (str, int, float)
#: Field -> its name in JSON, where it is another one.
_KEYS: Final = {"ack_id": "id", "question": "id"}


@dataclass(frozen=True, slots=True)
class Emit:
    """
    Send an event to the clients of some rooms.

    Args:
        event: Name of the event.
        data: Its arguments, packed; only nodes that have a client for them unpack them.
        binary: Whether there is binary in the data.
        namespace: The namespace.
        rooms: The rooms; ``(None,)`` is all clients of the namespace.
        skip: sids to leave out.
        callback: Room, namespace and id, to be sent back to ``host_id`` with the acknowledgement; None for no callback.
        host_id: The node that sends the message; None is a program without a server.
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
    The acknowledgement of a client; only for the node that has asked for it.

    Args:
        host_id: The node that has asked.
        sid: The room in the callback of its emit.
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
            # python-socketio's callbacks cannot be binary. It ignores unknown methods, so there the answer does not
            # arrive, as before, instead of being misread.
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
    """Put a client into a room; *room* is a :class:`RoomName` if the application gave an object of a room class."""

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
    """Take all clients out of a room."""

    METHOD = "close_room"
    room: Hashable
    namespace: str
    host_id: str | None = None


@dataclass(frozen=True, slots=True)
class NoAnswer(Plain):
    """
    A client left before it acknowledged; only for the node that has asked for the acknowledgement, its ``host_id``.

    A node of python-socketio ignores the message and waits until its timeout.
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
    The members of a room on this node; only for the node that has asked.

    Args:
        host_id: The node that has asked.
        question: The id of its question.
        members: The sid of each client in the room and its user, or None.
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
    """Ask for the members of a room; nodes of python-socketio ignore the message, so their members are missing."""

    METHOD = "room_members"
    room: Hashable
    namespace: str
    question: int
    host_id: str | None = None


@dataclass(frozen=True, slots=True)
class Recheck(Plain):
    """Call ``can_join`` again for the clients in a room; nodes of python-socketio ignore the message."""

    METHOD = "recheck"
    room: Hashable
    namespace: str
    host_id: str | None = None


@dataclass(frozen=True, slots=True)
class ReportClients(Plain):
    """Report all clients to an administrator; nodes of python-socketio ignore the message."""

    METHOD = "report_clients"
    to: str
    namespace: str
    host_id: str | None = None


Message = (
    Emit
    | Answer
    | NoAnswer
    | Disconnect
    | EnterRoom
    | LeaveRoom
    | CloseRoom
    | AskMembers
    | TellMembers
    | Recheck
    | ReportClients
)

#: The methods of messages that are only for the node that has asked.
ANSWERS: Final = ("callback", "binary_callback", "no_callback", "room_members_answer")


def _one_or_list(sids: Collection[str]) -> Any:
    """Return sids in the form that python-socketio reads: None, one, or a list."""
    if not sids:
        return None
    listed = list(sids)
    return listed[0] if len(listed) == 1 else listed


def check_room(room: Hashable) -> None:
    """
    Make sure that the name of a room can be sent to other nodes.

    Raises:
        ValueError: The name is not text, a number or None.
    """
    is_nameable = isinstance(room, ROOM_TYPES) and (not isinstance(room, float) or isfinite(room))
    if room is not None and not is_nameable:
        raise ValueError(f"room {room!r} cannot be named to other servers; use text or a number")


def encode(message: dict[str, Any], codec: JSONCodec) -> bytes:
    """Return a message as bytes for the bus."""
    return codec.dumps(message).encode()


T = TypeVar("T")
P = TypeVar("P", bound=Plain)

#: The keys of messages with payloads for clients.
_PAYLOADS: Final = ("data", "args")
_KINDS: Final[dict[Any, str]] = {str: "text", int: "an integer", list: "a list"}


def decode(raw: Any, codec: JSONCodec) -> dict[str, Any]:
    """
    Return the JSON object of a message from the bus: JSON, MessagePack, or a dict that is read already.

    Raise MessageError if it is neither a JSON object nor a map of MessagePack.
    """
    if isinstance(raw, (bytes, bytearray, memoryview)):
        raw = _read_bytes(bytes(raw))
    if isinstance(raw, str):
        raw = _read_text(raw, codec)
    if not isinstance(raw, dict):
        raise MessageError(f"it must be an object, not {type(raw).__name__}")
    return raw


def _read_bytes(raw: bytes) -> Any:
    try:
        return payloads.from_msgpack(raw) if payloads.is_msgpack_map(raw) else raw.decode()
    except UnicodeDecodeError as error:
        raise MessageError("it is not UTF-8") from error
    except ValueError as error:
        raise MessageError(f"it is not MessagePack: {error}") from error


def _read_text(text: str, codec: JSONCodec) -> Any:
    try:
        return codec.loads(text)
    except ValueError:
        pass
    try:
        # python-socketio writes NaN and the infinities, which are not JSON.
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MessageError(f"it is not JSON: {error}") from error
    if isinstance(message, dict):
        # In payloads they become None, as for clients; elsewhere they are a mistake, which the readers refuse.
        message.update({key: _finite(message[key]) for key in _PAYLOADS if key in message})
    return message


def _finite(value: Any) -> Any:
    """Return a payload with None for each number that JSON does not have."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return value


def read(message: dict[str, Any]) -> Message:
    """
    Return the message that a JSON object of the bus describes.

    Raise MessageError if a required key is missing, a value has a wrong type, or the method is unknown.
    """
    method = message.get("method")
    reader = _READERS.get(method) if isinstance(method, str) else None
    if reader is None:
        raise MessageError(f"method {method!r} is unknown")
    return reader(message)


def _read_emit(message: dict[str, Any]) -> Emit:
    event: Any = message.get("event")
    if not isinstance(event, str) and not is_number(event):
        raise MessageError(f"'event' must be text or a number, not {type(event).__name__}")
    if event in RESERVED_EVENTS:
        raise MessageError(f"event name {event!r} is reserved")
    return Emit(
        event=event,
        data=message.get("data"),
        binary=_flag(message, "binary"),
        namespace=_namespace(message),
        rooms=_rooms(message.get("room")),
        skip=_sids(message.get("skip_sid")),
        callback=_callback(message.get("callback")),
        host_id=_host_id(message),
    )


def _read_answer(message: dict[str, Any]) -> Answer:
    return Answer(
        host_id=_host_id(message),
        sid=_room(message.get("sid")),
        namespace=_namespace(message),
        ack_id=_need(message, "id", int),
        data=_packed(message, "args"),
        binary=message["method"] == "binary_callback",
    )


def _read_no_answer(message: dict[str, Any]) -> NoAnswer:
    return NoAnswer(_host_id(message), _room(message.get("sid")), _namespace(message), _need(message, "id", int))


def _read_enter_room(message: dict[str, Any]) -> EnterRoom:
    room = _room(message.get("room"))
    if _flag(message, "of_class") and isinstance(room, str):
        room = RoomName(room)
    return EnterRoom(_need(message, "sid", str), room, _namespace(message), _host_id(message))


def _read_tell_members(message: dict[str, Any]) -> TellMembers:
    members = tuple(_member(member) for member in _need(message, "members", list))
    return TellMembers(_host_id(message), _need(message, "id", int), members)


def _member(value: Any) -> tuple[str, str | None]:
    match value:
        case [str(sid), (str() | None) as user]:
            return sid, user
        case _:
            raise MessageError("a member must be a sid and a name or null")


def copy_id(message: dict[str, Any]) -> str | None:
    """Return the id of a message that may arrive in copies; None for others. Raise MessageError if it is not text."""
    return None if message.get("copy_id") is None else _need(message, "copy_id", str)


def _flag(message: dict[str, Any], key: str) -> bool:
    """Return a boolean of a message; False if it is missing or null."""
    value = message.get(key)
    if value is not None and not isinstance(value, bool):
        raise MessageError(f"{key!r} must be true or false, not {type(value).__name__}")
    return value is True


def _need(message: dict[str, Any], key: str, kind: type[T]) -> T:
    value = message.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise MessageError(f"{key!r} must be {_KINDS[kind]}, not {type(value).__name__}")
    return value


def _packed(message: dict[str, Any], key: str) -> Any:
    """Return packed arguments: a list in JSON; bytes in MessagePack, which only nodes with a client for them unpack."""
    return message[key] if isinstance(message.get(key), bytes) else _need(message, key, list)


def _namespace(message: dict[str, Any]) -> str:
    return "/" if message.get("namespace") is None else _need(message, "namespace", str)


def _host_id(message: dict[str, Any]) -> str | None:
    return None if message.get("host_id") is None else _need(message, "host_id", str)


def _room(value: Any) -> Hashable:
    if not isinstance(value, ROOM_TYPES):
        raise MessageError(f"a room must be text or a number, not {type(value).__name__}")
    if isinstance(value, float) and not isfinite(value):
        raise MessageError(f"a room must be text or a number, not {value}")
    return value


def _rooms(value: Any) -> tuple[Hashable, ...]:
    """Return the rooms of an emit; None is all clients, as in ``emit()``."""
    rooms = value if isinstance(value, list) else [value]
    return tuple(None if room is None else _room(room) for room in rooms)


def _sids(value: Any) -> tuple[str, ...]:
    sids = [] if value is None else value if isinstance(value, list) else [value]
    if not all(isinstance(sid, str) for sid in sids):
        raise MessageError("'skip_sid' must be text or a list of it")
    return tuple(sids)


def _callback(value: Any) -> tuple[Hashable, str, int] | None:
    match value:
        case None:
            return None
        case [room, str(namespace), int(ack_id)] if not isinstance(ack_id, bool):
            return _room(room), namespace, ack_id
        case _:
            raise MessageError("'callback' must be a room, a namespace and an id")


#: Field of a :class:`Plain` message -> what reads it.
_FIELDS: Final[dict[str, Callable[[dict[str, Any]], Any]]] = {
    "sid": lambda message: _need(message, "sid", str),
    "to": lambda message: _need(message, "to", str),
    "room": lambda message: _room(message.get("room")),
    "namespace": _namespace,
    "question": lambda message: _need(message, "id", int),
    "host_id": _host_id,
}


def _reader(kind: type[P]) -> Callable[[dict[str, Any]], P]:
    """Return the function that reads a message whose fields need only be read."""
    readers = tuple(_FIELDS[field.name] for field in fields(kind))
    return lambda message: kind(*[read(message) for read in readers])


_READERS: Final[dict[str, Callable[[dict[str, Any]], Message]]] = {
    "emit": _read_emit,
    "callback": _read_answer,
    "binary_callback": _read_answer,
    "no_callback": _read_no_answer,
    "disconnect": _reader(Disconnect),
    "leave_room": _reader(LeaveRoom),
    "close_room": _reader(CloseRoom),
    "room_members": _reader(AskMembers),
    "recheck": _reader(Recheck),
    "report_clients": _reader(ReportClients),
    "enter_room": _read_enter_room,
    "room_members_answer": _read_tell_members,
}
