# ruff: noqa: B008, TC001 - Depends() as a default is what is tested; models and handlers here are examples; annotations are resolved at run time
"""The context of one event."""

from __future__ import annotations

import asyncio

from fastsio.injection import Depends
from fastsio.types import Data


async def test_closing_a_context_that_opened_nothing_does_nothing(harness):
    """Most events have no generator to close."""
    context = harness.context()

    await context.aclose()
    context.close()

    assert context.stack is None


async def test_generators_stay_open_until_the_context_is_closed(harness):
    """The acknowledgement is sent between the handler and the end of its dependencies."""
    log = []

    async def database():
        log.append("open")
        yield "db"
        log.append("closed")

    def transaction(db=Depends(database)):
        yield db
        log.append("committed")

    async def handler(db=Depends(transaction)):
        log.append(db)

    context = harness.context()

    await harness.compile(handler).call(context)
    log.append("ack")
    await context.aclose()
    await context.aclose()

    assert log == ["open", "db", "ack", "committed", "closed"]


async def test_the_exception_is_thrown_into_the_generators(harness):
    """A dependency can roll back."""
    seen = []

    def database():
        try:
            yield
        except ValueError as error:
            seen.append(error)
            raise

    context = harness.context()
    error = ValueError("boom")
    await harness.compile(lambda db=Depends(database): None).call(context)

    await context.aclose(error)

    assert seen == [error]


async def test_cancellation_is_thrown_into_the_generators(harness):
    """A cancelled event closes what it opened, and each dependency sees why."""
    seen = []

    async def database():
        try:
            yield
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    context = harness.context()
    await harness.compile(lambda db=Depends(database): None).call(context)

    await context.aclose(asyncio.CancelledError())

    assert seen == ["cancelled"]


def test_a_sync_server_closes_generators_too(harness):
    """close() is aclose() without an event loop."""
    log = []

    def database():
        yield "db"
        log.append("closed")

    result = harness.call_sync(lambda db=Depends(database): db)

    assert (result, log) == ("db", ["closed"])


async def test_endpoints_of_one_event_share_resolved_values(harness):
    """use_cache is per event: a middleware and the handler get the same object."""
    calls = []

    async def user():
        calls.append("user")
        return object()

    async def hook(who=Depends(user)):
        return who

    context = harness.context()

    first = await harness.compile(hook).call(context)
    second = await harness.compile(hook).call(context)

    assert first is second
    assert calls == ["user"]


async def test_values_made_from_the_payload_are_not_shared_between_endpoints(harness):
    """A middleware may have replaced the payload in between."""

    async def text(data: Data):
        return data

    async def outer(value=Depends(text)):
        return value

    async def handler(value=Depends(outer)):
        return value

    context = harness.context("raw")
    endpoint = harness.compile(handler)
    before = await endpoint.call(context)
    context.args = ("cleaned",)

    after = await endpoint.call(context)

    assert (before, after) == ("raw", "cleaned")
