"""A response model for each event that a handler may answer with."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from fastsio.exceptions import SignatureError
from fastsio.injection import ResponseValidationError
from fastsio.injection.validation import response_filter


class Message(BaseModel):
    text: str


class Gone(BaseModel):
    id: int


MODELS = {"message.new": Message, "message.gone": Gone}


@pytest.mark.parametrize(
    ("returned", "answer"),
    [
        (("message.new", {"text": "hi", "more": 1}), ("message.new", {"text": "hi"})),
        (("message.gone", Gone(id=5)), ("message.gone", {"id": 5})),
        (("message.new", {"text": "hi"}, 1, 2), ("message.new", {"text": "hi"}, 1, 2)),
        (None, None),
    ],
)
def test_the_model_of_the_event_validates_its_data(returned, answer):
    """What follows the data is passed on, and a handler that only emits returns None."""
    assert response_filter("chat.send", MODELS)(returned) == answer


@pytest.mark.parametrize(
    "returned",
    [("message.old", {"text": "hi"}), ("message.new",), ["message.new", {"text": "hi"}], {"text": "hi"}, "message.new"],
)
def test_an_answer_that_names_no_event_of_them_is_a_defect(returned):
    """The message says which there are."""
    with pytest.raises(
        ResponseValidationError, match=r"expected .event, data. with one of .message\.new., .message\.gone."
    ):
        response_filter("chat.send", MODELS)(returned)


def test_data_that_does_not_fit_is_a_defect():
    """As with one model for all answers."""
    with pytest.raises(ResponseValidationError, match=r"chat\.send returned what its response_model does not allow"):
        response_filter("chat.send", MODELS)(("message.gone", {"id": "x"}))


@pytest.mark.parametrize("models", [{}, {1: Message}])
def test_a_dict_that_names_no_event_is_refused(models):
    """When the handler is registered."""
    with pytest.raises(SignatureError, match="write a model, or a dict of event names and models"):
        response_filter("chat.send", models)
