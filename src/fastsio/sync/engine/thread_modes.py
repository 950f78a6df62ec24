"""
What each ``async_mode`` of a sync server runs functions in: threads, or the greenlets of gevent or eventlet.

The packages of a mode are imported when the mode is asked for.
"""

from __future__ import annotations

import queue
import threading
import time
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from fastsio.engine.server_base import Background

if TYPE_CHECKING:
    from collections.abc import Callable


class EventletTask:
    """A function that runs in a green thread of eventlet, whose own threads have no ``join()``."""

    def __init__(self, green: Any) -> None:
        self._green = green

    def join(self) -> Any:
        """Wait for the end of the function; return what it returned, or raise what it raised."""
        return self._green.wait()


def is_installed(async_mode: str) -> bool:
    """Return whether the packages of a mode can be imported."""
    try:
        threads_of(async_mode)
    except ImportError:
        return False
    return True


@cache
def threads_of(async_mode: str) -> Background:
    """Return what a mode runs functions in; raise ImportError if a package that it needs is not installed."""
    if async_mode == "threading":
        return Background(_start_thread, time.sleep, queue.Queue, queue.Empty, threading.Event)
    if async_mode == "eventlet":
        return _eventlet()
    if async_mode == "gevent_uwsgi":
        import_module("uwsgi")
    return _gevent()


def _start_thread(target: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> threading.Thread:
    thread = threading.Thread(target=target, args=args, kwargs=kwargs, daemon=True)
    thread.start()
    return thread


def _gevent() -> Background:
    gevent, queues, events = import_module("gevent"), import_module("gevent.queue"), import_module("gevent.event")
    return Background(
        lambda target, args, kwargs: gevent.spawn(target, *args, **kwargs),
        gevent.sleep,
        queues.JoinableQueue,
        queues.Empty,
        events.Event,
    )


def _eventlet() -> Background:
    eventlet, queues = import_module("eventlet"), import_module("eventlet.queue")
    return Background(
        lambda target, args, kwargs: EventletTask(eventlet.spawn(target, *args, **kwargs)),
        eventlet.sleep,
        queues.Queue,
        queues.Empty,
        import_module("eventlet.green.threading").Event,
    )
