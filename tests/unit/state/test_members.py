"""Members of rooms, their stages, and presence."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from fastsio.state.members import Member, MemberTable, Presence, Stage
from fastsio.state.room_names import NamedRoom


@pytest.fixture
def table() -> MemberTable:
    """Return an empty table."""
    return MemberTable(nullcontext())


def member(sid: str, room: str = "r", user: str | None = None, args: tuple = ()) -> Member:
    """Return a member of the namespace "/"."""
    return Member(SimpleNamespace(sid=sid, namespace="/"), NamedRoom(room), None, args, user)


def test_a_client_is_in_a_room_once(table):
    """A second entry is the first one, with the newer payload."""
    first = member("a", args=(1,))

    assert table.add(first) is first
    assert table.add(member("a", args=(2,))) is first
    assert first.args == (2,)
    assert table.members("/", "r") == {"a": first}
    assert table.members("/", "other") == table.members("/n", "r") == {}


def test_removing_returns_those_who_were_there(table):
    """By room and by client; nothing is left behind."""
    one, two, elsewhere = member("a"), member("b"), member("a", "s")
    for each in (one, two, elsewhere):
        table.add(each)

    assert table.remove("/", "r", ["b", "nobody"]) == [two]
    assert table.remove("/", "nowhere", ["a"]) == []
    assert table.remove_client("/", "a") == [one, elsewhere]
    assert table.remove_client("/", "a") == []
    assert table.is_empty


def test_a_member_that_stays_and_goes_is_announced_twice(table):
    """The usual way through the stages."""
    one = member("a")

    assert table.arrive(one) == Presence(changed=True, count=1)
    assert table.settle(one) is False
    assert table.arrive(one) is None
    assert one.stage is Stage.PRESENT
    assert table.depart(one) is True
    assert table.vanish(one) == Presence(changed=True, count=0)
    assert one.stage is Stage.GONE
    assert table.is_empty


def test_a_member_that_goes_before_it_is_announced_never_is(table):
    """Neither coming nor going."""
    one = member("a")

    assert table.depart(one) is False
    assert table.arrive(one) is None


def test_a_member_that_goes_while_it_is_announced_is_announced_by_who_does_that(table):
    """Not by who removed it."""
    one = member("a")
    table.arrive(one)

    assert table.depart(one) is False
    assert table.settle(one) is True
    assert table.depart(one) is False


def test_users_are_counted_once(table):
    """Two clients of one user change the count once; a client without a user is one by itself."""
    tab, other_tab, guest = member("a", user="ada"), member("b", user="ada"), member("ada")

    assert table.arrive(tab) == Presence(changed=True, count=1)
    assert table.arrive(other_tab) == Presence(changed=False, count=1)
    assert table.arrive(guest) == Presence(changed=True, count=2)
    assert table.vanish(tab) == Presence(changed=False, count=2)
    assert table.vanish(other_tab) == Presence(changed=True, count=1)


def test_a_members_place_is_its_namespace_and_room():
    """What tells rooms of one name apart."""
    assert member("a", "tea").place == ("/", "tea")


def test_a_member_has_gone_as_soon_as_it_is_removed(table):
    """Even while others are still being told that it has come."""
    one = member("a")
    table.arrive(one)
    assert not one.has_gone

    table.depart(one)
    assert one.has_gone
    table.settle(one)
    assert one.has_gone
