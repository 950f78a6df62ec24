"""Events as frames, and frames as events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fastsio.layers.frames import event_of, frame_of


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
