# ruff: noqa: D103 - models and handlers here are examples
"""What one parameter asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
import pytest
from pydantic import BaseModel
from typing_extensions import TypeAliasType, TypedDict

from fastsio.injection import Depends, Header
from fastsio.injection.parameters import (
    FromDependency,
    FromHandshake,
    FromSource,
    Unannotated,
    admits_none,
    classify,
    is_list,
    is_marked,
    is_scalar,
    model_of,
)
from fastsio.injection.signature import EMPTY, Parameter, Shape
from fastsio.types import Data, SocketID, Source


class Message(BaseModel):
    text: str


class Place(TypedDict):
    x: int


@dataclass
class Size:
    width: int


class Struct(msgspec.Struct):
    x: int


Alias = TypeAliasType("Alias", Annotated[Message, "note"])


def parameter(annotation: Any = EMPTY, default: Any = EMPTY) -> Parameter:
    return Parameter("value", Shape.POSITIONAL, annotation, default)


def test_nothing_written_asks_for_the_wire():
    """An un-annotated parameter."""
    assert classify(parameter()) == Unannotated()


@pytest.mark.parametrize("annotation", [SocketID, SocketID | None, Annotated[SocketID, "note"]])
def test_annotated_sources_are_found_through_wrappers(annotation):
    """Optional and further metadata do not hide them."""
    assert classify(parameter(annotation)) == FromSource(Source.SID)


def test_the_default_wins_over_the_annotation_and_the_last_metadata_over_the_first():
    """A marker as default is the most explicit wish."""
    assert isinstance(classify(parameter(Data, Depends(print))), FromDependency)
    assert isinstance(classify(parameter(Annotated[str, Source.DATA, Header()])), FromHandshake)


def test_a_marker_without_annotation_takes_any_value():
    """Header() as a bare default."""
    assert classify(parameter(default=Header("x"))).annotation is Any


@pytest.mark.parametrize("annotation", [Message, Alias, dict[str, Message], Callable[[Message], None], Message | int])
def test_a_model_anywhere_in_the_annotation_is_a_marker(annotation):
    """It says that the payload is to be validated."""
    assert is_marked(classify(parameter(annotation)))


@pytest.mark.parametrize("annotation", [dict, int, Size, Place, Struct, list[int], Any, Literal["Message"], None])
def test_other_types_are_no_markers(annotation):
    """python-socketio handlers carry them as notes."""
    assert not is_marked(classify(parameter(annotation)))


@pytest.mark.parametrize("annotation", [Any, None, type(None), object, int | None, Annotated[int | None, "note"]])
def test_none_is_admitted(annotation):
    """A missing value may become None."""
    assert admits_none(annotation)


@pytest.mark.parametrize("annotation", [int, Message, list[None], int | str])
def test_none_is_not_admitted(annotation):
    """A missing value is reported."""
    assert not admits_none(annotation)


@pytest.mark.parametrize("annotation", [int, str, bytes, int | None, Any, Literal["a"], Annotated[float, "note"]])
def test_scalars_are_read_from_the_query(annotation):
    """As FastAPI decides."""
    assert is_scalar(annotation)


@pytest.mark.parametrize(
    "annotation",
    [dict, dict[str, int], list[int], set[int], Mapping[str, int], Message, Size, Place, Struct, list | None],
)
def test_structured_types_are_the_payload(annotation):
    """As FastAPI reads them from the body."""
    assert not is_scalar(annotation)


def test_lists_take_every_value_of_a_name():
    """Repeated headers and query parameters."""
    assert is_list(list[int] | None)
    assert is_list(set)
    assert not is_list(str)
    assert not is_list(Any)


def test_the_model_of_an_annotation():
    """Only when it is the whole of it."""
    assert model_of(Message | None) is Message
    assert model_of(list[Message]) is None
    assert model_of(int) is None
