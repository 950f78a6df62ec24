"""Names that are nearly those that were meant."""

from __future__ import annotations

from fastsio.routing.slips import did_you_mean, meant


def test_the_nearest_known_name_is_meant():
    """A letter too few, too many or in the wrong place; not just any name."""
    assert meant("mesage", ["message", "massage_chair", "leave"]) == "message"
    assert meant("join", ["message", "leave"]) is None


def test_how_alike_names_have_to_be_may_be_said():
    """Where a name is likely to be one of the application's own."""
    assert meant("before_emit", ["before_event"]) == "before_event"
    assert meant("before_emit", ["before_event"], alike=0.85) is None


def test_the_end_of_a_message():
    """Nothing where nothing is near; events may be numbers."""
    assert did_you_mean("mesage", ["message", 5]) == "; did you mean 'message'?"
    assert did_you_mean("join", ["message"]) == did_you_mean(5, ["message", 5]) == ""
