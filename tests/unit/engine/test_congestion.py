"""How long others wait for a client that is behind."""

from __future__ import annotations

import pytest

from fastsio.engine.congestion import BUFFERS_OF_WAITING, Congestion, buffers_for


@pytest.mark.parametrize("is_shared", [False, True])
def test_a_client_that_reads_nothing_is_waited_for_until_the_timeout(is_shared):
    """Who waits for one client, and who waits for several, waits as long."""
    congestion = Congestion(100.0, 10.0)

    assert congestion.left_s(103.0, is_shared=is_shared) == 7.0
    assert congestion.left_s(110.0, is_shared=is_shared) <= 0
    assert not congestion.is_stuck(109.0)
    assert congestion.is_stuck(110.0)


def test_a_client_that_reads_is_waited_for_longer():
    """The time counts from when it last read something; others do not wait longer for one that reads slowly."""
    congestion = Congestion(100.0, 10.0)

    congestion.move(108.0)

    assert congestion.left_s(111.0, is_shared=False) == 7.0
    assert congestion.left_s(111.0, is_shared=True) < 0
    assert not congestion.is_stuck(111.0)


def test_who_waits_may_exceed_the_buffer_until_the_client_has_been_behind_for_long():
    """A client that reads slowly does not gather without bound."""
    congestion = Congestion(100.0, 10.0)
    congestion.move(109.0)

    assert congestion.may_exceed(109.0)
    assert not congestion.may_exceed(110.0)


def test_who_waits_may_fill_the_buffer_several_times():
    """Who does not, or waits for a client that has been behind for long, fills it once."""
    congestion = Congestion(100.0, 10.0)

    assert buffers_for(None, 100.0, waits=True) == BUFFERS_OF_WAITING
    assert buffers_for(congestion, 101.0, waits=True) == BUFFERS_OF_WAITING
    assert buffers_for(congestion, 110.0, waits=True) == 1
    assert buffers_for(None, 100.0, waits=False) == 1


def test_nobody_exceeds_the_buffer_of_a_client_that_was_given_up():
    """Nobody waits for it either."""
    congestion = Congestion(100.0, 10.0)

    congestion.is_given_up = True

    assert not congestion.may_exceed(101.0)


def test_a_large_packet_that_is_being_read_is_progress():
    """What the network has not taken of it gets less; what grows is no progress."""
    congestion = Congestion(100.0, 10.0)

    congestion.look(104.0, 5000)
    assert congestion.left_s(104.0, is_shared=False) == 6.0
    congestion.look(106.0, 4000)
    assert congestion.left_s(106.0, is_shared=False) == 10.0
    congestion.look(108.0, 4000)
    assert congestion.left_s(108.0, is_shared=False) == 8.0


def test_who_waits_looks_several_times_in_one_timeout():
    """So the time counts from about when the client last read."""
    congestion = Congestion(100.0, 10.0)

    assert congestion.next_look_s(10.0) == 2.5
    assert congestion.next_look_s(1.0) == 1.0
