"""Callbacks that want to know when no acknowledgement will come."""

from __future__ import annotations

from fastsio.base.manager import ExpectedAcks


class Counting(ExpectedAcks):
    """Counts how often it gave up."""

    count = 0

    def give_up(self) -> None:
        self.count += 1


def test_it_gives_up_when_the_last_that_was_asked_has_left():
    """Once, whatever follows."""
    acks = Counting()
    acks.expect("a", 1)
    acks.expect("b", 1)
    acks.mark_sent()
    acks.mark_lost("a", 1)
    assert acks.count == 0

    acks.mark_lost("b", 1)
    acks.mark_lost("b", 1)
    acks.mark_sent()
    assert acks.count == 1


def test_it_does_not_give_up_while_others_may_yet_be_asked():
    """The first that was asked may leave before the second is asked."""
    acks = Counting()
    acks.expect("a", 1)
    acks.mark_lost("a", 1)
    assert acks.count == 0

    acks.mark_sent()
    assert acks.count == 1


def test_it_gives_up_at_once_when_nobody_was_asked():
    """There is nobody to wait for."""
    acks = Counting()
    acks.mark_sent()
    assert acks.count == 1
