"""The context of one event."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager

import pytest

from fastsio.injection import Depends
from fastsio.injection.context import unwind, unwind_async
from fastsio.types import Data  # noqa: TC001 - annotations are resolved at run time

# ruff: noqa: B008 - Depends() as a default is what is tested; models and handlers here are examples


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


@pytest.mark.parametrize("error", [None, ValueError("failed")])
async def test_arun_calls_an_endpoint_and_closes_the_context(harness, error):
    """Generators see how the call ended, and the caller gets the result or the exception."""
    seen = []

    async def database():
        try:
            yield "db"
        except ValueError as exc:
            seen.append(exc)
            raise
        seen.append("closed")

    async def handler(db=Depends(database)):
        if error is not None:
            raise error
        return db

    call = harness.context().arun(harness.compile(handler).call)
    if error is None:
        assert (await call, seen) == ("db", ["closed"])
    else:
        with pytest.raises(ValueError, match="failed"):
            await call
        assert seen == [error]


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


class Recorder:
    """Opens managers that write down how they are left."""

    def __init__(self):
        self.log = []

    def open(self, name, *, swallow=False, replace=None):
        @contextmanager
        def manager():
            try:
                yield
            except BaseException as error:
                self.log.append((name, type(error)))
                if replace is not None:
                    raise replace from error
                if not swallow:
                    raise
            else:
                self.log.append((name, None))
                if replace is not None:
                    raise replace

        entered = manager()
        entered.__enter__()
        return entered

    async def open_async(self, name):
        @asynccontextmanager
        async def manager():
            try:
                yield
            except BaseException as error:
                self.log.append((name, type(error)))
                raise
            else:
                self.log.append((name, None))

        entered = manager()
        await entered.__aenter__()
        return entered


def test_managers_are_left_in_reverse_order():
    """What was opened last may depend on what was opened first."""
    recorder = Recorder()

    unwind([recorder.open("first"), recorder.open("second")])

    assert recorder.log == [("second", None), ("first", None)]


def test_the_exception_reaches_every_manager_and_is_not_raised_again():
    """Who throws it in has it already."""
    recorder = Recorder()

    unwind([recorder.open("first"), recorder.open("second")], ValueError())

    assert recorder.log == [("second", ValueError), ("first", ValueError)]


def test_a_manager_that_swallows_does_not_hide_the_failure_from_the_others():
    """A transaction must not be committed because a logger was content."""
    recorder = Recorder()

    unwind([recorder.open("database"), recorder.open("logger", swallow=True)], ValueError())

    assert recorder.log == [("logger", ValueError), ("database", ValueError)]


def test_a_failing_manager_does_not_keep_the_others_open():
    """Its error is thrown into those that remain, and raised at the end."""
    recorder = Recorder()

    with pytest.raises(KeyError):
        unwind([recorder.open("first"), recorder.open("second", replace=KeyError("x"))])

    assert recorder.log == [("second", None), ("first", KeyError)]


def test_a_replaced_exception_is_what_comes_out():
    """A dependency may translate an error."""
    recorder = Recorder()

    with pytest.raises(PermissionError):
        unwind([recorder.open("first", replace=PermissionError())], ValueError())


async def test_both_colours_are_left_in_one_order():
    """Generators and async generators share one stack."""
    recorder = Recorder()
    managers = [recorder.open("sync"), await recorder.open_async("async")]

    await unwind_async(managers, ValueError())

    assert recorder.log == [("async", ValueError), ("sync", ValueError)]


async def test_a_failing_manager_does_not_keep_async_ones_open():
    """The rule holds for both colours."""
    recorder = Recorder()
    managers = [await recorder.open_async("async"), recorder.open("sync", replace=KeyError("x"))]

    with pytest.raises(KeyError):
        await unwind_async(managers)

    assert recorder.log == [("sync", None), ("async", KeyError)]
