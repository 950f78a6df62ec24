"""What handlers return."""

from __future__ import annotations

from uuid import UUID

import pytest
from pydantic import BaseModel, Field

from fastsio.injection import ResponseValidationError, ack_arguments
from fastsio.injection.response import dump, response_filter


class Message(BaseModel):
    text: str = Field(serialization_alias="body")
    blob: bytes = b""


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        (None, []),
        ("ok", ["ok"]),
        (False, [False]),
        ([1, 2], [[1, 2]]),
        ((1, 2), [1, 2]),
        ((), []),
        (Message(text="hi", blob=b"\xff"), [{"body": "hi", "blob": b"\xff"}]),
        ((Message(text="a"), [Message(text="b")]), [{"body": "a", "blob": b""}, [{"body": "b", "blob": b""}]]),
        ({"one": Message(text="a"), "two": (1,)}, [{"one": {"body": "a", "blob": b""}, "two": (1,)}]),
    ],
)
def test_acknowledgement_arguments(returned, expected):
    """None gives none, a tuple several; models are dumped and bytes stay bytes."""
    assert ack_arguments(returned) == expected


def test_other_values_are_left_to_the_codec():
    """UUIDs and the like are rendered when the packet is encoded."""
    value = UUID(int=1)

    assert dump(value) is value


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
