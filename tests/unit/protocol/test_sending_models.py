"""Models and Structs as they travel: the same each time, as valid JSON, wherever they stand in the payload."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson
import pydantic.dataclasses
import pytest
from pydantic import Base64Bytes, Base64Str, BaseModel, ConfigDict, Field, RootModel

from fastsio.packet import Packet
from fastsio.protocol.jsoncodec import AdaptedCodec, BinaryInPayload, OrjsonCodec, StdlibCodec
from fastsio.protocol.msgpack import MsgPackPacket
from fastsio.protocol.plain import contains_binary, plain_tree

codecs = pytest.mark.parametrize("codec", [StdlibCodec(), OrjsonCodec(orjson), AdaptedCodec(json)])


class Usual(BaseModel):
    value: float


class Constants(BaseModel):
    model_config = ConfigDict(ser_json_inf_nan="constants")
    value: float


class Strings(BaseModel):
    model_config = ConfigDict(ser_json_inf_nan="strings")
    value: float


class Around(BaseModel):
    inner: list[Constants]


class NamedLikeSchema(BaseModel):
    """The field is named like a key of a schema that holds no schema."""

    config: Constants


class Anything(BaseModel):
    value: Any


@pydantic.dataclasses.dataclass
class Pair:
    left: Any
    right: float = math.nan


class Encoded(BaseModel):
    data: Base64Bytes
    text: Base64Str = ""
    more: list[Base64Bytes] = []


class Mixed(BaseModel):
    data: Base64Bytes = Field(serialization_alias="theData")
    raw: bytes
    missing: Base64Bytes | None = None
    hidden: Base64Bytes = Field(b"", exclude=True)


class Point(msgspec.Struct, rename="camel"):
    is_far: bool = True
    distance: float = math.inf


class Tagged(msgspec.Struct, tag="circle"):
    radius: int


class Row(msgspec.Struct, array_like=True):
    a: int
    b: Any


class Blob(msgspec.Struct):
    data: bytes


@dataclass
class Holder:
    point: Point
    model: Usual


def strictly(text: str) -> Any:
    """Read JSON without what only Python reads."""

    def refuse(constant):
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


@codecs
@pytest.mark.parametrize("model", [Usual, Constants, Strings])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_model_with_nan_is_the_same_each_time_and_valid_json(codec, model, value):
    """NaN and the infinities are null, as everywhere, alone and in a container, the first time and later."""
    for _ in range(3):
        assert strictly(codec.dumps([model(value=value)])) == [{"value": None}]
        assert strictly(codec.dumps([{"in": (model(value=value),)}])) == [{"in": [{"value": None}]}]


@codecs
def test_nan_in_a_model_that_is_in_a_model_is_null_too(codec):
    """Its own configuration is the one that counts for pydantic."""
    for _ in range(2):
        assert strictly(codec.dumps([Around(inner=[Constants(value=math.nan)])])) == [{"inner": [{"value": None}]}]
        named = NamedLikeSchema(config=Constants(value=math.nan))
        assert strictly(codec.dumps([named])) == [{"config": {"value": None}}]
        assert strictly(codec.dumps([Pair(Constants(value=math.nan))])) == [{"left": {"value": None}, "right": None}]


@codecs
def test_bytes_that_are_text_in_json_are_text(codec):
    """``Base64Bytes`` says what its form in JSON is; only other bytes are attachments."""
    model = Encoded(data=b"aGVsbG8=", more=[b"aGVsbG8="])

    for _ in range(2):
        (read,) = strictly(codec.dumps([model]))
        assert read == {"data": "aGVsbG8=", "text": "", "more": ["aGVsbG8="]}
        assert Encoded(**read) == model
    assert not contains_binary([model])


@codecs
def test_a_model_that_is_one_value_is_that_value(codec):
    """Its bytes are text or an attachment as well."""
    assert codec.dumps([RootModel[Base64Bytes](b"aGVsbG8=")]) == '["aGVsbG8="]'
    with pytest.raises(BinaryInPayload):
        codec.dumps([RootModel[list[bytes]]([b"raw"])])


def test_a_model_with_both_kinds_of_bytes_has_one_attachment():
    """The field that is text stays text."""
    packet = Packet(data=["e", Mixed(theData=b"aGVsbG8=", data=b"aGVsbG8=", raw=b"\xff")])

    head, attachment = packet.encode()

    assert json.loads(head.partition("-")[2])[1] == {
        "theData": "aGVsbG8=",
        "raw": {"_placeholder": True, "num": 0},
        "missing": None,
    }
    assert attachment == b"\xff"


@codecs
def test_structs_of_msgspec_are_written_as_msgspec_writes_them(codec):
    """With its names, tags and arrays, wherever they stand; NaN and the infinities are null."""
    payload = [Point(), {"k": [Tagged(2)]}, Holder(Point(is_far=False), Usual(value=1)), Anything(value=Tagged(3))]

    assert strictly(codec.dumps(payload)) == [
        {"isFar": True, "distance": None},
        {"k": [{"type": "circle", "radius": 2}]},
        {"point": {"isFar": False, "distance": None}, "model": {"value": 1.0}},
        {"value": {"type": "circle", "radius": 3}},
    ]
    assert strictly(codec.dumps([Row(1, Usual(value=2))])) == [[1, {"value": 2.0}]]


@codecs
def test_what_a_struct_has_no_form_for_is_an_error(codec):
    """As anywhere else in a payload."""
    with pytest.raises(TypeError, match="not JSON serializable"):
        codec.dumps([Row(1, object())])


@codecs
def test_bytes_in_a_struct_are_attachments(codec):
    """At any depth."""
    with pytest.raises(BinaryInPayload):
        codec.dumps([{"k": Blob(b"\xff")}])
    assert contains_binary({"k": [Row(1, Blob(b"\xff"))]})
    assert Packet(data=["e", {"k": Blob(b"\xff")}]).encode() == [
        '51-["e",{"k":{"data":{"_placeholder":true,"num":0}}}]',
        b"\xff",
    ]


def test_structs_and_models_travel_in_messagepack_and_on_the_bus():
    """The bytes in their place, and for the bus as plain data."""
    packet = MsgPackPacket(data=["e", {"k": (Blob(b"\xff"), Usual(value=1), Encoded(data=b"aGVsbG8="))}])
    read = MsgPackPacket(encoded_packet=packet.encode())

    assert read.data == [
        "e",
        {"k": [{"data": b"\xff"}, {"value": 1.0}, {"data": "aGVsbG8=", "text": "", "more": []}]},
    ]
    assert plain_tree([Point(), (Usual(value=math.nan),)]) == [{"isFar": True, "distance": None}, [{"value": None}]]
