"""The option for connection state recovery, and what it takes out of a client's auth."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fastsio import ConnectionStateRecovery
from fastsio.base.recovery import check_manager, check_store, recovery_options, split_auth
from fastsio.exceptions import SetupError


@pytest.mark.parametrize("value", [None, False])
def test_it_is_off_by_default(value: Any) -> None:
    """None and False give no options."""
    assert recovery_options(value, always_connect=True) is None


@pytest.mark.parametrize(
    ("value", "duration_s"),
    [
        (True, 120.0),
        ({}, 120.0),
        ({"max_disconnection_duration": 5}, 5),
        (ConnectionStateRecovery(max_disconnection_duration=0.5), 0.5),
    ],
)
def test_it_is_given_in_several_forms(value: Any, duration_s: float) -> None:
    """True is the defaults; a dict has some fields."""
    options = recovery_options(value, always_connect=False)

    assert options is not None
    assert options.max_disconnection_duration == duration_s


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("yes", "connection_state_recovery='yes' is not valid; give True, a dict, or ConnectionStateRecovery"),
        ({"duration": 5}, "connection_state_recovery has no option 'duration'; there are max_disconnection_duration"),
        ({"max_packets": 0}, "max_packets=0 is not valid; give it a positive number"),
        ({"max_bytes": 1.5}, "max_bytes=1.5 is not valid"),
        ({"max_sessions": True}, "max_sessions=True is not valid"),
        ({"max_disconnection_duration": "2m"}, "max_disconnection_duration='2m' is not valid"),
        ({"takeover_timeout": float("nan")}, "takeover_timeout=nan is not valid; give it a positive number"),
        ({"presence_grace": float("inf")}, "presence_grace=inf is not valid; give it a positive number"),
        ({"skip_middlewares": 1}, "skip_middlewares=1 is not valid; give True or False"),
    ],
)
def test_a_wrong_value_is_refused(value: Any, text: str) -> None:
    """The message says what was wrong and what to give."""
    with pytest.raises(SetupError, match=text.replace("(", r"\(")):
        recovery_options(value, always_connect=False)


def test_it_does_not_go_with_always_connect() -> None:
    """A client would get what it missed before its connect handler has decided."""
    with pytest.raises(SetupError, match="always_connect lets it in before"):
        recovery_options(True, always_connect=True)


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        (None, (None, None, None)),
        ("token", ("token", None, None)),
        ([1], ([1], None, None)),
        ({"token": 1}, ({"token": 1}, None, None)),
        ({"pid": "p"}, (None, "p", None)),
        ({"pid": "p", "offset": "o", "token": 1}, ({"token": 1}, "p", "o")),
        ({"pid": 1, "offset": None, "token": 1}, ({"token": 1}, None, None)),
        ({"pid": "p", "offset": 123}, (None, None, None)),
        ({"pid": "p", "offset": None}, (None, None, None)),
        ({"pid": ["p"], "offset": {}}, (None, None, None)),
        ({"offset": "o"}, (None, None, None)),
        ({"pid": "\ud800", "offset": "o"}, (None, None, None)),
        ({"pid": "p", "offset": "é", "token": 1}, ({"token": 1}, None, None)),
    ],
)
def test_pid_and_offset_are_taken_out_of_auth(auth: Any, expected: tuple[Any, Any, Any]) -> None:
    """The application sees the rest, or None if nothing is left."""
    assert split_auth(auth) == expected


class Blocking:
    """A store for threads."""

    def keep(self, key, value, seconds): ...

    def load(self, key): ...

    def take(self, key): ...


class Awaited(Blocking):
    """A store for asyncio."""

    async def take(self, key): ...


class Incomplete:
    """An object that cannot take anything out."""

    def keep(self, key, value, seconds): ...

    def load(self, key): ...


def test_a_store_is_an_object_with_the_methods_of_one():
    """The error says which method is missing, or that a class was given in place of an object."""
    assert ConnectionStateRecovery(store=Blocking()).store is not None

    with pytest.raises(SetupError, match="store: give an object, not the class Blocking"):
        ConnectionStateRecovery(store=Blocking)
    with pytest.raises(SetupError, match=r"Incomplete object at .* is not valid: it has no method take\(\)"):
        ConnectionStateRecovery(store=Incomplete())


def test_a_server_for_threads_cannot_await_a_store():
    """With asyncio both kinds will do."""
    check_store(Blocking(), asynchronous=False)
    check_store(Awaited(), asynchronous=True)

    with pytest.raises(SetupError, match=r"Awaited.take\(\) is a coroutine function"):
        check_store(Awaited(), asynchronous=False)


@pytest.mark.parametrize(
    ("is_shared", "has_others", "why"),
    [(True, False, "keeps the sessions of clients itself"), (False, True, "is for one process")],
)
def test_a_store_beside_a_manager_that_does_not_go_with_it(is_shared, has_others, why):
    """The manager keeps sessions itself, or connects several processes."""
    check_manager(SimpleNamespace(has_other_nodes=False), is_shared=False)

    with pytest.raises(SetupError, match=why):
        check_manager(SimpleNamespace(has_other_nodes=has_others), is_shared=is_shared)
