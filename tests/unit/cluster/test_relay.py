"""Which call is done where."""

from __future__ import annotations

import pytest

from fastsio.cluster.relay import Reach, askable_room, is_for_us, reach_of_emit

OURS = {"s1", "s2"}


def reach(*rooms, has_server=True, ignore_queue=False):
    """Say where an emit to *rooms* is sent from."""
    return reach_of_emit(rooms, is_client_here=OURS.__contains__, has_server=has_server, ignore_queue=ignore_queue)


@pytest.mark.parametrize("rooms", [(None,), ("news",), ("s9",), ("s1", "news"), ("s1", "s9")])
def test_rooms_may_have_members_everywhere(rooms):
    """Everybody, a named room, a client that is not here, and any of them next to one that is."""
    assert reach(*rooms) is Reach.EVERYWHERE


@pytest.mark.parametrize("rooms", [("s1",), ("s1", "s2")])
def test_clients_of_this_server_are_nobody_elses(rooms):
    """Nobody else is told."""
    assert reach(*rooms) is Reach.HERE


def test_an_emit_without_rooms_reaches_no_server():
    """An empty list of rooms."""
    assert reach() is Reach.NOWHERE
    assert reach(has_server=False) is Reach.NOWHERE


def test_the_queue_can_be_ignored():
    """Then only this server's clients are meant."""
    assert reach(None, ignore_queue=True) is Reach.HERE
    assert reach(None, ignore_queue=True, has_server=False) is Reach.NOWHERE


def test_a_program_without_a_server_only_tells_others():
    """It has no clients."""
    assert reach("news", has_server=False) is Reach.ELSEWHERE


def test_one_client_can_be_asked():
    """By its sid, or by a room it is alone in."""
    assert askable_room(("s1",)) == "s1"


@pytest.mark.parametrize("rooms", [(None,), ("s1", "s2")])
def test_several_cannot(rooms):
    """One callback waits for one answer."""
    with pytest.raises(ValueError, match="Cannot use callback without a room set"):
        askable_room(rooms)


@pytest.mark.parametrize(
    ("method", "host_id", "expected"),
    [
        ("emit", "other", True),
        ("emit", None, True),
        ("emit", "me", False),
        ("callback", "me", True),
        ("callback", "other", False),
        ("binary_callback", "me", True),
        ("binary_callback", None, False),
        (["emit"], "other", True),
        ("room_members", "other", True),
        ("room_members", "me", False),
        ("room_members_answer", "me", True),
        ("no_callback", "me", True),
        ("no_callback", "other", False),
        ("room_members_answer", "other", False),
    ],
)
def test_echoes_and_answers_to_others_are_ignored(method, host_id, expected):
    """What is not valid is somebody else's to judge."""
    assert is_for_us({"method": method, "host_id": host_id}, "me") is expected
