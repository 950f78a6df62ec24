# ruff: noqa: B008, D103, PLW0108 - Depends() as a default is what is tested, and a lambda in it
"""How dependencies that FastAPI's Depends marks are run: as FastAPI runs them."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from functools import wraps
from typing import Annotated, Any

import fastapi
import pytest

from fastsio.exceptions import SignatureError
from fastsio.injection import Depends
from fastsio.types import SocketID  # noqa: TC001 - annotations are resolved at run time
from tests.support.waiting import WAIT_S


def thread_id() -> int:
    return threading.get_ident()


class Caller:
    """A class as a dependency; its constructor is a plain function too."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()


async def test_a_plain_function_of_fastapi_runs_in_a_thread_and_one_of_fastsio_in_the_loop(harness):
    """One with a blocking database session stops nobody else; fastsio's own costs no change of threads."""

    async def handler(
        sid: SocketID,
        foreign: Annotated[int, fastapi.Depends(thread_id)],
        made: Annotated[Caller, fastapi.Depends()],
    ):
        return foreign, made.thread

    async def own(sid: SocketID, here: Annotated[int, Depends(thread_id)]):
        return here

    foreign, made = await harness.call(handler)

    assert foreign != threading.get_ident() != made
    assert await harness.call(own) == threading.get_ident()


async def test_a_coroutine_that_a_plain_function_of_fastapi_gives_is_awaited(harness):
    """FastAPI hands the coroutine over; here, where a thread has made it, the handler gets its result too."""

    async def load():
        return "loaded"

    async def handler(sid: SocketID, value=fastapi.Depends(lambda: load())):
        return value

    assert await harness.call(handler) == "loaded"


async def test_a_plain_generator_of_fastapi_is_opened_and_closed_in_threads(harness):
    """The exception of the handler is thrown into it there."""
    log: list[Any] = []

    def session():
        log.append(threading.get_ident())
        try:
            yield "session"
        except ValueError as error:
            log.append(threading.get_ident())
            raise fastapi.HTTPException(404, str(error)) from error

    async def handler(db: Annotated[str, fastapi.Depends(session)]):
        raise ValueError(db)

    with pytest.raises(fastapi.HTTPException, match="session"):
        await harness.compile(handler).call(harness.context())
    assert len(log) == 2
    assert threading.get_ident() not in log


async def test_a_dependency_of_the_connection_runs_in_a_thread_too(harness):
    """What FastAPI's Depends asks for lives as long as what asks for it."""

    def session(thread: Annotated[int, fastapi.Depends(thread_id)]):
        yield thread

    async def handler(thread: Annotated[int, Depends(session, scope="connection")]):
        return thread

    assert await harness.call(handler) != threading.get_ident()
    await harness.client.scope_store.aclose()


def test_on_a_synchronous_server_they_run_in_the_thread_of_the_event(harness):
    """There is a thread for each event anyway."""
    harness.use_threads()

    def handler(sid: SocketID, thread: Annotated[int, fastapi.Depends(thread_id)]):
        return thread

    assert harness.call_sync(handler) == threading.get_ident()


def function(gate: Any, count: Any) -> Any:
    async def dependency():
        count(1)
        await gate.wait()
        count(-1)

    return dependency


def plain(gate: Any, count: Any) -> Any:
    loop = asyncio.get_running_loop()

    def dependency():
        loop.call_soon_threadsafe(count, 1)
        asyncio.run_coroutine_threadsafe(gate.wait(), loop).result(WAIT_S)
        loop.call_soon_threadsafe(count, -1)

    return dependency


def generator(gate: Any, count: Any) -> Any:
    async def dependency():
        count(1)
        yield
        await gate.wait()
        count(-1)

    return dependency


def wrapper(gate: Any, count: Any) -> Any:
    inner = function(gate, count)

    @wraps(inner)
    def dependency():
        return inner()

    return dependency


@pytest.mark.parametrize("kind", [function, plain, generator, wrapper])
async def test_max_concurrency_bounds_how_many_values_there_are(harness, kind):
    """A pool of two connections serves two events at a time; the third waits."""
    gate = asyncio.Event()
    now, most = 0, 0
    two = asyncio.Event()

    def count(change: int) -> None:
        nonlocal now, most
        now += change
        most = max(most, now)
        if now == 2:
            two.set()

    pooled = fastapi.Depends(kind(gate, count), max_concurrency=2)

    async def handler(sid: SocketID, value: Any = pooled):
        return sid

    endpoint = harness.compile(handler)

    async def event() -> None:
        context = harness.context()
        await endpoint.call(context)
        await context.aclose()

    tasks = [asyncio.create_task(event()) for _ in range(5)]
    await asyncio.wait_for(two.wait(), WAIT_S)
    gate.set()
    await asyncio.wait_for(asyncio.gather(*tasks), WAIT_S)

    assert (now, most) == (0, 2)


async def test_max_concurrency_is_given_back_by_a_dependency_that_fails(harness):
    """The next event is served."""
    failures = [ValueError("down"), None]

    async def dependency():
        failure = failures.pop(0)
        if failure is not None:
            raise failure

    async def handler(value: Any = fastapi.Depends(dependency, max_concurrency=1)):
        return "served"

    endpoint = harness.compile(handler)
    with suppress(ValueError):
        await endpoint.call(harness.context())

    assert await asyncio.wait_for(endpoint.call(harness.context()), WAIT_S) == "served"


async def test_routes_and_events_share_max_concurrency(harness):
    """They use the same database."""
    marker = fastapi.Depends(lambda: "value", max_concurrency=3)

    async def handler(value: Any = marker):
        return marker._concurrency.get_semaphore().value

    async def generator():
        yield

    held = fastapi.Depends(generator, max_concurrency=3)

    async def holding(value: Any = held):
        return held._concurrency.get_semaphore().value

    assert await harness.call(handler) == 3
    assert await harness.call(holding) == 2


def test_max_concurrency_is_refused_where_nothing_can_wait_for_it(harness):
    """A synchronous server would pass it over."""
    marker = fastapi.Depends(lambda: "value", max_concurrency=3)

    with pytest.raises(SignatureError, match=r"max_concurrency, which needs an event loop; use a threading\."):
        harness.compile(lambda value=marker: value, asynchronous=False)


def test_max_concurrency_of_an_unknown_fastapi_is_refused(harness):
    """A limit is not passed over in silence."""
    marker = fastapi.Depends(lambda: "value", max_concurrency=3)
    object.__setattr__(marker, "_concurrency", None)

    with pytest.raises(SignatureError, match="use a semaphore of your own"):
        harness.compile(lambda value=marker: value)
