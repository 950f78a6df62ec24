"""What handlers return."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, Field

from fastsio.injection import ResponseValidationError
from fastsio.injection.response import response_filter


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
