"""What servers of a cluster write to each other."""

from __future__ import annotations

import json
from datetime import date
from uuid import UUID

import pytest
from pydantic import BaseModel, Field

from fastsio.cluster.messages import (
    Answer,
    AskMembers,
    CloseRoom,
    Disconnect,
    Emit,
    EnterRoom,
    LeaveRoom,
    TellMembers,
    check_room,
    encode,
    pack,
    pack_event,
    unpack,
    unpack_event,
)
from fastsio.cluster.reading import read
from fastsio.protocol.jsoncodec import DEFAULT_CODEC

HOST = "99687889fa5c4ba58ad357c849d92348"


class Order(BaseModel):
    number: int = Field(alias="no")


class Upload(BaseModel):
    name: str
    content: bytes


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


@pytest.mark.parametrize(
    ("arguments", "data"),
    [
        ([], []),
        ([None], [None]),
        ([Order(no=1), date(2024, 5, 6)], [{"no": 1}, "2024-05-06"]),
        ([UUID(int=1), {2: {"y"}}, (1, 2)], ["00000000-0000-0000-0000-000000000001", {2: ["y"]}, [1, 2]]),
        ([float("nan"), float("inf")], [None, None]),
    ],
)
def test_arguments_become_plain_json(arguments, data):
    """So that every JSON module can write them, whichever a broker's manager uses."""
    assert pack(arguments) == (data, False)
    json.dumps(data)


@pytest.mark.parametrize(
    ("arguments", "arrived"),
    [
        ([b"\x00\x01"], (b"\x00\x01",)),
        ([1, {"a": [memoryview(b"m")]}, b""], (1, {"a": [b"m"]}, b"")),
        ([Upload(name="n", content=b"c")], ({"name": "n", "content": b"c"},)),
        ([date(2024, 5, 6), b"x"], ("2024-05-06", b"x")),
        (["only text"], ("only text",)),
    ],
)
def test_bytes_travel(arguments, arrived):
    """Whatever holds them, next to what has no bytes."""
    data, binary = pack(arguments)

    assert unpack(json.loads(json.dumps(data)), binary=binary) == arrived


def test_what_has_no_json_form_is_the_callers_mistake():
    """The same errors as for local clients."""
    endless: list[object] = []
    endless.append(endless)

    with pytest.raises(TypeError):
        pack([object()])
    with pytest.raises(ValueError, match="nested"):
        pack(endless)


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


@pytest.mark.parametrize("arguments", [(), (None,), (None, None), (1, None), ([None],), ([],), (b"\x01", None)])
def test_events_arrive_with_the_arguments_they_were_emitted_with(arguments):
    """A None that was given is told from nothing, which python-socketio writes as a null."""
    packed, binary = pack_event(arguments)

    assert unpack_event(json.loads(json.dumps(packed)), binary=binary) == arguments


@pytest.mark.parametrize("data", [[None], [], None])
def test_an_event_of_python_socketio_without_data_has_none(data):
    """Its own servers leave the null out."""
    assert unpack_event(data, binary=False) == ()


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
