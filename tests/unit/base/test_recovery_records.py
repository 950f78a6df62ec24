"""Sessions and logs in a store: what a server that is started later reads is what was written."""

from __future__ import annotations

import msgpack
import pytest

from fastsio.base.recovery_records import read_log, read_saved_session, session_key, write_log, write_saved_session
from fastsio.state.recovery import Dropped, Entry, PacketLog, SavedSession
from tests.unit.base.recovery_scene import Frame

#: The keys of a log without events.
EMPTY = {"complete_after": 0, "known_after": 0, "last": 0, "events": [], "dropped": []}


def log_of(*entries: Entry, dropped: dict | None = None) -> PacketLog:
    """Return a log with these events, the newest at position 9."""
    return PacketLog.of(entries, dropped or {}, complete_after=3, known_after=2, last=9)


def event(position: int, *rooms: object, skip: tuple[str, ...] = ()) -> Entry:
    """Return an event of text and binary that was sent to rooms."""
    return Entry(position, "/", rooms, skip, [Frame("2text"), Frame(b"binary")], 11, 5.0)


def test_a_session_is_stored_with_the_name_of_its_log() -> None:
    """Its positions are read as those of a process that counts its events."""
    session = SavedSession("pid", "sid", "/chat", {"tea": 4, 7: None}, {"user": "ann"}, 2, seen=1)

    record = read_saved_session(write_saved_session(session, "log1"), "pid", "/chat")

    assert record is not None
    assert record.node == "log1"
    assert (record.session.rooms, record.session.data) == ({"tea": 4, 7: None}, {"user": "ann"})
    assert (record.session.since, record.session.seen) == (2, 1)


def test_a_session_is_read_in_its_namespace_only() -> None:
    """It is stored under a key of its pid and namespace."""
    raw = write_saved_session(SavedSession("pid", "sid", "/chat", {}, {}, 0), "log1")

    assert read_saved_session(raw, "pid", "/other") is None
    assert read_saved_session(b"no session", "pid", "/chat") is None
    assert session_key("/chat", "pid") != session_key("/other", "pid")


def test_a_log_is_stored_with_its_events_and_positions() -> None:
    """Frames of text and of bytes come back as what *to_frame* makes of them."""
    log = log_of(
        event(4, None, skip=("a", "b")),
        event(5, "tea", 7, 1.5),
        dropped={("/", "milk"): Dropped(3, "sid", 1), ("/chat", None): Dropped(2, None, None)},
    )

    read = read_log(write_log(log), Frame)

    assert read is not None
    assert [(each.position, each.namespace, each.rooms, set(each.skip)) for each in read.entries] == [
        (4, "/", (None,), {"a", "b"}),
        (5, "/", ("tea", 7, 1.5), set()),
    ]
    assert [[frame.data for frame in each.frames or ()] for each in read.entries] == [["2text", b"binary"]] * 2
    assert read.dropped == log.dropped
    assert (read.complete_after, read.known_after, read.last) == (3, 2, 9)


def test_events_to_rooms_that_no_stored_session_has_are_left_out() -> None:
    """Of an event to several rooms, the other rooms stay."""
    rooms = [("a", 1), 2**64, -(2**63) - 1, 2**64 - 1, -(2**63)]
    log = log_of(
        event(4, *rooms),
        event(5, ("a", 1)),
        dropped={("/", room): Dropped(3, None, None) for room in rooms},
    )

    read = read_log(write_log(log), Frame)

    assert read is not None
    assert [(each.position, each.rooms) for each in read.entries] == [(4, (2**64 - 1, -(2**63)))]
    assert set(read.dropped) == {("/", 2**64 - 1), ("/", -(2**63))}
    assert read.last == log.last


@pytest.mark.parametrize(
    "record",
    [
        1,
        {},
        {**EMPTY, "events": [[1, "/"]]},
        {**EMPTY, "events": [[1, "/", [[]], [], []]]},
        {**EMPTY, "events": 5},
        {**EMPTY, "dropped": [["/", "tea", 1]]},
        {key: value for key, value in EMPTY.items() if key != "last"},
    ],
)
def test_what_is_no_log_is_not_read(record: object) -> None:
    """The clients of such a log are new ones."""
    assert read_log(msgpack.packb(EMPTY), Frame) is not None
    assert read_log(msgpack.packb(record), Frame) is None


@pytest.mark.parametrize("raw", [b"", b"\xc1", b"\x81"])
def test_what_is_no_messagepack_is_no_log(raw: bytes) -> None:
    """A store may return anything."""
    assert read_log(raw, Frame) is None
