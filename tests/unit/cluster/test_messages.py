"""What servers of a cluster write to each other."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from fastsio.cluster.messages import (
    Answer,
    AskMembers,
    CloseRoom,
    Disconnect,
    Emit,
    EnterRoom,
    LeaveRoom,
    NoAnswer,
    Recheck,
    ReportClients,
    TellMembers,
    check_room,
    decode,
    encode,
    read,
)
from fastsio.cluster.payloads import pack
from fastsio.protocol.jsoncodec import DEFAULT_CODEC
from fastsio.state.room_names import NamedRoom, RoomName

HOST = "99687889fa5c4ba58ad357c849d92348"


#: What python-socketio 5.18.1 was seen to publish, and the message that fastsio has for it.
TRANSCRIPT = [
    (
        Emit("e", [{"a": 1}], False, "/", (None,), host_id=HOST),
        {"method": "emit", "event": "e", "data": [{"a": 1}], "binary": False, "namespace": "/", "room": None, "skip_sid": None, "callback": None, "host_id": HOST},
    ),
    (
        Emit("e", [[1, 2]], False, "/n", ("r", "s"), ("x",), host_id=HOST),
        {"method": "emit", "event": "e", "data": [[1, 2]], "binary": False, "namespace": "/n", "room": ["r", "s"], "skip_sid": "x", "callback": None, "host_id": HOST},
    ),
    (
        Emit("e", ["x"], False, "/", ("s",), ("t", "u"), ("s", "/", 1), HOST),
        {"method": "emit", "event": "e", "data": ["x"], "binary": False, "namespace": "/", "room": "s", "skip_sid": ["t", "u"], "callback": ["s", "/", 1], "host_id": HOST},
    ),
    (
        Emit("e", *pack([b"a", {"x": bytearray(b"b")}]), "/", (5,), host_id=HOST),
        {"method": "emit", "event": "e", "data": [[{"_placeholder": True, "num": 0}, {"x": {"_placeholder": True, "num": 1}}], "YQ==", "Yg=="], "binary": True, "namespace": "/", "room": 5, "skip_sid": None, "callback": None, "host_id": HOST},
    ),
    (
        Answer(HOST, "s", "/", 1, ["p", "q"]),
        {"method": "callback", "host_id": HOST, "sid": "s", "namespace": "/", "id": 1, "args": ["p", "q"]},
    ),
    (Disconnect("s", "/", HOST), {"method": "disconnect", "sid": "s", "namespace": "/", "host_id": HOST}),
    (EnterRoom("s", "r", "/", HOST), {"method": "enter_room", "sid": "s", "room": "r", "namespace": "/", "host_id": HOST}),
    (LeaveRoom("s", "r", "/", HOST), {"method": "leave_room", "sid": "s", "room": "r", "namespace": "/", "host_id": HOST}),
    (CloseRoom("r", "/", HOST), {"method": "close_room", "room": "r", "namespace": "/", "host_id": HOST}),
]  # fmt: skip


@pytest.mark.parametrize(("message", "written"), TRANSCRIPT, ids=lambda value: type(value).__name__)
def test_messages_are_written_as_python_socketio_writes_them(message, written):
    """Keys, values and their order."""
    assert message.as_dict() == written
    assert list(message.as_dict()) == list(written)


def test_an_emit_to_no_room_says_so():
    """An empty list, which reaches nobody."""
    assert Emit("e", [], False, "/", ()).as_dict()["room"] == []


def test_a_binary_answer_has_a_method_of_its_own():
    """python-socketio would take the placeholders for the answer."""
    data, binary = pack([b"x"])

    assert Answer(HOST, "s", "/", 1, data, binary).as_dict()["method"] == "binary_callback"


@pytest.mark.parametrize("room", [None, "r", 5, 1.5])
def test_rooms_with_a_json_name_can_be_told(room):
    """The name is the same elsewhere."""
    check_room(room)


@pytest.mark.parametrize("room", [b"r", ("a", 1), UUID(int=1), object()])
def test_rooms_without_one_cannot(room):
    """The room would have another name on the other servers."""
    with pytest.raises(ValueError, match="use text or a number"):
        check_room(room)


def test_messages_become_text():
    """UTF-8 JSON, with the codec's own rules."""
    assert encode({"event": "ü"}, DEFAULT_CODEC) == '{"event":"ü"}'.encode()


@pytest.mark.parametrize(
    "message",
    [
        AskMembers("chat|5", "/", 7, HOST),
        TellMembers(HOST, 7, (("s1", "ada"), ("s2", None))),
        TellMembers(HOST, 8, ()),
    ],
)
def test_questions_about_members_arrive_as_they_were(message):
    """They are fastsio's own; what is written is what is read."""
    assert read(json.loads(json.dumps(message.as_dict()))) == message


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_does_not_have_is_no_room(number):
    """Others could not be told of it."""
    with pytest.raises(ValueError, match="cannot be named to other servers"):
        check_room(number)


def test_a_recheck_is_written_as_it_is_read():
    """python-socketio has no such message."""
    assert Recheck("r", "/n", HOST).as_dict() == {"method": "recheck", "room": "r", "namespace": "/n", "host_id": HOST}


def test_a_request_for_reports_is_written_as_it_is_read():
    """python-socketio has no such message either."""
    message = {"method": "report_clients", "to": "s", "namespace": "/admin", "host_id": HOST}

    assert ReportClients("s", "/admin", HOST).as_dict() == message
    assert read(message) == ReportClients("s", "/admin", HOST)


def test_a_room_that_was_meant_as_that_of_a_class_is_one_on_the_other_server():
    """Text that happens to be its name is text there too, and written as python-socketio writes it."""
    meant, text = EnterRoom("s", str(NamedRoom("chat|5")), "/", HOST), EnterRoom("s", "chat|5", "/", HOST)

    assert meant.as_dict() == {**text.as_dict(), "of_class": True}
    assert "of_class" not in text.as_dict()
    found = [read(decode(encode(message.as_dict(), DEFAULT_CODEC), DEFAULT_CODEC)) for message in (meant, text)]
    assert [isinstance(message.room, RoomName) for message in found] == [True, False]
    assert not isinstance(read({**meant.as_dict(), "room": 5}).room, RoomName)


def test_a_client_that_left_is_told_as_it_is_read():
    """python-socketio has no such message."""
    written = {"method": "no_callback", "host_id": HOST, "sid": "s", "namespace": "/", "id": 1}

    assert NoAnswer(HOST, "s", "/", 1).as_dict() == written
    assert read(written) == NoAnswer(HOST, "s", "/", 1)
