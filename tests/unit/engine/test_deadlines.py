"""Deadlines in slices of time."""

from __future__ import annotations

from fastsio.engine.deadlines import NEVER, RESOLUTION_S, SLICES, Buckets


class Member:
    """What has a deadline."""

    timer_key = NEVER


def test_a_deadline_is_met_in_its_slice_and_never_early():
    """Those that are close together share a bucket."""
    first, second, buckets = Member(), Member(), Buckets()

    assert buckets.put(first, 32.0, 100.2)
    assert not buckets.put(second, 32.0, 100.3)
    assert first.timer_key == second.timer_key == 133.0
    assert first.timer_key - 132.2 < 32.0 / SLICES
    assert buckets.take_due(132.9) == []
    assert set(buckets.take_due(133.0)) == {first, second}
    assert first.timer_key == second.timer_key == NEVER


def test_no_slice_is_shorter_than_loops_can_wait():
    """However short the delay is."""
    member, buckets = Member(), Buckets()

    buckets.put(member, 0.0, 5.0)
    assert 5.0 <= member.timer_key <= 5.0 + RESOLUTION_S


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
