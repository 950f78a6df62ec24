from __future__ import annotations

import pytest

from fastsio.protocol.acks import PendingAcks


def test_ids_start_at_one_for_each_client():
    """Ids of one client say nothing of another's."""
    acks = PendingAcks(None)

    assert [acks.add("a", "first"), acks.add("a", "second"), acks.add("b", "third")] == [1, 2, 1]


def test_a_callback_is_handed_out_once():
    """A client that answers twice is not heard twice."""
    acks = PendingAcks()
    ack_id = acks.add("a", "callback")

    assert acks.pop("a", ack_id) == "callback"
    assert acks.pop("a", ack_id) is None


@pytest.mark.parametrize("ack_id", [0, 2, -1, 10**30])
def test_an_id_nobody_gave_finds_nothing(ack_id):
    """Id 0 and unknown ids do no harm to the ids that follow."""
    acks = PendingAcks()
    acks.add("a", "callback")

    assert acks.pop("a", ack_id) is None
    assert acks.add("a", "next") == 2


def test_a_client_nobody_knows_finds_nothing():
    """An acknowledgement may arrive after its client was forgotten."""
    acks = PendingAcks()

    assert acks.pop("a", 1) is None
    acks.discard("a", 1)
    acks.forget("a")
    assert acks.pending("a") == 0


def test_an_id_is_not_used_again_after_its_answer():
    """A late answer cannot reach another event's callback."""
    acks = PendingAcks()
    acks.pop("a", acks.add("a", "callback"))

    assert acks.add("a", "next") == 2


def test_discard_stops_waiting():
    """A call() that timed out leaves nothing behind."""
    acks = PendingAcks()
    ack_id = acks.add("a", "callback")

    acks.discard("a", ack_id)

    assert acks.pending("a") == 0
    assert acks.pop("a", ack_id) is None


def test_forget_drops_all_of_a_client():
    """Nothing is kept of a client that left."""
    acks = PendingAcks()
    acks.add("a", "callback")
    acks.add("b", "other")

    assert acks.forget("a") == {1: "callback"}
    assert acks.forget("nobody") == {}

    assert (acks.pending("a"), acks.pending("b")) == (0, 1)


def test_over_the_bound_the_oldest_is_dropped():
    """A client that never answers cannot make the server remember for ever."""
    acks = PendingAcks(2)
    for name in ("first", "second", "third"):
        acks.add("a", name)

    assert [acks.pop("a", ack_id) for ack_id in (1, 2, 3)] == [None, "second", "third"]


@pytest.mark.parametrize("max_pending", [0, -1, 1.5, True])
def test_a_bound_that_is_none_is_refused(max_pending):
    """The error names the option and the value."""
    with pytest.raises(ValueError, match="max_pending is"):
        PendingAcks(max_pending)


def test_all_that_is_expected_can_be_looked_at():
    """As a copy, client by client."""
    acks = PendingAcks()
    first = acks.add("a", "one")
    acks.by_client()["a"].clear()

    assert acks.by_client() == {"a": {first: "one"}}


def test_ids_may_begin_after_those_of_another_time():
    """Of one client; an earlier id means nothing then."""
    acks = PendingAcks()
    acks.start_after("a", 41)

    assert (acks.add("a", "question"), acks.add("b", "other")) == (42, 1)
    assert acks.pop("a", 1) is None
    assert acks.pop("a", 42) == "question"
