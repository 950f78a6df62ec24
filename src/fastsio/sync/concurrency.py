"""
How threads wait: the names of :mod:`fastsio.aio.concurrency`, for threads and for what patches them.

Written by hand. All waiting of generated modules is done by these functions.
"""

from __future__ import annotations

import threading
import time
from inspect import iscoroutine
from typing import TYPE_CHECKING, Any, Final, TypeVar

from fastsio.injection import refuse_coroutine as refuse_coroutine  # noqa: PLC0414 - generated modules read it here

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

T = TypeVar("T")

#: Whether functions of this half are awaited.
ASYNCHRONOUS: Final = False


class Cancelled(BaseException):
    """Never raised: a thread cannot be cancelled."""


Event = threading.Event
Lock = threading.Lock


class _Early(threading.local):
    """In the thread that handles an event: what the thread that received it has begun for it, and its ticket."""

    value: Any = None
    ticket: Any = None


early: Final = _Early()


def wait_event(event: Any, timeout_s: float | None = None) -> bool:
    """Wait until *event* is set, at most *timeout_s* seconds; return whether it was set in time."""
    event.wait(timeout_s)
    return bool(event.is_set())


def resolved(value: Any) -> Any:
    """Return *value*."""
    return value


def begun(function: Any, *args: Any) -> Any:
    """Call a function of fastsio and return what it returns."""
    return function(*args)


def outcome(result: T) -> T:
    """Return what a function of the application returned."""
    return result


def answered(result: T) -> T:
    """
    Return what a function of the application that decides something returned.

    Raises:
        TypeError: That is a coroutine, which would pass for yes and never run.
    """
    if iscoroutine(result):
        refuse_coroutine(result, "a function of the application")
    return result


def sleep(seconds: float) -> None:
    """Wait without keeping other threads from running."""
    time.sleep(seconds)


def cancel(task: Any) -> None:
    """Do nothing: a thread runs to its end."""


def join(task: Any) -> None:
    """Wait until a background thread is over."""
    task.join()


def is_current(task: Any) -> bool:
    """Whether the caller runs in *task*."""
    return task is threading.current_thread()


def failure_of(error: BaseException) -> Exception:
    """
    Return what a function of the application failed with.

    Raises:
        BaseException: *error* itself, if it is no Exception.
    """
    if isinstance(error, Exception):
        return error
    raise error


def guard() -> AbstractContextManager[Any]:
    """Return the lock that guards a table."""
    return threading.RLock()


def bounded(timeout_s: float, function: Any, *args: Any) -> Any:  # noqa: ARG001 - as with asyncio
    """Call a function; a thread cannot be interrupted, so what may hang in it must have a timeout of its own."""
    return function(*args)


def stop(task: Any) -> None:
    """Do nothing: a thread cannot be interrupted; one that waits for ever ends with the program."""
