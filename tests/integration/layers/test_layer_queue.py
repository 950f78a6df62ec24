"""The layer on Redis that keeps messages: readers that are late, cut off or gone, shared channels, processes that die."""

from __future__ import annotations

import asyncio

import pytest

from fastsio.exceptions import SetupError
from fastsio.layers import ChannelFull
from tests.integration.layer_lab import MESSAGE, Calls, has_nothing, heard, laboratory, receive, soon, until
from tests.support.brokers import redis_server

pytestmark = pytest.mark.usefixtures("quick_layers")


async def test_the_queue_loses_nothing_while_its_reader_is_cut_off():
    """Messages wait at Redis while the connection of a process is gone, in its group and for its channel."""
    with redis_server() as broker:
        async with laboratory("queue", broker) as lab:
            calls, losses = Calls(), []
            a, b = lab.layer(**calls.options()), lab.layer()
            a.loss_listeners.add(lambda: losses.append(1))
            channel = await a.new_channel()
            await a.group_add("room", channel)

            for number in range(5):
                await b._queues.run("x", "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                await b.group_send("room", {"n": number})
                await b.send(channel, {"n": number + 0.5})

            got = [message["n"] for message in await receive(a, channel, 10)]
            assert got == [number / 2 for number in range(10)]
            assert await has_nothing(a, channel)
            assert losses == []


async def test_the_queue_keeps_messages_for_a_reader_that_comes_later():
    """The queue keeps a message that nobody reads yet; pub/sub does not."""
    with redis_server() as broker:
        async with laboratory("queue", broker) as lab, laboratory("pubsub", broker) as other:
            await lab.layer().send("jobs", {"n": 1})
            await lab.layer().send("jobs", {"n": 2})
            await other.layer().send("jobs", {"n": 1})

            assert await receive(lab.layer(), "jobs", 2) == [{"n": 1}, {"n": 2}]
            late = other.layer()
            waiting = asyncio.create_task(late.receive("jobs"))
            await until(lambda: waiting_for_message(late, "jobs"))
            await other.layer().send("jobs", {"n": 2})
            assert await soon(waiting) == {"n": 2}


def waiting_for_message(layer, channel):
    """Tell whether somebody waits for a message of a channel."""
    inbox = layer._table.inboxes.get(channel)
    return inbox is not None and inbox.waiters == 1


async def test_the_queue_forgets_messages_that_have_expired():
    """A reader that comes after a message has expired does not get it."""
    with redis_server() as broker:
        async with laboratory("queue", broker) as lab:
            sender = lab.layer(expiry=0.2)
            await sender.send("jobs", {"n": 1})
            await sender._queues.run("x", "BLPOP", "nothing", "0.3")  # let the time of Redis pass
            await sender.send("jobs", {"n": 2})

            assert await receive(lab.layer(), "jobs") == [{"n": 2}]


async def test_the_queue_gives_a_message_of_a_shared_channel_to_one_reader():
    """Workers share the jobs."""
    with redis_server() as broker:
        async with laboratory("queue", broker) as lab:
            workers, sender = [lab.layer() for _ in range(3)], lab.layer()
            done, complete = [], asyncio.Event()

            async def work(layer):
                while True:
                    done.append((await layer.receive("jobs"))["n"])
                    if len(done) == 60:
                        complete.set()

            tasks = [asyncio.create_task(work(layer)) for layer in workers]
            for number in range(60):
                await sender.send("jobs", {"n": number})
            await soon(complete.wait())
            for task in tasks:
                task.cancel()

            assert sorted(done) == list(range(60))


async def test_the_queue_takes_over_from_a_reader_that_closes():
    """What it had been given and nobody has read goes to the next."""
    with redis_server() as broker:
        async with laboratory("queue", broker) as lab:
            first, second = lab.layer(), lab.layer()
            inbox = await first.open_inbox("jobs")
            for number in range(5):
                await second.send("jobs", {"n": number})
            assert (await soon(inbox.receive()))["n"] == 0
            await first.close_inbox("jobs")

            got = [message["n"] for message in await receive(second, "jobs", 4)]

            assert sorted(got) == [1, 2, 3, 4]


async def test_the_channel_of_another_process_cannot_be_read():
    """Waiting for its messages would be waiting for ever."""
    with redis_server() as broker:
        async with laboratory("queue", broker) as lab:
            a, b = lab.layer(), lab.layer()
            channel = await a.new_channel()
            for call in (b.receive(channel), b.open_inbox(channel)):
                with pytest.raises(SetupError, match="was made by another process"):
                    await soon(call)
            await b.send(channel, MESSAGE)

            assert await receive(a, channel) == [MESSAGE]


async def test_what_waits_in_a_process_that_lives_stays_there_and_of_one_that_dies_does_not():
    """The lease of messages is renewed too."""
    with redis_server() as broker:
        async with laboratory("queue", broker) as lab:
            first, second = lab.layer(lease=2), lab.layer(lease=2)
            inbox = await first.open_inbox("jobs")
            for number in range(3):
                await second.send("jobs", {"n": number})
            await until(lambda: inbox.waiting == 3)
            late = asyncio.create_task(second.receive("jobs"))
            await lab.layer()._queues.run("x", "BLPOP", "nothing", "4.5")  # more than two leases
            assert not late.done()

            for reader in first._readers:
                await reader.close()  # as after kill -9

            assert (await soon(late))["n"] in range(3)
            assert len(await receive(second, "jobs", 2)) == 2


async def test_a_shared_channel_that_is_full_is_an_error():
    """The capacity holds at Redis, for each channel."""
    with redis_server() as broker:
        async with laboratory("queue", broker) as lab:
            layer = lab.layer(capacity=3, channel_capacity={"big*": 5})
            for _ in range(3):
                await layer.send("jobs", MESSAGE)
            with pytest.raises(ChannelFull, match="'jobs'"):
                await layer.send("jobs", MESSAGE)
            for _ in range(5):
                await layer.send("big-jobs", MESSAGE)
            with pytest.raises(ChannelFull):
                await layer.send("big-jobs", MESSAGE)

            await receive(layer, "jobs")
            keeps_new = lab.layer(capacity=2, overflow="drop_old")
            for number in range(5):
                await keeps_new.send("news", {"n": number})
            assert await receive(keeps_new, "news", 2) == [{"n": 3}, {"n": 4}]


async def test_a_shared_channel_is_a_member_of_a_group_without_a_reader():
    """Its messages wait for whoever comes."""
    with redis_server() as broker:
        async with laboratory("queue", broker) as lab:
            a, b = lab.layer(), lab.layer()
            await a.group_add("all", "worker-1")
            await a.group_send("all", {"n": 1})

            assert await b.group_channels("all") == ["worker-1"]
            assert await receive(b, "worker-1") == [{"n": 1}]
            await b.group_discard("all", "worker-1")
            assert await a.group_channels("all") == []


async def test_the_groups_of_a_process_that_dies_lapse():
    """Its lease ends when it is not renewed any more; that of a process that lives does not."""
    with redis_server() as broker:
        async with laboratory("queue", broker) as lab:
            lives, dies = lab.layer(lease=1), lab.layer(lease=1)
            stays, goes = await lives.new_channel(), await dies.new_channel()
            await lives.group_add("room", stays)
            await dies.group_add("room", goes)
            await until(lambda: shows(lives, sorted([stays, goes])))

            # As after kill -9: nothing is said to Redis.
            for reader in dies._readers:
                await reader.close()
            await until(lambda: shows(lives, [stays]))
            await lab.layer()._queues.run("x", "BLPOP", "nothing", "2.5")  # more than two leases

            # A busy machine may have held up its sign of life; then it is in the group again with the next one.
            await heard(lives, "room", lives, stays)
            assert await lives.group_channels("room") == [stays]


async def shows(layer, channels):
    """Tell whether the group has just these members."""
    return await layer.group_channels("room") == channels


async def test_flush_of_the_queue_reaches_the_other_processes():
    """They forget the groups too, and go on."""
    with redis_server() as broker:
        async with laboratory("queue", broker) as lab:
            a, b = lab.layer(), lab.layer()
            channel = await b.new_channel()
            await b.group_add("room", channel)

            await a.flush()
            await a.send(channel, MESSAGE)

            assert await receive(b, channel) == [MESSAGE]
            assert b._table.groups == {}
            await b.group_add("room", channel)
            await a.group_send("room", MESSAGE)
            assert await receive(b, channel) == [MESSAGE]
