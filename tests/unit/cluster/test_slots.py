"""Which master of a Redis Cluster has which channel."""

from __future__ import annotations

import pytest
from redis.crc import key_slot

from fastsio.cluster.sharding import SlotTable, moved, slot_of

#: What CLUSTER SLOTS of Redis 7 was seen to answer.
REPLY = [
    [0, 5460, [b"10.0.0.1", 7000, b"id1", []], [b"10.0.0.4", 7003, b"id4", []]],
    [5461, 10922, ["10.0.0.2", 7001, "id2"]],
    [10923, 16383, [None, 7002, b"id3", []]],
]


@pytest.mark.parametrize(
    "channel", [b"foo", b"", b"a{b}c", b"a{}c", b"{b}{c}", b"a}b{c}", b"a{b", b"{{x}}", "ü".encode()]
)
def test_slots_are_those_of_redis(channel):
    """A part in braces stands for the whole."""
    assert slot_of(channel) == key_slot(channel)


def test_a_channel_is_on_the_master_of_its_slot():
    """As the cluster says; an unknown host is left empty."""
    slots = SlotTable.from_reply(REPLY)

    assert slot_of(b"foo") == 12182
    assert slots.owner_of(b"foo") == ("", 7002)
    assert slots.owner_of(b"bar") == ("10.0.0.1", 7000)
    assert slots.masters == {("10.0.0.1", 7000), ("10.0.0.2", 7001), ("", 7002)}
    assert not slots.is_stale


def test_a_host_the_cluster_does_not_know_is_empty():
    """It may write a question mark."""
    assert SlotTable.from_reply([[0, 1, ["?", 7000]]]).masters == {("", 7000)}


def test_a_server_by_itself_has_everything():
    """It needs no address but that of the URL."""
    slots = SlotTable(is_cluster=False)

    assert slots.owner_of(b"foo") is None
    assert slots.masters == set()


def test_a_slot_can_move():
    """Others stay."""
    slots = SlotTable.from_reply(REPLY)

    slots.move(12182, ("h", 1))

    assert slots.owner_of(b"foo") == ("h", 1)
    assert slots.owner_of(b"hello") == ("10.0.0.1", 7000)


def test_a_slot_without_a_master_is_an_error():
    """Which says which slot."""
    with pytest.raises(ConnectionError, match="slot 12182"):
        SlotTable().owner_of(b"foo")


@pytest.mark.parametrize(
    ("error", "where"),
    [
        ("MOVED 12182 10.0.0.1:7000", (12182, ("10.0.0.1", 7000))),
        ("12182 10.0.0.1:7000", (12182, ("10.0.0.1", 7000))),
        ("MOVED 1 ::1:7000", (1, ("::1", 7000))),
        ("MOVED 1 :7000", (1, ("", 7000))),
        ("CLUSTERDOWN The cluster is down", None),
        ("ERR 1 in MOVED 1 h:1 was wrong", None),
    ],
)
def test_a_redirection_is_read(error, where):
    """With its code, or without where the package has a class for it."""
    assert moved(error) == where
