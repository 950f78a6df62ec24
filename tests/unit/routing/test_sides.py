"""What differs between a server's and a client's handlers."""

from __future__ import annotations

import pytest

from fastsio.exceptions import SignatureError
from fastsio.injection import HandlerKind
from fastsio.routing import CLIENT, SERVER, Registration, Registry


@pytest.fixture
def registry() -> Registry:
    """Return the empty registry of a client."""
    return Registry(asynchronous=True, role=CLIENT)


def add(registry: Registry, namespace: str, event: str):
    """Register a handler."""

    def handler(*args): ...

    registry.add(Registration(namespace, event, handler))
    return handler


def found(registry: Registry, namespace: str, event: str):
    """Return what an event finds."""
    route = registry.resolve(namespace, event)
    return None if route is None else (route.handler, route.prefix)


def test_each_event_has_its_kind():
    """connect_error is an event like any other, but for the catch-all handlers."""
    assert [SERVER.kind_of(event) for event in ("connect", "disconnect", "news")] == [
        HandlerKind.CONNECT,
        HandlerKind.DISCONNECT,
        HandlerKind.EVENT,
    ]
    assert [CLIENT.kind_of(event) for event in ("connect", "disconnect", "connect_error", "news")] == [
        HandlerKind.CLIENT_CONNECT,
        HandlerKind.CLIENT_DISCONNECT,
        HandlerKind.CLIENT_EVENT,
        HandlerKind.CLIENT_EVENT,
    ]


def test_events_of_one_kind_share_a_stand_in():
    """A dispatcher of its own is compiled once for each kind."""
    assert [CLIENT.stand_in(event) for event in ("connect", "news", "other")] == ["connect", "event", "event"]


def test_a_namespace_with_handlers_of_a_client_does_not_fall_back(registry):
    """Only namespaces without any use those of every namespace, as in python-socketio's clients."""
    own = add(registry, "/a", "one")
    every = add(registry, "*", "two")

    assert found(registry, "/a", "one") == (own, ())
    assert found(registry, "/a", "two") is None
    assert found(registry, "/b", "two") == (every, ("namespace",))


@pytest.mark.parametrize("event", ["connect", "disconnect", "connect_error", "__disconnect_final"])
def test_what_happens_to_a_client_reaches_no_catch_all_handler(registry, event):
    """It happens, it does not arrive."""
    add(registry, "/", "*")

    assert found(registry, "/", event) is None


def test_event_handlers_of_a_client_are_plain(registry):
    """They are called by position, without an injection."""
    add(registry, "/", "news")

    assert registry.resolve("/", "news").is_plain


def test_a_connect_handler_that_wants_more_is_refused(registry):
    """It is called without arguments."""

    def connect(environ): ...

    with pytest.raises(SignatureError, match=r"a client connect handler is called with \(\)"):
        registry.add(Registration("/", "connect", connect))


def test_a_disconnect_handler_takes_the_reason_at_most(registry):
    """Or nothing."""

    def disconnect(sid, reason): ...

    with pytest.raises(SignatureError, match=r"a client disconnect handler is called with \(\[reason\]\)"):
        registry.add(Registration("/", "disconnect", disconnect))
