# ruff: noqa: B008 - Depends() as a default is what is tested
"""When dependencies are closed: at the end of the event, of the call, or by the call that fails."""

from __future__ import annotations

import asyncio
from typing import Any

import fastapi
import pytest

from fastsio.exceptions import SignatureError
from fastsio.injection import Depends, HandlerKind
from fastsio.types import SocketID  # noqa: TC001 - annotations are resolved at run time
from tests.support.waiting import WAIT_S


class DeniedError(Exception):
    """What a dependency raises in place of another exception."""


def recorder(log: list[Any], *, name: str = "it", raises: type[Exception] | None = None) -> Any:
    """Return a generator that logs how it ends."""

    def dependency():
        try:
            yield name
        except ValueError as error:
            log.append((name, str(error)))
            if raises is None:
                raise
            raise raises from error
        else:
            log.append((name, "closed"))

    return dependency


async def test_a_call_that_fails_closes_what_it_opened(harness):
    """So a middleware or an exception handler finds the transaction rolled back."""
    log: list[Any] = []

    async def handler(sid: SocketID, value: str = Depends(recorder(log))):
        raise ValueError("bad")

    context = harness.context()
    with pytest.raises(ValueError, match="bad"):
        await harness.compile(handler).call(context)

    assert log == [("it", "bad")]
    assert context.stack is None
    assert context.values == {}


async def test_what_a_dependency_raises_takes_the_place_of_the_failure(harness):
    """The outer dependencies, and the client, are told of the translation."""
    log: list[Any] = []

    def outer():
        try:
            yield
        except Exception as error:
            log.append(type(error))
            raise

    async def handler(one: str = Depends(outer), two: str = Depends(recorder(log, raises=DeniedError))):
        raise ValueError("bad")

    with pytest.raises(DeniedError) as raised:
        await harness.compile(handler).call(harness.context())

    assert log == [("it", "bad"), DeniedError]
    assert str(raised.value.__cause__) == "bad"


def test_a_call_that_fails_in_a_thread_closes_what_it_opened(harness):
    """The synchronous server does the same."""
    log: list[Any] = []
    harness.use_threads()

    def handler(value: str = Depends(recorder(log, raises=DeniedError))):
        raise ValueError("bad")

    with pytest.raises(DeniedError):
        harness.compile(handler, asynchronous=False).call_sync(harness.context())
    assert log == [("it", "bad")]


async def test_what_another_endpoint_of_the_event_opened_stays_open(harness):
    """A hook of a middleware closes its own dependencies with the event."""
    log: list[Any] = []
    outer, inner = recorder(log, name="outer"), recorder(log, name="inner")

    def hook(value: str = Depends(outer)):
        return value

    async def handler(one: str = Depends(outer), two: str = Depends(inner)):
        raise ValueError("bad")

    context = harness.context()
    await harness.compile(hook, HandlerKind.HOOK).call(context)
    with pytest.raises(ValueError, match="bad"):
        await harness.compile(handler).call(context)

    assert log == [("inner", "bad")]
    assert list(context.values) == [outer]
    await context.aclose()
    assert log == [("inner", "bad"), ("outer", "closed")]


async def test_scope_function_closes_when_the_handler_has_returned(harness):
    """What belongs to the event closes later; a value that was closed is not given to another endpoint."""
    log: list[Any] = []
    brief, lasting = recorder(log, name="brief"), recorder(log, name="lasting")

    async def handler(
        one: str = Depends(lasting),
        two: str = Depends(brief, scope="function"),
        three: str = Depends(recorder(log, name="other"), scope="function"),
    ):
        log.append("handler")

    context = harness.context()
    await harness.compile(handler).call(context)

    assert log == ["handler", ("other", "closed"), ("brief", "closed")]
    assert list(context.values) == [lasting]
    await context.aclose()
    assert log[-1] == ("lasting", "closed")


async def test_an_exception_while_scope_function_closes_is_the_failure_of_the_event(harness):
    """A commit that fails is answered, and what belongs to the event is told of it."""
    log: list[Any] = []

    def session():
        yield
        raise ValueError("the commit was refused")

    async def handler(one: str = Depends(recorder(log)), two: None = Depends(session, scope="function")):
        return "saved"

    with pytest.raises(ValueError, match="refused"):
        await harness.compile(handler).call(harness.context())
    assert log == [("it", "the commit was refused")]


def test_scope_function_on_a_synchronous_server(harness):
    """It closes before call_sync returns."""
    log: list[Any] = []
    harness.use_threads()

    def handler(one: str = Depends(recorder(log), scope="function")):
        log.append(one)

    harness.compile(handler, asynchronous=False).call_sync(harness.context())

    assert log == ["it", ("it", "closed")]


async def test_an_endpoint_inside_another_shares_what_lives_as_long_as_the_outer_call(harness):
    """An around middleware keeps its value until the handler inside of it has returned."""
    log: list[Any] = []
    brief = recorder(log)

    async def inner(value: str = Depends(brief, scope="function")):
        log.append("inner")

    inside = harness.compile(inner)
    context = harness.context()

    async def outer(value: str = Depends(brief, scope="function")):
        await inside.call(context)
        log.append("outer")

    await harness.compile(outer).call(context)

    assert log == ["inner", "outer", ("it", "closed")]


def test_a_generator_of_the_event_cannot_depend_on_scope_function(harness):
    """Its value would be closed before what follows the other's yield."""

    def brief():
        yield

    def lasting(inner: None = Depends(brief, scope="function")):
        yield

    def plain(inner: None = Depends(brief, scope="function")): ...

    harness.compile(lambda value=Depends(plain): value)
    harness.compile(lambda value=Depends(lasting, scope="function"): value)
    with pytest.raises(SignatureError, match=r"'inner' depends on .*brief, which scope='function' closes before"):
        harness.compile(lambda value=Depends(lasting): value)
    with pytest.raises(SignatureError, match="lives for one event only"):
        harness.compile(lambda value=Depends(plain, scope="connection"): value)


async def test_fastapis_scopes_mean_the_same(harness):
    """``scope="request"`` lives as long as the event."""
    log: list[Any] = []

    async def handler(
        one: str = fastapi.Depends(recorder(log, name="brief"), scope="function"),
        two: str = fastapi.Depends(recorder(log, name="lasting"), scope="request"),
    ):
        log.append("handler")

    context = harness.context()
    await harness.compile(handler).call(context)
    log.append("answered")
    await context.aclose()

    assert log == ["handler", ("brief", "closed"), "answered", ("lasting", "closed")]


async def test_what_the_client_is_told_of_an_event_that_failed_after_its_handler(harness):
    """An acknowledgement that cannot be written, say: the open dependencies may translate it."""
    context = harness.context()
    failure = ValueError("bad")

    await harness.compile(lambda value=Depends(recorder([])): value).call(context)
    assert await context.afail(failure) is failure
    await harness.compile(lambda value=Depends(recorder([], raises=DeniedError)): value).call(context)
    assert isinstance(await context.afail(failure), DeniedError)

    harness.use_threads()
    harness.compile(lambda value=Depends(recorder([])): value, asynchronous=False).call_sync(context)
    assert context.fail(failure) is failure
    harness.compile(lambda value=Depends(recorder([], raises=DeniedError)): value, asynchronous=False).call_sync(
        context
    )
    assert isinstance(context.fail(failure), DeniedError)


async def test_cancellation_closes_what_the_call_opened(harness):
    """It is thrown into the generators, as every other exception."""
    log: list[Any] = []
    started = asyncio.Event()

    async def resource():
        try:
            yield
        finally:
            log.append("closed")

    async def handler(value: None = Depends(resource)):
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(harness.compile(handler).call(harness.context()))
    await asyncio.wait_for(started.wait(), WAIT_S)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert log == ["closed"]
