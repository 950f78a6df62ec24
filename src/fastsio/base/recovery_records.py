"""
The stored form of sessions and the log, which a server stores at its shutdown for the server that is started after it.

A session is encoded as in Redis Streams, with the name of the log to which its positions belong. The log has the latest
events, and for each room the position of the last event that was dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastsio._extras import optional
from fastsio.cluster.messages import ROOM_TYPES
from fastsio.cluster.stream_entries import SessionRecord, read_session, write_session
from fastsio.state.recovery import CountedPositions, Dropped, Entry, PacketLog

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from fastsio.state.recovery import SavedSession

#: What the keys of logs in a store begin with.
LOG: Final = "log:"
_package: Final[Any] = optional("msgpack")
#: MessagePack can encode integers from minus half of this number up to this number, without it.
_MAX_INTEGER: Final = 2**64


def session_key(namespace: str, pid: str) -> str:
    """Return the key of a session in a store."""
    return f"session:{pid}:{namespace}"


def write_saved_session(session: SavedSession, log: str) -> bytes:
    """Encode a session for a store, with the name of its log; raise errors as :func:`write_session` does."""
    return write_session(session, log, CountedPositions.write)


def read_saved_session(raw: bytes, pid: str, namespace: str) -> SessionRecord | None:
    """Decode a stored session, with the name of its log; return None if *raw* is not one."""
    return read_session(raw, pid, namespace, CountedPositions.read)


def write_log(log: PacketLog) -> bytes:
    """
    Encode a log of events for a store.

    Rooms that are neither text nor a number are left out: no session with such a room is stored.
    """
    events = [
        [each.position, each.namespace, rooms, list(each.skip), [frame.data for frame in each.frames or ()]]
        for each in log.entries
        if (rooms := [room for room in each.rooms if _is_storable(room)])
    ]
    dropped = [[*key, *known] for key, known in log.dropped.items() if _is_storable(key[1])]
    record = {
        "complete_after": log.complete_after,
        "known_after": log.known_after,
        "last": log.last,
        "events": events,
        "dropped": dropped,
    }
    return _package.packb(record)  # type: ignore[no-any-return] # an untyped package


def read_log(raw: bytes, to_frame: Callable[[str | bytes], Any]) -> PacketLog | None:
    """Decode a stored log; return None if *raw* is not one. *to_frame* makes a frame of a text or of bytes."""
    try:
        record = _package.unpackb(raw, strict_map_key=False)
        entries = [
            Entry(position, namespace, tuple(rooms), frozenset(skip), list(map(to_frame, frames)), 0, 0.0)
            for position, namespace, rooms, skip, frames in record["events"]
        ]
        dropped = {(namespace, room): Dropped(*known) for namespace, room, *known in record["dropped"]}
        return PacketLog.of(
            entries,
            dropped,
            complete_after=record["complete_after"],
            known_after=record["known_after"],
            last=record["last"],
        )
    except (KeyError, TypeError, ValueError):
        return None


def _is_storable(room: Hashable) -> bool:
    if isinstance(room, int):
        return -_MAX_INTEGER // 2 <= room < _MAX_INTEGER
    return room is None or isinstance(room, ROOM_TYPES)
