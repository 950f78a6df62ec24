from __future__ import annotations

from fastsio.protocol.backoff import Backoff


def test_delays_double_up_to_the_bound():
    """Each delay is twice the one before, and none exceeds the bound."""
    backoff = Backoff(1, 5)
    assert [backoff.next(0.5) for _ in range(5)] == [1, 2, 4, 5, 5]
    assert backoff.attempts == 5


def test_reset_begins_anew():
    """After a success the first delay comes again."""
    backoff = Backoff(1, 60)
    assert [backoff.next(0.5), backoff.next(0.5)] == [1, 2]
    backoff.reset()
    assert backoff.attempts == 0
    assert backoff.next(0.5) == 1


def test_jitter_is_in_seconds_both_ways_and_never_below_zero():
    """Chance 0 is the shortest, 1 the longest delay."""
    assert Backoff(1, 5, jitter_s=0.5).next(0) == 0.5
    assert Backoff(1, 5, jitter_s=0.5).next(1) == 1.5
    assert Backoff(0.1, 5, jitter_s=0.5).next(0) == 0
