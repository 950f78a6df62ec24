"""Topics over a connection that is made again: what is asked for, what is waited for, what an outage does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fastsio.brokers import reconnection
from fastsio.brokers.subscriptions import Subscriptions
from fastsio.exceptions import BusError
from fastsio.protocol.backoff import Backoff
from tests.support.waiting import WAIT_S


class Topics(Subscriptions):
    """Subscriptions at a broker that confirms when the test says so."""

    def __init__(self, *topics: str) -> None:
        self.asked: asyncio.Queue[tuple[list[str], list[str]]] = asyncio.Queue()
        self.breaks = asyncio.Event()
        self.failure: Exception | None = None
        super().__init__(object, "a broker", topics, self.hand_out, None, None)

    async def hand_out(self, topic: str, payload: bytes) -> None:
        """Take a message; none comes."""

    async def _open(self) -> Any:
        self.breaks.clear()
        return self._connect()

    async def _close(self, connection: Any) -> None:
        pass

    async def _ask(self, connection: Any, new: list[str], gone: list[str]) -> None:
        if self.failure is not None:
            raise self.failure
        self.asked.put_nowait((sorted(new), sorted(gone)))

    async def _read(self, connection: Any) -> None:
        await self.breaks.wait()
        raise ConnectionError("gone")

    def confirm(self, *topics: str, is_subscribed: bool = True) -> None:
        """Say that the broker has done what it was asked."""
        for topic in topics:
            self._confirm(topic, is_subscribed=is_subscribed)


@pytest.fixture
async def topics(monkeypatch):
    """A connection that is subscribed to a."""
    monkeypatch.setattr(reconnection, "FIRST_DELAY_S", 0.01)
    monkeypatch.setattr(reconnection, "JITTER_S", 0.0)
    made = Topics("a")
    assert await made.asked.get() == (["a"], [])
    made.confirm("a")
    await made.wait_for_first_attempt()
    yield made
    await made.close()


async def test_what_is_wanted_at_one_moment_is_asked_for_at_once(topics):
    """And each caller waits for its own confirmation."""
    b, c = asyncio.create_task(topics.subscribe("b")), asyncio.create_task(topics.subscribe("c"))
    assert await topics.asked.get() == (["b", "c"], [])

    topics.confirm("b")
    await b
    assert not c.done()

    topics.confirm("c")
    await c


async def test_a_topic_in_force_is_not_waited_for(topics):
    """Nothing is asked for it again."""
    await topics.subscribe("a")

    assert topics.asked.empty()


async def test_who_waits_for_a_topic_that_is_dropped_goes_on(topics):
    """And the broker is asked against it once it has confirmed."""
    waiting = asyncio.create_task(topics.subscribe("b"))
    assert await topics.asked.get() == (["b"], [])

    topics.unsubscribe("b")
    await waiting
    topics.confirm("b")

    assert await topics.asked.get() == ([], ["b"])


async def test_a_connection_that_breaks_fails_those_who_wait_and_all_is_asked_for_again(topics):
    """What was wanted before, and what was asked for when it broke."""
    waiting = asyncio.create_task(topics.subscribe("b"))
    await topics.asked.get()

    topics.breaks.set()
    with pytest.raises(BusError, match="the connection to a broker broke: ConnectionError: gone"):
        await waiting

    assert await topics.asked.get() == (["a", "b"], [])


async def test_without_a_connection_nobody_waits(topics, monkeypatch):
    """Until the next attempt."""
    monkeypatch.setattr(Backoff, "next", lambda _backoff, _random: 60.0)
    waiting = asyncio.create_task(topics.subscribe("b"))
    await topics.asked.get()
    topics.breaks.set()
    with pytest.raises(BusError):
        await waiting

    with pytest.raises(BusError, match="not connected to a broker; trying again"):
        await topics.subscribe("c")


async def test_a_broker_that_cannot_be_asked_fails_the_caller(topics):
    """With what the package raised."""
    topics.failure = OSError("broken pipe")

    with pytest.raises(BusError, match="OSError: broken pipe"):
        await topics.subscribe("b")


async def test_topics_that_are_given_up_during_an_outage_are_not_kept(topics):
    """However many there are."""
    topics.failure = ConnectionError("no broker")
    topics.breaks.set()
    while topics._connection is not None:  # noqa: ASYNC110 - the subscriptions have no event for it
        await asyncio.sleep(0)
    for number in range(100):
        topics.unsubscribe(f"gone{number}")

    async with asyncio.timeout(WAIT_S):
        while topics._changed:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
