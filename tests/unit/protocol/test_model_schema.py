# ruff: noqa: TC003 - pydantic reads the annotations at run time
"""Which models can hold bytes."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, computed_field, field_serializer, field_validator

from fastsio.protocol import Packet
from fastsio.protocol.model_schema import is_binary_free


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
    "model", [Bytes, Nested, Open, Anything, Lettered, Literally, Serialized, Computed, OwnDump, Unfinished]
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
