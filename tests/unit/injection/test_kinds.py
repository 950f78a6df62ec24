"""The kinds of functions."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from fastsio.exceptions import SignatureError, ValidationFailed
from fastsio.injection import Depends, HandlerKind, Header
from fastsio.injection.parameters import CALL_FORMS
from fastsio.types import Auth, Data, Environ, Event, NamespaceName, Reason, Session, SocketID, Source


def test_every_kind_says_what_it_gets_by_position():
    """The table has an entry for each kind."""
    assert set(CALL_FORMS) == set(HandlerKind)


def test_the_slots_are_those_of_python_socketio():
    """Order matters: handlers take them by position."""
    assert CALL_FORMS[HandlerKind.EVENT][0] == ("sid",)
    assert CALL_FORMS[HandlerKind.CONNECT][0] == ("sid", "environ", "auth")
    assert CALL_FORMS[HandlerKind.DISCONNECT][0] == ("sid", "reason")


CLIENT_EVENT = HandlerKind.CLIENT_EVENT


class Message(BaseModel):
    text: str


class FakeClientClass:
    """A client class as handlers annotate it."""

    __fastsio_source__ = Source.CLIENT


class FakeServerClass:
    """A server class as handlers annotate it."""

    __fastsio_source__ = Source.SERVER


async def test_the_facts_of_an_event_are_injected(harness):
    """The client itself, its sid, the event, the namespace and the payload."""

    def handler(
        client: FakeClientClass, sid: SocketID, event: Event, place: NamespaceName, data: Data, message: Message
    ):
        return client, sid, event, place, data, message

    result = await harness.call(handler, {"text": "hi"}, kind=CLIENT_EVENT)

    assert result == (harness.server, "sid-1", "said", "/chat", {"text": "hi"}, Message(text="hi"))


async def test_no_sid_is_passed_by_position(harness):
    """The first parameter takes the first argument."""

    def handler(first, message: Message):
        return first, message.text

    assert await harness.call(handler, 1, {"text": "hi"}, kind=CLIENT_EVENT) == (1, "hi")


async def test_an_invalid_payload_does_not_reach_the_handler(harness):
    """As on a server."""

    def handler(message: Message):
        raise AssertionError

    with pytest.raises(ValidationFailed):
        await harness.call(handler, {"text": 7}, kind=CLIENT_EVENT)


async def test_a_reason_is_injected_when_a_connection_ends(harness):
    """By annotation or by position."""

    def annotated(reason: Reason, client: FakeClientClass):
        return reason

    def positional(client: FakeClientClass, reason):
        return reason

    for handler in (annotated, positional):
        assert await harness.call(handler, kind=HandlerKind.CLIENT_DISCONNECT, reason="gone") == "gone"


@pytest.mark.parametrize(("handler", "expected"), [(lambda: "none", "none"), (lambda reason: reason, "gone")])
async def test_a_plain_disconnect_handler_may_leave_out_the_reason(harness, handler, expected):
    """Its arity decides."""
    assert await harness.call(handler, kind=HandlerKind.CLIENT_DISCONNECT, reason="gone") == expected


async def test_dependencies_work(harness):
    """They get what handlers get."""

    def who(sid: SocketID) -> str:
        return sid.upper()

    def handler(name: str = Depends(who)):
        return name

    assert await harness.call(handler, kind=CLIENT_EVENT) == "SID-1"


@pytest.mark.parametrize(
    ("annotation", "cure"),
    [
        (Environ, "only a server's handlers have; a client made the handshake itself"),
        (Auth, "a client gives it to connect()"),
        (Session, "keep what you need on an object of your own"),
        (FakeServerClass, "annotate it with the client's class"),
    ],
)
@pytest.mark.parametrize("kind", [CLIENT_EVENT, HandlerKind.CLIENT_CONNECT, HandlerKind.CLIENT_DISCONNECT])
def test_what_only_servers_have_is_refused(harness, annotation, cure, kind):
    """At registration, with what to write instead."""

    def handler(it): ...

    handler.__annotations__["it"] = annotation

    with pytest.raises(SignatureError, match=r"chat\.handler: parameter 'it' is annotated") as raised:
        harness.compile(handler, kind)
    assert cure in str(raised.value)


def test_what_only_clients_have_is_refused_on_servers(harness):
    """A server's handler gets the server."""

    def handler(client: FakeClientClass): ...

    with pytest.raises(SignatureError, match="annotate it with the server's class"):
        harness.compile(handler)


def test_a_client_has_no_handshake_to_read(harness):
    """Neither by marker nor as a dependency's query parameter."""

    def token(token: str) -> str:
        return token

    def by_header(agent: str = Header(alias="user-agent")): ...

    def by_query(found: str = Depends(token)): ...

    for handler in (by_header, by_query):
        with pytest.raises(SignatureError, match="is read from the handshake"):
            harness.compile(handler, CLIENT_EVENT)


def test_reasons_are_for_disconnect_handlers(harness):
    """On clients too."""

    def handler(reason: Reason): ...

    with pytest.raises(SignatureError, match="only available in 'disconnect' handlers"):
        harness.compile(handler, CLIENT_EVENT)


def test_a_connect_handler_of_a_client_gets_nothing_by_position(harness):
    """There is nothing to take."""

    def handler(client: FakeClientClass, extra: Any): ...

    with pytest.raises(SignatureError, match="'client connect' handler gets no further argument"):
        harness.compile(handler, HandlerKind.CLIENT_CONNECT)


def test_a_consumer_has_no_server(harness):
    """Nor a client; what there is instead is said."""

    def with_server(server: FakeServerClass): ...

    def with_client(client: FakeClientClass): ...

    with pytest.raises(SignatureError, match="a consumer has none; what the server has is in 'self'"):
        harness.compile(with_server, HandlerKind.CONSUMER)
    with pytest.raises(SignatureError, match="annotate it with the server's class"):
        harness.compile(with_client, HandlerKind.CONSUMER)
