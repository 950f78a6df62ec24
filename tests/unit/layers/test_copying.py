from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, datetime
from types import MappingProxyType

import pytest

from fastsio.layers.codec import copier, copy_message, require_message


class Thing:
    def __init__(self):
        self.seen = []


@pytest.mark.parametrize(
    "message",
    [
        {"type": "x", "n": 1},
        {"a": {"b": [1, {"c": [2]}]}, "t": (1, [2]), "s": {1}, "o": OrderedDict(a=[1])},
        {"when": datetime(2026, 1, 1, tzinfo=UTC), "none": None},
        {},
    ],
)
def test_copies_are_equal_and_share_nothing_that_can_change(message):
    """Each recipient has a message of its own, down to the last list."""
    copies = [copier(message)(), copier(message)(), copy_message(message)]

    assert copies == [message] * 3
    mutable = [id(found) for copy in [message, *copies] for found in walk(copy)]
    assert len(mutable) == len(set(mutable))


def walk(value):
    """Yield whatever can be changed."""
    if isinstance(value, dict | list | set):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        yield from walk(item)


def test_other_objects_are_copied_too():
    """Between consumers of one process anything can be sent."""
    thing = Thing()

    copied = copier({"thing": thing})()["thing"]

    assert isinstance(copied, Thing)
    assert copied.seen is not thing.seen


@pytest.mark.parametrize("message", [None, [], "text", 5, [("type", "x")], {1: 2}, {"a": 1, None: 2}])
def test_what_is_no_message_is_refused(message):
    """A message is a mapping with strings for keys."""
    with pytest.raises(TypeError, match="message"):
        require_message(message)


def test_any_mapping_is_a_message():
    """It becomes a dict."""
    assert require_message(MappingProxyType({"type": "x"})) == {"type": "x"}
