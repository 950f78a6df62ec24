"""What servers of a cluster understand."""

from __future__ import annotations

import json

import pytest

from fastsio.cluster.messages import (
    Answer,
    CloseRoom,
    Disconnect,
    Emit,
    EnterRoom,
    LeaveRoom,
    MessageError,
    Recheck,
    copy_id,
    decode,
    read,
)
from fastsio.cluster.payloads import unpack
from fastsio.protocol.jsoncodec import DEFAULT_CODEC
from tests.unit.cluster.test_messages import TRANSCRIPT

EMIT = {"method": "emit", "event": "e"}


@pytest.mark.parametrize(("message", "written"), TRANSCRIPT, ids=lambda value: type(value).__name__)
def test_what_is_written_is_read(message, written):
    """Also after a way through JSON."""
    assert read(decode(json.dumps(written), DEFAULT_CODEC)) == message


def test_missing_keys_have_python_socketios_meaning():
    """External emitters send only what they need to."""
    assert read(EMIT) == Emit("e", None, False, "/", (None,))
    assert read({"method": "disconnect", "sid": "s"}) == Disconnect("s", "/")
    assert read({"method": "close_room", "room": "r"}) == CloseRoom("r", "/")
    assert read({"method": "recheck", "room": "r", "host_id": "h"}) == Recheck("r", "/", "h")
    assert read({"method": "enter_room", "sid": "s", "room": 1}) == EnterRoom("s", 1, "/")
    assert read({"method": "leave_room", "sid": "s", "room": 1}) == LeaveRoom("s", 1, "/")


def test_extra_keys_are_ignored():
    """A newer server may say more."""
    assert read({**EMIT, "priority": 1}) == read(EMIT)


def test_a_binary_answer_is_read():
    """As fastsio writes it."""
    message = {"method": "binary_callback", "host_id": "h", "sid": "s", "id": 1, "args": [[], "eA=="]}

    assert read(message) == Answer("h", "s", "/", 1, [[], "eA=="], binary=True)


def test_an_empty_list_of_rooms_stays_empty():
    """It does not mean everybody, as None does."""
    assert read({**EMIT, "room": []}).rooms == ()
    assert read({**EMIT, "room": [None, "a"]}).rooms == (None, "a")


@pytest.mark.parametrize(
    ("data", "arguments"),
    [(None, ()), ([], ()), ([None], (None,)), (["a", "b"], ("a", "b")), ("a", ("a",)), ({"a": 1}, ({"a": 1},))],
)
def test_a_list_is_the_arguments(data, arguments):
    """Anything else is the one argument, nothing is none."""
    assert unpack(data, binary=False) == arguments


def test_a_binary_payload_that_is_no_list_is_one_argument():
    """External emitters may leave out the list."""
    assert unpack([{"_placeholder": True, "num": 0}, "eA=="], binary=True) == (b"x",)


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "text",
        [[{"_placeholder": True, "num": 0}]],
        [[{"_placeholder": True, "num": 0}], "not base64!"],
        [[{"_placeholder": True, "num": 0}], 5],
        [[], "eA=="],
    ],
)
def test_binary_data_must_fit_together(data):
    """Placeholders and attachments."""
    with pytest.raises(MessageError):
        unpack(data, binary=True)


def test_binary_data_can_be_nested_too_deeply():
    """A bound of Python's is not reached from outside."""
    data: list[object] = []
    for _ in range(100_000):
        data = [data]

    with pytest.raises(MessageError):
        unpack([data, "eA=="], binary=True)


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"method": "shout"},
        {"method": 5},
        {"method": ["emit"]},
        {"method": "emit"},
        {**EMIT, "event": True},
        {**EMIT, "event": "disconnect"},
        {**EMIT, "namespace": 5},
        {**EMIT, "room": {"a": 1}},
        {**EMIT, "room": [["a"]]},
        {**EMIT, "skip_sid": 5},
        {**EMIT, "skip_sid": [5]},
        {**EMIT, "callback": "s"},
        {**EMIT, "callback": ["s", "/"]},
        {**EMIT, "callback": ["s", "/", "1"]},
        {**EMIT, "callback": [None, "/", 1]},
        {**EMIT, "host_id": 5},
        {**EMIT, "room": float("nan")},
        {**EMIT, "room": ["a", float("inf")]},
        {**EMIT, "binary": 1},
        {**EMIT, "binary": "yes"},
        {**EMIT, "callback": ["s", "/", True]},
        {"method": "enter_room", "sid": "s", "room": "r", "of_class": "yes"},
        {"method": "callback", "sid": "s", "id": "1", "args": []},
        {"method": "callback", "sid": "s", "id": True, "args": []},
        {"method": "callback", "sid": "s", "id": 1, "args": "x"},
        {"method": "callback", "sid": None, "id": 1, "args": []},
        {"method": "no_callback", "sid": "s", "id": "1"},
        {"method": "no_callback", "id": 1},
        {"method": "disconnect"},
        {"method": "enter_room", "sid": "s"},
        {"method": "leave_room", "room": "r"},
        {"method": "close_room"},
        {"method": "recheck"},
        {"method": "report_clients", "to": 5},
        {"method": "room_members", "room": "r"},
        {"method": "room_members", "room": None, "id": 1},
        {"method": "room_members_answer", "id": 1},
        {"method": "room_members_answer", "id": 1, "members": ["s"]},
        {"method": "room_members_answer", "id": 1, "members": [["s", 5]]},
        {"method": "room_members_answer", "id": "1", "members": []},
    ],
)
def test_anything_else_is_refused(message):
    """With an error that says what is wrong."""
    with pytest.raises(MessageError):
        read(message)


@pytest.mark.parametrize("raw", ['{"a":1}', b'{"a":1}', bytearray(b'{"a":1}'), memoryview(b'{"a":1}'), {"a": 1}])
def test_json_comes_as_text_bytes_or_read_already(raw):
    """Whatever a broker's client gives."""
    assert decode(raw, DEFAULT_CODEC) == {"a": 1}


def test_constants_that_are_no_json_become_null():
    """python-socketio writes NaN; clients get null for it."""
    text = '{"data":[NaN,{"a":Infinity}],"args":[-Infinity,1.5,"x"]}'
    assert decode(text, DEFAULT_CODEC) == {"data": [None, {"a": None}], "args": [None, 1.5, "x"]}


def test_a_number_that_json_does_not_have_is_no_message():
    """Nor is a list of them."""
    with pytest.raises(MessageError, match="it must be an object, not list"):
        decode("[NaN]", DEFAULT_CODEC)


@pytest.mark.parametrize("key", ["room", "skip_sid", "namespace", "host_id", "callback", "binary", "event", "sid"])
def test_a_number_that_json_does_not_have_is_nothing_but_a_mistake_elsewhere(key):
    """In a room it does not mean everybody, in a namespace not the root."""
    found = decode('{"method":"emit","event":"e","sid":"s","%s":NaN}' % key, DEFAULT_CODEC)  # noqa: UP031 - braces

    if key == "sid":
        found |= {"method": "callback", "id": 1, "args": []}
    with pytest.raises(MessageError):
        read(found)


@pytest.mark.parametrize("value", [5, "", [], {"a": 1}])
def test_the_id_of_a_copy_is_text(value):
    """Or left out."""
    with pytest.raises(MessageError):
        copy_id({"copy_id": value} if value != "" else {"copy_id": b""})
    assert copy_id({}) is None
    assert copy_id({"copy_id": "x"}) == "x"


@pytest.mark.parametrize("raw", ["", "x", b"\xff", "5", "null", "[]", 5, None, b"\x80\x04}q\x00.", "[" * 100_000])
def test_what_is_no_json_object_is_refused(raw):
    """Pickles are not read, whoever sends them."""
    with pytest.raises(MessageError):
        decode(raw, DEFAULT_CODEC)


def test_a_number_may_name_an_event():
    """As on the wire of clients."""
    message = read({**EMIT, "event": 5})

    assert isinstance(message, Emit)
    assert message.event == 5
