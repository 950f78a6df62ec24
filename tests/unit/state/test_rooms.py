"""The room table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fastsio.state import Client, Connection, RoomTable

if TYPE_CHECKING:
    from collections.abc import Mapping


def client(namespace: str, sid: str, eio_sid: str) -> Client:
    """Return a client on a connection of its own."""
    return Client(sid, namespace, Connection(eio_sid, {}, None, dict))


def eio_sids(members: Mapping[str, Client]) -> dict[str, str]:
    """Return sid -> Engine.IO sid of members."""
    return {sid: member.eio_sid for sid, member in members.items()}


@pytest.fixture
def table() -> RoomTable:
    """Return a table with three clients in two namespaces."""
    table = RoomTable()
    table.add(client("/", "s1", "e1"))
    table.add(client("/", "s2", "e2"))
    table.add(client("/chat", "s3", "e1"))
    return table


def test_everybody_is_the_room_none(table):
    """The room None holds every client of the namespace."""
    assert eio_sids(table.members("/", None)) == {"s1": "e1", "s2": "e2"}


def test_each_sid_is_a_room(table):
    """A client is alone in the room of its own sid."""
    assert eio_sids(table.members("/", "s2")) == {"s2": "e2"}


def test_an_unknown_room_or_namespace_has_no_members(table):
    """Asking for what does not exist finds nobody."""
    assert not table.members("/", "nobody")
    assert not table.members("/", 7)
    assert not table.members("/nowhere", None)


def test_entering_and_leaving(table):
    """A client is in a room from enter to leave."""
    table.enter("/", "s1", "r")
    assert eio_sids(table.members("/", "r")) == {"s1": "e1"}
    assert table.rooms_of("/", "s1") == ["s1", "r"]

    table.leave("/", "s1", "r")

    assert not table.members("/", "r")
    assert table.rooms_of("/", "s1") == ["s1"]


def test_rooms_of_a_client_are_those_it_entered(table):
    """Its own is not counted among them."""
    table.enter("/", "s1", "a")

    assert table.is_in("/", "s1", "a")
    assert not table.is_in("/", "s1", "s1")
    assert not table.is_in("/", "s9", "a")
    assert table.rooms_of("/", "s1") == ["s1", "a"]


def test_leaving_a_room_one_is_not_in_is_ignored(table):
    """Leaving twice, or as a stranger, changes nothing."""
    table.enter("/", "s1", "r")

    table.leave("/", "s2", "r")
    table.leave("/", "s1", "other")

    assert eio_sids(table.members("/", "r")) == {"s1": "e1"}


def test_entering_as_a_stranger_fails(table):
    """Only clients of the namespace have rooms."""
    with pytest.raises(KeyError):
        table.enter("/", "s3", "r")


def test_a_connection_may_be_added_again_before_it_is_removed(table):
    """Of several threads one lets a client go while another lets the same connection in again."""
    table.enter("/", "s1", "red")
    table.add(client("/", "s4", "e1"))
    table.remove("/", "s1")

    assert eio_sids(table.members("/", None)) == {"s4": "e1", "s2": "e2"}
    assert eio_sids(table.members("/", "red")) == {}
    assert table.sid_of("/", "e1") == "s4"


def test_a_sid_may_be_given_to_another_connection(table):
    """Each direction finds the later one, and the earlier connection has no client any more."""
    table.add(client("/", "s1", "e9"))

    assert table.eio_sid_of("/", "s1") == "e9"
    assert table.sid_of("/", "e9") == "s1"
    assert table.sid_of("/", "e1") is None
    table.remove("/", "s1")
    assert table.sid_of("/", "e9") is None


def test_removing_a_client_takes_it_out_of_every_room(table):
    """Nothing of a removed client is left."""
    table.enter("/", "s1", "a")
    table.enter("/", "s1", "b")
    table.enter("/", "s2", "b")

    table.remove("/", "s1")

    assert not table.members("/", "a")
    assert eio_sids(table.members("/", "b")) == {"s2": "e2"}
    assert table.rooms_of("/", "s1") == []
    assert not table.has("/", "s1")


def test_removing_an_unknown_client_is_ignored(table):
    """Removing twice, or from an unknown namespace, changes nothing."""
    table.remove("/", "s9")
    table.remove("/nowhere", "s1")

    assert set(table.namespaces()) == {"/", "/chat"}


def test_leaving_the_last_room_keeps_other_rooms_of_the_namespace(table):
    """One room's end is not another's."""
    table.enter("/", "s1", "a")
    table.enter("/", "s1", "c")
    table.enter("/", "s2", "b")

    table.leave("/", "s1", "a")

    assert eio_sids(table.members("/", "b")) == {"s2": "e2"}


def test_a_namespace_ends_with_its_last_client(table):
    """Empty namespaces are not kept."""
    table.remove("/chat", "s3")

    assert set(table.namespaces()) == {"/"}


def test_closing_a_room_empties_it(table):
    """After close nobody is in the room."""
    table.enter("/", "s1", "r")
    table.enter("/", "s2", "r")

    table.close("/", "r")
    table.close("/", "unknown")

    assert not table.members("/", "r")
    assert table.rooms_of("/", "s1") == ["s1"]


def test_sids_and_engine_sids_find_each_other(table):
    """The table answers in both directions, per namespace."""
    assert table.sid_of("/", "e1") == "s1"
    assert table.sid_of("/chat", "e1") == "s3"
    assert table.sid_of("/nowhere", "e1") is None
    assert table.sid_of("/", "e9") is None
    assert table.eio_sid_of("/", "s2") == "e2"
    assert table.eio_sid_of("/", "s9") is None


def test_recipients_of_several_rooms_are_counted_once(table):
    """Who is in two of the rooms gets one copy."""
    table.enter("/", "s1", "a")
    table.enter("/", "s1", "b")
    table.enter("/", "s2", "b")

    assert eio_sids(table.recipients("/", ["a", "b"])) == {"s1": "e1", "s2": "e2"}


def test_skipped_clients_are_left_out(table):
    """A sid in skip is no recipient."""
    assert eio_sids(table.recipients("/", [None], ["s1"])) == {"s2": "e2"}
    assert eio_sids(table.recipients("/", [], ["s1"])) == {}


def test_the_view_has_the_shape_of_python_socketio(table):
    """manager.rooms reads as namespace -> room -> {sid: eio_sid}, sid rooms included."""
    table.enter("/", "s1", "r")
    view = table.view()

    assert set(view) == {"/", "/chat"}
    assert len(view) == 2
    assert "/" in view
    assert "/nowhere" not in view
    assert list(view["/"]) == [None, "s1", "s2", "r"]
    assert len(view["/"]) == 4
    assert dict(view["/"]["r"]) == {"s1": "e1"}
    assert "s2" in view["/"]
    assert "nobody" not in view["/"]
