"""What is decided when a connection to a broker breaks or is back."""

from __future__ import annotations

import pytest

from fastsio.brokers.reconnection import Reconnection
from fastsio.protocol.backoff import Backoff


@pytest.fixture
def reports() -> list[str]:
    """What has been reported."""
    return []


@pytest.fixture
def reconnection(reports) -> Reconnection:
    """A connection that is tried again after 1, 2, 4 and 4 seconds."""
    return Reconnection(Backoff(1.0, 4.0, jitter_s=0.0), reports.append, lambda: reports.append("back"))


def test_a_loss_is_reported_once_and_its_end_once(reconnection, reports):
    """However many attempts fail in between."""
    reconnection.confirm()
    assert reconnection.is_up

    reconnection.record_failure(OSError("gone"))
    assert not reconnection.is_up
    reconnection.record_failure(OSError("refused"))
    reconnection.confirm()
    reconnection.confirm()

    assert reports == ["OSError: gone", "back"]
    assert reconnection.is_up


def test_attempts_are_made_less_and_less_often_until_one_succeeds(reconnection):
    """Then the waits begin anew."""
    assert [reconnection.record_failure(OSError("refused")) for _ in range(4)] == [1.0, 2.0, 4.0, 4.0]

    reconnection.confirm()

    assert reconnection.record_failure(OSError("refused")) == 1.0


def test_nothing_is_reported_of_the_end_that_was_asked_for(reconnection, reports):
    """Nor is a message that still arrives a sign of a connection."""
    reconnection.confirm()
    reconnection.stop()

    assert reconnection.record_failure(None) == 0.0
    reconnection.confirm()

    assert reports == []
    assert not reconnection.is_up
    assert reconnection.is_stopping


def test_a_connection_that_just_ends_is_told_of_in_words(reconnection, reports):
    """Its broker's client has raised nothing."""
    reconnection.record_failure(None)

    assert reports == ["the connection ended"]
