"""
How a node writes the session of a lost client for another node of its kind: JSON that keeps the types of session data.

Beside what JSON has, these come back as they were: bytes, tuples, sets, times, dates, UUIDs, decimal numbers, the names
of rooms of room classes, and dicts with any of them as keys. This module must not know how the record travels.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

from fastsio.cluster.payloads import MessageError
from fastsio.state.recovery import Entry, SavedSession
from fastsio.state.room_names import RoomName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fastsio.state.recovery import Missed

#: The key that marks a value of another type: it stands beside the name of the type.
_MARK: Final = "$"
_SAME: Final = frozenset({str, int, float, bool, type(None)})
_TEXT: Final = frozenset({str})


def write_session(session: SavedSession, missed: Iterable[Missed]) -> str:
    """
    Encode a session as text, without the positions of its rooms, and with the events that its client has missed.

    Raise TypeError if there is a value of a type that is not kept; ValueError if it is nested too deeply, or contains
    itself.
    """
    record = {
        "sid": session.sid,
        "rooms": list(session.rooms),
        "data": session.data,
        "joined": [[room, args] for room, args in session.joined.items()],
        "missed": [[rooms, arguments] for rooms, arguments in missed],
    }
    return _dumps(record)


def read_session(text: str, pid: str, namespace: str) -> tuple[SavedSession, list[Missed]]:
    """
    Decode a text of :func:`write_session`; return the session and the events that its client has missed.

    Raise MessageError if it is not a session.
    """
    try:
        record = _read(json.loads(text))
        session = SavedSession(pid, record["sid"], namespace, dict.fromkeys(record["rooms"]), record["data"], None)
        session.joined = {room: tuple(args) for room, args in record["joined"]}
        missed = [(tuple(rooms), [event, *rest]) for rooms, (event, *rest) in record["missed"]]
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise MessageError(f"the session cannot be read: {type(error).__name__}: {error}") from error
    if not isinstance(session.sid, str) or not isinstance(session.data, dict):
        raise MessageError("a session must have a sid and a dict of data")
    return session, missed


def write_kept(session: SavedSession) -> str:
    """
    Encode a session as text, with the positions of its rooms, for a node that has the log of this node too.

    Raise errors as :func:`write_session` does.
    """
    record = {
        "sid": session.sid,
        "namespace": session.namespace,
        "rooms": [[room, position] for room, position in session.rooms.items()],
        "data": session.data,
        "since": session.since,
        "offset": session.foreign_offset,
        "joined": [[room, args] for room, args in session.joined.items()],
    }
    return _dumps(record)


def _dumps(record: dict[str, Any]) -> str:
    try:
        return json.dumps(_plain(record))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def read_kept(text: str, pid: str) -> SavedSession:
    """Decode a text of :func:`write_kept`; raise MessageError if it is not a session."""
    try:
        record = _read(json.loads(text))
        rooms = dict(map(tuple, record["rooms"]))
        session = SavedSession(pid, record["sid"], record["namespace"], rooms, record["data"], record["since"])
        session.joined = {room: tuple(args) for room, args in record["joined"]}
        session.foreign_offset = record["offset"]
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise MessageError(f"the session cannot be read: {type(error).__name__}: {error}") from error
    return session


class Frame(NamedTuple):
    """A frame of an event as it is written to a client: text, or an attachment."""

    data: str | bytes


def write_entries(entries: Iterable[Entry]) -> str:
    """Encode events of a log as text, without those of rooms whose names have no JSON: no session has such rooms."""
    written = []
    for entry in entries:
        frames = [_plain(frame.data) for frame in entry.frames or ()]
        with suppress(TypeError):
            rooms = _plain(entry.rooms), list(entry.skip), _plain(entry.sent_to)
            written.append([entry.position, entry.namespace, *rooms, entry.size, frames])
    return json.dumps(written)


def read_entries(text: str, now: float) -> list[Entry]:
    """Decode a text of :func:`write_entries`, with *now* as time of the events; raise MessageError for other text."""
    try:
        return [
            Entry(
                position,
                namespace,
                _read(rooms),
                frozenset(skip),
                [Frame(_read(data)) for data in frames],
                size,
                now,
                sent_to=_read(sent_to),
            )
            for position, namespace, rooms, skip, sent_to, size, frames in json.loads(text)
        ]
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise MessageError(f"events cannot be read: {type(error).__name__}: {error}") from error


def _pairs(value: dict[Any, Any]) -> Any:
    return [[_plain(key), _plain(item)] for key, item in value.items()]


def _listed(value: Any) -> Any:
    return [_plain(item) for item in value]


#: Type -> the name of the type, a function that encodes a value as JSON has it, and one that decodes it.
_TYPES: Final[dict[type, tuple[str, Callable[[Any], Any], Callable[[Any], Any]]]] = {
    dict: ("dict", _pairs, dict),
    tuple: ("tuple", _listed, tuple),
    set: ("set", _listed, set),
    frozenset: ("frozenset", _listed, frozenset),
    bytes: ("bytes", lambda value: b64encode(value).decode(), b64decode),
    bytearray: ("bytearray", lambda value: b64encode(value).decode(), lambda text: bytearray(b64decode(text))),
    datetime: ("datetime", datetime.isoformat, datetime.fromisoformat),
    date: ("date", date.isoformat, date.fromisoformat),
    UUID: ("uuid", str, UUID),
    Decimal: ("decimal", str, Decimal),
    RoomName: ("room", str.__str__, RoomName),
}
_READERS: Final = {name: read for name, _, read in _TYPES.values()}


def _plain(value: Any) -> Any:
    """Return a value with what JSON has only; values of other types become dicts with a mark."""
    kind = type(value)
    if kind in _SAME:
        return value
    if kind is list:
        return [_plain(item) for item in value]
    if kind is dict and _MARK not in value and _TEXT.issuperset(map(type, value)):
        return {key: _plain(item) for key, item in value.items()}
    if kind not in _TYPES:
        raise TypeError(f"an object of type {kind.__name__} cannot go to another node")
    name, write, _ = _TYPES[kind]
    return {_MARK: name, "value": write(value)}


def _read(value: Any) -> Any:
    """Return the value that :func:`_plain` has written."""
    if isinstance(value, list):
        return [_read(item) for item in value]
    if not isinstance(value, dict):
        return value
    if _MARK in value:
        return _READERS[value[_MARK]](_read(value["value"]))
    return {key: _read(item) for key, item in value.items()}
