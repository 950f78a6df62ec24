"""The formats of the bus: what is written, and that each reads the other."""

from __future__ import annotations

import importlib.util
import json
import sys
from datetime import date
from enum import Enum

import msgpack
import pytest
from pydantic import BaseModel, Field

from fastsio.cluster.formats import JSONFormat, MsgPackFormat, format_named
from fastsio.cluster.messages import Answer, Emit, MessageError, decode, read
from fastsio.cluster.payloads import unpack, unpack_event
from fastsio.exceptions import MissingExtraError, SetupError
from fastsio.protocol.jsoncodec import DEFAULT_CODEC, adapt
from tests.unit.cluster.test_messages import HOST, TRANSCRIPT

FORMATS = {"json": JSONFormat(), "msgpack": MsgPackFormat()}


class Order(BaseModel):
    number: int = Field(alias="no")


class Upload(BaseModel):
    content: bytes


class Colour(Enum):
    RED = "red"


@pytest.fixture(params=FORMATS)
def bus_format(request):
    """Each format."""
    return FORMATS[request.param]


@pytest.mark.parametrize(("message", "written"), TRANSCRIPT, ids=lambda value: type(value).__name__)
def test_what_one_format_writes_is_read(bus_format, message, written):
    """By every node, whatever it writes itself."""
    raw = bus_format.encode(written, DEFAULT_CODEC)

    assert read(decode(raw, DEFAULT_CODEC)) == message
    assert read(decode(memoryview(raw), DEFAULT_CODEC)) == message


@pytest.mark.parametrize(
    ("arguments", "arrived"),
    [
        ((), ()),
        ((None,), (None,)),
        ((1, "ü", None, [2.5, True], {"a": {}}), (1, "ü", None, [2.5, True], {"a": {}})),
        ((b"\x00\xff", {"a": [bytearray(b"a"), memoryview(b"m")]}), (b"\x00\xff", {"a": [b"a", b"m"]})),
        ((Order(no=1), Upload(content=b"c")), ({"no": 1}, {"content": b"c"})),
        ((date(2024, 5, 6), {1}, Colour.RED), ("2024-05-06", [1], "red")),
    ],
)
def test_arguments_arrive(bus_format, arguments, arrived):
    """Of events and of answers; bytes as bytes, and models dumped."""
    packed, binary = bus_format.pack_event(arguments)
    emit = Emit("e", packed, binary, "/", (None,)).as_dict()
    packed, binary = bus_format.pack(arguments)
    answer = Answer(HOST, "s", "/", 1, packed, binary).as_dict()

    emit_read, answer_read = (
        read(decode(bus_format.encode(one, DEFAULT_CODEC), DEFAULT_CODEC)) for one in (emit, answer)
    )

    assert unpack_event(emit_read.data, binary=emit_read.binary) == arrived
    assert unpack(answer_read.data, binary=answer_read.binary) == arrived


def test_messagepack_is_a_map_with_the_arguments_packed_apart():
    """A node without a client for them leaves them as they are; nothing is Base64."""
    packed, binary = FORMATS["msgpack"].pack_event([b"\x00" * 1000])

    written = FORMATS["msgpack"].encode(Emit("e", packed, binary, "/", ("r",)).as_dict(), DEFAULT_CODEC)

    message = msgpack.unpackb(written)
    assert message["room"] == "r"
    assert not message["binary"]
    assert msgpack.unpackb(message["data"]) == [b"\x00" * 1000]
    assert len(written) < 1100


def test_json_is_as_python_socketio_writes_it():
    """The default."""
    _, written = TRANSCRIPT[0]

    assert json.loads(FORMATS["json"].encode(written, DEFAULT_CODEC)) == written


@pytest.mark.parametrize(
    ("argument", "error"), [(object(), TypeError), (2**64, ValueError), ("\ud800", ValueError), ([[]], ValueError)]
)
def test_what_messagepack_cannot_write_is_the_callers_mistake(argument, error):
    """Found before anything is sent."""
    if argument == [[]]:
        argument.append(argument)

    with pytest.raises(error):
        FORMATS["msgpack"].pack_event([argument])


@pytest.mark.parametrize("raw", [b"\x81", b"\x80\x00", b"\x81\x90\x01", b"\x81\xa1\xff\x01", b"\xdf", b"\xde\x00"])
def test_what_only_begins_as_messagepack_is_refused(raw):
    """Cut off, with something after it, or with what no key can be."""
    with pytest.raises(MessageError, match="it is not MessagePack"):
        decode(raw, DEFAULT_CODEC)


def test_a_payload_that_is_no_messagepack_is_refused():
    """Where it is unpacked."""
    with pytest.raises(MessageError, match="the payload cannot be read"):
        unpack(b"\xc1", binary=False)


def test_a_single_value_is_one_argument():
    """As in JSON."""
    assert unpack(msgpack.packb(5), binary=False) == (5,)


def test_another_name_is_refused():
    """With the names there are."""
    assert isinstance(format_named("json"), JSONFormat)
    with pytest.raises(SetupError, match="'json' or 'msgpack', not 'pickle'"):
        format_named("pickle")


def test_messagepack_needs_its_extra(monkeypatch):
    """Which the error names."""
    monkeypatch.setitem(sys.modules, "msgpack", None)

    with pytest.raises(MissingExtraError, match=r"fastsio\[msgpack\]"):
        format_named("msgpack")


def test_messagepack_that_cannot_be_read_is_a_bad_message(monkeypatch):
    """The node that lacks the extra says which one it is."""
    monkeypatch.setitem(sys.modules, "msgpack", None)
    without = importlib.util.module_from_spec(importlib.util.find_spec("fastsio.cluster.payloads"))
    without.__spec__.loader.exec_module(without)

    with pytest.raises(ValueError, match=r"fastsio\[msgpack\]"):
        without.from_msgpack(b"\x80")


class Money:
    """An object that only the application's JSON can write."""


class Bill(BaseModel):
    """A model with binary in it."""

    scan: bytes


class OwnJSON:
    """An application's JSON: it writes money, and dates in a way of its own."""

    @staticmethod
    def dumps(value, **options) -> str:
        def default(one):
            if isinstance(one, Money):
                return {"cents": 5}
            if isinstance(one, date):
                return one.year
            raise TypeError(type(one).__name__)

        return json.dumps(value, default=default, **options)

    loads = staticmethod(json.loads)


@pytest.mark.parametrize(
    ("arguments", "arrived"),
    [
        ((Money(), {"m": [Money()]}), ({"cents": 5}, {"m": [{"cents": 5}]})),
        ((date(2024, 5, 6), (1, 2)), (2024, [1, 2])),
        (({1}, Colour.RED), ([1], "red")),
        ((b"a", Money()), (b"a", {"cents": 5})),
        ((Bill(scan=b"x"),), ({"scan": b"x"},)),
        ((1, "a", None), (1, "a", None)),
    ],
)
def test_the_json_of_the_application_writes_what_goes_over_the_bus(bus_format, arguments, arrived):
    """So that clients of all servers get what those of this one get."""
    codec = adapt(OwnJSON)
    packed, binary = bus_format.pack_event(arguments, codec)
    emit = Emit("e", packed, binary, "/", (None,)).as_dict()
    found = read(decode(bus_format.encode(emit, codec), codec))

    assert unpack_event(found.data, binary=found.binary) == arrived
    packed, binary = bus_format.pack(arguments, codec)
    assert unpack(packed, binary=binary) == arrived


def test_what_the_json_of_the_application_cannot_write_is_its_type_error(bus_format):
    """It is not passed over."""
    with pytest.raises(TypeError):
        bus_format.pack_event([object()], adapt(OwnJSON))
