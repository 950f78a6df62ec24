"""What the runners of both servers share."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fastsio.base.runner import BaseHandlerRunner, check_thread_target
from fastsio.protocol import Decoder, Packet, PacketType
from fastsio.state import Client, Connection


class Runner(BaseHandlerRunner):
    """Keeps what it is told to start."""

    def _make_tables(self) -> None:
        self.started: list[Any] = []

    def _start_handler(self, connection, client, data, ack_id, size_bytes=0) -> None:
        self.started.append((connection, client, data, ack_id, size_bytes))

    def take(self, client, data, ack_id=None) -> Any:
        """Handle an event as the shells do."""
        return self._event_run(client, data, ack_id)

    def may_start(self, connection, size_bytes) -> bool:
        """Ask for leave as the shells do."""
        return self._may_start(connection, size_bytes)


class World:
    """The server, the handlers and the add-ons that a runner asks."""

    def __init__(self, *, observer: Any = None, internal: Any = None) -> None:
        self.observer = observer
        self.internal = internal
        self.options = SimpleNamespace(max_concurrent_handlers=2, max_handler_bytes=100)
        self.logger = SimpleNamespace(warning=lambda _text, *args: self.log.append(args))
        self.log: list[Any] = []
        self.replaced = () if internal is None else ("_handle_event_internal",)
        self.is_first_miss = self.resolve = lambda *_: True
        self.event_log = None
        self.registry = self.seams = self

    def find_route(self, _namespace, event):
        """Return a route for one event alone."""
        return "route" if event == "known" else None

    def run_event(self, client, route, data, ack_id):
        """Return what was asked for."""
        return route, client.sid, data, ack_id

    def method(self, _name):
        """Return the add-on's method."""
        return self.internal


def runner_in(world: Any) -> tuple[Runner, Client]:
    """Return a runner, and a client."""
    runner = Runner(world, world, world)
    runner.is_watched = world.observer is not None or world.internal is not None
    return runner, Client("s1", "/", Connection("e1", {}, Decoder(), list))


@pytest.mark.parametrize(("size_bytes", "is_logged"), [(0, False), (2000, True)])
def test_an_event_that_has_waited_counts_and_is_started(size_bytes, is_logged):
    """Its size counts whatever else is under way, and the log says that it has come."""
    told: list[Any] = []
    events: Any = SimpleNamespace(find_route=None, run_event=None)
    log: Any = SimpleNamespace(received=lambda client, event: told.append(event)) if is_logged else None
    registry: Any = SimpleNamespace(resolve=None)
    shared: Any = SimpleNamespace(options=None, registry=registry, seams=None, event_log=log)
    runner = Runner(events, shared, events)
    connection = Connection("e1", {}, Decoder(), list)
    client = Client("s1", "/", connection)

    runner.start_held(client, Packet(PacketType.EVENT, ["news", 1], id=7), size_bytes)

    assert runner.started == [(connection, client, ["news", 1], 7, size_bytes)]
    assert connection.handler_bytes == size_bytes
    assert told == (["news"] if is_logged else [])


def test_an_event_runs_the_route_of_its_handler():
    """What handles it is returned, for a shell that awaits."""
    runner, client = runner_in(World())

    assert runner.take(client, ["known", 1], 7) == ("route", "s1", ["known", 1], 7)


def test_an_event_without_a_handler_is_told_of():
    """Nothing runs."""
    world = World()
    runner, client = runner_in(world)

    assert runner.take(client, ["unknown"]) is None
    assert world.log == [("unknown", "/")]


def test_an_observer_sees_the_event_first():
    """Then it goes on as without one."""
    seen: list[Any] = []
    runner, client = runner_in(World(observer=SimpleNamespace(event_received=lambda *event: seen.append(event))))

    assert runner.take(client, ["known"]) == ("route", "s1", ["known"], None)
    assert seen == [(client, ["known"])]


def test_an_add_on_handles_the_event_instead():
    """It gets what python-socketio's method of that name gets."""
    world = World(internal=lambda *args: args)
    runner, client = runner_in(world)

    assert runner.take(client, ["known"], 7) == (world, "s1", "e1", ["known"], "/", 7)


def test_a_handler_may_start_while_few_and_small_ones_are_under_way():
    """The size of the event that may is counted."""
    runner, client = runner_in(World())
    connection = client.connection

    assert runner.may_start(connection, 90)
    assert not runner.may_start(connection, 90)
    assert runner.may_start(connection, 0)
    connection.starting = 1
    connection.add_task(object())
    assert not runner.may_start(connection, 0)
    assert connection.handler_bytes == 90


def test_what_would_have_to_be_awaited_does_not_run_in_a_thread():
    """A coroutine is closed, so that nothing warns of it; a plain function is welcome."""

    async def later() -> None: ...

    coroutine = later()

    with pytest.raises(TypeError, match="takes a function and its arguments, not a coroutine"):
        check_thread_target(coroutine)
    with pytest.raises(TypeError, match="later is a coroutine function"):
        check_thread_target(later)
    assert coroutine.cr_frame is None
    check_thread_target(len)
