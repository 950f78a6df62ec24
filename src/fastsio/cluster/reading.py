"""
How messages of the bus are read, from nodes of fastsio and of python-socketio.

Unknown keys are ignored, missing ones have python-socketio's meaning, anything else is refused. Must not know what is
done about a message.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, TypeVar

from fastsio.cluster import payloads
from fastsio.cluster.messages import (
    ROOM_TYPES,
    Answer,
    AskMembers,
    CloseRoom,
    Disconnect,
    Emit,
    EnterRoom,
    LeaveRoom,
    Message,
    MessageError,
    NoAnswer,
    Recheck,
    TellMembers,
)
from fastsio.protocol.limits import is_number
from fastsio.protocol.packet_type import RESERVED_EVENTS
from fastsio.state.room_names import RoomName

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from fastsio.protocol.jsoncodec import JSONCodec

T = TypeVar("T")

#: The members of messages that are for clients.
_PAYLOADS: Final = ("data", "args")
_KINDS: Final[dict[Any, str]] = {str: "text", int: "an integer", list: "a list"}


def decode(raw: Any, codec: JSONCodec) -> dict[str, Any]:
    """
    Read what came from the bus.

    Args:
        raw: JSON, as text or bytes, MessagePack, or a dict that is read already.
        codec: Reads the text.

    Raises:
        MessageError: It is no JSON object and no map of MessagePack.
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
        # python-socketio writes NaN and the infinities, which are no JSON.
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MessageError(f"it is not JSON: {error}") from error
    if isinstance(message, dict):
        # Clients are sent null for them; anywhere else they are a mistake, which is found there.
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
    Return what a message of the bus says.

    Args:
        message: The JSON object.

    Raises:
        MessageError: A key that is needed is missing or of the wrong kind, or the method is unknown.
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


def _read_disconnect(message: dict[str, Any]) -> Disconnect:
    return Disconnect(_need(message, "sid", str), _namespace(message), _host_id(message))


def _read_enter_room(message: dict[str, Any]) -> EnterRoom:
    room = _room(message.get("room"))
    if _flag(message, "of_class") and isinstance(room, str):
        room = RoomName(room)
    return EnterRoom(_need(message, "sid", str), room, _namespace(message), _host_id(message))


def _read_leave_room(message: dict[str, Any]) -> LeaveRoom:
    room = _room(message.get("room"))
    return LeaveRoom(_need(message, "sid", str), room, _namespace(message), _host_id(message))


def _read_close_room(message: dict[str, Any]) -> CloseRoom:
    return CloseRoom(_room(message.get("room")), _namespace(message), _host_id(message))


def _read_ask_members(message: dict[str, Any]) -> AskMembers:
    return AskMembers(_room(message.get("room")), _namespace(message), _need(message, "id", int), _host_id(message))


def _read_recheck(message: dict[str, Any]) -> Recheck:
    return Recheck(_room(message.get("room")), _namespace(message), _host_id(message))


def _read_tell_members(message: dict[str, Any]) -> TellMembers:
    members = tuple(_member(member) for member in _need(message, "members", list))
    return TellMembers(_host_id(message), _need(message, "id", int), members)


def _member(value: Any) -> tuple[str, str | None]:
    match value:
        case [str(sid), (str() | None) as user]:
            return sid, user
        case _:
            raise MessageError("a member must be a sid and a name or null")


_READERS: Final[dict[str, Callable[[dict[str, Any]], Message]]] = {
    "emit": _read_emit,
    "callback": _read_answer,
    "binary_callback": _read_answer,
    "no_callback": _read_no_answer,
    "disconnect": _read_disconnect,
    "enter_room": _read_enter_room,
    "leave_room": _read_leave_room,
    "close_room": _read_close_room,
    "room_members": _read_ask_members,
    "room_members_answer": _read_tell_members,
    "recheck": _read_recheck,
}


def copy_id(message: dict[str, Any]) -> str | None:
    """
    Return the id of a message that may come in several copies, or None.

    Raises:
        MessageError: It is not text.
    """
    return None if message.get("copy_id") is None else _need(message, "copy_id", str)


def _flag(message: dict[str, Any], key: str) -> bool:
    """Read what is true or false; left out, or null, it is false."""
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
    """Read what was packed: in JSON a list, in MessagePack bytes, which are read where they are for."""
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
    """Read the rooms of an emit; None is everybody, as in ``emit()``."""
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
