"""What handlers return."""

from __future__ import annotations

import math

import msgspec
import pytest
from pydantic import Base64Bytes, BaseModel, Field

from fastsio.injection import ResponseValidationError
from fastsio.injection.validation import response_filter


class Message(BaseModel):
    text: str = Field(serialization_alias="body")
    blob: bytes = b""


def test_a_response_model_filters_what_leaves_the_server():
    """Attributes of an object are read, fields it does not name are dropped."""

    class Row:
        text = "hi"
        blob = b"\x00"
        secret = "s"  # noqa: S105 - an attribute of a row

    assert response_filter("chat.said", Message)(Row()) == {"body": "hi", "blob": b"\x00"}


def test_a_result_outside_the_model_is_the_programs_defect():
    """It names the handler and is not a ValidationFailed, which would be sent to the peer."""
    with pytest.raises(ResponseValidationError) as failure:
        response_filter("chat.said", Message)(5)

    assert failure.value.label == "chat.said"
    assert "Message" in failure.value.reason


class Encoded(BaseModel):
    data: Base64Bytes
    value: float = math.nan


class Point(msgspec.Struct):
    x: int


def test_what_has_no_bytes_gets_the_form_of_json_at_once():
    """Bytes whose form in JSON is text are text, in containers as well."""
    answer = response_filter("chat.said", list[Encoded])([{"data": b"aGVsbG8=", "value": 1}])

    assert answer == [{"data": "aGVsbG8=", "value": 1.0}]


def test_a_struct_may_be_a_response_model():
    """msgspec validates it, also in a container; a result outside of it is the program's defect."""
    said = response_filter("chat.said", list[Point])

    assert said([{"x": 1}, Point(2)]) == [Point(1), Point(2)]
    with pytest.raises(ResponseValidationError, match=r"chat\.said"):
        said([{"x": "one"}])
