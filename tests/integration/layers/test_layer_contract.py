"""What every channel layer promises about messages, groups and names; two layers stand for two processes."""

from __future__ import annotations

import asyncio

import pytest

from fastsio.layers import safe_group_name
from tests.integration.layer_lab import BROKERS, MESSAGE, has_nothing, laboratory, member, receive, soon, until

#: Redis keeps a reader waiting for two seconds at a time.
AT_ONCE_S = 1.0
BOTH = 2


async def test_a_message_reaches_the_channel_it_is_sent_to(pair):
    """The message arrives as it was, with the emoji and the bytes, from the same process or another."""
    a, b = pair
    channel, other = await member(a), await member(b)

    await b.send(channel, MESSAGE)
    await a.send(channel, {"type": "second"})

    assert await receive(a, channel, 2) == [MESSAGE, {"type": "second"}]
    assert await has_nothing(b, other)


async def test_a_group_is_told_once_a_member(pair):
    """Three members get three messages, whichever process they are in, and the sender is one of them."""
    a, b = pair
    channels = [(a, await member(a, "room")), (a, await member(a, "room")), (b, await member(b, "room"))]
    outside = await member(b, "Room")

    await a.group_send("room", MESSAGE)

    assert [await receive(layer, channel) for layer, channel in channels] == [[MESSAGE]] * 3
    for layer, channel in channels:
        assert await has_nothing(layer, channel)
    assert await has_nothing(b, outside)


async def test_a_member_that_left_is_told_nothing(pair):
    """Leaving works at once, and may be done twice."""
    a, b = pair
    leaver, stayer = await member(a, "room"), await member(a, "room")
    await a.group_discard("room", leaver)
    await a.group_discard("room", leaver)
    await a.group_discard("nobody", leaver)

    await b.group_send("room", MESSAGE)

    assert await receive(a, stayer) == [MESSAGE]
    assert await has_nothing(a, leaver)
    assert await a.group_channels("room") == [stayer]


async def test_joining_twice_is_joining_once(pair):
    """One message, and one leave is enough."""
    a, b = pair
    channel = await member(a, "room", "room")
    await b.group_send("room", MESSAGE)
    assert await receive(a, channel) == [MESSAGE]

    await a.group_discard("room", channel)
    await b.group_send("room", MESSAGE)

    assert await has_nothing(a, channel)


async def test_a_group_that_was_left_can_be_joined_again(pair):
    """However often: what is sent after joining arrives."""
    a, b = pair
    channel = await member(a)
    for number in range(20):
        await a.group_add("room", channel)
        await b.group_send("room", {"n": number})
        assert await receive(a, channel) == [{"n": number}]
        await a.group_discard("room", channel)

    assert await has_nothing(a, channel)


async def test_the_messages_of_one_sender_keep_their_order(pair):
    """Within a group, and to a channel."""
    a, b = pair
    channel = await member(a, "room")
    for number in range(50):
        await b.group_send("room", {"n": number})

    assert [message["n"] for message in await receive(a, channel, 50)] == list(range(50))


async def test_members_do_not_share_what_they_are_told(pair):
    """A handler that changes its message changes nobody else's, nor the sender's."""
    a, _ = pair
    channels = [await member(a, "room") for _ in range(3)]
    sent = {"type": "x", "list": [1], "deep": {"list": [{}]}}
    await a.group_send("room", sent)
    ((first,), *others) = [await receive(a, channel) for channel in channels]

    first["list"].append(2)
    first["deep"]["list"][0]["changed"] = True
    sent["list"].clear()

    assert [message for (message,) in others] == [{"type": "x", "list": [1], "deep": {"list": [{}]}}] * 2


async def test_a_thousand_rooms_with_one_member_each(pair):
    """Each member gets the message of its own room, and no other."""
    a, b = pair
    channels = [await a.new_channel() for _ in range(1000)]
    await asyncio.gather(*(a.group_add(f"room{n}", channel) for n, channel in enumerate(channels)))

    await asyncio.gather(*(b.group_send(f"room{n}", {"n": n}) for n in range(1000)))

    got = await soon(asyncio.gather(*(a.receive(channel) for channel in channels)))
    assert [message["n"] for message in got] == list(range(1000))
    assert all(a._table.inboxes[channel].waiting == 0 for channel in channels)


async def test_layers_with_other_prefixes_hear_nothing(lab):
    """A layer hears neither the group of the same name nor one whose prefix begins alike."""
    if lab.kind == "memory":
        mine, others = lab.layer(), [lab.layer(capacity=7)]
    else:
        mine = lab.layer(prefix="queue")
        others = [lab.layer(prefix=prefix) for prefix in ("queue-other", "que", "queue:group", "queue.group")]
    group = safe_group_name("team a", "💬")
    channels = [await member(layer, group, "x", "group") for layer in (mine, *others)]

    await mine.group_send(group, MESSAGE)
    await mine.group_send("x", MESSAGE)

    assert await receive(mine, channels[0], 2) == [MESSAGE] * 2
    for layer, channel in zip(others, channels[1:], strict=True):
        assert await has_nothing(layer, channel)


@pytest.mark.parametrize("name", ["a b", "ünï", "x" * 100, "", None])
async def test_names_are_checked_by_every_method(pair, name):
    """Before anything is sent."""
    a, _ = pair
    for call in (
        a.send(name, {}),
        a.receive(name),
        a.group_add("g", name),
        a.group_add(name, "c"),
        a.group_discard(name, "c"),
        a.group_send(name, {}),
        a.group_channels(name),
        a.open_inbox(name),
        a.close_inbox(name),
    ):
        with pytest.raises(TypeError, match="name is a str of ASCII letters"):
            await call
    if name:
        with pytest.raises(TypeError):
            await a.new_channel(name)


async def test_messages_are_checked(pair):
    """A message is a mapping with strings for keys."""
    a, _ = pair
    for message in ("text", None, [1], {1: 2}):
        with pytest.raises(TypeError):
            await a.send("c", message)
        with pytest.raises(TypeError):
            await a.group_send("g", message)


async def test_a_process_can_put_the_channel_of_another_into_a_group(pair):
    """A worker that knows a user's channel decides which news it gets."""
    a, b = pair
    channel = await member(a)
    await b.group_add("news", channel)
    await b.send(channel, {"type": "marker"})
    assert await receive(a, channel) == [{"type": "marker"}]
    await until(lambda: a.group_channels("news"))
    await a.group_add("news", channel)  # it is there already, but now the broker has confirmed it

    await b.group_send("news", MESSAGE)
    assert await receive(a, channel) == [MESSAGE]
    await b.group_discard("news", channel)
    await until(lambda: is_empty(a, "news"))
    await b.group_send("news", MESSAGE)

    assert await has_nothing(a, channel)


async def test_a_process_can_take_the_channel_of_another_out_of_a_group_with_others(pair, caplog):
    """The message for that is valid, also while another channel of the process stays."""
    a, b = pair
    leaver, stayer = await member(a, "news"), await member(a, "news")

    await b.group_discard("news", leaver)
    await until(lambda: has_only(a, "news", stayer))
    await b.group_send("news", MESSAGE)

    assert await receive(a, stayer) == [MESSAGE]
    assert await has_nothing(a, leaver)
    assert not caplog.records


async def test_a_process_that_puts_a_channel_into_a_group_and_takes_it_out_at_once_leaves_it_outside(pair):
    """The requests count in their order."""
    a, b = pair
    channel = await member(a)

    await asyncio.gather(b.group_add("news", channel), b.group_discard("news", channel), b.send(channel, MESSAGE))

    assert await receive(a, channel) == [MESSAGE]
    await until(lambda: is_empty(a, "news"))
    await b.group_send("news", MESSAGE)
    assert await has_nothing(a, channel)


async def has_only(layer, group, channel):
    """Tell whether a channel is the only member of a group."""
    return await layer.group_channels(group) == [channel]


async def is_empty(layer, group):
    """Tell whether a group has no members."""
    return not await layer.group_channels(group)


@pytest.mark.parametrize("kind", BROKERS)
async def test_what_is_encrypted_is_read_with_either_key(layer_brokers, kind):
    """Keys rotate while messages are on their way; others drop what they cannot read, and live on."""
    async with laboratory(kind, layer_brokers[kind]) as lab:
        old = lab.layer(symmetric_encryption_keys=["old"])
        both = lab.layer(symmetric_encryption_keys=["new", "old"], serializer_format="msgpack")
        none = lab.layer()
        channels = [await member(layer, "room") for layer in (old, both, none)]

        await old.group_send("room", {"n": 1})
        await both.group_send("room", {"n": 2})
        assert await receive(both, channels[1], 2) == [{"n": 1}, {"n": 2}]
        assert await receive(old, channels[0]) == [{"n": 1}]
        await none.group_send("room", {"n": 3})

        assert await receive(none, channels[2]) == [{"n": 3}]
        assert await has_nothing(both, channels[1])
        assert await has_nothing(old, channels[0])


async def test_each_of_two_receivers_of_a_channel_gets_its_message_at_once(pair):
    """Neither waits for the other to be done."""
    a, b = pair
    for _ in range(2):
        waiting = [asyncio.create_task(a.receive("jobs")) for _ in range(BOTH)]
        await until(lambda: "jobs" in a._table.inboxes and a._table.inboxes["jobs"].waiters == BOTH)
        await b.send("jobs", {"type": "one"})
        await b.send("jobs", {"type": "two"})
        async with asyncio.timeout(AT_ONCE_S):
            got = await asyncio.gather(*waiting)
        assert sorted(message["type"] for message in got) == ["one", "two"]
