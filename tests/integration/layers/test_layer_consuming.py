"""What every channel layer promises to those who receive: callbacks, limits, policies, closing; two stand for two processes."""

from __future__ import annotations

import asyncio
from time import monotonic

import pytest

from fastsio.exceptions import SetupError
from fastsio.layers import ChannelClosedError
from tests.integration.layer_lab import MESSAGE, has_nothing, member, receive, soon, until
from tests.support.waiting import WAIT_S


async def test_a_full_consumer_starves_nobody(lab):
    """Its neighbours in the group get everything, and others in the process as well."""
    layer = lab.layer(capacity=5)
    full, busy = await member(layer, "room"), await member(layer, "room")
    for number in range(20):
        await layer.group_send("room", {"n": number})
        assert await receive(layer, busy) == [{"n": number}]

    assert [message["n"] for message in await receive(layer, full, 5)] == list(range(5))
    assert await has_nothing(layer, full, busy)
    assert layer.dropped == 15


async def test_a_message_that_expires_costs_no_membership(lab):
    """Who reads late misses the message, and stays in the group."""
    layer = lab.layer(expiry=1.5)
    channel, other = await member(layer, "room"), await member(layer, "room")
    inbox = layer._table.inboxes[channel]
    await layer.group_send("room", {"n": 1})
    await until(lambda: inbox._waiting)
    late = monotonic() + layer.expiry
    await until(lambda: monotonic() > late)

    layer.expiry = WAIT_S
    await layer.group_send("room", {"n": 2})

    assert await receive(layer, channel) == [{"n": 2}]
    assert inbox.expired == 1
    assert await layer.group_channels("room") == sorted([channel, other])


async def test_closing_a_channel_leaves_its_groups(pair):
    """No layer shows a member afterwards, and sending to it is harmless."""
    a, b = pair
    channel, other = await member(a, "one", "two"), await member(b, "two")
    await a.close_inbox(channel)
    await a.close_inbox(channel)

    await b.send(channel, MESSAGE)
    await b.group_send("two", MESSAGE)

    assert await receive(b, other) == [MESSAGE]
    assert await a.group_channels("one") == []
    assert await a.group_channels("two") == ([other] if lab_is_shared(a) else [])


def lab_is_shared(layer):
    """Tell whether a layer knows the members that other processes have."""
    return type(layer).__name__ in {"RedisChannelLayer", "InMemoryChannelLayer"}


async def test_a_consumer_that_is_cancelled_leaks_nothing(pair):
    """Its inbox closes with the block in which it was opened."""
    a, _ = pair
    joined = asyncio.Event()
    channel = await a.new_channel()

    async def consume():
        async with await a.open_inbox(channel) as inbox:
            await a.group_add("room", channel)
            joined.set()
            await inbox.receive()

    task = asyncio.create_task(consume())
    await soon(joined.wait())
    task.cancel()
    await asyncio.wait([task])

    assert await a.group_channels("room") == []
    assert a._table.inboxes == {}
    assert a._table.groups == {}


async def test_a_receiver_that_gives_up_loses_neither_messages_nor_groups(pair):
    """Waiting for a while is not leaving."""
    a, b = pair
    channel = await member(a, "room")
    for _ in range(5):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(a.receive(channel), 0.01)

    await b.group_send("room", MESSAGE)

    assert await receive(a, channel) == [MESSAGE]


async def test_a_callback_gets_messages_as_they_arrive(pair):
    """Without a task that waits for them, from its channel and from its groups."""
    a, b = pair
    channel, got, complete = await a.new_channel(), [], asyncio.Event()

    def take(message):
        got.append(message)
        if len(got) == 2:
            complete.set()

    await a.open_inbox(channel, on_message=take)
    await a.group_add("room", channel)
    await b.send(channel, {"n": 1})
    await b.group_send("room", {"n": 2})

    await soon(complete.wait())
    assert sorted(message["n"] for message in got) == [1, 2]


async def test_a_callback_gets_what_came_before_it(pair):
    """Between making a channel and consuming it nothing is lost."""
    a, b = pair
    channel, got = await a.new_channel(), asyncio.Queue()
    await b.send(channel, MESSAGE)

    await a.open_inbox(channel, on_message=got.put_nowait)

    assert await soon(got.get()) == MESSAGE


async def test_a_channel_has_one_consumer_in_a_process(pair):
    """A second is the developer's mistake."""
    a, _ = pair
    channel = await a.new_channel()
    await a.open_inbox(channel)

    with pytest.raises(SetupError, match="has a consumer in this process already"):
        await a.open_inbox(channel)
    await a.close_inbox(channel)
    await a.open_inbox(channel)


async def test_the_policy_close_ends_a_consumer_that_is_too_slow(pair):
    """It is told, has left its groups, and the others go on."""
    a, b = pair
    slow, quick = await a.new_channel(), await member(a, "room")
    told = asyncio.Event()
    inbox = await a.open_inbox(slow, capacity=1, overflow="close", on_close=told.set)
    await a.group_add("room", slow)
    for number in range(3):
        await b.group_send("room", {"n": number})

    assert [message["n"] for message in await receive(a, quick, 3)] == [0, 1, 2]
    await soon(told.wait())
    assert await soon(inbox.receive()) == {"n": 0}
    with pytest.raises(ChannelClosedError):
        await soon(inbox.receive())
    await a.group_send("room", {"n": 3})
    assert await receive(a, quick) == [{"n": 3}]
    assert await a.group_channels("room") == [quick]


async def test_flush_forgets_messages_and_groups_and_keeps_consumers(pair):
    """Who listened can be sent to."""
    a, _ = pair
    channel = await member(a, "room")
    await a.flush()

    await a.group_send("room", MESSAGE)
    await a.send(channel, {"type": "direct"})
    assert await receive(a, channel) == [{"type": "direct"}]
    assert await a.group_channels("room") == []

    await a.group_add("room", channel)
    await a.group_send("room", MESSAGE)
    assert await receive(a, channel) == [MESSAGE]


async def test_a_closed_layer_opens_anew(pair):
    """An application that is started twice in one process uses the same layer."""
    a, b = pair
    channel = await member(a, "room")
    await a.close()
    if a is not b:
        assert a.is_closed

    again = await member(a, "room")
    await b.group_send("room", MESSAGE)

    assert await receive(a, again) == [MESSAGE]
    assert channel not in await a.group_channels("room")


async def test_closing_ends_those_who_wait(pair):
    """They are told that the channel is closed."""
    a, _ = pair
    channel = await a.new_channel()
    waiting = asyncio.create_task(a.receive(channel))
    await asyncio.sleep(0)
    await a.close()

    with pytest.raises(ChannelClosedError):
        await soon(waiting)
