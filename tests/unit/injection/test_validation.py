"""Validators and what they report."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import msgspec
import pytest
from pydantic import BaseModel, Field

from fastsio.exceptions import SignatureError, ValidationFailed
from fastsio.injection import Depends, Header, Query
from fastsio.injection.signature import UnresolvedError
from fastsio.injection.validation import MAX_DETAIL, adapter_for, validator_for
from fastsio.types import SocketID  # noqa: TC001 - annotations are resolved at run time


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


class Pair(BaseModel):
    left: int
    right: int


async def test_everything_that_is_wrong_is_reported(harness):
    """Not the first argument only: a client that corrects one mistake is told of the others with it."""

    async def handler(
        sid: SocketID, pair: Pair, name: str, count: int, token: Annotated[str, Header()], *rest: str
    ): ...

    with pytest.raises(ValidationFailed) as failure:
        await harness.call(handler, {"left": "x"}, 5)

    assert [tuple(item["loc"]) for item in failure.value.detail] == [
        ("args", 0, "left"),
        ("args", 0, "right"),
        ("args", 1),
        ("args", 2),
        ("header", "token"),
    ]


async def test_one_wrong_argument_among_right_ones_is_reported_alone(harness):
    """Whichever it is."""

    async def handler(first: int, second: int, *, third: Annotated[int, Query()] = 0, pair: Pair | None = None): ...

    for arguments, place in (((1, "x"), ("args", 1)), (("x", 1), ("args", 0)), ((1, 2, 3), ("args", 2))):
        with pytest.raises(ValidationFailed) as failure:
            await harness.call(handler, *arguments)
        assert [tuple(item["loc"]) for item in failure.value.detail] == [place]


async def test_everything_that_a_dependency_misses_is_reported(harness):
    """Its parameters are arguments as well."""

    def page(limit: int, offset: int): ...

    async def handler(sid: SocketID, found: Annotated[None, Depends(page)]): ...

    with pytest.raises(ValidationFailed) as failure:
        await harness.call(handler)
    assert [item["loc"][1] for item in failure.value.detail] == ["limit", "offset"]


async def test_the_report_has_an_end(harness):
    """A small packet cannot ask for a large answer."""

    async def handler(one: list[Pair], two: list[Pair]): ...

    with pytest.raises(ValidationFailed) as failure:
        await harness.call(handler, [{}] * 8, [{}] * 8)
    assert len(failure.value.detail) == MAX_DETAIL
