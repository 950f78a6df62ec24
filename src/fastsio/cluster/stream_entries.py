"""
The entries of the Redis Stream of a cluster, and the sessions in Redis, in the format of the JavaScript adapter.

Nodes of fastsio and of JavaScript read each other's entries and sessions. This module encodes and decodes them. It must
not know how they are sent, nor what nodes do with them.

Source: @socket.io/redis-streams-adapter 0.3.1, and the messages of socket.io-adapter 2.5.9.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from fastsio._extras import optional
from fastsio.cluster import payloads
from fastsio.cluster.messages import ROOM_TYPES, CloseRoom, Disconnect, EnterRoom, LeaveRoom
from fastsio.cluster.payloads import MessageError
from fastsio.protocol.limits import is_number
from fastsio.protocol.packet_type import RESERVED_EVENTS, PacketType
from fastsio.state.recovery import SavedSession
from fastsio.state.room_names import RoomName

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Mapping, Sequence

    from fastsio.protocol.jsoncodec import JSONCodec

_package: Final[Any] = optional("msgpack")

#: The id of an entry: the milliseconds of its time, and a number among those of one millisecond.
Position: TypeAlias = "tuple[int, int]"
#: The position before any entry.
START: Final[Position] = (0, 0)
_POSITION: Final = re.compile(r"([0-9]{1,16})-([0-9]{1,18})", re.ASCII)
#: A number that is greater than those of all entries of a millisecond.
MAX_NUMBER: Final = 10**18 - 1
#: The field with the number of an entry. If a connection breaks, an entry may be written twice; both then have the same
#: number. Nodes of JavaScript ignore the field.
COPY: Final = "id"
#: The option of ``msgpack`` that reads times, which JavaScript writes, as ``datetime`` objects.
_AS_DATETIME: Final = 3


def write_position(position: Position) -> str:
    """Return the id of the entry at a position."""
    return f"{position[0]}-{position[1]}"


def read_position(text: str) -> Position | None:
    """Return the position for the id of an entry; None if the text is not such an id."""
    match = _POSITION.fullmatch(text)
    return None if match is None else (int(match[1]), int(match[2]))


def before(position: Position) -> Position:
    """Return the last position before another one."""
    milliseconds, number = position
    return (milliseconds, number - 1) if number else (milliseconds - 1, MAX_NUMBER)


def entries_of(stream: str, found: Sequence[Any]) -> list[StreamEntry]:
    """Return the entries of an answer of Redis. An entry that was deleted has no fields."""
    return [StreamEntry(stream, position_of(at), dict(fields or {})) for at, fields in found]


def position_of(text: Any) -> Position:
    """Return the position of an id in an answer of Redis."""
    position = read_position(text.decode() if isinstance(text, bytes) else text)
    if position is None:
        raise ValueError(f"{text!r} is not the id of an entry")
    return position


@dataclass(frozen=True, slots=True)
class StreamEntry:
    """An entry of the stream of that name: its position, and the names and values of its fields."""

    stream: str
    position: Position
    fields: dict[bytes, bytes]


class EntryType(IntEnum):
    """The type of an entry; messages of the adapter's other types are not in streams."""

    BROADCAST = 3
    JOIN = 4
    LEAVE = 5
    DISCONNECT = 6


@dataclass(frozen=True, slots=True)
class Broadcast:
    """
    An event for the clients of some rooms.

    Args:
        namespace: The namespace.
        arguments: The name of the event and its arguments.
        rooms: The rooms; ``(None,)`` is all clients of the namespace.
        without: The rooms whose clients do not get it; a sid is the name of the room of one client.
        is_volatile: Whether a client that misses it does not get it later.
    """

    namespace: str
    arguments: list[Any]
    rooms: tuple[Hashable, ...]
    without: frozenset[Hashable]
    is_volatile: bool = False


@dataclass(frozen=True, slots=True)
class ClientChange:
    """
    A change of the clients that are in some rooms: they enter rooms, leave rooms, or are disconnected.

    Args:
        type: JOIN, LEAVE or DISCONNECT.
        namespace: The namespace.
        of: The rooms that the clients are in; ``(None,)`` is all clients of the namespace.
        without: The rooms whose clients are not changed.
        rooms: The rooms that the clients enter or leave.
        closes: Whether clients that are disconnected lose their connections, with all namespaces.
    """

    type: EntryType
    namespace: str
    of: tuple[Hashable, ...]
    without: frozenset[Hashable]
    rooms: tuple[Hashable, ...] = ()
    closes: bool = False

    @property
    def closes_rooms(self) -> bool:
        """Whether all clients of some rooms leave just these rooms."""
        return self.type is EntryType.LEAVE and self.of == self.rooms and not self.without


def write_broadcast(
    host_id: str,
    namespace: str,
    arguments: Sequence[Any],
    rooms: Collection[Hashable],
    skip: Collection[str],
    codec: JSONCodec,
) -> tuple[Any, ...]:
    """
    Return the fields of an entry for an event: names and values in turn. None among the rooms is all clients.

    Raises:
        TypeError: Something has no JSON form.
        ValueError: The arguments are nested too deeply, or have binary in them and an integer beyond 64 bits.
    """
    packed, binary = payloads.pack(arguments, codec)
    data = {
        "packet": {"type": int(PacketType.EVENT), "data": list(arguments) if binary else packed, "nsp": namespace},
        "opts": {"rooms": [] if None in rooms else list(rooms), "except": list(skip), "flags": {}},
    }
    text = b64encode(payloads.to_msgpack(data)) if binary else codec.dumps(data)
    return _fields(host_id, namespace, EntryType.BROADCAST, text)


def write_change(
    host_id: str, message: EnterRoom | LeaveRoom | CloseRoom | Disconnect, codec: JSONCodec
) -> tuple[Any, ...]:
    """Return the fields of an entry for one of these messages to other nodes: names and values in turn."""
    data: dict[str, Any]
    of: Hashable
    match message:
        case EnterRoom(sid, room):
            kind, of, data = EntryType.JOIN, sid, {"rooms": [room]}
            if isinstance(room, RoomName):
                data["of_class"] = True
        case LeaveRoom(sid, room):
            kind, of, data = EntryType.LEAVE, sid, {"rooms": [room]}
        case CloseRoom(room):
            kind, of, data = EntryType.LEAVE, room, {"rooms": [room]}
        case _:
            kind, of, data = EntryType.DISCONNECT, message.sid, {"close": False}
    data = {"opts": {"rooms": [of], "except": [], "flags": {}}, **data}
    return _fields(host_id, message.namespace, kind, codec.dumps(data))


def _fields(host_id: str, namespace: str, kind: EntryType, text: str | bytes) -> tuple[Any, ...]:
    return "uid", host_id, "nsp", namespace, "type", str(int(kind)), "data", text


def read_entry(fields: Mapping[bytes, bytes], codec: JSONCodec) -> Broadcast | ClientChange | None:
    """Decode an entry; return None for one of another kind. Raise MessageError if it is not valid."""
    namespace, kind = fields.get(b"nsp", b"").decode(errors="replace"), fields.get(b"type")
    if not namespace:
        return None
    if kind == b"3":
        return _read_broadcast(namespace, _read_data(fields, codec))
    if kind in {b"4", b"5", b"6"}:
        return _read_change(EntryType(int(kind)), namespace, _read_data(fields, codec))
    return None


def copy_of(fields: Mapping[bytes, bytes]) -> bytes | None:
    """Return an id that only the copies of the same entry have; None for an entry that is never written twice."""
    number = fields.get(COPY.encode())
    return None if number is None else fields.get(b"uid", b"") + b" " + number


def _read_data(fields: Mapping[bytes, bytes], codec: JSONCodec) -> Any:
    raw = fields.get(b"data", b"")
    try:
        return codec.loads(raw.decode()) if raw.startswith(b"{") else _from_base64(raw)
    except (ValueError, RecursionError) as error:
        raise MessageError(f"its data cannot be read: {error}") from error


def _from_base64(raw: bytes) -> Any:
    try:
        return _package.unpackb(b64decode(raw, validate=True), strict_map_key=False, timestamp=_AS_DATETIME)
    except (TypeError, ValueError, OverflowError) as error:  # TypeError: the key of a map is a list
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _read_broadcast(namespace: str, data: Any) -> Broadcast | None:
    match data:
        case {"requestId": _}:
            return None
        case {"packet": {"type": PacketType.EVENT, "data": [event, *rest]}, "opts": options}:
            pass
        case {"packet": {"type": int(kind)}, "opts": _} if kind != PacketType.EVENT:
            return None
        case _:
            raise MessageError("it must have a packet and options")
    check_event(event)
    rooms, without = read_recipients(options)
    flags = options.get("flags")
    return Broadcast(namespace, [event, *rest], rooms, without, type(flags) is dict and bool(flags.get("volatile")))


def check_event(event: Any) -> None:
    """Raise MessageError if the name of an event is not valid."""
    if not (isinstance(event, str) or is_number(event)) or event in RESERVED_EVENTS:
        raise MessageError(f"event name {event!r} is not valid")


def _read_change(kind: EntryType, namespace: str, data: Any) -> ClientChange:
    match data:
        case {"opts": options}:
            of, without = read_recipients(options)
        case _:
            raise MessageError("it must have options")
    if kind is EntryType.DISCONNECT:
        return ClientChange(kind, namespace, of, without, closes=data.get("close") is True)
    rooms = _read_rooms(data.get("rooms"))
    if data.get("of_class") is True:
        rooms = tuple(RoomName(room) if isinstance(room, str) else room for room in rooms)
    return ClientChange(kind, namespace, of, without, rooms)


def read_recipients(options: Any) -> tuple[tuple[Hashable, ...], frozenset[Hashable]]:
    """Return the rooms in the options of a message, and those whose clients are left out."""
    match options:
        case {"rooms": rooms, "except": without}:
            return _read_rooms(rooms) or (None,), frozenset(_read_rooms(without))
        case _:
            raise MessageError("its options must have rooms and exceptions")


def _read_rooms(rooms: Any) -> tuple[Hashable, ...]:
    if not isinstance(rooms, list) or not all(isinstance(room, ROOM_TYPES) for room in rooms):
        raise MessageError("rooms must be a list of texts and numbers")
    return tuple(rooms)


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session as it is stored, and the node that its client is connected to; None once the client was lost."""

    session: SavedSession
    node: str | None


def write_session(session: SavedSession, node: str | None, write: Callable[[Any], str] = write_position) -> bytes:
    """
    Encode a session for Redis. It has keys that only nodes of fastsio read; nodes of JavaScript ignore them.

    *node* is the node that its client is connected to; None if the client was lost.

    Raises:
        TypeError: MessagePack cannot write something in it, or a room is neither text nor a number.
        ValueError: A text in it has a lone surrogate, or it is nested too deeply.
    """
    for room in session.rooms:
        if not isinstance(room, ROOM_TYPES):
            raise TypeError(f"room {room!r} is neither text nor a number")
    record = {
        "sid": session.sid,
        "pid": session.pid,
        "rooms": [session.sid, *session.rooms],
        "data": session.data,
        "nsp": session.namespace,
        "since": None if session.since is None else write(session.since),
        "entered": [None if at is None else write(at) for at in session.rooms.values()],
        "classes": [number for number, room in enumerate(session.rooms) if isinstance(room, RoomName)],
        "node": node,
    }
    if session.seen is not None:
        record["seen"] = write(session.seen)
    if session.as_of is not None:
        record["as_of"] = write(session.as_of)
    joined = {"joined": [[room, list(args)] for room, args in session.joined.items()]}
    try:
        return _pack(record | joined if session.joined else record)
    except (TypeError, ValueError):
        if not session.joined:
            raise
        # The payload of a join may be any object if the application has joined for the client.
        return _pack(record)


def _pack(record: dict[str, Any]) -> bytes:
    return b64encode(_package.packb(record, default=_refuse, datetime=True))


def _refuse(value: Any) -> Any:
    """Refuse a value that MessagePack does not have; an integer beyond 64 bits is one."""
    raise TypeError(f"an object of type {type(value).__name__} cannot be stored")


def read_session(
    raw: bytes, pid: str, namespace: str, read: Callable[[str], Any] = read_position
) -> SessionRecord | None:
    """
    Decode the stored session of a pid; return None if it is that of another namespace, or not a session.

    One that a node of JavaScript has stored may belong to any namespace.
    """
    try:
        record = _from_base64(raw)
    except ValueError:
        return None
    match record:
        case {"sid": str(sid), "pid": str(known), "rooms": list(rooms)} if known == pid and sid:
            pass
        case _:
            return None
    data, node = record.get("data"), record.get("node")
    if record.get("nsp", namespace) != namespace or not all(isinstance(room, ROOM_TYPES) for room in rooms):
        return None
    others = [room for room in rooms if room != sid]
    session = SavedSession(
        pid,
        sid,
        namespace,
        _rooms_of_record(others, record.get("entered"), record.get("classes"), read),
        data if isinstance(data, dict) else {},
        _position_of(record.get("since"), read),
        joined=_joins_of_record(record.get("joined")),
        seen=_position_of(record.get("seen"), read),
        as_of=_position_of(record.get("as_of"), read),
    )
    return SessionRecord(session, node if isinstance(node, str) else None)


def _rooms_of_record(rooms: list[Any], entered: Any, classes: Any, read: Callable[[str], Any]) -> dict[Hashable, Any]:
    positions = entered if isinstance(entered, list) and len(entered) == len(rooms) else [None] * len(rooms)
    named = {number for number in classes if isinstance(number, int)} if isinstance(classes, list) else frozenset()
    names = [RoomName(room) if number in named else room for number, room in enumerate(rooms)]
    return dict(zip(names, [_position_of(at, read) for at in positions], strict=True))


def _joins_of_record(joined: Any) -> dict[Hashable, tuple[Any, ...]]:
    found: dict[Hashable, tuple[Any, ...]] = {}
    for pair in joined if isinstance(joined, list) else ():
        match pair:
            case [str(room), list(args)]:
                found[room] = tuple(args)
    return found


def _position_of(value: Any, read: Callable[[str], Any]) -> Any:
    return read(value) if isinstance(value, str) else None
