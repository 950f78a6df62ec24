"""Forwarding between processes over a bus in memory: who gets a request, what it costs, and how it ends."""

from __future__ import annotations

import asyncio
import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from fastsio.brokers.forward_bus import NatsForwardBus, RedisForwardBus, bus_class
from fastsio.cluster.forwarding import Announcement, Cancellation, Stopped, decode, encode
from fastsio.exceptions import SetupError
from fastsio.integrations.workers import forwarding as module
from fastsio.integrations.workers.forwarding import FORWARD, LEAST_BYTES, Forwarding, Settings
from tests.support.waiting import WAIT_S

ONE, OTHER = "one", "other"
#: A process that nobody has heard of.
NOBODY = "nobody.1"


class Hub:
    """
    The broker.

    Attributes:
        heard: All messages that were published, with their channels.
        is_down: Whether it takes no messages.
        loses: Kinds of messages that reach nobody.
    """

    def __init__(self) -> None:
        self.buses: list[Bus] = []
        self.heard: list[tuple[str, Any]] = []
        self.is_down = False
        self.loses: tuple[type, ...] = ()

    def bus(self, _url: str, channels: list[str], on_message: Any, on_change: Any) -> Bus:
        self.buses.append(Bus(self, channels, on_message, on_change))
        return self.buses[-1]


class Bus:
    """The connection of one process."""

    def __init__(self, hub: Hub, channels: list[str], on_message: Any, on_change: Any) -> None:
        self.hub, self.channels, self.on_message, self.on_change = hub, channels, on_message, on_change

    async def wait_until_listening(self) -> None:
        pass

    async def publish(self, channel: str, message: bytes) -> bool:
        if self.hub.is_down:
            raise ConnectionError("the broker is away")
        decoded = decode(message)
        self.hub.heard.append((channel, decoded))
        if isinstance(decoded, self.hub.loses):
            return True
        there = [bus for bus in self.hub.buses if channel in bus.channels]
        for bus in there:
            await bus.on_message(channel, message)
        return bool(there)

    async def close(self) -> None:
        self.hub.buses.remove(self)


class Engine:
    """The limits of a server, and nothing else."""

    max_http_buffer_size = 20_000
    ping_interval, ping_timeout, body_timeout = 25.0, 20.0, 0.2


class App:
    """
    An application: it answers with what it got, or as it is told.

    Attributes:
        scopes: Of its requests.
        left: Set when a client has left.
        waits: Whether it answers only when its client leaves.
    """

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []
        self.asked, self.left = asyncio.Event(), asyncio.Event()
        self.waits = self.fails = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        self.asked.set()
        body = (await receive())["body"]
        if self.fails:
            raise RuntimeError("broken")
        if self.waits:
            assert (await receive())["type"] == "http.disconnect"
            self.left.set()
            return
        await send({"type": "http.response.start", "status": 201, "headers": [(b"x-method", scope["method"].encode())]})
        await send({"type": "http.response.body", "body": body[:3], "more_body": True})
        await send({"type": "http.response.body", "body": body[3:]})


class Process:
    """
    A process that forwards.

    Attributes:
        app: Its application.
        forwarding: What is tested.
    """

    def __init__(self, hub: Hub, machine: str, max_bytes: int) -> None:
        self.app = App()
        self.state = SimpleNamespace(tasks=set(), connections=set())
        config: Any = SimpleNamespace(loaded_app=self.app)
        settings = Settings("memory://", "channel", machine, max_bytes)
        self.forwarding = Forwarding(settings, 1, config, self.state, {})  # type: ignore[arg-type] # uvicorn's, as far as it is used
        self.name = self.forwarding.name

    async def ask(
        self, name: str, body: bytes = b"", *, leaves: asyncio.Event | None = None, cuts: bool = False
    ) -> Any:
        """Let a client ask for a session of *name*; return status, headers and body, or whether it was not answered."""
        sent: list[dict[str, Any]] = []
        events = [
            {"type": "http.request", "body": body[:5], "more_body": True},
            {"type": "http.request", "body": body[5:]},
        ]
        if cuts:
            events.pop()

        async def receive() -> dict[str, Any]:
            if events:
                return events.pop(0)
            await (leaves or asyncio.Event()).wait()
            return {"type": "http.disconnect"}

        async def send(event: dict[str, Any]) -> None:
            sent.append(event)

        async with asyncio.timeout(WAIT_S):
            is_answered = await self.forwarding.forward(name, scope(), receive, send)
        if not sent:
            return is_answered
        start, end = sent
        return start["status"], dict(start["headers"]), end["body"]

    async def stop(self) -> None:
        """End the process as uvicorn does."""
        self.forwarding.shutdown()
        async with asyncio.timeout(WAIT_S):
            await asyncio.gather(*self.state.tasks)


def scope() -> dict[str, Any]:
    """Return the scope of a request."""
    return {
        "type": "http",
        "method": "POST",
        "http_version": "1.1",
        "scheme": "https",
        "path": "/é",
        "raw_path": b"/%C3%A9",
        "root_path": "",
        "query_string": b"sid=x",
        "headers": [(b"cookie", b"a=\xff")],
        "client": ("10.1.2.3", 4000),
    }


@pytest.fixture
def hub(monkeypatch) -> Hub:
    """The broker of a test."""
    hub = Hub()
    monkeypatch.setattr(module, "bus_class", lambda _url: hub.bus)
    monkeypatch.setattr(module, "find_all", lambda _app: [SimpleNamespace(engineio_server=Engine())])
    monkeypatch.setattr(module, "UNKNOWN_S", 0.05)
    monkeypatch.setattr(module, "LEAVE_S", 0.05)
    return hub


@pytest.fixture
async def pair(hub):
    """Two processes that know each other."""
    one, other = [Process(hub, machine, 100_000) for machine in (ONE, OTHER)]
    async with asyncio.timeout(WAIT_S):
        await one.forwarding.started.wait()
        await other.forwarding.started.wait()
    yield one, other
    for process in (one, other):
        if not process.forwarding._announcing.cancelling():
            await process.stop()


async def test_a_request_is_answered_by_the_application_of_the_other_process(pair):
    """It gets everything of the request, and its whole response comes back."""
    one, other = pair

    assert await one.ask(other.name, b"\x00body") == (201, {b"x-method": b"POST", b"content-length": b"5"}, b"\x00body")

    (got,) = other.app.scopes
    assert {key: got[key] for key in scope()} == scope()
    assert one.app.scopes == []


async def test_a_sid_that_names_nobody_costs_no_message(pair, hub):
    """Invented sids are answered here; the first that names a process waits for a word of it."""
    one, _ = pair
    hub.heard.clear()

    assert await asyncio.gather(*[one.ask(NOBODY) for _ in range(50)]) == [False] * 50

    assert hub.heard == []


async def test_no_more_than_a_thousand_requests_wait_for_a_process_to_appear(pair, monkeypatch):
    """Further ones are answered at once."""
    one, other = pair
    monkeypatch.setattr(module, "UNKNOWN_S", 60)
    monkeypatch.setattr(module, "MAX_UNKNOWN", 2)
    waiting = [asyncio.create_task(one.ask("late.1")) for _ in range(2)]
    await asyncio.sleep(0)

    assert await one.ask(NOBODY) is False

    one.forwarding._handle(Announcement("late.1", asks=False))
    other.forwarding._bus.channels.append("channel.late.1")
    assert [status for status, _, _ in await asyncio.gather(*waiting)] == [201, 201]


async def test_a_process_that_has_ended_is_known_to_be_gone(pair):
    """Its requests under way are left to the application here, which does not know the session either."""
    one, other = pair
    other.app.waits = True
    asking = asyncio.create_task(one.ask(other.name))
    await other.app.asked.wait()
    await one.forwarding._on_message("channel", encode(Stopped(other.name)))

    assert await asking is False
    assert await one.ask(other.name) is False


async def test_a_process_that_stops_answers_first(pair, hub):
    """Then it says that it ends."""
    one, other = pair
    await other.stop()

    assert hub.heard[-1] == ("channel", Stopped(other.name))
    assert await one.ask(other.name) is False


async def test_a_process_that_was_killed_is_found_out_by_the_first_message(pair, hub):
    """If the broker tells that nobody listens."""
    one, other = pair
    await other.forwarding._bus.close()

    assert await one.ask(other.name) is False
    hub.heard.clear()
    assert await one.ask(other.name) is False
    assert hub.heard == []
    hub.buses.append(other.forwarding._bus)


async def test_a_process_that_is_silent_is_given_up(pair, hub, monkeypatch):
    """Where the broker does not tell; and it is there again when it is heard of."""
    one, other = pair
    other.app.waits = True
    asking = asyncio.create_task(one.ask(other.name))
    await other.app.asked.wait()
    other.forwarding._announcing.cancel()
    monkeypatch.setattr(module, "ANNOUNCE_S", 0.01)
    monkeypatch.setattr(module, "SILENT_S", 0.02)
    one.forwarding._announcing.cancel()
    one.forwarding._announcing = asyncio.create_task(one.forwarding._keep_announcing())
    hub.loses = (Announcement,)

    assert await asking is False

    monkeypatch.setattr(module, "SILENT_S", WAIT_S)
    hub.loses = ()
    other.app.waits = False
    one.forwarding._handle(Announcement(other.name, asks=False))
    assert (await one.ask(other.name))[0] == 201
    await other.stop()


async def test_a_client_that_leaves_is_given_up_by_the_other_process(pair, hub):
    """Its poll ends there, so that it ends the session as a poll that was broken off does."""
    one, other = pair
    other.app.waits = True
    leaves = asyncio.Event()
    asking = asyncio.create_task(one.ask(other.name, leaves=leaves))
    await other.app.asked.wait()
    leaves.set()

    assert await asking is True
    async with asyncio.timeout(WAIT_S):
        await other.app.left.wait()
    assert isinstance(hub.heard[-1][1], Cancellation)


async def test_a_response_that_does_not_come_is_not_waited_for_without_end(pair, monkeypatch):
    """It would come within the times of the heartbeat."""
    one, other = pair
    other.app.waits = True
    one.forwarding._most_s = 0.01

    assert (await one.ask(other.name))[0] == 504


async def test_an_application_that_fails_is_answered_for(pair, caplog):
    """As uvicorn does: 500, and the error in the log there."""
    one, other = pair
    other.app.fails = True

    assert (await one.ask(other.name))[0] == 500
    assert "another machine has forwarded" in caplog.text


async def test_a_body_over_the_limit_of_the_application_goes_nowhere(pair, hub):
    """It is refused here."""
    one, other = pair
    hub.heard.clear()

    assert (await one.ask(other.name, b"x" * (Engine.max_http_buffer_size + 1)))[0] == 413
    assert hub.heard == []


async def test_a_body_that_does_not_end_is_not_waited_for_without_end(pair, hub):
    """``body_timeout`` is its limit too; a client that leaves before the end of it is not answered."""
    one, other = pair
    hub.heard.clear()

    assert (await one.ask(other.name, cuts=True))[:2] == (408, {b"connection": b"close", b"content-length": b"0"})
    leaves = asyncio.Event()
    leaves.set()
    assert await one.ask(other.name, cuts=True, leaves=leaves) is True
    assert hub.heard == []


async def test_requests_beyond_the_limit_of_bytes_get_503(hub):
    """Here as there; each counts 4 KiB at least, and its body."""
    one, other, large = Process(hub, ONE, 3 * LEAST_BYTES), Process(hub, OTHER, LEAST_BYTES), b"x" * 3 * LEAST_BYTES
    await asyncio.gather(one.forwarding.started.wait(), other.forwarding.started.wait())
    other.app.waits = True
    leaves = asyncio.Event()
    first = asyncio.create_task(one.ask(other.name, leaves=leaves))
    await other.app.asked.wait()

    refused_there = await one.ask(other.name)
    refused_here = await one.ask(other.name, large)
    leaves.set()
    await first
    async with asyncio.timeout(WAIT_S):
        await other.app.left.wait()

    assert refused_there[:2] == (503, {b"retry-after": b"1", b"content-length": b"0"})
    assert refused_here[:2] == refused_there[:2]
    other.app.waits = False
    assert (await one.ask(other.name))[0] == 201  # what was counted is free again
    await one.stop()
    await other.stop()


async def test_while_the_broker_is_away_requests_get_503(pair, hub):
    """Those under way too, for their responses may be lost; later it goes on."""
    one, other = pair
    other.app.waits = True
    asking = asyncio.create_task(one.ask(other.name))
    await other.app.asked.wait()
    hub.is_down = True
    one.forwarding._on_change()

    assert (await asking)[0] == 503
    assert (await one.ask(other.name))[0] == 503
    hub.is_down, other.app.waits = False, False
    one.forwarding._on_change()
    assert (await one.ask(other.name))[0] == 201


async def test_what_is_no_message_is_reported(pair, caplog):
    """Somebody else may use the channel."""
    one, _ = pair
    caplog.set_level(logging.WARNING, "uvicorn.error")

    await one.forwarding._on_message("channel", b"hello")

    assert "could not be read" in caplog.text


async def test_a_response_that_the_broker_does_not_take_is_answered_for(pair, hub, monkeypatch):
    """With 503 in its place: brokers have limits of their own."""
    one, other = pair
    publish = other.forwarding._bus.publish

    async def limited(channel: str, message: bytes) -> bool:
        if len(message) > 1000:
            raise ValueError("too large")
        return await publish(channel, message)

    monkeypatch.setattr(other.forwarding._bus, "publish", limited)

    assert (await one.ask(other.name, b"x" * 2000))[0] == 503


def test_settings_are_read_from_the_environment(monkeypatch):
    """As ``fastsio run --forward`` leaves them."""
    settings = {"url": "redis://x", "channel": "c", "machine": "m", "max_bytes": 1}
    monkeypatch.setenv(FORWARD, json.dumps(settings))

    assert Settings.of_environment() == Settings(**settings)  # type: ignore[arg-type] # strings and a number
    monkeypatch.delenv(FORWARD)
    assert Settings.of_environment() is None


def test_the_scheme_of_the_url_decides_which_broker_it_is():
    """Nothing else forwards."""
    assert bus_class("redis://localhost") is RedisForwardBus
    assert bus_class("nats://localhost") is NatsForwardBus
    with pytest.raises(SetupError, match="over Redis or NATS"):
        bus_class("kafka://localhost")
