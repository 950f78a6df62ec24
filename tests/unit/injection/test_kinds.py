"""The kinds of functions."""

from __future__ import annotations

from fastsio.injection.kinds import PAYLOAD_LIMIT, WIRE_SLOTS, HandlerKind


def test_every_kind_says_what_it_gets_by_position():
    """The tables have an entry for each kind."""
    assert set(WIRE_SLOTS) == set(PAYLOAD_LIMIT) == set(HandlerKind)


def test_the_slots_are_those_of_python_socketio():
    """Order matters: handlers take them by position."""
    assert WIRE_SLOTS[HandlerKind.EVENT] == ("sid",)
    assert WIRE_SLOTS[HandlerKind.CONNECT] == ("sid", "environ", "auth")
    assert WIRE_SLOTS[HandlerKind.DISCONNECT] == ("sid", "reason")
