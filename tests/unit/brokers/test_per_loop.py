"""What each event loop has of its own."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import pytest

from fastsio.brokers.per_loop import PerLoop


class Connection:
    """Something that is opened and closed."""

    def __init__(self) -> None:
        self.is_open = True

    async def close(self) -> None:
        self.is_open = False


class Broker:
    """Opens connections, or fails to."""

    def __init__(self) -> None:
        self.opened: list[Connection] = []
        self.failure: Exception | None = None
        self.may_open = asyncio.Event()
        self.may_open.set()

    async def open(self) -> Connection:
        await self.may_open.wait()
        if self.failure is not None:
            raise self.failure
        self.opened.append(Connection())
        return self.opened[-1]

    def per_loop(self) -> PerLoop[Connection]:
        return PerLoop(self.open, Connection.close, lambda connection: connection.is_open)


async def test_all_tasks_of_a_loop_get_the_same_object():
    """Those that ask while it is being opened wait for it."""
    broker = Broker()
    per_loop = broker.per_loop()

    found = await asyncio.gather(*(per_loop.get() for _ in range(5)))

    assert set(found) == {per_loop.current} == set(broker.opened)
    assert per_loop
    await per_loop.drop()


async def test_an_object_that_cannot_be_used_any_more_is_opened_anew():
    """A connection that broke is not handed out, nor told as the current one."""
    broker = Broker()
    per_loop = broker.per_loop()
    first = await per_loop.get()

    await first.close()

    assert per_loop.current is None
    assert await per_loop.get() is not first
    await per_loop.drop()


async def test_one_that_cannot_be_opened_is_tried_again_by_the_next_caller():
    """The first caller gets the error; nothing is held meanwhile."""
    broker = Broker()
    per_loop = broker.per_loop()
    broker.failure = OSError("away")

    with pytest.raises(OSError, match="away"):
        await per_loop.get()

    assert not per_loop
    broker.failure = None
    assert (await per_loop.get()).is_open
    await per_loop.drop()


async def test_dropping_closes_and_the_next_caller_opens_anew():
    """The holder can be used again."""
    per_loop = Broker().per_loop()
    first = await per_loop.get()

    await per_loop.drop()

    assert not first.is_open
    assert not per_loop
    assert per_loop.current is None
    assert (await per_loop.get()).is_open
    await per_loop.drop()


async def test_what_is_opened_while_all_is_dropped_is_closed_again():
    """Nothing stays open that nobody would close."""
    broker = Broker()
    per_loop = broker.per_loop()
    broker.may_open.clear()
    getting = asyncio.create_task(per_loop.get())
    await asyncio.wait([getting], timeout=0)

    await per_loop.drop()
    broker.may_open.set()

    with pytest.raises(ConnectionError, match="closed while it was being opened"):
        await getting
    assert not broker.opened[0].is_open
    assert not per_loop


async def test_one_that_fails_to_close_counts_as_closed():
    """The error is not the caller's."""

    async def fail(_connection: Connection) -> None:
        raise OSError("broken")

    per_loop = PerLoop(Broker().open, fail)
    await per_loop.get()

    await per_loop.drop()

    assert not per_loop


def test_each_loop_has_its_own_and_it_is_closed_when_the_loop_ends():
    """As when a program calls ``asyncio.run()`` several times; the loop can be freed."""
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []

    async def main() -> Connection:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        connection = await per_loop.get()
        assert connection.is_open
        return connection

    async def opened() -> Connection:
        return Connection()

    per_loop = PerLoop(opened, Connection.close)
    first, second = asyncio.run(main()), asyncio.run(main())

    assert first is not second
    assert not first.is_open
    assert not second.is_open
    assert not per_loop
    gc.collect()
    assert [loop() for loop in loops] == [None, None]


async def test_dropping_closes_on_the_loop_of_each():
    """The loops of other threads close theirs themselves."""
    ready, end = threading.Event(), threading.Event()
    closed_by: list[object] = []
    elsewhere: list[object] = []

    async def opened() -> Connection:
        return Connection()

    async def close(_connection: Connection) -> None:
        closed_by.append(asyncio.get_running_loop())
        end.set()

    async def other() -> None:
        elsewhere.append(asyncio.get_running_loop())
        await per_loop.get()
        ready.set()
        await asyncio.to_thread(end.wait, 10)

    per_loop = PerLoop(opened, close)
    thread = threading.Thread(target=lambda: asyncio.run(other()))
    thread.start()
    await asyncio.to_thread(ready.wait, 10)

    await per_loop.drop()

    await asyncio.to_thread(thread.join, 10)
    assert closed_by == elsewhere
