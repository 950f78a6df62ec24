"""Events that something decides about before their handler."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from fastsio import AsyncNamespace, BaseMiddleware, Depends, RouterSIO, SyncMiddleware
from fastsio.exceptions import SetupError
from fastsio.routing import Guard, Registration, Registry, RouterScope, Scope, check_rooms
from fastsio.routing.middleware import Wrapper
from tests.unit.injection.conftest import Harness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastsio.injection import Context


class Guards:
    """Keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    async def guard(self, context: Context, own: Any) -> Any:
        self.asked.append(context.event)
        return "guarded" if own is None else ("guarded", await own(context))

    def guard_sync(self, context: Context, own: Any) -> Any:
        return "guarded" if own is None else ("guarded", own(context))


def deciding(decide: Any) -> Guard:
    """Return a guard that does nothing when the event arrives."""
    return Guard(decide, nullcontext)


@pytest.fixture
def guards() -> Guards:
    """Return what decides."""
    return Guards()


@pytest.fixture
def registry() -> Registry:
    """Return an empty registry."""
    return Registry(asynchronous=True)


async def call(registry: Registry, event: str, namespace: str = "/") -> Any:
    """Call the route of an event."""
    route = registry.resolve(namespace, event)
    assert route is not None
    assert route.is_plain is False
    return await route.call(Harness().context({"x": 1}, event=event))


async def test_a_guard_needs_no_handler(registry, guards):
    """It answers alone, and its namespace is open."""
    assert not registry.accepts("/", [])
    registry.add_guard("/", "join", deciding(guards.guard), ())

    assert await call(registry, "join") == "guarded"
    assert registry.accepts("/", [])
    assert registry.resolve("/", "join") is registry.resolve("/", "join")
    assert registry.resolve("/", "other") is None
    assert registry.resolve("/n", "join") is None


async def test_a_guard_is_around_whatever_handles_the_event(registry, guards):
    """A function, one for every namespace, a method, a dispatcher; not a handler for every event."""
    registry.add_guard("/", "join", deciding(guards.guard), ())

    class Methods(AsyncNamespace):
        async def on_join(self, sid, data):
            return "method"

    class Empty(AsyncNamespace):
        pass

    class Dispatching(AsyncNamespace):
        async def trigger_event(self, event, *args):
            return "dispatched", event

    registry.add(Registration("/", "*", lambda *_: "anything"))
    assert await call(registry, "join") == "guarded"
    for namespace, answer in (
        (Empty("/"), "guarded"),
        (Methods("/"), "method"),
        (Dispatching("/"), ("dispatched", "join")),
    ):
        registry.add(Registration("/", None, namespace))
        assert await call(registry, "join") == (answer if answer == "guarded" else ("guarded", answer))
    registry.add(Registration("*", "join", lambda namespace, sid, data: "everywhere"))
    assert await call(registry, "join") == ("guarded", "everywhere")
    registry.add(Registration("/", "join", lambda sid, data: ("function", sid)))
    assert await call(registry, "join") == ("guarded", ("function", "sid-1"))


async def test_routers_and_middlewares_are_around_the_guard(registry, guards):
    """Each once, after the arrival; dependencies after middlewares, those of another router around the handler only."""
    steps: list[Any] = []

    class Noting(BaseMiddleware):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def before_event(self, event, sid, data, **_):
            steps.append(self.name)
            return data

    class Stepping(Guards):
        async def guard(self, context, own):
            steps.append("guard")
            return await own(context)

    def scope_of(name: str) -> RouterScope:
        middleware = Noting(name)
        marker = Depends(lambda: steps.append(f"depends of {name}"))
        return RouterScope(((Scope.of(middleware), Wrapper.of(middleware)),), (marker,))

    @contextmanager
    def arriving(context: Context) -> Iterator[None]:
        steps.append("arrival")
        yield
        steps.append("end")

    rooms, handlers = scope_of("rooms"), scope_of("handlers")
    registry.add_middleware(Noting("server"), Scope())
    registry.add_guard("/", "join", Guard(Stepping().guard, arriving), (rooms,))
    registry.add(Registration("/", "join", lambda sid, data: steps.append("handler"), scopes=(handlers, rooms)))
    await call(registry, "join")

    around = ["server", "rooms", "depends of rooms", "guard", "handlers", "depends of handlers", "handler"]
    assert steps == ["arrival", *around, "end"]
    route = registry.resolve("/", "join")
    assert route is not None
    assert route.scopes == (handlers, rooms)


def test_a_server_without_an_event_loop_calls_guards(guards):
    """With middlewares and without."""
    registry = Registry(asynchronous=False)
    registry.add_guard("/", "join", deciding(guards.guard_sync), ())
    registry.add(Registration("/", "leave", lambda sid, data: "handler"))
    registry.add_guard("/", "leave", deciding(guards.guard_sync), ())

    class Noting(SyncMiddleware):
        def after_event(self, event, sid, response, **_):
            return "noted", response

    join, leave = registry.resolve("/", "join"), registry.resolve("/", "leave")
    assert join is not None
    assert leave is not None
    harness = Harness()
    assert join.call(harness.context({})) == "guarded"
    assert leave.call(harness.context({})) == ("guarded", "handler")
    registry.add_middleware(Noting(), Scope())
    noted = registry.resolve("/", "leave")
    assert noted is not None
    assert noted.call(harness.context({})) == ("noted", ("guarded", "handler"))


def test_routers_refuse_what_is_no_room_class():
    """Before a server sees it."""
    with pytest.raises(SetupError, match="is not a room class; give the subclass of Room itself"):
        RouterSIO().register_room(dict)
    assert check_rooms(()) == ()
