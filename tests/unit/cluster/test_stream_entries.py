"""Entries of the stream and stored sessions: read as the JavaScript adapter writes them, and written so."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from typing import Any

import msgpack
import pytest

from fastsio.cluster.messages import CloseRoom, Disconnect, EnterRoom, LeaveRoom
from fastsio.cluster.payloads import MessageError
from fastsio.cluster.stream_entries import (
    Broadcast,
    ClientChange,
    EntryType,
    StreamEntry,
    before,
    copy_of,
    entries_of,
    read_entry,
    read_position,
    read_session,
    write_broadcast,
    write_change,
    write_position,
    write_session,
)
from fastsio.protocol.jsoncodec import DEFAULT_CODEC
from fastsio.state.recovery import SavedSession
from fastsio.state.room_names import RoomName

NODE = "host"


def entry(data: str | bytes, kind: int = 3, nsp: str = "/") -> dict[bytes, bytes]:
    """Return the fields of an entry, as a client of Redis gives them."""
    raw = data.encode() if isinstance(data, str) else data
    return {b"uid": b"cc5447141bd921f2", b"nsp": nsp.encode(), b"type": str(kind).encode(), b"data": raw}


def read(*args: Any) -> Any:
    """Read an entry."""
    return read_entry(entry(*args), DEFAULT_CODEC)


def written(fields: tuple[Any, ...]) -> dict[bytes, bytes]:
    """Return the fields that a client of Redis gives back of those that were written."""
    raw = [field.encode() if isinstance(field, str) else field for field in fields]
    return dict(zip(raw[::2], raw[1::2], strict=True))


#: Entries that @socket.io/redis-streams-adapter 0.3.1 has written, and what they say.
WRITTEN_BY_JAVASCRIPT = [
    (
        ('{"packet":{"type":2,"data":["news",1,null,{"a":[1.5,true]}]},"opts":{"rooms":[],"except":[],"flags":{}}}',),
        Broadcast("/", ["news", 1, None, {"a": [1.5, True]}], (None,), frozenset()),
    ),
    (
        ('{"packet":{"type":2,"data":["news"]},"opts":{"rooms":["tea","x"],"except":["sid1"],"flags":{}}}',),
        Broadcast("/", ["news"], ("tea", "x"), frozenset({"sid1"})),
    ),
    (
        (
            "gqZwYWNrZXSCpHR5cGUCpGRhdGGUo2JpbsQCAQLW/2VT8QDApG9wdHODpXJvb21zkaFypmV4Y2VwdJClZmxhZ3OA",
            3,
            "/chat",
        ),
        Broadcast(
            "/chat", ["bin", b"\x01\x02", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC), None], ("r",), frozenset()
        ),
    ),
    (
        ('{"packet":{"type":2,"data":["v",1]},"opts":{"rooms":[],"except":[],"flags":{"volatile":true}}}',),
        Broadcast("/", ["v", 1], (None,), frozenset(), is_volatile=True),
    ),
    (
        ('{"opts":{"rooms":["abc"],"except":[],"flags":{}},"rooms":["tea","cof"]}', 4),
        ClientChange(EntryType.JOIN, "/", ("abc",), frozenset(), ("tea", "cof")),
    ),
    (
        ('{"opts":{"rooms":["abc"],"except":[],"flags":{}},"rooms":["tea"]}', 5),
        ClientChange(EntryType.LEAVE, "/", ("abc",), frozenset(), ("tea",)),
    ),
    (
        ('{"opts":{"rooms":["abc"],"except":[],"flags":{}},"close":true}', 6),
        ClientChange(EntryType.DISCONNECT, "/", ("abc",), frozenset(), closes=True),
    ),
]


@pytest.mark.parametrize(("args", "said"), WRITTEN_BY_JAVASCRIPT)
def test_entries_of_javascript(args: Any, said: Any) -> None:
    """Entries of the JavaScript adapter say what they mean there."""
    assert read(*args) == said


def test_an_event_is_written_as_javascript_reads_it() -> None:
    """Without binary it is JSON, with the keys of the adapter."""
    fields = write_broadcast(NODE, "/chat", ["news", {"a": 1}], ("tea",), ("sid",), DEFAULT_CODEC)

    assert fields[:7] == ("uid", NODE, "nsp", "/chat", "type", "3", "data")
    assert json.loads(fields[7]) == {
        "packet": {"type": 2, "data": ["news", {"a": 1}], "nsp": "/chat"},
        "opts": {"rooms": ["tea"], "except": ["sid"], "flags": {}},
    }
    assert read_entry(written(fields), DEFAULT_CODEC) == Broadcast(
        "/chat", ["news", {"a": 1}], ("tea",), frozenset({"sid"})
    )


def test_an_event_with_binary_is_messagepack() -> None:
    """It is Base64 of MessagePack, which has bytes; to all clients it has no room."""
    fields = write_broadcast(NODE, "/", ["news", {"a": b"\x01"}], ("tea", None), (), DEFAULT_CODEC)

    assert msgpack.unpackb(b64decode(fields[7]))["packet"]["data"] == ["news", {"a": b"\x01"}]
    assert read_entry(written(fields), DEFAULT_CODEC) == Broadcast("/", ["news", {"a": b"\x01"}], (None,), frozenset())


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (EnterRoom("sid", "tea", "/"), ClientChange(EntryType.JOIN, "/", ("sid",), frozenset(), ("tea",))),
        (LeaveRoom("sid", 7, "/"), ClientChange(EntryType.LEAVE, "/", ("sid",), frozenset(), (7,))),
        (CloseRoom("tea", "/x"), ClientChange(EntryType.LEAVE, "/x", ("tea",), frozenset(), ("tea",))),
        (Disconnect("sid", "/"), ClientChange(EntryType.DISCONNECT, "/", ("sid",), frozenset())),
    ],
)
def test_messages_to_other_nodes(message: Any, said: ClientChange) -> None:
    """What nodes of fastsio do to clients of others, those of JavaScript do too."""
    fields = write_change(NODE, message, DEFAULT_CODEC)

    assert read_entry(written(fields), DEFAULT_CODEC) == said
    assert set(json.loads(fields[7])["opts"]) == {"rooms", "except", "flags"}


@pytest.mark.parametrize(
    ("change", "closes"),
    [
        (ClientChange(EntryType.LEAVE, "/", ("tea",), frozenset(), ("tea",)), True),
        (ClientChange(EntryType.LEAVE, "/", ("tea",), frozenset({"sid"}), ("tea",)), False),
        (ClientChange(EntryType.LEAVE, "/", ("sid",), frozenset(), ("tea",)), False),
        (ClientChange(EntryType.JOIN, "/", ("tea",), frozenset(), ("tea",)), False),
    ],
)
def test_a_room_is_closed_when_all_its_clients_leave_it(change: ClientChange, closes: bool) -> None:
    """Not when some of them stay, or when one client leaves a room."""
    assert change.closes_rooms is closes


def test_a_room_of_a_class_stays_one() -> None:
    """Nodes of fastsio read whether the application gave a room of a class; others see its name."""
    fields = write_change(NODE, EnterRoom("sid", RoomName("Tea:1"), "/"), DEFAULT_CODEC)
    said = read_entry(written(fields), DEFAULT_CODEC)

    assert isinstance(said, ClientChange)
    assert type(said.rooms[0]) is RoomName
    assert json.loads(fields[7])["rooms"] == ["Tea:1"]


@pytest.mark.parametrize(
    "fields",
    [
        {b"fastsio": b"1"},
        entry("{}", 7),
        entry("{}", 13),
        entry('{"requestId":"1","packet":{},"opts":{}}'),
        entry('{"packet":{"type":3,"data":[1]},"opts":{"rooms":[],"except":[],"flags":{}}}'),
    ],
)
def test_entries_that_are_not_for_us(fields: dict[bytes, bytes]) -> None:
    """Other entries, and messages that do not belong into a stream, are passed by."""
    assert read_entry(fields, DEFAULT_CODEC) is None


@pytest.mark.parametrize(
    "args",
    [
        ("",),
        ("{",),
        ("=",),
        (b64encode(b"\xc1"),),
        (b64encode(b"\x81\x90\x01"),),
        ("{}",),
        ("{}", 4),
        ("[]", 5),
        ('{"packet":{"type":2,"data":[]},"opts":{"rooms":[],"except":[]}}',),
        ('{"packet":{"type":2,"data":[[]]},"opts":{"rooms":[],"except":[]}}',),
        ('{"packet":{"type":2,"data":["connect"]},"opts":{"rooms":[],"except":[]}}',),
        ('{"packet":{"type":2,"data":["e"]},"opts":{}}',),
        ('{"packet":{"type":2,"data":["e"]},"opts":{"rooms":[null],"except":[]}}',),
        ('{"packet":{"type":2,"data":["e"]},"opts":{"rooms":[],"except":"sid"}}',),
        ('{"opts":{"rooms":["abc"],"except":[]}}', 4),
        ("1", 6),
    ],
)
def test_entries_that_make_no_sense(args: Any) -> None:
    """They are refused with a sentence, whatever is wrong."""
    with pytest.raises(MessageError):
        read(*args)


@pytest.mark.parametrize("text", ["", "1", "1-", "-1", "1-x", "1-2-3", "\uff11-2", "1" * 17 + "-1", "1-" + "1" * 19])
def test_texts_that_are_no_positions(text: str) -> None:
    """A client may send anything as its offset."""
    assert read_position(text) is None


def test_entries_in_an_answer_of_redis() -> None:
    """One that was deleted has no fields; what has no id is no entry."""
    assert entries_of("socket.io", [(b"5-1", {b"nsp": b"/"}), ("5-2", None)]) == [
        StreamEntry("socket.io", (5, 1), {b"nsp": b"/"}),
        StreamEntry("socket.io", (5, 2), {}),
    ]
    with pytest.raises(ValueError, match="'x' is not the id of an entry"):
        entries_of("socket.io", [("x", None)])


def test_the_position_before() -> None:
    """It is in the millisecond before, for the first one of a millisecond."""
    assert (before((5, 1)), before((5, 0))) == ((5, 0), (4, 10**18 - 1))


def test_positions() -> None:
    """They are ordered as their entries are."""
    assert read_position("1718000000000-12") == (1718000000000, 12)
    assert write_position((1718000000000, 12)) == "1718000000000-12"


#: A session that the JavaScript server has stored: a client in the rooms "tea" and 7.
OF_JAVASCRIPT = (
    b"hKNzaWS0WDBQYmo5M2M3MG14cTJveUFBQUGjcGlktEpSeTUteDRsbkJrNEcwTG1BQUFCpXJvb21zk7RYMFBiajkzYzcwbXhxMm95QUFBQaN0ZWEH"
    b"pGRhdGGEpHVzZXKhdaFuAaR3aGVu1v9lU/EAoWLEAQM="
)
PID = "JRy5-x4lnBk4G0LmAAAB"


def test_a_session_of_javascript() -> None:
    """It is that of any namespace, and when the client has entered its rooms is not known."""
    record = read_session(OF_JAVASCRIPT, PID, "/x")

    assert record is not None
    session = record.session
    assert (session.sid, session.pid, session.namespace) == ("X0Pbj93c70mxq2oyAAAA", PID, "/x")
    assert session.rooms == {"tea": None, 7: None}
    assert session.data == {"user": "u", "n": 1, "when": datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC), "b": b"\x03"}
    assert (session.since, record.node) == (None, None)


def test_a_session_is_stored_and_read() -> None:
    """All of it comes back; JavaScript finds its own keys in it."""
    data = {"when": datetime(2023, 11, 14, tzinfo=UTC), 1: [b"\x01", None]}
    session = SavedSession("pid", "sid", "/x", {"tea": (5, 1), RoomName("Tea:1"): None}, data, (4, 0))
    raw = write_session(session, NODE)
    record = read_session(raw, "pid", "/x")

    assert record is not None
    assert record.node == NODE
    assert record.session.rooms == session.rooms
    assert [type(room) for room in record.session.rooms] == [str, RoomName]
    assert (record.session.data, record.session.since) == (data, (4, 0))
    stored = msgpack.unpackb(b64decode(raw), strict_map_key=False, timestamp=3)
    assert {key: stored[key] for key in ("sid", "pid", "rooms", "data")} == {
        "sid": "sid",
        "pid": "pid",
        "rooms": ["sid", "tea", "Tea:1"],
        "data": data,
    }


def test_positions_beside_that_of_the_connect_are_stored() -> None:
    """What the client has seen of an earlier process, and up to where the session has what other nodes did."""
    session = SavedSession("pid", "sid", "/", {}, {}, (4, 0), seen=(3, 1), as_of=(5, 2))
    record = read_session(write_session(session, None), "pid", "/")

    assert record is not None
    assert (record.session.since, record.session.seen, record.session.as_of) == ((4, 0), (3, 1), (5, 2))


@pytest.mark.parametrize("data", [{"a": object()}, {"a": 1 << 70}, {"a": {1}}, {"a": "\ud800"}])
def test_sessions_that_cannot_be_stored(data: dict[str, Any]) -> None:
    """What would come back as something else is refused."""
    with pytest.raises((TypeError, ValueError)):
        write_session(SavedSession("pid", "sid", "/", {}, data, None), None)


def test_rooms_that_cannot_be_stored() -> None:
    """A room is a text or a number."""
    with pytest.raises(TypeError, match="neither text nor a number"):
        write_session(SavedSession("pid", "sid", "/", {("a", 1): None}, {}, None), None)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"?",
        b64encode(b"\xc1"),
        b64encode(msgpack.packb([1])),
        b64encode(msgpack.packb({"sid": 1, "pid": "pid", "rooms": []})),
        b64encode(msgpack.packb({"sid": "sid", "pid": "other", "rooms": []})),
        b64encode(msgpack.packb({"sid": "sid", "pid": "pid", "rooms": [None]})),
        b64encode(msgpack.packb({"sid": "sid", "pid": "pid", "rooms": [], "nsp": "/other"})),
    ],
)
def test_sessions_that_make_no_sense(raw: bytes) -> None:
    """There is no session then."""
    assert read_session(raw, "pid", "/") is None


def test_joins_are_stored_with_the_session() -> None:
    """The payloads of joins come back; one that cannot be stored leaves the joins out, and not the session."""
    session = SavedSession("pid", "sid", "/", {}, {"a": 1}, None, joined={"Tea|1": ({"table": 1},), "Tea|2": ()})
    record = read_session(write_session(session, NODE), "pid", "/")
    assert record is not None
    assert record.session.joined == session.joined

    session.joined = {"Tea|1": (object(),)}
    record = read_session(write_session(session, NODE), "pid", "/")
    assert record is not None
    assert (record.session.joined, record.session.data) == ({}, {"a": 1})


def test_copies_of_an_entry_are_known() -> None:
    """Copies have the node and the number in common; entries without a number have no copies."""
    one = {b"uid": b"a", b"id": b"1"}
    others = [{b"uid": b"a", b"id": b"2"}, {b"uid": b"b", b"id": b"1"}]

    assert copy_of(one) == copy_of(dict(one))
    assert copy_of(one) not in [copy_of(other) for other in others]
    assert copy_of({b"uid": b"a"}) is None


def test_a_session_with_odd_extras() -> None:
    """Extra keys of the wrong form count as missing."""
    odd = {
        "sid": "sid",
        "pid": "pid",
        "rooms": ["sid", "tea"],
        "data": 1,
        "since": "x",
        "entered": [1, 2],
        "classes": 3,
        "joined": [["Tea|1"], ["Tea|2", 1], 3, ["Tea|3", [4]]],
    }
    record = read_session(b64encode(msgpack.packb({**odd, "node": 4})), "pid", "/")

    assert record is not None
    assert record.node is None
    assert record.session.joined == {"Tea|3": (4,)}
    assert (record.session.rooms, record.session.data, record.session.since) == ({"tea": None}, {}, None)
