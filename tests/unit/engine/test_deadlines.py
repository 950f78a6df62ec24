"""Deadlines in slices of time."""

from __future__ import annotations

import pytest

from fastsio.engine.deadlines import NEVER, SLICES, Buckets


class Member:
    """What has a deadline."""

    timer_key = NEVER


def test_a_deadline_is_met_in_its_slice_and_never_early():
    """Those that are close together share a bucket."""
    first, second, buckets = Member(), Member(), Buckets()

    assert buckets.put(first, SLICES * 1.0, 133.1 - SLICES)
    assert not buckets.put(second, SLICES * 1.0, 133.3 - SLICES)
    assert first.timer_key == second.timer_key == 134.0
    assert buckets.take_due(133.9) == []
    assert set(buckets.take_due(134.0)) == {first, second}
    assert first.timer_key == second.timer_key == NEVER


@pytest.mark.parametrize("delay_s", [0.0, 0.001, 0.05, 0.127, 0.2, 0.5, 1.0, 20.0, 25.0, 3600.0])
def test_a_deadline_leaves_event_loops_their_millisecond(delay_s):
    """A slice and a millisecond are at most 2 ms, or 1 % of the delay."""
    buckets = Buckets()

    for step in range(200):
        member, now = Member(), 1000.0 + step * 0.00937 * max(delay_s, 0.01)
        buckets.put(member, delay_s, now)
        assert member.timer_key - (now + delay_s) + 1e-9 >= 0
        assert member.timer_key + 0.001 - (now + delay_s) <= max(0.0016, delay_s * 0.0095)


def test_a_bucket_that_was_emptied_is_not_waited_for():
    """Unless one before it is not empty yet."""
    one, two, three, buckets = Member(), Member(), Member(), Buckets()
    for member, delay_s in ((one, 1.0), (two, 10.0), (three, 100.0)):
        buckets.put(member, delay_s, 0.0)

    buckets.remove(two)
    buckets.drop_empty()
    assert len(buckets.keys) == 3
    buckets.remove(one)
    buckets.remove(one)  # it has none any more
    buckets.drop_empty()
    assert buckets.keys == [three.timer_key]
    assert buckets.take_all() == [three]
    assert (buckets.keys, buckets.buckets, three.timer_key) == ([], {}, NEVER)
    buckets.drop_empty()
