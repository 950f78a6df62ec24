"""What waits to be sent: order, bound, and what is taken out."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from fastsio.base.pending import Emission, Outbox
from fastsio.exceptions import DisconnectedError


def emission(event: str = "x", namespace: str = "/", callback: object = None) -> Emission:
    """Make an emission without data."""
    return Emission(event, None, namespace, callback)


@pytest.fixture
def outbox() -> Outbox:
    """One that holds three events."""
    return Outbox(3, nullcontext())


def test_each_namespace_has_its_order(outbox):
    """The head of one is not that of another."""
    first, second, other = emission(), emission(), emission(namespace="/a")
    for each in (first, other, second):
        outbox.add(each)

    assert outbox.head("/") is first
    assert outbox.head("/a") is other
    assert outbox.head("/b") is None
    assert outbox.take_all("/") == [first, second]
    assert outbox.head("/") is None


def test_the_bound_is_for_all_namespaces(outbox):
    """The error says which event, which option and its value; what waits stays."""
    waiting = [emission(), emission(namespace="/a"), emission()]
    for each in waiting:
        outbox.add(each)

    with pytest.raises(DisconnectedError, match="'late' cannot wait: max_buffered_events=3 events wait already"):
        outbox.add(emission("late"))

    assert outbox.remove(waiting[1])
    outbox.add(emission("late", "/a"))
    assert outbox.take_all("/") == [waiting[0], waiting[2]]


def test_an_emission_is_removed_once(outbox):
    """Whoever asks second hears that it is gone."""
    each, twin = emission(), emission()
    outbox.add(each)

    assert not outbox.remove(twin)
    assert outbox.remove(each)
    assert not outbox.remove(each)
    assert not outbox.remove(emission(namespace="/unknown"))


def test_what_is_unwanted_is_withdrawn(outbox):
    """In one namespace; the others keep their order."""
    wanted, unwanted, elsewhere = emission(), emission(callback=len), emission(namespace="/a", callback=len)
    for each in (unwanted, wanted, elsewhere):
        outbox.add(each)

    assert outbox.withdraw("/", lambda each: each.callback is len) == [unwanted]
    assert outbox.withdraw("/b", lambda _each: True) == []
    assert outbox.head("/") is wanted
    assert outbox.head("/a") is elsewhere


def test_namespaces_are_closed_until_they_are_opened(outbox):
    """And closed again as often as they are lost."""
    assert not outbox.is_open("/")

    outbox.open("/")
    assert outbox.is_open("/")
    assert not outbox.is_open("/a")

    outbox.close("/")
    outbox.close("/")
    assert not outbox.is_open("/")
