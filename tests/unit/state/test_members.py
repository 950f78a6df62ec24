"""Members of rooms, their stages, and presence."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from fastsio.state.members import JoinVerdict, Member, MemberTable, Presence, Stage
from fastsio.state.room_names import NamedRoom


@pytest.fixture
def table() -> MemberTable:
    """Return an empty table."""
    return MemberTable(nullcontext())


def member(sid: str, room: str = "r", user: str | None = None, args: tuple = ()) -> Member:
    """Return a member of the namespace "/"."""
    return Member(SimpleNamespace(sid=sid, namespace="/"), NamedRoom(room), None, args, user)


def enter(table: MemberTable, one: Member) -> Member | JoinVerdict:
    """Join and be let in at once."""
    join = table.begin(one.client)
    table.place(join, one.room.name)
    outcome = table.add(one, join)
    table.end(join)
    return outcome


def test_a_client_is_in_a_room_once(table):
    """A second entry is the first one, with the newer payload."""
    first = member("a", args=(1,))

    assert enter(table, first) is first
    assert enter(table, member("a", args=(2,))) is first
    assert (first.args, first.since) == ((2,), 2)
    assert table.members("/", "r") == {"a": first}
    assert table.members("/", "other") == table.members("/n", "r") == {}


def test_removing_returns_those_who_were_there(table):
    """By room and by client; nothing is left behind."""
    one, two, elsewhere = member("a"), member("b"), member("a", "s")
    for each in (one, two, elsewhere):
        enter(table, each)

    assert table.remove("/", "r", ["b", "nobody"]) == [two]
    assert table.remove("/", "nowhere", ["a"]) == []
    assert table.remove_client("/", "a") == [one, elsewhere]
    assert table.remove_client("/", "a") == []
    assert table.is_empty


def test_a_member_that_stays_and_goes_is_announced_twice(table):
    """The usual way through the stages."""
    one = member("a")

    assert table.arrive(one) == Presence(changed=True, count=1)
    assert table.mark_present(one) is False
    assert table.arrive(one) is None
    assert one.stage is Stage.PRESENT
    assert table.depart(one) is True
    assert table.stop_counting(one) == Presence(changed=True, count=0)
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
    assert table.mark_present(one) is True
    assert table.depart(one) is False


def test_users_are_counted_once(table):
    """Two clients of one user change the count once; a client without a user is one by itself."""
    tab, other_tab, guest = member("a", user="ada"), member("b", user="ada"), member("ada")

    assert table.arrive(tab) == Presence(changed=True, count=1)
    assert table.arrive(other_tab) == Presence(changed=False, count=1)
    assert table.arrive(guest) == Presence(changed=True, count=2)
    assert table.stop_counting(tab) == Presence(changed=False, count=2)
    assert table.stop_counting(other_tab) == Presence(changed=True, count=1)


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
    table.mark_present(one)
    assert one.has_gone


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize(
    ("undo", "verdict"),
    [
        (lambda table: table.remove("/", "r", ["a"]), JoinVerdict.TAKEN_OUT),
        (lambda table: table.remove("/", "r", ["a"], by_client=True), JoinVerdict.LEFT),
        (lambda table: table.remove_all("/", "r"), JoinVerdict.TAKEN_OUT),
        (lambda table: table.cancel_joins("/", "r"), JoinVerdict.TAKEN_OUT),
    ],
)
def test_what_takes_a_client_out_ends_its_joins_under_way(table, undo, verdict, is_known):
    """Whether or not the room of the join is known yet."""
    one = member("a")
    join = table.begin(one.client)
    if is_known:
        table.place(join, "r")
    undo(table)

    assert table.add(one, join) is verdict
    assert table.members("/", "r") == {}
    table.end(join)
    assert table.is_empty


@pytest.mark.parametrize(
    "other",
    [
        lambda table: table.remove("/", "s", ["a"]),
        lambda table: table.remove("/", "r", ["b"]),
        lambda table: table.remove("/n", "r", ["a"]),
        lambda table: table.remove_all("/", "s"),
        lambda table: table.recheck("/", "s"),
    ],
)
def test_what_concerns_others_does_not_end_a_join(table, other):
    """Another room, another client, another namespace."""
    one = member("a")
    join = table.begin(one.client)
    table.place(join, "r")
    other(table)

    assert table.add(one, join) is one


def test_a_join_keeps_what_is_said_of_its_own_room_only(table):
    """A client may leave any number of other rooms while a hook of its join waits."""
    one = member("a")
    join = table.begin(one.client)
    for number in range(100):
        table.remove("/", f"before {number}", ["a"])
    table.place(join, "r")
    for number in range(100):
        table.remove("/", f"after {number}", ["a"])

    assert join.ended == {}
    table.remove("/", "r", ["a"])
    assert join.ended == {"r": False}


def test_a_leave_undoes_only_the_joins_that_arrived_before_it(table):
    """However late the leave is done: neither the pending nor the finished join that came after it ends."""
    one = member("a")
    before = table.begin(one.client)
    moment = table.moment()
    after = table.begin(one.client)
    later = table.begin(one.client)

    assert table.add(one, before) is one
    assert table.add(one, after) is one
    assert table.remove("/", "r", ["a"], until=moment, by_client=True) == []
    assert table.add(member("a"), later) is one
    assert table.add(member("a"), before) is JoinVerdict.LEFT
    assert table.members("/", "r") == {"a": one}


def test_a_recheck_has_joins_under_way_asked_about_again(table):
    """Once: the next answer counts."""
    one = member("a")
    join = table.begin(one.client)
    table.place(join, "r")

    assert table.recheck("/", "r") == {}
    assert table.add(one, join) is JoinVerdict.ASK_AGAIN
    assert table.add(one, join) is one
    assert table.recheck("/", "r") == {"a": one}


def test_a_room_is_awaited_while_a_join_of_it_is_under_way(table):
    """From when the room is known until it is not of interest any more."""
    join, other = table.begin(member("a").client), table.begin(member("b").client)
    for each in (join, other):
        table.place(each, "r")
    assert table.is_awaited("/", "r")

    table.unplace(join)
    table.unplace(join)
    assert table.is_awaited("/", "r")
    table.end(other)
    assert not table.is_awaited("/", "r")
    table.end(join)
    assert table.is_empty


def test_the_rooms_of_a_client_are_known_with_the_payloads_of_its_joins(table):
    """Not those that it has been removed from, nor those of other clients."""
    one, two, other = member("a", "r", args=(1,)), member("a", "s"), member("b", "t")
    for each in (one, two, other):
        enter(table, each)
    table.depart(two)

    assert table.joins_of(one.client) == {"r": (1,)}
    assert table.joins_of(member("nobody").client) == {}


def test_a_client_that_is_away_stays_a_member_until_it_comes_back(table):
    """The client that comes back with its sid is the member from then on."""
    one, other = member("a"), member("b")
    enter(table, one)
    enter(table, other)
    table.keep_away(one.client)
    assert [table.is_away("/", sid) for sid in ("a", "b")] == [True, False]

    back = member("a").client
    table.give_back(back)

    assert not table.is_away("/", "a")
    assert table.members("/", "r")["a"] is one
    assert (one.client is back, other.client is back) == (True, False)


def test_a_client_that_does_not_come_back_is_not_away_any_more(table):
    """It is removed from its rooms, and nothing is left behind."""
    one = member("a")
    enter(table, one)
    table.keep_away(one.client)

    assert table.remove_client("/", "a") == [one]
    assert not table.is_away("/", "a")
    assert table.is_empty


def test_those_that_were_announced_are_announced_once_more_when_they_go(table):
    """Members that are not, or not yet, announced are left out."""
    new, arriving, present, gone = (member(sid) for sid in "abcd")
    for each in (arriving, present, gone):
        table.arrive(each)
    table.mark_present(present)
    table.depart(gone)
    table.mark_present(gone)

    assert table.departed([new, arriving, present, gone]) == [present]
    assert [each.stage for each in (new, arriving, present, gone)] == [
        Stage.GONE,
        Stage.LEAVING,
        Stage.GONE,
        Stage.GONE,
    ]
