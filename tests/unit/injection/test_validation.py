"""Validators and what they report."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import msgspec
import pytest
from pydantic import BaseModel, Field

from fastsio.exceptions import SignatureError, ValidationFailed
from fastsio.injection.signature import UnresolvedError
from fastsio.injection.validation import MAX_DETAIL, adapter_for, validator_for


class Message(BaseModel):
    text: str


class Point(msgspec.Struct):
    x: int


class Path(msgspec.Struct):
    points: list[Point]


class Other(BaseModel):
    size: int


class Waiting(BaseModel):
    inner: Missing  # noqa: F821 - not defined on purpose


def test_any_is_not_checked():
    """Nor is object."""
    value = object()

    assert validator_for(Any, ("args", 0))(value) is value
    assert validator_for(object, ("args", 0))(value) is value


def test_adapters_are_built_once_for_an_annotation():
    """Unless it cannot be a key."""
    assert adapter_for(list[Message]) is adapter_for(list[Message])

    unhashable = Annotated[int, {"note": []}]
    assert adapter_for(unhashable).validate_python("5") == 5


def test_the_input_is_never_reported():
    """Only where it was, what is wrong, and the kind of mistake."""
    with pytest.raises(ValidationFailed) as failure:
        validator_for(Message, ("args", 1))({"text": ["secret"]})

    assert failure.value.detail == [
        {"loc": ["args", 1, "text"], "msg": "Input should be a valid string", "type": "string_type"}
    ]


def test_a_small_packet_cannot_ask_for_a_large_answer():
    """The number of mistakes reported is bounded."""
    with pytest.raises(ValidationFailed) as failure:
        validator_for(list[int], ("args", 0))(["x"] * 1000)

    assert len(failure.value.detail) == MAX_DETAIL


@pytest.mark.parametrize("annotation", [Point, list[Point], Point | None])
def test_structs_are_converted_by_msgspec(annotation):
    """Also inside other types."""
    validate = validator_for(annotation, ("args", 0))
    value = [{"x": 1}] if annotation == list[Point] else {"x": 1}

    assert validate(value) in (Point(1), [Point(1)])


def test_mistakes_in_structs_say_where():
    """Msgspec's path becomes a loc."""
    with pytest.raises(ValidationFailed) as failure:
        validator_for(Path, ("args", 0))({"points": [{"x": 1}, {"x": "secret"}]})

    assert failure.value.detail == [
        {"loc": ["args", 0, "points", 1, "x"], "msg": "Expected `int`, got `str`", "type": "struct_error"}
    ]


def test_without_msgspec_pydantic_decides(monkeypatch):
    """An application that has not imported it has no structs."""
    monkeypatch.delitem(sys.modules, "msgspec")

    assert validator_for(Annotated[int, Field(gt=1)], ("args", 0))("2") == 2


class Opaque:
    """Nothing pydantic can validate."""


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        (Opaque, "Unable to generate pydantic-core schema"),
        (Annotated[Message | Other, Field(discriminator="text")], "Literal"),
        (Annotated[int, Field(discriminator="text")], "discriminated union"),
        (Annotated[str, Field(pattern="(")], "Error building"),
    ],
)
def test_an_annotation_nobody_can_validate_is_refused(annotation, reason):
    """At registration, in one line."""
    with pytest.raises(SignatureError, match=reason) as refused:
        validator_for(annotation, ("args", 0))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("annotation", [Waiting, list[Waiting], "Nowhere"])
def test_a_model_that_waits_for_another_class_is_not_an_error_yet(annotation):
    """It may be defined later."""
    with pytest.raises(UnresolvedError):
        validator_for(annotation, ("args", 0))
