from __future__ import annotations

import asyncio
from time import monotonic

import pytest

from fastsio.exceptions import SetupError
from fastsio.layers.inbox import ChannelClosedError, Inbox, require_overflow
from tests.support.waiting import WAIT_S

LATER = float("inf")


def inbox(**options):
    """Make an inbox on the running loop."""
    settings = {"capacity": 2, "overflow": "drop_new", **options}
    return Inbox("c", loop=asyncio.get_running_loop(), **settings)


async def test_messages_are_received_in_order():
    """First in, first out, whether somebody waits or not."""
    box = inbox()
    box.put({"n": 1}, LATER)
    box.put({"n": 2}, LATER)

    assert [await box.receive(), await box.receive()] == [{"n": 1}, {"n": 2}]


async def test_a_receiver_that_is_cancelled_takes_no_message_with_it():
    """Not even when the message came in the same moment."""
    box = inbox()
    first, second = asyncio.create_task(box.receive()), asyncio.create_task(box.receive())
    await asyncio.sleep(0)

    box.put({"n": 1}, LATER)
    first.cancel()

    assert await asyncio.wait_for(second, WAIT_S) == {"n": 1}
    assert box.waiters == 0


@pytest.mark.parametrize(
    ("overflow", "left"), [("drop_new", [1, 2]), ("drop_old", [2, 3]), ("raise", [1, 2]), ("close", [1, 2])]
)
async def test_the_policy_says_what_a_full_inbox_drops(overflow, left):
    """A third message for two places."""
    box = inbox(overflow=overflow)

    taken = [box.put({"n": number}, LATER) for number in (1, 2, 3)]

    assert taken == [True, True, overflow == "drop_old"]
    assert [(await box.receive())["n"], (await box.receive())["n"]] == left
    assert box.dropped == 1


async def test_a_full_inbox_with_the_policy_close_ends_after_what_waits():
    """The consumer is told, and reads what came before."""
    told = []
    box = inbox(overflow="close", capacity=1, on_close=lambda: told.append("closed"))
    box.put({"n": 1}, LATER)
    box.put({"n": 2}, LATER)

    assert told == ["closed"]
    assert await box.receive() == {"n": 1}
    with pytest.raises(ChannelClosedError):
        await box.receive()


async def test_messages_expire():
    """They are neither received nor do they take up room."""
    box = inbox()
    box.put({"n": 1}, monotonic())
    box.put({"n": 2}, monotonic())

    assert box.put({"n": 3}, LATER)
    assert await box.receive() == {"n": 3}
    assert box.expired == 2
    assert box.dropped == 0


async def test_closing_ends_those_who_wait():
    """Each of them."""
    box = inbox()
    waiting = [asyncio.create_task(box.receive()) for _ in range(3)]
    await asyncio.sleep(0)

    box.close()

    for task in waiting:
        with pytest.raises(ChannelClosedError):
            await asyncio.wait_for(task, WAIT_S)


async def test_a_callback_gets_messages_at_once():
    """No queue, no task."""
    got = []
    box = inbox(on_message=got.append)

    assert box.put({"n": 1}, LATER)
    assert got == [{"n": 1}]
    assert box.waiting == 0


async def test_a_callback_that_has_no_room_says_so():
    """The policy applies."""
    told = []
    box = inbox(on_message=lambda message: False, overflow="close", on_close=lambda: told.append(1))

    assert not box.put({"n": 1}, LATER)
    assert (box.dropped, box.is_closed, told) == (1, True, [1])


async def test_a_callback_that_fails_is_logged_and_hurts_nobody(caplog):
    """The layer goes on."""
    box = inbox(on_message=lambda message: 1 / 0)

    assert box.put({"n": 1}, LATER)
    assert "the consumer of channel 'c' failed" in caplog.text


async def test_what_was_taken_is_acknowledged_once():
    """When it is received, not when it arrives."""
    taken = []
    box = inbox()
    box.put({"n": 1}, LATER, lambda: taken.append(1))
    assert taken == []

    await box.receive()

    assert taken == [1]


async def test_what_is_dropped_is_acknowledged():
    """Nobody will receive it."""
    taken = []
    box = inbox()
    box.put({"n": 1}, LATER, lambda: taken.append(1))
    box.put({"n": 2}, LATER)

    box.clear()

    assert (taken, box.waiting) == ([1], 0)


async def test_another_thread_can_post():
    """The message arrives on the consumer's loop."""
    box = inbox()
    await asyncio.to_thread(box.post, {"n": 1}, LATER)

    assert await asyncio.wait_for(box.receive(), WAIT_S) == {"n": 1}


def test_an_unknown_policy_is_refused():
    """The error names those there are."""
    with pytest.raises(SetupError, match=r"'drop_new', 'drop_old', 'close', 'raise', not 'drop'"):
        require_overflow("drop")


async def test_a_receiver_counts_until_it_has_its_message():
    """A layer that fetches on demand has one message for it, and fetches one for each of the others."""
    box = inbox()
    tasks = [asyncio.create_task(box.receive()) for _ in range(2)]
    await asyncio.sleep(0)
    box.put({"n": 1}, LATER)

    assert (box.waiters, box.waiting) == (2, 1)
    await tasks[0]
    assert (box.waiters, box.waiting) == (1, 0)
    box.move(asyncio.get_running_loop())
    assert box.waiters == 0
    tasks[1].cancel()
