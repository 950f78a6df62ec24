from __future__ import annotations

import asyncio
import gc
import sys
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from fastsio.exceptions import SetupError
from fastsio.layers import ChannelFull, InMemoryChannelLayer, local
from tests.integration.layer_lab import soon

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand."""

    class Clock:
        now = 1000.0

        def __call__(self):
            return self.now

    clock = Clock()
    for module in ("inbox", "local"):
        monkeypatch.setattr(f"fastsio.layers.{module}.monotonic", clock)
    return clock


async def test_a_message_waits_for_its_reader_until_it_expires(clock):
    """Not longer."""
    layer = InMemoryChannelLayer(expiry=60)
    await layer.send("jobs", {"n": 1})
    clock.now += 59
    await layer.send("jobs", {"n": 2})
    clock.now += 2

    assert await layer.receive("jobs") == {"n": 2}


async def test_each_message_waits_for_the_first_reader_from_when_it_was_sent(clock):
    """An earlier message does not take it with it."""
    layer = InMemoryChannelLayer(expiry=60)
    await layer.send("jobs", {"n": 1})
    clock.now += 59
    await layer.send("jobs", {"n": 2})
    clock.now += 2
    await layer.new_channel()  # forgets channels that are not used any more

    assert await layer.receive("jobs") == {"n": 2}


async def test_messages_do_not_keep_a_channel_that_was_made(clock):
    """It lapses without a reader also where both times are the same; only one that a message made waits for messages."""
    layer = InMemoryChannelLayer(expiry=60, group_expiry=60)
    channel = await layer.new_channel()
    await layer.group_add("all", channel)
    clock.now += 59
    await layer.send(channel, {"n": 1})
    clock.now += 2

    assert await layer.group_channels("all") == []


async def test_a_channel_that_nobody_ever_reads_is_forgotten(clock):
    """Messages to names that lead nowhere do not fill the memory."""
    layer = InMemoryChannelLayer(expiry=60)
    for number in range(100):
        await layer.send(f"gone{number}", {})
    clock.now += 61

    await layer.group_send("room", {})

    assert layer.is_closed


async def test_a_member_that_nobody_consumes_leaves_its_groups_in_the_end(clock):
    """After group_expiry, not with its messages."""
    layer = InMemoryChannelLayer(expiry=60, group_expiry=1000)
    channel = await layer.new_channel()
    await layer.group_add("room", channel)
    await layer.group_add("room", "worker")
    for _ in range(9):
        clock.now += 100
        await layer.group_send("room", {"n": 1})
        assert await layer.receive(channel) == {"n": 1}
    assert await layer.group_channels("room") == sorted([channel, "worker"])

    clock.now += 200

    assert await layer.group_channels("room") == [channel]


async def test_a_consumer_that_is_held_stays_however_long_it_is_silent(clock):
    """Its lease is its life."""
    layer = InMemoryChannelLayer(group_expiry=10)
    channel, waiting = await layer.new_channel(), await layer.new_channel()
    await layer.open_inbox(channel)
    task = asyncio.create_task(layer.receive(waiting))
    await asyncio.sleep(0)
    await layer.group_add("room", channel)
    await layer.group_add("room", waiting)

    clock.now += 1_000_000

    assert await layer.group_channels("room") == sorted([channel, waiting])
    await layer.group_send("room", {"n": 1})
    assert await soon(task) == {"n": 1}


async def test_a_sender_is_told_that_a_channel_is_full():
    """A group is not, unless the policy says so."""
    layer = InMemoryChannelLayer(capacity=1)
    await layer.group_add("room", "a")
    await layer.send("a", {})

    with pytest.raises(ChannelFull, match="full: 'a'; read faster"):
        await layer.send("a", {})
    await layer.group_send("room", {})
    assert layer.dropped == 2


async def test_with_the_policy_raise_a_group_is_told_after_all_others_were():
    """Who has room has the message."""
    layer = InMemoryChannelLayer(capacity=1, channel_capacity={"big": 9}, overflow="raise")
    for channel in ("a", "big", "c"):
        await layer.group_add("room", channel)
    await layer.group_send("room", {"n": 1})

    with pytest.raises(ChannelFull) as caught:
        await layer.group_send("room", {"n": 2})

    assert sorted(caught.value.channels) == ["a", "c"]
    assert [(await layer.receive("big"))["n"] for _ in range(2)] == [1, 2]


async def test_anything_can_be_sent_within_a_process():
    """What a broker could not carry as well."""
    layer = InMemoryChannelLayer()
    when = datetime(2026, 1, 1, tzinfo=UTC)
    await layer.send("a", {"when": when, "set": {1}})

    assert await layer.receive("a") == {"when": when, "set": {1}}


@pytest.mark.parametrize("options", [{"expiry": 0}, {"group_expiry": -1}, {"capacity": 0}, {"overflow": "x"}])
def test_options_out_of_range_are_refused(options):
    """When the layer is made."""
    with pytest.raises(SetupError):
        InMemoryChannelLayer(**options)


def test_an_unknown_keyword_is_an_error():
    """A typo is not swallowed."""
    with pytest.raises(TypeError, match="expirey"):
        InMemoryChannelLayer(expirey=5)


async def test_a_callback_may_join_and_leave():
    """While its group is being told."""
    layer = InMemoryChannelLayer()
    seen = []
    members = [await layer.new_channel() for _ in range(3)]
    tasks = []
    for channel in members:

        def leave(message, channel=channel):
            seen.append(channel)
            tasks.append(asyncio.ensure_future(layer.close_inbox(channel)))
            layer._table.leave_all(layer._table.inboxes[channel])

        await layer.open_inbox(channel, on_message=leave)
        await layer.group_add("room", channel)

    await layer.group_send("room", {})
    await asyncio.gather(*tasks)

    assert seen == members
    assert layer.is_closed


async def test_nothing_is_left_of_closed_channels():
    """Ten thousand consumers that came and went leave the table empty."""
    layer = InMemoryChannelLayer()
    for number in range(10_000):
        channel = await layer.new_channel()
        await layer.open_inbox(channel)
        await layer.group_add(f"room{number % 7}", channel)
        await layer.close_inbox(channel)
    gc.collect()

    assert (layer._table.inboxes, layer._table.groups) == ({}, {})
    assert isinstance(layer._table, local.LocalTable)
    assert len(layer._table._lapsing) <= 2 * local.SPARE_ENTRIES


@pytest.mark.parametrize("open_channel", ["new_channel", "open_inbox"])
async def test_a_channel_that_is_given_up_while_it_is_opened_is_closed(open_channel):
    """Nobody knows its name, or would ever close it; a layer over a broker may take long."""
    attaching = asyncio.Event()

    class Slow(InMemoryChannelLayer):
        async def _attach(self, inbox):
            attaching.set()
            await asyncio.Event().wait()

    layer = Slow()
    opening = asyncio.ensure_future(getattr(layer, open_channel)("name"))
    await soon(attaching.wait())
    opening.cancel()
    await asyncio.wait({opening})

    assert opening.cancelled()
    assert layer.is_closed


def calls_during(run: Callable[[], object]) -> int:
    """Count the functions that are called."""
    counted = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        run()
    finally:
        sys.setprofile(None)
    return counted


async def test_a_message_costs_the_same_among_a_thousand_rooms():
    """Sending to a room with one member calls as many functions whether there are ten rooms or a thousand."""
    costs = []
    for rooms in (10, 1000):
        layer, heard = InMemoryChannelLayer(), []
        for number in range(rooms):
            channel = await layer.new_channel()
            await layer.open_inbox(channel, on_message=heard.append)
            await layer.group_add(f"room{number}", channel)
        sending = layer.group_send("room7", {"type": "news"})
        costs.append(calls_during(partial(finished, sending)))
        assert heard == [{"type": "news"}]
        await layer.close()

    assert costs[0] == costs[1]


def finished(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that does not wait to its end."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits for something")
