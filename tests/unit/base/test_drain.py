"""Which connections of a drained server end when."""

from __future__ import annotations

import math

import pytest

from fastsio.base.server import LEAST_STEP_S, MOST_STEP_S, DrainSchedule


def test_connections_are_spread_over_the_time():
    """In their order, each once, the last when the time is over."""
    schedule = DrainSchedule("abcd", seconds=8, begin_s=100)

    assert schedule.due(100) == []
    assert schedule.due(102) == ["a"]
    assert schedule.due(102) == []
    assert schedule.due(106.5) == ["b", "c"]
    assert not schedule.is_over
    assert schedule.due(108) == ["d"]
    assert schedule.is_over
    assert schedule.due(200) == []


@pytest.mark.parametrize("seconds", [0, 0.0])
def test_without_a_time_all_are_due_at_once(seconds):
    """No time is divided by."""
    schedule = DrainSchedule("ab", seconds, 5)

    assert schedule.due(5) == ["a", "b"]
    assert schedule.is_over


def test_nobody_is_waited_for():
    """A server without connections is drained."""
    assert DrainSchedule("", 10, 0).is_over


@pytest.mark.parametrize(
    ("count", "seconds", "now_s", "wait_s"),
    [
        (2, 0.4, 0, 0.2),  # until the next is due
        (1000, 10, 0, LEAST_STEP_S),  # several are due then
        (2, 1000, 0, MOST_STEP_S),  # all may have left by then
        (2, 0.01, 0, 0.01),  # the time itself is shorter
        (2, 0.4, 0.39, LEAST_STEP_S),
        (0, 10, 3, LEAST_STEP_S),
    ],
)
def test_when_to_look_again(count, seconds, now_s, wait_s):
    """Neither too often nor too late."""
    assert DrainSchedule(range(count), seconds, 0).next_look_s(now_s) == pytest.approx(wait_s)


@pytest.mark.parametrize("seconds", [-1, math.nan, math.inf, "10", True, None])
def test_what_is_no_time_is_refused(seconds) -> None:
    """The error says what to give."""
    with pytest.raises(ValueError, match="give a number, 0 or more"):
        DrainSchedule([1], seconds, 0.0)
