"""Requests that travel to a broker in batches."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import sleep
from typing import Any

import pytest

from fastsio.brokers.batch_publisher import BatchPublisher, BlockingBatchPublisher
from fastsio.exceptions import BusError
from tests.support.waiting import WAIT_S


class Broker:
    """Answers batches when it is told to."""

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []
        self.may_answer = asyncio.Event()
        self.failure: Exception | None = None

    async def send(self, batch: list[Any]) -> list[Any]:
        self.batches.append(batch)
        await self.may_answer.wait()
        if self.failure is not None:
            raise self.failure
        return [ValueError(each) if each == "bad" else f"{each}!" for each in batch]

    async def has(self, count: int) -> None:
        """Wait until that many batches have come."""
        while len(self.batches) < count:  # noqa: ASYNC110 - the publisher has no event for it
            await asyncio.sleep(0)


@pytest.fixture
async def broker() -> Broker:
    """A broker."""
    return Broker()


async def test_what_is_submitted_while_a_batch_is_on_its_way_is_the_next(broker):
    """In the order in which it was submitted; each caller gets its own answer."""
    publisher = BatchPublisher(broker.send)
    futures = [publisher.submit(name) for name in "ab"]
    await broker.has(1)

    futures += [publisher.submit(name) for name in "cde"]
    broker.may_answer.set()

    assert await asyncio.gather(*futures) == ["a!", "b!", "c!", "d!", "e!"]
    assert broker.batches == [["a", "b"], ["c", "d", "e"]]


async def test_a_request_that_fails_fails_alone(broker):
    """The others of its batch are done."""
    publisher = BatchPublisher(broker.send)
    broker.may_answer.set()

    outcomes = await asyncio.gather(*map(publisher.submit, ["a", "bad", "b"]), return_exceptions=True)

    assert outcomes[::2] == ["a!", "b!"]
    assert isinstance(outcomes[1], ValueError)


async def test_a_batch_that_cannot_be_sent_fails_and_the_next_is_sent(broker):
    """The error is what the publisher makes of it."""
    publisher = BatchPublisher(broker.send, to_error=lambda error: BusError(f"away: {error}"))
    broker.failure = OSError("gone")
    broker.may_answer.set()

    outcomes = await asyncio.gather(*map(publisher.submit, "ab"), return_exceptions=True)
    broker.failure = None

    assert [str(outcome) for outcome in outcomes] == ["away: gone", "away: gone"]
    assert await publisher.submit("c") == "c!"


@pytest.mark.parametrize("sends_cancelled", [False, True])
async def test_a_request_whose_caller_was_cancelled_is_sent_or_forgotten(broker, sends_cancelled):
    """As the publisher is told; it waits for nobody."""
    publisher = BatchPublisher(broker.send, sends_cancelled=sends_cancelled)
    first = publisher.submit("a")
    await broker.has(1)

    publisher.submit("b").cancel()
    last = publisher.submit("c")
    await asyncio.sleep(0)
    broker.may_answer.set()

    assert await asyncio.gather(first, last) == ["a!", "c!"]
    assert broker.batches == [["a"], ["b", "c"] if sends_cancelled else ["c"]]


async def test_closing_fails_what_waits_and_what_is_on_its_way(broker):
    """Nothing more is sent."""
    publisher = BatchPublisher(broker.send)
    futures = [publisher.submit("a")]
    await broker.has(1)
    futures.append(publisher.submit("b"))

    await publisher.close()

    outcomes = await asyncio.gather(*futures, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ConnectionError, ConnectionError]
    assert broker.batches == [["a"]]


async def test_a_failure_that_nobody_waits_for_is_not_complained_about(broker, caplog):
    """As of a command whose answer is of no interest."""
    publisher = BatchPublisher(broker.send)
    broker.may_answer.set()

    future = publisher.submit("bad")
    await asyncio.wait([future])
    del future

    assert not caplog.records


class SlowBroker:
    """Takes the first batch only when it is told to."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.has_begun = Event()
        self.may_end = Event()

    def send(self, batch: list[str]) -> list[Any]:
        self.batches.append(batch)
        self.has_begun.set()
        assert self.may_end.wait(WAIT_S)
        if "bad" in batch:
            raise ValueError("bad")
        return [KeyError(each) if each == "refused" else each.upper() for each in batch]


def test_what_threads_bring_while_one_sends_is_the_next_batch():
    """Each gets the failure of its batch."""
    broker = SlowBroker()
    publisher = BlockingBatchPublisher(broker.send, timeout_s=10)
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(publisher.submit, "first")
        assert broker.has_begun.wait(WAIT_S)
        others = [threads.submit(publisher.submit, each) for each in ("good", "bad")]
        while len(publisher._waiting) < 2:
            sleep(0)  # other threads run
        broker.may_end.set()

        assert first.result(WAIT_S) == ["FIRST"]
        assert [type(other.exception(10)) for other in others] == [ValueError, ValueError]
    assert [sorted(batch) for batch in broker.batches] == [["first"], ["bad", "good"]]


def test_each_request_of_a_thread_has_its_result():
    """One that the broker refuses fails alone: of several, the caller gets the failure."""
    broker = SlowBroker()
    broker.may_end.set()
    publisher = BlockingBatchPublisher(broker.send, timeout_s=10)

    assert publisher.submit("a", "b") == ["A", "B"]
    with pytest.raises(KeyError, match="refused"):
        publisher.submit("a", "refused")
    assert publisher.submit("c") == ["C"]


def test_a_thread_waits_for_others_only_so_long():
    """Then its request is not sent any more."""
    broker = SlowBroker()
    publisher = BlockingBatchPublisher(broker.send, timeout_s=0.01)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(publisher.submit, "first")
        assert broker.has_begun.wait(WAIT_S)

        with pytest.raises(TimeoutError, match="still on their way"):
            publisher.submit("late")
        broker.may_end.set()
        first.result(WAIT_S)
    assert broker.batches == [["first"]]


def test_requests_of_an_interrupted_batch_fail():
    """A thread whose request another thread was sending does not take it for sent."""
    has_begun, may_end = Event(), Event()

    def send(batch: list[str]) -> list[str]:
        if not may_end.is_set():
            has_begun.set()
            may_end.wait(WAIT_S)
            raise KeyboardInterrupt
        return batch

    publisher = BlockingBatchPublisher(send, timeout_s=WAIT_S)
    with ThreadPoolExecutor(2) as threads:
        with publisher._sending:
            both = [threads.submit(publisher.submit, each) for each in ("first", "second")]
            while len(publisher._waiting) < 2:
                sleep(0)  # other threads run
        assert has_begun.wait(WAIT_S)
        may_end.set()

        failures = {type(one.exception(WAIT_S)) for one in both}

    assert failures == {KeyboardInterrupt, ConnectionError}
    assert publisher.submit("third") == ["third"]
