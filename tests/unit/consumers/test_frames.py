"""Messages as consumers write them."""

from __future__ import annotations

import json
import math
from typing import Any, Literal

import msgspec
import pytest
from pydantic import BaseModel, ConfigDict

from fastsio.consumers import AsyncJsonWebsocketConsumer
from fastsio.consumers.frames import with_offset, write_frame, write_message
from fastsio.messages import BaseMessage


class Point(msgspec.Struct):
    x: int
    far: float = math.inf


class Constants(BaseModel):
    model_config = ConfigDict(ser_json_inf_nan="constants")
    value: float = math.nan


class Typed(BaseMessage):
    action: Literal["typed"] = "typed"
    payload: float


class Own(BaseMessage):
    model_config = ConfigDict(ser_json_inf_nan="constants")
    action: Literal["own"] = "own"
    payload: float


class Said(BaseMessage):
    action: Literal["said"] = "said"
    payload: Any


class Camel(AsyncJsonWebsocketConsumer):
    camelize = True


def strictly(text: str) -> Any:
    """Read JSON without what only Python reads."""

    def refuse(constant):
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("message", [Typed(payload=math.nan), Own(payload=math.inf), Said(payload=math.nan)])
def test_a_message_with_nan_is_valid_json_each_time(message):
    """Null, whatever its class says of it."""
    for _ in range(2):
        assert strictly(write_message(message))["payload"] is None


def test_models_and_structs_are_written_wherever_they_stand():
    """In a payload of any type, with camelCase names as well, and in what the consumer says of its own accord."""
    message = Said(payload=[Point(1), {"k": Constants()}])
    plain = [{"x": 1, "far": None}, {"k": {"value": None}}]

    assert strictly(write_message(message))["payload"] == plain
    assert strictly(Camel.encode_message(message))["payload"] == plain
    assert strictly(write_frame({"detail": Point(1)})) == {"detail": plain[0]}


def test_an_offset_is_added_to_a_frame_that_is_an_object():
    """Other texts stay as they are."""
    written = with_offset('{"action":"news","payload":{}}', 'feed|"5"', "e-1")

    assert json.loads(written) == {"action": "news", "payload": {}, "offsets": {'feed|"5"': "e-1"}}
    assert [with_offset(text, "feed|5", "e-1") for text in ("{}", "text", "[{}]", "{")] == ["{}", "text", "[{}]", "{"]
