"""What every channel layer promises, whoever carries its messages; two layers stand for two processes."""

from __future__ import annotations

import asyncio
from time import monotonic

import pytest

from fastsio.exceptions import SetupError
from fastsio.layers import ChannelClosedError, safe_group_name
from tests.integration.layer_lab import BROKERS, KINDS, has_nothing, laboratory, receive, soon, until
from tests.support.brokers import nats_server, redis_server

MESSAGE = {"type": "chat.message", "text": "💬 hi", "data": b"\x00\xff", "deep": [{"n": [1, None, True, 1.5]}]}


@pytest.fixture(scope="module")
def brokers():
    """A Redis and a NATS for the whole module."""
    with redis_server() as redis, nats_server() as nats:
        yield {"memory": None, "pubsub": redis, "queue": redis, "nats": nats}


@pytest.fixture(params=KINDS)
async def lab(request, brokers):
    """Layers of one kind."""
    async with laboratory(request.param, brokers[request.param]) as lab:
        yield lab


@pytest.fixture
async def pair(lab):
    """Two layers that hear each other."""
    return lab.layer(), lab.layer()


async def member(layer, *groups):
    """Make a channel and put it into groups."""
    channel = await layer.new_channel()
    for group in groups:
        await layer.group_add(group, channel)
    return channel


@pytest.mark.acceptance("FC-1", "FC-21", "CX-3", "CX-7")
async def test_a_message_reaches_the_channel_it_is_sent_to(pair):
    """FC-1, FC-21: as it was, with the emoji and the bytes, from the same process or another."""
    a, b = pair
    channel, other = await member(a), await member(b)

    await b.send(channel, MESSAGE)
    await a.send(channel, {"type": "second"})

    assert await receive(a, channel, 2) == [MESSAGE, {"type": "second"}]
    assert await has_nothing(b, other)


@pytest.mark.acceptance("FC-1", "FC-20")
async def test_a_group_is_told_once_a_member(pair):
    """FC-1, FC-20: three members get three messages, whichever process they are in, and the sender is one of them."""
    a, b = pair
    channels = [(a, await member(a, "room")), (a, await member(a, "room")), (b, await member(b, "room"))]
    outside = await member(b, "Room")

    await a.group_send("room", MESSAGE)

    assert [await receive(layer, channel) for layer, channel in channels] == [[MESSAGE]] * 3
    for layer, channel in channels:
        assert await has_nothing(layer, channel)
    assert await has_nothing(b, outside)


@pytest.mark.acceptance("CX-18", "CX-28")
async def test_a_member_that_left_is_told_nothing(pair):
    """CX-28: leaving works at once, and twice."""
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
    layer = lab.layer(expiry=0.2)
    channel, quick = await member(layer, "room"), await member(layer, "room")
    await layer.group_send("room", {"n": 1})
    assert await receive(layer, quick) == [{"n": 1}]
    late = monotonic() + layer.expiry
    await until(lambda: monotonic() > late)

    await layer.group_send("room", {"n": 2})

    assert await receive(layer, channel) == [{"n": 2}]
    assert await layer.group_channels("room") == sorted([channel, quick])


@pytest.mark.acceptance("CX-19", "CX-23")
async def test_closing_a_channel_leaves_its_groups(pair):
    """CX-19: no layer shows a member afterwards, and sending to it is harmless."""
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


@pytest.mark.acceptance("FC-13", "FC-14")
async def test_a_thousand_rooms_with_one_member_each(pair):
    """FC-14: each gets its own message, and nobody else's."""
    a, b = pair
    channels = [await a.new_channel() for _ in range(1000)]
    await asyncio.gather(*(a.group_add(f"room{n}", channel) for n, channel in enumerate(channels)))

    await asyncio.gather(*(b.group_send(f"room{n}", {"n": n}) for n in range(1000)))

    got = await soon(asyncio.gather(*(a.receive(channel) for channel in channels)))
    assert [message["n"] for message in got] == list(range(1000))
    assert all(a._table.inboxes[channel].waiting == 0 for channel in channels)


@pytest.mark.acceptance("FC-15", "FC-16", "CX-6")
async def test_layers_with_other_prefixes_hear_nothing(lab):
    """CX-6: neither the group of the same name, nor one whose prefix begins alike."""
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

    await b.group_send("news", MESSAGE)
    assert await receive(a, channel) == [MESSAGE]
    await b.group_discard("news", channel)
    await until(lambda: is_empty(a, "news"))
    await b.group_send("news", MESSAGE)

    assert await has_nothing(a, channel)


async def is_empty(layer, group):
    """Tell whether a group has no members."""
    return not await layer.group_channels(group)


@pytest.mark.parametrize("kind", BROKERS)
async def test_what_is_encrypted_is_read_with_either_key(brokers, kind):
    """Keys rotate while messages are on their way; others drop what they cannot read, and live on."""
    async with laboratory(kind, brokers[kind]) as lab:
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
