"""
How coroutines wait: the few primitives that differ between asyncio and threads.

``fastsio.sync.concurrency`` has the same names for threads. Modules that ``tools/unasync.py`` translates wait through
these and never use asyncio themselves.
"""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from inspect import isawaitable, iscoroutine
from typing import TYPE_CHECKING, Any, Final, TypeVar

from fastsio.aio.engine.eager import begin_waiting

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractContextManager

T = TypeVar("T")

#: Whether functions of this half are awaited.
ASYNCHRONOUS: Final = True
#: Raised into a task that is cancelled.
Cancelled = asyncio.CancelledError
Event = asyncio.Event
Lock = asyncio.Lock
_NO_LOCK: Final = nullcontext()


class _Early:
    """For threads: the request that was begun for an event before its thread. With asyncio it is always None."""

    value: Any = None


early: Final = _Early()


async def wait_event(event: Any, timeout_s: float | None = None) -> bool:
    """Wait until *event* is set, at most *timeout_s* seconds; return whether it was set in time."""
    if event.is_set():
        return True
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return False
    return True


async def resolved(value: Any) -> Any:
    """Return *value*; if it is an awaitable, await it and return its result."""
    return await value if isawaitable(value) else value


def begun(function: Callable[..., Awaitable[None]], *args: Any) -> Awaitable[None] | None:
    """Call a coroutine function of fastsio and run it to its first wait; return the rest, or None if it returned."""
    return begin_waiting(function(*args))


async def outcome(call: Awaitable[T]) -> T:
    """
    Wait for a function of the application, and return what it returns.

    Raises:
        RuntimeError: It raised the CancelledError of another task; see :func:`failure_of`.
    """
    try:
        return await call
    except Cancelled as error:
        raise failure_of(error) from error


async def answered(call: Awaitable[Any]) -> Any:
    """
    Wait for a function of the application that decides something, and return its answer.

    A coroutine that a plain function returns is awaited, because it would otherwise count as true and never run. A task
    is not awaited, because it runs by itself.
    """
    answer = await outcome(call)
    return await outcome(answer) if iscoroutine(answer) else answer


async def sleep(seconds: float) -> None:
    """Wait without keeping others from running."""
    await asyncio.sleep(seconds)


def cancel(task: Any) -> None:
    """Ask a background task to end early."""
    task.cancel()


async def join(task: Any) -> None:
    """Wait until a background task is over; how it ended is not raised here."""
    await asyncio.wait([task])


def is_current(task: Any) -> bool:
    """Whether the caller runs in *task*."""
    return asyncio.current_task() is task


def failure_of(error: BaseException) -> Exception:
    """
    Return the error of a function of the application, as an Exception.

    A CancelledError ends the running task only if this task was cancelled. Otherwise the function has waited for
    another task, which was cancelled, and the error is one like any other.

    Raises:
        BaseException: *error* itself, if it is meant for the running task.
    """
    if isinstance(error, Exception):
        return error
    task = asyncio.current_task()
    if not isinstance(error, Cancelled) or (task is not None and task.cancelling()):
        raise error
    return RuntimeError("what was waited for was cancelled")


def guard() -> AbstractContextManager[Any]:
    """Return the lock of tables: one that does nothing, because tasks switch only where code awaits."""
    return _NO_LOCK


async def bounded(timeout_s: float, function: Any, *args: Any) -> Any:
    """Call a coroutine function, and cancel it after *timeout_s* seconds with a TimeoutError."""
    async with asyncio.timeout(timeout_s):
        return await function(*args)


async def stop(task: Any) -> None:
    """Cancel a background task, and wait until it has ended."""
    task.cancel()
    await asyncio.wait([task])
