"""Which channels of a sharded bus a message goes to, and which a node listens to."""

from __future__ import annotations

from enum import Enum

import pytest

from fastsio.cluster.messages import (
    Answer,
    AskMembers,
    CloseRoom,
    Disconnect,
    Emit,
    EnterRoom,
    LeaveRoom,
    TellMembers,
)
from fastsio.cluster.sharding import MOST_COPIES, ShardChannels

SID = "8BHuaP_LVN-KaumyAAAB"
CHANNELS = ShardChannels("bus")
ALL = b"bus:all"


class Name(str, Enum):  # noqa: UP042 - such a class is the test
    LOBBY = "lobby"


def emit(*rooms):
    """Return an emit to rooms."""
    return Emit("e", [], False, "/", rooms)


@pytest.mark.parametrize(
    ("room", "channel"),
    [
        ("lobby", b"bus:room:/,lobby"),
        (Name.LOBBY, b"bus:room:/,lobby"),
        ("a,b:c {d}", b"bus:room:/,a,b:c {d}"),
        ("", b"bus:room:/,"),
        ("ü", "bus:room:/,ü".encode()),
        ("5", b"bus:room:/,5"),
        (5, b"bus:number:/,5"),
        (5.5, b"bus:number:/,5.5"),
        (float("inf"), b"bus:number:/,inf"),
    ],
)
def test_a_room_has_a_channel(room, channel):
    """Text and numbers are told from each other."""
    assert CHANNELS.of_room("/", room) == channel


@pytest.mark.parametrize(("one", "same"), [(1, 1.0), (1, True), (10**30, 1e30), ("lobby", Name.LOBBY)])
def test_rooms_that_are_the_same_have_the_same_channel(one, same):
    """As they are one key of a dict."""
    assert (one == same) is (CHANNELS.of_room("/", one) == CHANNELS.of_room("/", same))


def test_rooms_of_two_namespaces_have_two_channels():
    """Whatever their names."""
    assert CHANNELS.of_room("/a", "b") != CHANNELS.of_room("/", "ab")


def test_a_lone_surrogate_is_no_obstacle():
    """Each has a channel of its own."""
    assert CHANNELS.of_room("/", "\ud800") != CHANNELS.of_room("/", "\ud801")


@pytest.mark.parametrize("room", [None, SID, "x" * 20, b"bytes", ("a", 1), object()])
def test_other_rooms_share_the_channel_of_everybody(room):
    """Everybody, single clients and what looks like them, and rooms that other nodes cannot name."""
    assert CHANNELS.of_room("/", room) == ALL


@pytest.mark.parametrize(
    ("message", "channels"),
    [
        (emit(None), (ALL,)),
        (emit("a"), (b"bus:room:/,a",)),
        (emit("a", "b", "a"), (b"bus:room:/,a", b"bus:room:/,b")),
        (emit("a", SID), (ALL,)),
        (emit("a", None), (ALL,)),
        (emit(*range(MOST_COPIES)), tuple(b"bus:number:/,%d" % n for n in range(MOST_COPIES))),
        (emit(*range(MOST_COPIES + 1)), (ALL,)),
        (CloseRoom("a", "/n"), (b"bus:room:/n,a",)),
        (AskMembers("a", "/", 1, "h"), (b"bus:room:/,a",)),
        (Answer("h", SID, "/", 1, []), (b"bus:node:h",)),
        (Answer("h", SID, "/", 1, [[], "eA=="], binary=True), (b"bus:node:h",)),
        (Answer(None, SID, "/", 1, []), (ALL,)),
        (TellMembers("h", 1, ()), (b"bus:node:h",)),
        (Disconnect("a", "/"), (ALL,)),
        (EnterRoom(SID, "a", "/"), (ALL,)),
        (LeaveRoom(SID, "a", "/"), (ALL,)),
    ],
)
def test_a_message_goes_to_whom_it_concerns(message, channels):
    """Rooms, the server that asked, or everybody."""
    assert CHANNELS.of_message(message.as_dict()) == channels
