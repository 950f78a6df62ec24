"""Who sends with a client waits while much waits to be written."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from typing import Any

import pytest

import fastsio
from fastsio.aio.engine.client_writing import Outlet
from fastsio.engine.packet import MessagePacket
from fastsio.exceptions import SetupError
from fastsio.sync.engine.client_writing import Outlet as ThreadOutlet
from tests.shells.aio.fake_engine import turns
from tests.support.waiting import WAIT_S

MARK: dict[str, Any] = {"high_water_bytes": 1000, "high_water_packets": 4}


def packets(*texts: str) -> list[MessagePacket]:
    """Return messages."""
    return [MessagePacket(text) for text in texts]


class Socket:
    """A WebSocket that writes when it may."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.flowing = asyncio.Event()

    async def send_str(self, text: str) -> None:
        await self.flowing.wait()
        self.sent.append(text)


@pytest.fixture
def outlet():
    """What an asyncio client writes through."""
    return Outlet(lambda error: None, **MARK)


@pytest.mark.parametrize("texts", ["abcde", ["x" * 1000]])
async def test_a_task_waits_until_much_is_posted(outlet, texts):
    """By packets and by bytes."""
    outlet.post(packets(*texts))

    waiting = asyncio.create_task(outlet.wait_for_room())
    await turns()
    assert not waiting.done()
    while outlet.waiting:
        await outlet.next_post(2)

    await asyncio.wait_for(waiting, WAIT_S)


async def test_a_task_does_not_wait_below_the_mark(outlet):
    """It would keep it from sending several packets in one POST."""
    outlet.post(packets(*"abcd"))

    await asyncio.wait_for(outlet.wait_for_room(), WAIT_S)

    assert len(outlet.waiting) == 4


async def test_a_task_waits_for_the_websocket_that_takes_over(outlet):
    """What waits is written there first."""
    socket = Socket()
    outlet.post(packets(*"abcde"))
    waiting = asyncio.create_task(outlet.wait_for_room())
    await turns()

    await outlet.write_to(socket)
    await turns()
    assert not waiting.done()
    socket.flowing.set()

    await asyncio.wait_for(waiting, WAIT_S)
    assert socket.sent == ["4a", "4b", "4c", "4d", "4e"]


async def test_a_task_is_released_when_the_connection_ends(outlet):
    """Nobody waits for what is not written any more."""
    outlet.post(packets(*"abcde"))
    waiting = asyncio.create_task(outlet.wait_for_room())
    await turns()

    outlet.end()

    await asyncio.wait_for(waiting, WAIT_S)


@pytest.fixture
def outgoing():
    """What goes out of a client for threads."""
    return ThreadOutlet(lambda error: None, **MARK)


@pytest.fixture
def pool(outgoing):
    """Threads that end with the test, also those that wait because it has failed."""
    with ThreadPoolExecutor(4) as pool:
        yield pool
        outgoing.end()


@pytest.mark.parametrize("texts", ["abcde", ["x" * 400, "y" * 400, "z" * 400]])
def test_a_thread_waits_until_much_is_written(outgoing, pool, texts):
    """By packets and by bytes; several threads are released at once."""
    for text in texts:
        outgoing.post(packets(text))

    waiting = [pool.submit(outgoing.wait_for_room) for _ in range(3)]
    for each in waiting:
        with pytest.raises(NotYet):
            each.result(0.02)
    while not outgoing.empty():
        outgoing.get()

    for each in waiting:
        each.result(WAIT_S)


def test_a_thread_does_not_wait_below_the_mark(outgoing):
    """What is written at once keeps nobody."""
    outgoing.post(packets(*"abcd"))

    outgoing.wait_for_room()

    assert outgoing.get() is not None


class Counted(deque[tuple[int, int]]):
    """Counts the entries that are looked at."""

    looks = 0

    def __iter__(self):
        self.looks += len(self)
        return super().__iter__()


def test_what_is_taken_of_very_much_costs_the_same_as_of_little(outgoing):
    """Acknowledgements, which do not wait, may be many: they are not all counted for each that is written."""
    outgoing._waiting = waiting = Counted()
    for _ in range(1000):
        outgoing.post(packets("a"))
    while not outgoing.empty():
        outgoing.get()

    assert waiting.looks < 100


def test_a_thread_is_released_when_writing_ends(outgoing, pool):
    """Nobody waits for what is not written any more, now or later."""
    outgoing.post(packets(*"abcde"))
    waiting = pool.submit(outgoing.wait_for_room)
    with pytest.raises(NotYet):
        waiting.result(0.02)

    outgoing.end()

    waiting.result(WAIT_S)
    outgoing.wait_for_room()


@pytest.mark.parametrize("client", [fastsio.AsyncClient, fastsio.Client])
@pytest.mark.parametrize("option", ["high_water_bytes", "high_water_packets"])
def test_a_mark_that_cannot_be_is_refused(client, option):
    """When the client is made."""
    with pytest.raises(SetupError, match=f"{option} must be a whole number above 0"):
        client(handle_sigint=False, **{option: 0})
