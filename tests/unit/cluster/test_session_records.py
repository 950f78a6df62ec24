"""Sessions as nodes write them for each other."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from fastsio.cluster.payloads import MessageError
from fastsio.cluster.session_records import (
    Frame,
    read_entries,
    read_kept,
    read_session,
    write_entries,
    write_kept,
    write_session,
)
from fastsio.state.recovery import Entry, SavedSession
from fastsio.state.room_names import RoomName

DATA = {
    "same": [None, True, 1, 1.5, "ü", {"deep": {"a": [1]}}],
    "bytes": (b"\x00\xff", bytearray(b"x")),
    "sets": [{1, 2}, frozenset({"a"})],
    "times": [datetime(2026, 1, 2, 3, 4, tzinfo=UTC), date(2026, 1, 2)],
    "ids": [UUID(int=7), Decimal("1.20")],
    "room": RoomName("chat|5"),
    "keys": {1: "a", (2, 3): "b", "$": "c", None: 1},
    "$": "the mark itself",
    "large": 10**40,
}


def session(**changes):
    """Return a session."""
    rooms = {"tea": 7, RoomName("chat|5"): None, 5: 1}
    made = SavedSession("pid", "sid", "/chat", rooms, DATA, 3)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def test_a_session_comes_back_as_it_was():
    """Rooms, data of many types, payloads of joins, and what its client has missed."""
    missed = [(("tea", None), ["news", 1, b"\x01"]), ((RoomName("chat|5"),), [7])]
    written = write_session(session(joined={RoomName("chat|5"): ({"id": 5}, (1, 2))}), missed)

    back, again = read_session(written, "pid", "/chat")

    assert (back.pid, back.sid, back.namespace, back.since) == ("pid", "sid", "/chat", None)
    assert back.rooms == {"tea": None, "chat|5": None, 5: None}
    assert [type(room) for room in back.rooms] == [str, RoomName, int]
    assert back.data == DATA
    assert [type(value) for value in back.data["bytes"]] == [bytes, bytearray]
    assert type(back.data["room"]) is RoomName
    assert back.joined == {"chat|5": ({"id": 5}, (1, 2))}
    assert again == missed


@pytest.mark.parametrize("value", [object(), len, {1: object()}, [type("Text", (str,), {})("x")]])
def test_values_of_other_types_are_refused(value):
    """They would come back as something else."""
    with pytest.raises(TypeError, match="cannot go to another node"):
        write_session(session(data={"x": value}), [])


def test_data_that_contains_itself_is_refused():
    """So is what is nested too deeply."""
    data: dict = {}
    data["me"] = data
    with pytest.raises(ValueError, match="nested too deeply"):
        write_session(session(data=data), [])


@pytest.mark.parametrize(
    "changes",
    [
        {"sid": 7},
        {"data": []},
        {"data": {"$": "unknown", "value": 1}},
        {"data": {"$": "bytes", "value": "é"}},
        {"data": {"$": "decimal", "value": "x"}},
        {"data": {"$": "dict"}},
        {"rooms": [[1]]},
        {"rooms": 7},
        {"joined": [[1]]},
        {"missed": [[["tea"], []]]},
        {"missed": [7]},
    ],
)
def test_what_makes_no_sense_is_refused(changes):
    """The client is a new one then."""
    record = json.loads(write_session(session(), [])) | changes
    with pytest.raises(MessageError):
        read_session(json.dumps(record), "pid", "/chat")


@pytest.mark.parametrize("text", ["", "7", "[]", "{}", "[" * 100_000])
def test_a_text_that_is_no_session_is_refused(text):
    """Whatever it is."""
    with pytest.raises(MessageError):
        read_session(text, "pid", "/chat")


def test_a_session_that_is_kept_for_another_node():
    """Its rooms keep their positions, beside all that any session has."""
    kept = session(joined={RoomName("chat|5"): ({"id": 5},)})
    kept.foreign_offset = "~17~"
    back = read_kept(write_kept(kept), "pid")

    assert back.foreign_offset == "~17~"
    assert (back.pid, back.sid, back.namespace, back.since) == ("pid", "sid", "/chat", 3)
    assert back.rooms == {"tea": 7, "chat|5": None, 5: 1}
    assert [type(room) for room in back.rooms] == [str, RoomName, int]
    assert back.data == DATA
    assert back.joined == {"chat|5": ({"id": 5},)}


def test_a_session_that_cannot_be_kept_for_another_node():
    """As one that cannot go there."""
    data: dict = {}
    data["me"] = data
    with pytest.raises(ValueError, match="nested too deeply"):
        write_kept(session(data=data))
    with pytest.raises(TypeError, match="cannot go to another node"):
        write_kept(session(data={"x": object()}))


@pytest.mark.parametrize("text", ["", "7", "{}", "[" * 100_000, '{"rooms": [7]}'])
def test_a_text_that_is_no_kept_session_is_refused(text):
    """Whatever it is."""
    with pytest.raises(MessageError):
        read_kept(text, "pid")


def test_events_come_back_with_their_frames():
    """Those for rooms whose names cannot be written are left out: no session that was written is in one."""
    frames = [Frame('42["a"]'), Frame(b"\x00")]
    entries = [
        Entry(1, "/", ("tea", RoomName("chat|5"), None), ("sid",), frames, 20, 1.0),
        Entry(2, "/", (object(),), (), frames, 20, 1.0),
        Entry(3, "/", ("sid",), (), None, 30, 2.0, sent_to=("tea", None)),
    ]

    first, second = read_entries(write_entries(entries), 5.0)

    assert (first.position, first.namespace, first.size, first.time) == (1, "/", 20, 5.0)
    assert first.rooms == ("tea", "chat|5", None)
    assert type(first.rooms[1]) is RoomName
    assert (first.skip, first.sent_to) == ({"sid"}, None)
    assert [frame.data for frame in first.frames] == ['42["a"]', b"\x00"]
    assert (second.position, second.frames, second.sent_to) == (3, [], ("tea", None))


@pytest.mark.parametrize("text", ["", "7", "[7]", "[" * 100_000, '[[1, "/", {"$": "none"}, [], null, 1, []]]'])
def test_a_text_that_is_no_events_is_refused(text):
    """Whatever it is."""
    with pytest.raises(MessageError):
        read_entries(text, 0.0)
