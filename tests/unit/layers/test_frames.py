"""Events as frames, and frames as events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fastsio.layers.frames import event_of, fault_of, frame_of


@pytest.mark.parametrize(
    ("arguments", "payload"), [((), None), (({"a": 1},), {"a": 1}), ((None,), None), ((1, 2), [1, 2])]
)
def test_event_is_a_frame_with_its_payload(arguments: tuple[Any, ...], payload: Any) -> None:
    """No argument is null, several are a list."""
    assert frame_of("news", arguments, "action") == {"action": "news", "payload": payload}


@pytest.mark.parametrize(
    ("frame", "event"),
    [
        ({"action": "news", "payload": {"a": 1}}, ("news", {"a": 1})),
        ({"action": "news", "payload": None}, ("news", None)),
        ({"action": "news", "a": 1}, ("news", {"a": 1})),
        ({"action": 5}, None),
        ({"kind": "news"}, None),
        (["news"], None),
    ],
)
def test_frame_is_an_event_if_it_has_a_name(frame: Any, event: tuple[str, Any] | None) -> None:
    """The payload is the data; without one it is what else the frame has."""
    assert event_of({"type": "fastsio.text", "text": json.dumps(frame)}, "action", json.loads) == event


def test_text_that_is_no_json_is_no_event() -> None:
    """Consumers may send any text."""
    assert event_of({"type": "fastsio.text", "text": "hello"}, "action", json.loads) is None


@pytest.mark.parametrize(
    ("message", "event"),
    [
        ({"type": "room_message", "message": "hi"}, ("room_message", {"message": "hi"})),
        ({"type": "fastsio.event", "event": {}}, None),
        ({"message": "hi"}, None),
    ],
)
def test_message_with_a_type_is_an_event(message: dict[str, Any], event: tuple[str, Any] | None) -> None:
    """What consumers have handlers for is named by its type; the framework's own types are not events."""
    assert event_of(message, "action", json.loads) == event


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        ({"type": "fastsio.text", "text": "{}"}, None),
        ({"type": "fastsio.text", "text": "{}", "id": "1", "groups": ["a"], "exclude": "s"}, None),
        ({"type": "fastsio.text", "text": "{}", "socketio": {"method": "emit"}, "exclude": ["s"], "id": None}, None),
        ({"type": "fastsio.order", "socketio": {"method": "leave_room"}}, None),
        ({"type": "fastsio.event", "event": {}}, None),
        ({"type": "job.done", "id": 5, "socketio": 5}, None),
        ({"type": ["fastsio.text"]}, None),
        ({}, None),
        ({"type": "fastsio.text"}, "'text' is missing"),
        ({"type": "fastsio.text", "text": 5}, "'text' must be text"),
        ({"type": "fastsio.text", "text": None}, "'text' must be text"),
        ({"type": "fastsio.order", "socketio": []}, "'socketio' must be an object with a method"),
        ({"type": "fastsio.order", "socketio": {"method": ["emit"]}}, "'socketio' must be an object with a method"),
        ({"type": "fastsio.event", "event": "said"}, "'event' must be an object"),
        ({"type": "fastsio.text", "text": "{}", "id": ["1"]}, "'id' must be text"),
        ({"type": "fastsio.text", "text": "{}", "groups": [["a"]]}, "'groups' must be a list of text"),
        ({"type": "fastsio.text", "text": "{}", "exclude": {"a": 1}}, "'exclude' must be text or a list of it"),
    ],
)
def test_what_is_wrong_with_a_message_is_said(message: Any, fault: str | None) -> None:
    """Messages of the application are its own affair."""
    assert fault_of(message) == fault
