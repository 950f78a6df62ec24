# ruff: noqa: B008, D103 - Depends() as a default is what is tested; models and handlers here are examples
"""Modes, forms of functions, and mistakes found at registration."""

from __future__ import annotations

import functools
from typing import Annotated, Any
from unittest.mock import AsyncMock

import pytest
from pydantic import BaseModel

from fastsio.exceptions import SignatureError
from fastsio.injection import Depends, HandlerKind, ResponseValidationError, compile_endpoint
from fastsio.state.recovery import Recovered
from fastsio.types import Auth, Data, Reason, SocketID


class Message(BaseModel):
    text: str


class Point:
    """A class of the application that means nothing to validation."""


def plain_handlers():
    def positional(sid, data):
        raise AssertionError

    def typed(sid: str, data: dict):
        raise AssertionError

    def scalar(sid, count: int, *args: Any, **kwargs: Any):
        raise AssertionError

    def noted(sid, data: "what the user typed"):  # noqa: F722 - an annotation that is no type
        raise AssertionError

    return [positional, typed, scalar, noted, print]


@pytest.mark.parametrize("handler", plain_handlers())
def test_a_handler_without_markers_is_plain(harness, handler):
    """It is a python-socketio handler, whatever else its annotations say."""
    assert harness.compile(handler).plain


@pytest.mark.parametrize(
    "annotation",
    [SocketID, Data, Message, Message | None, list[Message], Annotated[Message, "note"], SocketID | None],
)
def test_one_marker_makes_the_whole_handler_injected(harness, annotation):
    """Models count, also inside Optional, lists and Annotated."""

    def handler(first, second):
        raise AssertionError

    handler.__annotations__["second"] = annotation

    assert not harness.compile(handler).plain


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (Auth, "parameter 'what' is annotated Auth, which is only available in 'connect' handlers"),
        (Reason, "parameter 'what' is annotated Reason, which is only available in 'disconnect' handlers"),
        (Recovered, "parameter 'what' is annotated Recovered, which is only available in 'connect' handlers"),
    ],
)
@pytest.mark.parametrize("asynchronous", [True, False])
def test_auth_reason_and_recovered_outside_their_handlers_are_refused(harness, annotation, message, asynchronous):
    """The same rule for both servers, and through dependencies."""

    def handler(what):
        raise AssertionError

    handler.__annotations__["what"] = annotation

    with pytest.raises(SignatureError, match=message):
        harness.compile(handler, asynchronous=asynchronous)
    with pytest.raises(SignatureError, match=message):
        harness.compile(lambda inner=Depends(handler): inner, asynchronous=asynchronous)


def test_a_coroutine_function_is_refused_by_a_sync_server(harness):
    """It would never run."""

    async def handler(sid):
        raise AssertionError

    with pytest.raises(SignatureError, match=r"chat\.handler: is a coroutine function"):
        harness.compile(handler, asynchronous=False)


async def test_methods_partials_callable_objects_and_wrapped_functions_work(harness):
    """Whatever can be called can be a handler."""

    class Namespace:
        async def on_said(self, sid: SocketID, message: Message):
            return sid, message.text

    class Callable:
        async def __call__(self, sid: SocketID, message: Message):
            return sid, message.text

    async def with_extra(extra, sid: SocketID, message: Message, *, level):
        return sid, message.text

    def logged(function):
        @functools.wraps(function)
        def wrapper(*args):
            return function(*args)

        return wrapper

    handlers = [
        Namespace().on_said,
        Callable(),
        functools.partial(with_extra, "extra", level=3),
        logged(Namespace().on_said),
        logged(lambda sid, message: (sid, message["text"])),
    ]

    results = [await harness.call(handler, {"text": "hi"}) for handler in handlers]

    assert results == [("sid-1", "hi")] * 5


def test_objects_that_declare_themselves_coroutine_functions_are_awaited(harness):
    """AsyncMock is how applications test their registrations."""
    assert harness.compile(AsyncMock()).is_coroutine


async def test_a_wrapped_handler_may_return_without_awaiting(harness):
    """A decorator may answer in place of the function it wraps."""

    def cached(function):
        @functools.wraps(function)
        def wrapper(*args):
            return "cached"

        return wrapper

    @cached
    async def handler(sid: SocketID):
        raise AssertionError

    endpoint = harness.compile(handler)

    assert endpoint.is_coroutine
    assert await endpoint.call(harness.context()) == "cached"


async def test_dependencies_of_the_registration_run_first_and_are_dropped(harness):
    """They guard a handler without appearing in its signature."""
    log = []

    async def guard(sid: SocketID):
        log.append(sid)

    async def handler(sid, data):
        return sid, data

    endpoint = harness.compile(handler, dependencies=[Depends(guard)])

    assert not endpoint.plain
    assert await endpoint.call(harness.context("hi")) == ("sid-1", "hi")
    assert log == ["sid-1"]


def test_dependencies_must_be_depends_objects(harness):
    """A bare function is a mistake that is easy to make."""
    with pytest.raises(SignatureError, match=r"chat\.handler: dependencies=\[\.\.\.\] takes Depends"):
        harness.compile(lambda sid: None, dependencies=[print])


@pytest.mark.parametrize(
    ("handler", "kind", "expected"),
    [
        (lambda sid, environ: (sid, environ), HandlerKind.CONNECT, ("sid-1", {})),
        (lambda sid, environ, auth: (sid, auth), HandlerKind.CONNECT, ("sid-1", None)),
        (lambda *args: args, HandlerKind.CONNECT, ("sid-1", {}, None)),
        (lambda sid: sid, HandlerKind.DISCONNECT, "sid-1"),
        (lambda sid, reason: (sid, reason), HandlerKind.DISCONNECT, ("sid-1", "gone")),
        (lambda sid, *args: (sid, args), HandlerKind.EVENT, ("sid-1", ())),
    ],
)
async def test_a_plain_handler_called_through_a_plan_gets_what_python_socketio_passes(harness, handler, kind, expected):
    """Its arity is read from the signature, never guessed by catching TypeError."""
    endpoint = harness.compile(handler, kind, dependencies=[Depends(lambda: None)])

    assert await endpoint.call(harness.context(reason="gone")) == expected


async def test_response_model_validates_and_dumps(harness):
    """What leaves the server is what the model says."""

    async def handler(sid, text):
        return {"text": text, "secret": 1}

    endpoint = harness.compile(handler, response_model=Message)

    assert await endpoint.call(harness.context("hi")) == {"text": "hi"}
    with pytest.raises(ResponseValidationError, match=r"chat\.handler returned what its response_model does not allow"):
        await endpoint.call(harness.context(5))


def test_the_label_defaults_to_the_name_of_the_function():
    """Messages must name something."""

    def handler(auth: Auth):
        raise AssertionError

    with pytest.raises(SignatureError, match="handler: parameter 'auth'"):
        compile_endpoint(handler, kind=HandlerKind.EVENT, asynchronous=True)
    assert compile_endpoint(Point, kind=HandlerKind.EVENT, asynchronous=True).label == "Point"
