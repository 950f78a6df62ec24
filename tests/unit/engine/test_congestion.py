"""How long others wait for a client that is behind."""

from __future__ import annotations

import pytest

from fastsio.engine.congestion import BUFFERS_FOR_WAITING, CHECKS_PER_TIMEOUT, Congestion, PauseBudget, buffers_for


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

    congestion.record_progress(108.0)

    assert congestion.left_s(111.0, is_shared=False) == 7.0
    assert congestion.left_s(111.0, is_shared=True) < 0
    assert not congestion.is_stuck(111.0)


def test_who_waits_may_exceed_the_buffer_until_the_client_has_been_behind_for_long():
    """A client that reads slowly does not gather without bound."""
    congestion = Congestion(100.0, 10.0)
    congestion.record_progress(109.0)

    assert congestion.may_exceed(109.0)
    assert not congestion.may_exceed(110.0)


def test_who_waits_may_fill_the_buffer_several_times():
    """Who does not, or waits for a client that has been behind for long, fills it once."""
    congestion = Congestion(100.0, 10.0)

    assert buffers_for(None, 100.0, waits=True) == BUFFERS_FOR_WAITING
    assert buffers_for(congestion, 101.0, waits=True) == BUFFERS_FOR_WAITING
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

    congestion.check_progress(104.0, 5000)
    assert congestion.left_s(104.0, is_shared=False) == 6.0
    congestion.check_progress(106.0, 4000)
    assert congestion.left_s(106.0, is_shared=False) == 10.0
    congestion.check_progress(108.0, 4000)
    assert congestion.left_s(108.0, is_shared=False) == 8.0


def test_who_waits_looks_several_times_in_one_timeout():
    """So the time counts from about when the client last read."""
    congestion = Congestion(100.0, 10.0)

    assert congestion.next_check_s(10.0) == 1.25
    assert congestion.next_check_s(1.0) == 1.0


def read_in_bursts(budget: PauseBudget, pauses: int, pause_s: float, every_s: float) -> list[float]:
    """Return how long those who send to several wait for a client that reads all at once after each of some pauses."""
    waited = []
    for number in range(pauses):
        began = 1000.0 + number * every_s
        congestion = Congestion(began, 20.0, budget)
        waited.append(min(pause_s, congestion.left_s(began, is_shared=True)))
        congestion.record_progress(began + pause_s)
    return waited


def test_a_client_that_reads_in_bursts_holds_up_others_for_one_timeout_and_a_tenth_of_the_time():
    """What it holds them up for adds up, and time takes it off; pauses up to an eighth of the timeout do not count."""
    waited = read_in_bursts(PauseBudget(20.0), 100, pause_s=19.0, every_s=40.0)

    assert waited[0] == 19.0
    assert sum(waited) <= 20.0 + 100 * 40.0 / 10 + 100 * 20.0 / CHECKS_PER_TIMEOUT
    assert waited[-1] < 40.0 / 10 + 20.0 / CHECKS_PER_TIMEOUT


def test_a_client_that_reads_steadily_is_always_waited_for():
    """However often it is behind: it sets the pace of those who send to it."""
    budget = PauseBudget(20.0)
    for number in range(1000):
        began = 1000.0 + number * 15
        congestion = Congestion(began, 20.0, budget)
        assert congestion.left_s(began, is_shared=True) == 20.0
        for step in range(1, 11):
            congestion.record_progress(began + 1.5 * step)


def test_a_client_that_has_held_up_others_is_forgiven_after_a_while():
    """Ten timeouts without a pause give it all of the time again."""
    budget = PauseBudget(20.0)
    assert read_in_bursts(budget, 3, pause_s=19.0, every_s=20.0)[-1] < 10.0

    congestion = Congestion(1300.0, 20.0, budget)

    assert congestion.left_s(1300.0, is_shared=True) == 20.0


def test_who_sends_to_one_client_alone_waits_however_it_reads():
    """Its pauses hold up nobody else."""
    budget = PauseBudget(20.0)
    read_in_bursts(budget, 10, pause_s=19.0, every_s=20.0)

    congestion = Congestion(1300.0, 20.0, budget)
    congestion.record_progress(1310.0)

    assert congestion.left_s(1311.0, is_shared=False) == 19.0


def test_a_pause_that_goes_on_counts_already():
    """Who sends to several does not wait for a client that has used up its time, beyond what counts as no pause."""
    budget = PauseBudget(20.0)
    read_in_bursts(budget, 2, pause_s=19.0, every_s=19.0)

    congestion = Congestion(1038.0, 20.0, budget)

    assert congestion.left_s(1038.0, is_shared=True) < 3.0
    assert congestion.left_s(1042.0, is_shared=True) < 0


def test_nobody_exceeds_the_buffer_of_a_client_that_holds_up_others():
    """Those who send to several do not wait for it, so that its buffer is the limit."""
    budget = PauseBudget(20.0)
    read_in_bursts(budget, 2, pause_s=19.0, every_s=19.0)

    assert not Congestion(1038.0, 20.0, budget).may_exceed(1038.0)
    assert Congestion(1300.0, 20.0, budget).may_exceed(1300.0)
