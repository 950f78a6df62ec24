# ruff: noqa: B008, D103, TC001 - Depends() as a default is what is tested; models and handlers here are examples; annotations are resolved at run time
"""Which wire value each parameter takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel
from typing_extensions import TypedDict

from fastsio.exceptions import SignatureError, ValidationFailed
from fastsio.injection import Depends, HandlerKind, Header
from fastsio.types import Auth, Data, Environ, Event, NamespaceName, Reason, Session, SocketID


class Message(BaseModel):
    text: str


class Room(BaseModel):
    name: str


class Position(TypedDict):
    x: int


@dataclass
class Size:
    width: int


def names(**facts: Any) -> dict[str, Any]:
    return facts


async def test_every_annotation_is_filled_whatever_the_order(harness):
    """Order of injected parameters is irrelevant."""

    async def handler(
        data: Data,
        session: Session,
        ns: NamespaceName,
        server: harness.Server,
        event: Event,
        environ: Environ,
        sid: SocketID,
    ):
        return names(data=data, session=session, ns=ns, server=server, event=event, environ=environ, sid=sid)

    assert await harness.call(handler, {"a": 1}) == {
        "data": {"a": 1},
        "session": {},
        "ns": "/chat",
        "server": harness.server,
        "event": "said",
        "environ": {},
        "sid": "sid-1",
    }


@pytest.mark.parametrize(
    ("args", "expected"),
    [((), None), ((None,), None), ((1.5,), 1.5), (([],), []), (("a", "b"), ("a", "b")), ((False,), False)],
)
async def test_data_is_the_raw_payload(harness, args, expected):
    """None without a payload, the value of one argument, a tuple of several."""
    assert await harness.call(handler_of_data, *args) == expected


def handler_of_data(data: Data):
    return data


async def test_un_annotated_parameters_take_the_slots_then_the_payload(harness):
    """The sid first, as python-socketio passes it, then what the client sent."""

    async def handler(sid, first, server: harness.Server, second="default"):
        return sid, first, second

    assert await harness.call(handler, "a", "b") == ("sid-1", "a", "b")
    assert await harness.call(handler, "a") == ("sid-1", "a", "default")


async def test_a_slot_claimed_by_an_annotation_leaves_the_positional_list(harness):
    """With SocketID anywhere, the first un-annotated parameter is the payload."""

    async def handler(text, sid: SocketID):
        return text, sid

    assert await harness.call(handler, "hi") == ("hi", "sid-1")


async def test_a_first_parameter_sid_annotated_str_is_the_sid(harness):
    """It is how typed python-socketio handlers are written."""

    async def handler(sid: str, message: Message):
        return sid, message.text

    assert await harness.call(handler, {"text": "hi"}) == ("sid-1", "hi")


async def test_annotated_parameters_take_payload_arguments_in_order(harness):
    """Two models take two arguments, and every kind of type is validated."""

    async def handler(sid, message: Message, room: Room, size: Size, place: Position, count: int, rooms: list[Room]):
        return message.text, room.name, size, place, count, rooms[0].name

    result = await harness.call(handler, {"text": "hi"}, {"name": "r"}, {"width": 2}, {"x": "3"}, "4", [{"name": "s"}])

    assert result == ("hi", "r", Size(2), {"x": 3}, 4, "s")


async def test_a_missing_argument_is_the_default_or_none_if_the_annotation_admits_it(harness):
    """Otherwise the client is told which argument is missing."""

    async def handler(message: Message, room: Room | None, count: int = 7):
        return message.text, room, count

    assert await harness.call(handler, {"text": "hi"}) == ("hi", None, 7)
    with pytest.raises(ValidationFailed) as failure:
        await harness.call(handler)
    assert failure.value.detail == [{"loc": ["args", 0], "msg": "Field required", "type": "missing"}]


async def test_a_missing_un_annotated_argument_is_reported(harness):
    """It is the peer's mistake, not a TypeError."""

    async def handler(sid: SocketID, text):
        raise AssertionError

    with pytest.raises(ValidationFailed, match=r"args\.0: Field required"):
        await harness.call(handler)


async def test_what_does_not_validate_never_reaches_the_handler(harness):
    """The error says where, not what was sent."""

    async def handler(sid: SocketID, message: Message):
        raise AssertionError

    with pytest.raises(ValidationFailed) as failure:
        await harness.call(handler, {"text": 5})

    assert failure.value.detail[0]["loc"] == ["args", 0, "text"]
    assert "5" not in str(failure.value.detail[0]["msg"])


async def test_surplus_arguments_are_dropped_and_star_args_takes_them_raw(harness):
    """A newer client may send more than an older server reads."""

    async def handler(message: Message, server: harness.Server):
        return message.text

    async def open_handler(message: Message, *rest, **nothing):
        return message.text, rest, nothing

    assert await harness.call(handler, {"text": "hi"}, 2, 3) == "hi"
    assert await harness.call(open_handler, {"text": "hi"}, 2, 3) == ("hi", (2, 3), {})


async def test_keyword_only_parameters_are_injected(harness):
    """Their markers work as anywhere; without one they keep their default."""

    async def handler(sid, *, server: harness.Server, message: Message, flag=True, level: int = 3):
        return sid, server, message.text, flag, level

    assert await harness.call(handler, {"text": "hi"}) == ("sid-1", harness.server, "hi", True, 3)


def test_a_required_keyword_only_parameter_needs_a_marker(harness):
    """Nothing could fill it."""

    def handler(sid: SocketID, *, level):
        raise AssertionError

    with pytest.raises(SignatureError, match=r"chat\.handler: parameter 'level' is keyword-only and has no marker"):
        harness.compile(handler)


def test_a_sid_that_would_take_the_payload_is_refused(harness):
    """It would carry what the client sent, under a name that says otherwise."""

    def handler(message: Message, sid):
        raise AssertionError

    with pytest.raises(SignatureError, match="parameter 'sid' would take a payload argument"):
        harness.compile(handler)


def test_a_name_of_another_slot_is_refused(harness):
    """``auth`` must not silently receive the environ."""

    def handler(sid: SocketID, auth):
        raise AssertionError

    with pytest.raises(
        SignatureError, match="parameter 'auth' would take the 'environ' by position; annotate it with Auth"
    ):
        harness.compile(handler, HandlerKind.CONNECT)


async def test_connect_handlers_get_environ_and_auth(harness):
    """By annotation, or by position as in python-socketio."""
    harness.client.auth = {"name": "Ada"}

    async def annotated(auth: Auth, sid: SocketID, environ: Environ):
        return sid, environ, auth

    async def positional(sid, environ: dict, auth, server: harness.Server):
        return sid, environ, auth

    expected = ("sid-1", {}, {"name": "Ada"})
    assert await harness.call(annotated, {"name": "Ada"}, kind=HandlerKind.CONNECT) == expected
    assert await harness.call(positional, {"name": "Ada"}, kind=HandlerKind.CONNECT) == expected


async def test_a_model_in_a_connect_handler_validates_auth(harness):
    """Credentials are validated like any payload; None is the same as nothing."""

    async def handler(sid: str, environ: dict, who: Room):
        return who.name

    async def annotated(sid: SocketID, auth: dict):
        return auth

    async def lenient(sid: SocketID, who: Room | None, spare="unused", **nothing):
        return who, spare

    assert await harness.call(handler, {"name": "Ada"}, kind=HandlerKind.CONNECT) == "Ada"
    assert await harness.call(annotated, {"name": "Ada"}, kind=HandlerKind.CONNECT) == {"name": "Ada"}
    assert await harness.call(lenient, None, kind=HandlerKind.CONNECT) == (None, "unused")
    with pytest.raises(ValidationFailed) as failure:
        await harness.call(handler, None, kind=HandlerKind.CONNECT)
    assert failure.value.detail[0]["loc"] == ["auth"]


def test_a_connect_handler_has_one_payload_argument(harness):
    """A second one could never be filled."""

    def handler(sid: SocketID, first: Room, second: Room):
        raise AssertionError

    with pytest.raises(SignatureError, match="parameter 'second' has nothing to take: a 'connect' handler"):
        harness.compile(handler, HandlerKind.CONNECT)


async def test_disconnect_handlers_get_the_reason(harness):
    """By annotation or by position."""

    async def annotated(reason: Reason, sid: SocketID):
        return sid, reason

    async def positional(sid, reason: str, server: harness.Server):
        return sid, reason

    for handler in (annotated, positional):
        result = await harness.call(handler, kind=HandlerKind.DISCONNECT, reason="transport close")
        assert result == ("sid-1", "transport close")


async def test_catch_all_registrations_put_event_and_namespace_first(harness):
    """The prefix comes before the sid, as in python-socketio."""

    async def handler(namespace: str, event, sid, message: Message):
        return namespace, event, sid, message.text

    endpoint = harness.compile(handler, prefix=("namespace", "event"))

    assert await endpoint.call(harness.context({"text": "hi"})) == ("/chat", "said", "sid-1", "hi")


async def test_exception_handlers_get_the_exception(harness):
    """Un-annotated or annotated with its class, alone or with others."""
    error = ValueError("boom")

    async def bare(exc):
        return exc

    async def annotated(sid: SocketID, problem: ValueError, data: Data):
        return problem

    async def union(server: harness.Server, problem: ValueError | KeyError, sid: SocketID):
        return problem

    async def mixed(exc, message: Message | None, plain: int = 1):
        return exc

    for handler in (bare, annotated, union, mixed):
        assert await harness.call(handler, kind=HandlerKind.EXCEPTION, exc=error) is error


def test_an_exception_handler_cannot_take_an_un_annotated_sid(harness):
    """The payload follows the exception by position, so the sid needs its annotation."""

    def handler(exc, sid):
        raise AssertionError

    with pytest.raises(SignatureError, match="annotate it with SocketID"):
        harness.compile(handler, HandlerKind.EXCEPTION)


def test_an_exception_class_elsewhere_is_refused(harness):
    """An event has no exception."""

    def handler(sid: SocketID, problem: ValueError):
        raise AssertionError

    with pytest.raises(SignatureError, match="parameter 'problem' is no value of this event"):
        harness.compile(handler)


async def call_hook(harness, hook, *args, offered=("event", "sid", "data", "environ"), **named):
    context = harness.context(*args, named=named)
    return await harness.compile(hook, HandlerKind.HOOK, prefix=offered).call(context)


async def test_hooks_get_what_they_name_by_keyword(harness):
    """The context is filtered to the hook's signature."""

    async def hook(event, sid: str, data: Any, environ: dict = None, **kwargs):  # noqa: RUF013 - as the README has it
        return event, sid, data, environ, kwargs

    async def narrow(data, *ignored, limit=5, environ: dict):
        return data, limit, environ

    given = {"event": "said", "sid": "s", "data": 1, "environ": {"k": "v"}}
    wide = ("event", "sid", "data", "environ", "namespace")

    assert await call_hook(harness, hook, **given) == ("said", "s", 1, {"k": "v"}, {})
    assert await call_hook(harness, hook, offered=wide, namespace="/", **given) == (
        "said",
        "s",
        1,
        {"k": "v"},
        {"namespace": "/"},
    )
    assert await call_hook(harness, narrow, **given) == (1, 5, {"k": "v"})


async def test_hooks_are_injected_and_validated(harness):
    """Markers and models work in them as in handlers."""

    async def hook(data: Message, token: str = Header("none", alias="x-token"), who=Depends(lambda: "Ada")):
        return data.text, token, who

    assert await call_hook(harness, hook, data={"text": "hi"}) == ("hi", "none", "Ada")
    with pytest.raises(ValidationFailed) as failure:
        await call_hook(harness, hook, data={"text": 1})
    assert failure.value.detail[0]["loc"] == ["data", "text"]


async def test_a_hook_with_a_default_model_takes_the_default(harness):
    """Nothing was offered under that name."""

    async def hook(data: Message | None = None):
        return data

    assert await call_hook(harness, hook) is None


async def test_a_hook_without_context_gets_defaults(harness):
    """An absent value is None, or the parameter's default."""

    async def hook(event, data="nothing", **kwargs):
        return event, data, kwargs

    context = harness.context()
    endpoint = harness.compile(hook, HandlerKind.HOOK, prefix=("event", "data", "sid"))

    assert await endpoint.call(context) == (None, "nothing", {})


def test_a_hook_that_asks_for_what_is_not_offered_is_refused(harness):
    """The message lists what there is."""

    def hook(data, colour):
        raise AssertionError

    with pytest.raises(SignatureError, match="parameter 'colour' is not one of event, data"):
        harness.compile(hook, HandlerKind.HOOK, prefix=("event", "data"))


def test_a_type_that_cannot_be_validated_is_refused_with_its_parameter(harness):
    """At registration, not at the first event."""

    class Opaque:
        pass

    def handler(sid: SocketID, thing: Opaque):
        raise AssertionError

    with pytest.raises(SignatureError, match=r"chat\.handler: parameter 'thing' cannot be validated"):
        harness.compile(handler)
