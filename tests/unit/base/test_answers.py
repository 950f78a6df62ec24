"""What is kept of an acknowledgement that a call waits for."""

from __future__ import annotations

from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from fastsio.base.answers import AckWaiter, Answer
from fastsio.exceptions import ClientLeftError, DisconnectedError, TimeoutError


@pytest.fixture
def discarded() -> list[Any]:
    """The callbacks that a manager was told to discard."""
    return []


@pytest.fixture
def waiter(discarded) -> AckWaiter:
    """A waiter of a manager for threads."""
    manager: Any = SimpleNamespace(
        server=SimpleNamespace(eio=SimpleNamespace(create_event=Event)),
        discard_callback=lambda *expected: discarded.append(expected),
    )
    return AckWaiter(manager)


def test_the_first_acknowledgement_counts(waiter, discarded):
    """Those that come later change nothing, and neither does a client that leaves."""
    waiter.expect("s1", 7)

    waiter(1, 2)
    waiter(3)
    waiter.give_up()

    assert waiter.event.is_set()
    assert waiter.result() == (1, 2)
    waiter.withdraw()
    assert discarded == [("s1", 7)]


def test_a_client_that_has_left_ends_the_waiting(waiter):
    """Whatever comes of it then is ignored."""
    waiter.give_up()
    waiter("late")

    assert waiter.event.is_set()
    with pytest.raises(ClientLeftError, match="the client left"):
        waiter.result()


def test_what_has_not_come_is_late(waiter):
    """The caller has waited as long as it would."""
    with pytest.raises(TimeoutError, match="in time"):
        waiter.result()


def test_an_answer_keeps_the_first_acknowledgement():
    """One value is returned as it is."""
    answer = Answer(Event(), needs_connection=True)
    assert not answer.has_come

    answer("one")
    answer("two")
    answer.fail(DisconnectedError())

    assert answer.has_come
    assert (answer.value(), answer.error) == ("one", None)


def test_an_answer_that_failed_does_not_come():
    """The first reason is kept; nothing counts after it."""
    answer = Answer(Event(), needs_connection=False)
    first = DisconnectedError()

    answer.fail(first)
    answer.fail(DisconnectedError())
    answer("late")

    assert answer.event.is_set()
    assert not answer.has_come
    assert answer.error is first
    assert answer.value() is None
