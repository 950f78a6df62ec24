from __future__ import annotations

import datetime as dt
import enum
import uuid
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, NamedTuple

import pydantic
import pytest
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, computed_field, field_serializer, field_validator

from fastsio.consumers.connection import Peer
from fastsio.protocol import Packet
from fastsio.protocol.plain import BinaryInPayload, contains_binary, is_binary_free, plain_tree, to_plain
from fastsio.state.clients import Client, Connection
from fastsio.state.recovery import ClientRecovery

NAN, INFINITY = float("nan"), float("inf")


class _Point(NamedTuple):
    x: object
    y: object


class _Colour(Enum):
    RED = "red"


class _Number(IntEnum):
    ONE = 1


class _Word(StrEnum):
    A = "a"


class _Raw(Enum):
    BYTES = b"raw"


class _Event(BaseModel):
    at: dt.datetime
    price: Decimal = Decimal("1.50")

    @field_serializer("price", when_used="json")
    def cents(self, price: Decimal) -> int:
        return int(price * 100)


class _Upload(BaseModel):
    name: str
    content: bytes


@dataclass
class _Inner:
    content: object


@dataclass
class _Outer:
    inner: _Inner
    hidden: list[int] = field(default_factory=list)


@pydantic.dataclasses.dataclass
class _Checked:
    at: dt.date
    content: bytes | None = None


NOON = dt.datetime(2024, 1, 2, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (_Event(at=NOON), {"at": "2024-01-02T12:00:00Z", "price": 150}),
        (_Upload(name="x", content=b"\xff"), {"name": "x", "content": b"\xff"}),
        (_Checked(at=NOON.date()), {"at": "2024-01-02", "content": None}),
        (_Checked(at=NOON.date(), content=b"x"), {"at": NOON.date(), "content": b"x"}),
        (_Outer(_Inner(b"x")), {"inner": _Inner(b"x"), "hidden": []}),
        (_Point(1, b"x"), [1, b"x"]),
        (frozenset({b"x"}), [b"x"]),
        (deque([1, b"x"]), [1, b"x"]),
        (_Colour.RED, "red"),
        (_Raw.BYTES, b"raw"),
        (MappingProxyType({"a": b"x"}), {"a": b"x"}),
        (NOON, "2024-01-02T12:00:00Z"),
        (NOON.time(), "12:00:00"),
        (dt.timedelta(hours=1), "PT1H"),
        (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (Decimal("1.50"), "1.50"),
        (Path("a"), "a"),
    ],
)
def test_one_value_becomes_plain_and_keeps_its_bytes(value, plain):
    """A model is dumped as JSON would have it, unless there is binary in it."""
    assert to_plain(value) == plain


def _records():
    """Return the records of a client, which have secrets and the headers of its request."""
    connection = Connection("eio", {}, None, dict)
    return Client("sid", "/", connection), connection, ClientRecovery("pid", 0), Peer({"headers": [], "path": "/"})


@pytest.mark.parametrize("value", _records(), ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("convert", [to_plain, plain_tree])
def test_records_of_clients_are_never_sent(value, convert):
    """A handler that sends one by mistake gets an error."""
    with pytest.raises(TypeError, match=r"Object of type \w+ is not JSON serializable"):
        convert(value)


@pytest.mark.parametrize("value", [object(), _Inner, iter([1]), (item for item in [1])])
def test_what_has_no_json_form_is_refused(value):
    """An iterator would be empty on a second attempt."""
    with pytest.raises(TypeError, match=r"Object of type \w+ is not JSON serializable"):
        to_plain(value)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (None, None),
        ([1, "a", 1.5, True], [1, "a", 1.5, True]),
        ([NAN, INFINITY, -INFINITY], [None, None, None]),
        ({1: 1, None: 2, False: 3}, {1: 1, None: 2, False: 3}),
        ({NAN: 1, INFINITY: 2}, {"nan": 1, "inf": 2}),
        ({_Colour.RED: 1, _Number.ONE: 2, _Word.A: 3}, {"red": 1, 1: 2, "a": 3}),
        ({uuid.UUID(int=5): 1, NOON: 2}, {"00000000-0000-0000-0000-000000000005": 1, "2024-01-02T12:00:00Z": 2}),
        ((_Point(1, (2,)), {3}), [[1, [2]], [3]]),
        (
            _Outer(_Inner(_Event(at=NOON))),
            {"inner": {"content": {"at": "2024-01-02T12:00:00Z", "price": 150}}, "hidden": []},
        ),
        (OrderedDict(a=_Word.A), {"a": "a"}),
        (2**70, 2**70),
    ],
)
def test_a_whole_payload_becomes_plain(value, plain):
    """Whatever is nested in whatever."""
    assert plain_tree(value) == plain


@pytest.mark.parametrize(
    "value", [b"x", [bytearray()], {"a": {b"x"}}, _Upload(name="x", content=b""), _Outer(_Inner(b"x"))]
)
def test_binary_in_a_payload_is_signalled(value):
    """The packet then takes the attachments out."""
    with pytest.raises(BinaryInPayload, match=r"Object of type \w+ is not JSON serializable"):
        plain_tree(value)


@pytest.mark.parametrize("key", [b"x", bytearray, object()])
def test_a_key_that_is_no_text_is_refused(key):
    """Bytes are no text, though pydantic would decode them."""
    with pytest.raises(TypeError):
        plain_tree({key: 1})


@pytest.mark.parametrize(
    "value",
    [
        b"",
        [_Raw.BYTES],
        deque([b"x"]),
        MappingProxyType({"a": b"x"}),
        _Checked(at=NOON.date(), content=b"x"),
        _Outer(_Inner(_Outer(_Inner(memoryview(b""))))),
    ],
)
def test_binary_is_found_at_any_depth(value):
    """Also inside enumerations, models and dataclasses."""
    assert contains_binary(value)


@pytest.mark.parametrize("value", [_Colour.RED, _Event(at=NOON), _Outer(_Inner(1)), NOON, _Inner, {b"key": "x"}])
def test_a_payload_without_binary_has_none(value):
    """Keys and classes do not count."""
    assert not contains_binary(value)


class Plain(BaseModel):
    """Text and numbers at any depth, keys named like parts of a schema."""

    type: str
    expected: int | None = None
    members: list[dict[str, float]] = []
    when: datetime | None = None
    kind: Literal["a", "b"] = "a"
    short: Annotated[str, StringConstraints(max_length=4)] = ""
    children: list[Plain] = []

    @field_validator("short")
    @classmethod
    def strip(cls, value: str) -> str:
        return value.strip()


class Bytes(BaseModel):
    data: bytes


class Nested(BaseModel):
    inner: Bytes


class NamedLikeSchema(BaseModel):
    """A field is named like a key of a schema that holds no schema."""

    metadata: bytes


class Dog(BaseModel):
    kind: Literal["default"]
    data: bytes


class Cat(BaseModel):
    kind: Literal["cat"]


class TaggedLikeSchema(BaseModel):
    pet: Dog | Cat = Field(discriminator="kind")


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class Anything(BaseModel):
    data: Any


class Letter(enum.Enum):
    A = b"a"


class Lettered(BaseModel):
    letter: Letter


class Literally(BaseModel):
    letter: Literal[b"a"]


class Serialized(BaseModel):
    data: int

    @field_serializer("data")
    def to_bytes(self, value: int) -> bytes:
        return bytes(value)


class Computed(BaseModel):
    @computed_field
    @property
    def data(self) -> bytes:
        return b""


class OwnDump(BaseModel):
    def model_dump(self, **options: Any) -> dict[str, Any]:
        return {"data": b""}


class Unfinished(BaseModel):
    later: NotYet  # noqa: F821 - not defined on purpose


def test_a_model_of_text_and_numbers_has_no_bytes():
    """Such a model is dumped once."""
    assert is_binary_free(Plain)


@pytest.mark.parametrize(
    "model",
    [
        Bytes,
        Nested,
        NamedLikeSchema,
        TaggedLikeSchema,
        Open,
        Anything,
        Lettered,
        Literally,
        Serialized,
        Computed,
        OwnDump,
        Unfinished,
    ],
)
def test_a_model_that_may_hold_bytes_is_searched(model):
    """Only certainty skips the search."""
    assert not is_binary_free(model)


@pytest.mark.parametrize("text", ["plain", "é€😀", '"quoted"', "\ud800"])
def test_a_model_alone_reads_like_one_among_others(text):
    """The short way and the long way write the same, whatever the text."""
    model = Plain.model_construct(type=text, members=[{"x": float("nan")}], expected=2**80)
    Packet(data=[model]).encode()

    alone = Packet(3, data=[model]).encode()

    assert alone == Packet(3, data=[model, 1]).encode().replace(",1]", "]")


class Aliased(BaseModel):
    room_name: str = Field(alias="roomName")


class AliasedBytes(Aliased):
    data: bytes = b""


def test_models_are_written_by_alias():
    """A client reads the names it writes, whichever way the model takes."""
    plain, binary = Aliased(roomName="r"), AliasedBytes(roomName="r")

    for _ in range(2):
        assert Packet(3, data=[plain], id=1).encode() == '31[{"roomName":"r"}]'
        assert Packet(3, data=[plain, 1], id=1).encode() == '31[{"roomName":"r"},1]'
    assert Packet(data=["e", binary]).encode()[0].startswith('51-["e",{"roomName":"r"')


def test_both_kinds_of_model_are_encoded():
    """Bytes of a model become attachments, the rest JSON."""
    assert Packet(data=["e", Plain(type="t")]).encode().startswith('2["e",{"type":"t"')
    assert Packet(data=["e", Nested(inner=Bytes(data=b"x"))]).encode() == [
        '51-["e",{"inner":{"data":{"_placeholder":true,"num":0}}}]',
        b"x",
    ]
