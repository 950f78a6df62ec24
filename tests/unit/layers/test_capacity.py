from __future__ import annotations

import re

import pytest

from fastsio.exceptions import SetupError
from fastsio.layers.inbox import Capacities, require_seconds


def test_the_first_pattern_that_matches_decides():
    """Patterns come before the default, in their order."""
    capacities = Capacities(100, {"http.*": 5, re.compile(r"ws\.[0-9]+$"): 7, "*.big": 9})

    assert capacities.of("http.big") == 5
    assert capacities.of("ws.12") == 7
    assert capacities.of("ws.big") == 9
    assert capacities.of("other") == 100


@pytest.mark.parametrize("number", [0, -1, 1.5, True, "5", None])
def test_a_capacity_is_a_positive_whole_number(number):
    """Anything else is the developer's mistake, named."""
    with pytest.raises(SetupError, match="capacity is a positive whole number"):
        Capacities(number)
    with pytest.raises(SetupError, match=r"channel_capacity\['a'\] is"):
        Capacities(1, {"a": number})


@pytest.mark.parametrize("seconds", [0, -1, True, "5", None, float("nan")])
def test_a_duration_is_a_positive_number(seconds):
    """Anything else is the developer's mistake, named."""
    with pytest.raises(SetupError, match="expiry is a positive number of seconds"):
        require_seconds(seconds, "expiry")
