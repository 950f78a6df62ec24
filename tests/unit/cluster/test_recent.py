"""Messages that travel in several copies."""

from __future__ import annotations

from fastsio.cluster.relay import Recent


def test_the_first_copy_is_new_and_the_others_are_known() -> None:
    """By the id they share."""
    recent = Recent(10)

    assert [recent.is_known(each) for each in ("a", "a", "b", "a")] == [False, True, False, True]


def test_a_message_without_an_id_is_never_known() -> None:
    """Most have none, and nothing is kept of them."""
    recent = Recent(10)

    assert [recent.is_known(None), recent.is_known(None)] == [False, False]
    assert len(recent) == 0


def test_the_oldest_are_forgotten() -> None:
    """As many are remembered as there is room for."""
    recent = Recent(2)

    assert [recent.is_known(each) for each in ("a", "b", "c", "c", "a")] == [False, False, False, True, False]
    assert len(recent) == 2


def test_an_id_can_be_noted_looked_up_and_taken_back() -> None:
    """For ids that mean something else than a message: who looks one up leaves no trace."""
    recent = Recent(2)
    recent.add("a")

    assert ["a" in recent, "b" in recent, "b" in recent] == [True, False, False]
    recent.forget("a")
    recent.forget("never noted")
    assert "a" not in recent
