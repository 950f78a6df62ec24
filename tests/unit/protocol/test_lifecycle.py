from __future__ import annotations

import itertools

import pytest
from tools.lifecycle_diagram import PAGE, page

from fastsio.exceptions import LifecycleError
from fastsio.protocol.lifecycle import (
    ALWAYS_CONNECT_VERDICTS,
    TRANSITIONS,
    VERDICTS,
    Happening,
    NamespaceState,
    Verdict,
    advance,
    on_packet,
)
from fastsio.protocol.packet_type import PacketType

NONE, CONNECTING, CONNECTED, LEAVING, LEFT = NamespaceState
PLAIN_TYPES = [packet_type for packet_type in PacketType if packet_type < PacketType.BINARY_EVENT]


def test_the_table_knows_every_packet_in_every_state():
    """No packet of a client finds the server without an answer."""
    assert set(VERDICTS) == set(itertools.product(NamespaceState, PLAIN_TYPES))


@pytest.mark.parametrize(("state", "packet_type"), VERDICTS)
def test_on_packet_answers_what_the_table_says(state, packet_type):
    """The table is what decides."""
    assert on_packet(state, packet_type) is VERDICTS[state, packet_type]


@pytest.mark.parametrize(("state", "packet_type"), VERDICTS)
def test_always_connect_changes_only_its_own_table(state, packet_type):
    """Everything else means what it means without it."""
    expected = ALWAYS_CONNECT_VERDICTS.get((state, packet_type), VERDICTS[state, packet_type])

    assert on_packet(state, packet_type, always_connect=True) is expected


@pytest.mark.parametrize("always_connect", [False, True])
@pytest.mark.parametrize("state", NamespaceState)
def test_attachments_do_not_change_what_a_packet_means(state, always_connect):
    """BINARY_EVENT is an event, BINARY_ACK an acknowledgement."""
    for binary, plain in ((PacketType.BINARY_EVENT, PacketType.EVENT), (PacketType.BINARY_ACK, PacketType.ACK)):
        assert on_packet(state, binary, always_connect=always_connect) is on_packet(
            state, plain, always_connect=always_connect
        )


@pytest.mark.parametrize("packet_type", [kind for kind in PacketType if kind is not PacketType.CONNECT])
def test_a_first_packet_other_than_connect_closes_the_connection(packet_type):
    """Source: Socket.IO protocol v5, "Connection to a namespace"."""
    assert on_packet(NONE, packet_type) is Verdict.CLOSE


@pytest.mark.parametrize("state", [CONNECTING, CONNECTED, LEAVING])
def test_a_second_connect_begins_the_namespace_anew(state):
    """Clients that disconnect and connect before they are answered say CONNECT twice; nobody broke anything."""
    assert on_packet(state, PacketType.CONNECT) is Verdict.REJOIN


@pytest.mark.parametrize("state", [state for state in NamespaceState if state is not CONNECTED])
def test_no_event_is_dispatched_before_or_after_the_connection(state):
    """A handler runs only for a client its connect handler accepted."""
    assert on_packet(state, PacketType.EVENT) is not Verdict.DISPATCH
    assert on_packet(state, PacketType.EVENT, always_connect=True) is not Verdict.DISPATCH


@pytest.mark.parametrize("state", [LEAVING, LEFT])
@pytest.mark.parametrize("packet_type", [PacketType.EVENT, PacketType.ACK, PacketType.DISCONNECT])
def test_late_packets_of_a_namespace_the_server_ended_are_ignored(state, packet_type):
    """They were on their way; nobody broke anything."""
    assert on_packet(state, packet_type) is Verdict.IGNORE


def test_a_whole_life_can_be_lived_twice():
    """A namespace that was left can be connected to again."""
    state = NONE

    for _ in range(2):
        for happening in (Happening.BEGIN, Happening.ACCEPT, Happening.LEAVE, Happening.GONE):
            state = advance(state, happening)

    assert state is LEFT


@pytest.mark.parametrize(("state", "happening"), list(itertools.product(NamespaceState, Happening)))
def test_a_step_that_is_not_in_the_table_is_impossible(state, happening):
    """An impossible step is a bug of the server, and loud."""
    if (state, happening) in TRANSITIONS:
        assert advance(state, happening) is TRANSITIONS[state, happening]
    else:
        with pytest.raises(LifecycleError, match=f"{happening.name} cannot happen .* {state.name}"):
            advance(state, happening)


def test_every_state_can_be_reached_and_left():
    """No state is a dead end."""
    assert set(TRANSITIONS.values()) | {NONE} == set(NamespaceState)
    assert {state for state, _ in TRANSITIONS} == set(NamespaceState)


def test_the_page_shows_the_tables_as_they_are():
    """The documentation cannot drift; run python -m tools.lifecycle_diagram."""
    assert PAGE.read_text(encoding="utf-8") == page()
