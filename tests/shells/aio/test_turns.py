"""Turns of those that ask for the same: first come, first served."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext

import pytest

from fastsio.aio.turns import Turns
from tests.shells.aio.fake_engine import turns as loop_turns
from tests.support.waiting import WAIT_S

KEY = "pid"


@pytest.fixture
def turns() -> Turns:
    """Turns of which one has begun, so that others wait."""
    return Turns(nullcontext(), asyncio.Event)


async def waiting(turns: Turns, order: list[int], number: int, timeout_s: float = 60) -> asyncio.Task[None]:
    """Start a task that waits for a turn, and that notes its number when it has the turn."""

    async def take() -> None:
        if await turns.take(KEY, timeout_s):
            order.append(number)

    task = asyncio.create_task(take())
    await loop_turns(2)
    return task


async def test_turns_come_in_the_order_in_which_they_were_asked_for(turns):
    """Also before one that asks just when a turn ends; after the last one nothing is kept."""
    order: list[int] = []
    assert await turns.take(KEY, 0)
    tasks = [await waiting(turns, order, number) for number in range(4)]

    for _ in range(4):
        turns.end(KEY)
        tasks.append(await waiting(turns, order, len(tasks)))
    for _ in range(5):
        turns.end(KEY)
        await loop_turns()
    await asyncio.wait_for(asyncio.gather(*tasks), WAIT_S)

    assert order == list(range(8))
    assert len(turns) == 0
    assert await turns.take(KEY, 0)


async def test_turns_of_other_keys_are_not_waited_for(turns):
    """Each key has turns of its own."""
    assert await turns.take(KEY, 0)
    assert await turns.take("other", 0)

    turns.end(KEY)

    assert len(turns) == 1


@pytest.mark.parametrize("way", ["cancelled", "cancelled with its turn", "late"])
async def test_the_order_of_the_others_stays_when_one_in_the_middle_gives_up(turns, way):
    """It is left out, and a turn that had just begun for it goes to the next one."""
    order: list[int] = []
    assert await turns.take(KEY, 0)
    tasks = [await waiting(turns, order, number, 0 if way == "late" and number == 1 else 60) for number in range(4)]

    if way == "cancelled":
        tasks[1].cancel()
        await loop_turns()
    turns.end(KEY)
    await loop_turns()
    turns.end(KEY)
    if way == "cancelled with its turn":
        tasks[1].cancel()  # its turn has begun, and it does not know yet
    await loop_turns()
    turns.end(KEY)
    await asyncio.wait_for(asyncio.wait(tasks), WAIT_S)
    turns.end(KEY)

    assert order == [0, 2, 3]
    assert tasks[1].cancelled() is (way != "late")
    assert len(turns) == 0
