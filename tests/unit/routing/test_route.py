"""How a handler is called on a server without an event loop, with what stands around it."""

from __future__ import annotations

import asyncio
from typing import Annotated

import pytest

from fastsio import Depends, SocketID, SyncMiddleware
from fastsio.base.server import BaseServer
from fastsio.routing import CLIENT, Registration, Registry, Scope
from fastsio.routing.middleware import detached_context


class Doubling(SyncMiddleware):
    """Changes what goes in and what comes out."""

    def before_event(self, data):
        return data * 2

    def after_event(self, response):
        return f"<{response}>"


class Waiting(SyncMiddleware):
    """Has a plain hook that gives a coroutine, and that one waits."""

    def before_event(self, data):
        return asyncio.sleep(0, data)


def call(handler, *middlewares, data="a"):
    """Call a handler as a server without an event loop does."""
    registry = Registry(asynchronous=False)
    for middleware in middlewares:
        registry.add_middleware(middleware, Scope.of(middleware))
    registry.add(Registration("/", "e", handler))
    return registry.resolve("/", "e").call(detached_context("e", "s1", data, server=BaseServer()))


def test_a_handler_alone_is_called():
    """Without any coroutine."""
    assert call(lambda sid, data: (sid, data)) == ("s1", "a")


def test_an_injected_handler_is_called_with_its_dependencies():
    """Markers mean the same without an event loop."""

    def shout(sid: SocketID, word: Annotated[str, Depends(lambda: "hi")]) -> str:
        return f"{sid} {word}"

    assert call(shout) == "s1 hi"


def test_middlewares_run_around_it():
    """The first that was added is the outermost."""
    assert call(lambda sid, data: data, Doubling(), Doubling()) == "<<aaaa>>"


def test_a_hook_that_returns_a_coroutine_is_an_error():
    """It names the hook; nothing is left that was never awaited."""
    with pytest.raises(
        TypeError, match=r"^Waiting\.before_event: returned a coroutine, which a sync server cannot await"
    ):
        call(lambda sid, data: data, Waiting())


def test_a_handler_that_returns_a_coroutine_is_an_error():
    """Likewise for one with markers, whose result would be the acknowledgement."""

    def handler(sid: SocketID):
        return asyncio.sleep(0)

    with pytest.raises(TypeError, match=r"handler: returned a coroutine, which a sync server cannot await"):
        call(handler)


def test_a_middleware_that_waits_is_an_error():
    """A server without an event loop cannot come back to it; the error says what to use."""

    class Promise:
        def __await__(self):
            yield

    class Around(SyncMiddleware):
        def __call__(self, handler):
            return Promise()

    with pytest.raises(RuntimeError, match=r"middleware of 'e' waits for a coroutine.*use SyncMiddleware"):
        call(lambda sid, data: data, Around())


def test_what_a_handler_raises_comes_out():
    """Through the middlewares, as it is."""

    def fail(sid, data):
        raise LookupError(data)

    with pytest.raises(LookupError, match="aa"):
        call(fail, Doubling())


def test_a_route_tells_how_many_arguments_its_handler_takes():
    """Those of the event, without the names that a catch-all handler gets first."""
    registry = Registry(asynchronous=False, role=CLIENT)
    registry.add(Registration("/", "e", lambda data: data))
    registry.add(Registration("/", "*", lambda event, first, second=None: event))

    assert [registry.resolve("/", "e").accepts(count) for count in range(3)] == [False, True, False]
    assert [registry.resolve("/", "other").accepts(count) for count in range(4)] == [False, True, True, False]
