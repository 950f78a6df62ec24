"""What is left of an awaitable that was run, in no task, to its first wait."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar, copy_context

import pytest

from fastsio.aio.engine.eager import DONE, Rest, begin_waiting

NAME: ContextVar[str] = ContextVar("NAME", default="none")


async def waiting(log: list[str], future: asyncio.Future[str]) -> None:
    """Note how the wait for *future* ends."""
    try:
        log.append(await future)
    except BaseException as error:
        log.append(f"{type(error).__name__} in {NAME.get()}")
        raise


async def test_what_is_over_at_once_leaves_nothing():
    """An awaitable that does not wait has no rest."""

    async def work() -> None:
        """Return."""

    assert begin_waiting(work()) is None


async def test_the_rest_goes_on_with_what_was_waited_for():
    """The result of the future arrives where it was awaited."""
    log: list[str] = []
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    rest = begin_waiting(waiting(log, future))
    assert rest is not None

    future.set_result("result")
    await rest

    assert log == ["result"]


@pytest.mark.parametrize("has_context", [False, True])
async def test_a_rest_that_is_not_awaited_to_its_end_closes_the_awaitable(has_context):
    """Its cleanup runs, in its own context."""
    log: list[str] = []
    context = copy_context()
    context.run(NAME.set, "context")
    iterator = waiting(log, asyncio.get_running_loop().create_future()).__await__()
    waited = context.run(next, iterator, DONE)
    running = Rest(iterator, waited, context if has_context else None).__await__()
    next(running)

    running.close()

    assert log == [f"GeneratorExit in {'context' if has_context else 'none'}"]


async def test_a_rest_whose_awaitable_was_closed_before_is_closed_without_an_error():
    """The garbage collector closes what is in a circle in any order."""
    coroutine = waiting([], asyncio.get_running_loop().create_future())
    iterator = coroutine.__await__()
    running = Rest(iterator, next(iterator)).__await__()
    next(running)
    coroutine.close()

    running.close()


async def test_an_iterator_without_close_is_left_alone():
    """Awaitables that are no coroutines may have plain iterators."""
    running = Rest(iter([None, None]), None).__await__()
    next(running)

    running.close()
