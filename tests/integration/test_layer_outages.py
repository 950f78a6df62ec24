"""Brokers that are down, killed under load, restarted or hanging; layers over several hosts and behind sentinels."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from fastsio.exceptions import BusError, SetupError
from fastsio.layers import ChannelFull, listening, nats
from fastsio.layers.redis import RedisChannelLayer, RedisPubSubChannelLayer, queues
from tests.integration.layer_lab import BROKERS, REDIS, has_nothing, laboratory, receive, soon, until
from tests.support.brokers import nats_server, redis_sentinel, redis_server

MESSAGE = {"type": "chat.message", "text": "hi"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Try again soon."""
    monkeypatch.setattr(listening, "FIRST_DELAY_S", 0.02)
    monkeypatch.setattr(listening, "MOST_DELAY_S", 0.05)
    monkeypatch.setattr(listening, "JITTER_S", 0.0)


@pytest.fixture(params=BROKERS)
async def lab(request):
    """Layers of one kind on a broker of the test's own."""
    with nats_server() if request.param == "nats" else redis_server() as broker:
        async with laboratory(request.param, broker) as lab:
            yield lab


class Calls:
    """Counts what a layer tells the application."""

    def __init__(self):
        self.lost, self.back = asyncio.Event(), asyncio.Event()
        self.seen = []

    def on_disconnect(self):
        self.seen.append("lost")
        self.lost.set()

    async def on_reconnect(self):
        self.seen.append("back")
        self.back.set()

    def options(self):
        """What a layer is made with."""
        return {"on_disconnect": self.on_disconnect, "on_reconnect": self.on_reconnect}


@pytest.mark.acceptance("FC-22")
async def test_a_broker_that_is_down_is_an_error_and_comes_back(lab, caplog):
    """FC-22: who sends is told, consumers stay, and everything works again once the broker does."""
    calls = Calls()
    a, b = lab.layer(**calls.options()), lab.layer()
    channel = await a.new_channel()
    await a.group_add("room", channel)
    await b.group_send("room", MESSAGE)
    assert await receive(a, channel) == [MESSAGE]

    lab.broker.kill()
    await soon(calls.lost.wait())
    for call in (a.group_send("room", MESSAGE), b.send(channel, MESSAGE), a.group_add("other", channel)):
        with pytest.raises(BusError):
            await soon(call)
    lab.broker.start()
    await soon(calls.back.wait())
    await b.group_send("room", {"type": "again"})

    assert await receive(a, channel) == [{"type": "again"}]
    assert await a.group_channels("other") == []
    assert calls.seen == ["lost", "back"]
    assert caplog.text.count("not connected, trying again") <= 2  # once a layer
    assert lab.broker.url not in caplog.text


async def test_a_layer_that_was_made_before_its_broker_connects_once_it_is_there(lab):
    """Opening a channel is no error, sending is."""
    lab.broker.kill()
    calls = Calls()
    layer = lab.layer(**calls.options())
    channel = await soon(layer.new_channel())
    with pytest.raises(BusError):
        await soon(layer.group_add("room", channel))

    lab.broker.start()
    await soon(calls.back.wait())
    await layer.group_add("room", channel)
    await layer.group_send("room", MESSAGE)

    assert await receive(layer, channel) == [MESSAGE]


async def test_a_callback_that_fails_hurts_nobody(lab, caplog):
    """It is logged, and the layer connects again."""
    back = asyncio.Event()

    async def fail():
        back.set()
        raise ZeroDivisionError

    layer = lab.layer(on_disconnect=lambda: 1 / 0, on_reconnect=fail)
    channel = await layer.new_channel()
    await layer.group_add("room", channel)

    lab.broker.restart()
    await soon(back.wait())
    await layer.group_send("room", MESSAGE)

    assert await receive(layer, channel) == [MESSAGE]
    assert "a callback failed" in caplog.text


class Load:
    """Sends numbers to a group until it is told to stop."""

    def __init__(self, layer):
        self.layer = layer
        self.sent, self.refused = [], []

    async def run(self, stop):
        for number in itertools.count(1):
            if stop.is_set():
                return
            try:
                await self.layer.group_send("room", {"n": number})
                self.sent.append(number)
            except BusError:
                self.refused.append(number)
                await asyncio.sleep(0.01)


async def test_what_is_lost_under_load_is_what_was_not_accepted_or_was_on_its_way(lab):
    """After a kill the numbers that arrive are in order, none arrives twice, and all sent after the return arrive."""
    calls = Calls()
    a, load = lab.layer(capacity=10_000, **calls.options()), Load(lab.layer())
    channel = await a.new_channel()
    await a.group_add("room", channel)

    task = asyncio.create_task(load.run(calls.back))
    await until(lambda: len(load.sent) >= 20)
    lab.broker.kill()
    await soon(calls.lost.wait())
    lab.broker.start()
    await soon(task)
    await load.layer.group_send("room", {"n": "end"})

    got = []
    while (number := (await receive(a, channel))[0]["n"]) != "end":
        got.append(number)
    assert got == sorted(set(got))
    assert got[:10] == load.sent[:10]
    assert set(got) <= set(load.sent) | set(load.refused)


async def test_a_group_without_members_is_not_listened_to(lab, monkeypatch):
    """The broker need not send what nobody here wants, whichever way the last member went."""
    monkeypatch.setattr(nats, "LINGER_S", 0.01)
    layer = lab.layer()
    one, two = await layer.new_channel(), await layer.new_channel()
    await layer.group_add("room", one)
    await layer.group_add("room", two)
    assert await listeners(lab, layer) == 1

    await layer.group_discard("room", one)
    await layer.close_inbox(two)

    await until(lambda: nobody_listens(lab, layer))


async def listeners(lab, layer):
    """Return how many processes the broker would tell what is sent to the group."""
    if lab.kind == "queue":
        return int(await layer._queues.run("room", "ZCARD", f"{lab.prefix}:routes:room"))
    if lab.kind == "nats":
        return int(layer._topic("group", "room") in layer._subscriber._subscribed)
    topic = layer._topic("group", "room")
    return int(await (await layer._senders.get())[0]._client.execute_command("PUBLISH", topic, "{}"))


async def nobody_listens(lab, layer):
    """Tell whether there is none."""
    return await listeners(lab, layer) == 0


async def test_the_queue_loses_nothing_while_its_reader_is_cut_off():
    """Messages wait at Redis while the connection of a process is gone, in its group and for its channel."""
    with redis_server() as broker:
        async with laboratory("queue", broker) as lab:
            calls = Calls()
            a, b = lab.layer(**calls.options()), lab.layer()
            channel = await a.new_channel()
            await a.group_add("room", channel)

            for number in range(5):
                await b._queues.run("x", "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                await b.group_send("room", {"n": number})
                await b.send(channel, {"n": number + 0.5})

            got = [message["n"] for message in await receive(a, channel, 10)]
            assert got == [number / 2 for number in range(10)]
            assert await has_nothing(a, channel)


@pytest.mark.acceptance("CX-8")
async def test_the_queue_keeps_messages_for_a_reader_that_comes_later():
    """CX-8: pub/sub does not."""
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


@pytest.mark.acceptance("CX-8")
async def test_the_queue_forgets_messages_that_have_expired():
    """CX-8: not after expiry."""
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
            first, second = lab.layer(lease=0.3), lab.layer(lease=0.3)
            inbox = await first.open_inbox("jobs")
            for number in range(3):
                await second.send("jobs", {"n": number})
            await until(lambda: inbox.waiting == 3)
            late = asyncio.create_task(second.receive("jobs"))
            await lab.layer()._queues.run("x", "BLPOP", "nothing", "0.8")  # more than two leases
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
            lives, dies = lab.layer(lease=0.3), lab.layer(lease=0.3)
            stays, goes = await lives.new_channel(), await dies.new_channel()
            await lives.group_add("room", stays)
            await dies.group_add("room", goes)
            assert await lives.group_channels("room") == sorted([stays, goes])

            # As after kill -9: nothing is said to Redis.
            for reader in dies._readers:
                await reader.close()
            await until(lambda: shows(lives, [stays]))
            await lab.layer()._queues.run("x", "BLPOP", "nothing", "0.8")  # more than two leases

            assert await lives.group_channels("room") == [stays]
            await lives.group_send("room", MESSAGE)
            assert await receive(lives, stays) == [MESSAGE]


async def shows(layer, channels):
    """Tell whether the group has just these members."""
    return await layer.group_channels("room") == channels


@pytest.mark.parametrize("kind", REDIS)
async def test_flush_spares_other_layers(kind):
    """Neither a prefix that begins alike, nor one with the characters of a pattern, is emptied."""
    with redis_server() as broker:
        async with laboratory(kind, broker) as lab:
            prefixes = ["queue", "queue-other", "queue:node", "q*", "qu"]
            layers = [lab.layer(prefix=prefix) for prefix in prefixes]
            channels = [await layer.new_channel() for layer in layers]
            for layer, channel in zip(layers, channels, strict=True):
                await layer.group_add("room", channel)
                if kind == "queue":
                    await layer.send("jobs", MESSAGE)

            await layers[0].flush()
            await layers[3].flush()

            for number in (1, 2, 4):
                await layers[number].group_send("room", MESSAGE)
                assert await receive(layers[number], channels[number]) == [MESSAGE]
                if kind == "queue":
                    assert await receive(layers[number], "jobs") == [MESSAGE]


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


@pytest.mark.parametrize("kind", REDIS)
async def test_three_hosts_share_channels_and_groups(kind):
    """Sender and reader agree about which host has what, direct sends included."""
    with redis_server() as one, redis_server() as two, redis_server() as three:
        async with laboratory(kind, one) as lab:
            hosts = [one.url, ("127.0.0.1", two.port), {"host": "127.0.0.1", "port": three.port}]
            a, b = lab.layer(hosts=hosts), lab.layer(hosts=hosts)
            channels = [await a.new_channel() for _ in range(12)]
            for number, channel in enumerate(channels):
                await a.group_add(f"room{number}", channel)
                await b.send(channel, {"direct": number})
                await b.group_send(f"room{number}", {"group": number})

            for number, channel in enumerate(channels):
                got = await receive(a, channel, 2)
                assert {"direct": number} in got
                assert {"group": number} in got
            if kind == "queue":
                for number in range(12):
                    await b.send(f"jobs{number}", {"n": number})
                assert [(await receive(a, f"jobs{number}"))[0]["n"] for number in range(12)] == list(range(12))


@pytest.mark.parametrize("kind", REDIS)
@pytest.mark.parametrize("form", ["url", "dict"])
async def test_a_master_is_found_through_its_sentinels(kind, form):
    """As a URL, or as a dict."""
    with redis_server() as broker, redis_sentinel(broker) as sentinel:
        async with laboratory(kind, broker) as lab:
            host = sentinel.url
            if form == "dict":
                host = {"sentinels": [("127.0.0.1", sentinel.port)], "master_name": "mymaster"}
            layer = lab.layer(hosts=[host])
            channel = await layer.new_channel()
            await layer.group_add("room", channel)
            await layer.group_send("room", MESSAGE)

            assert await receive(layer, channel) == [MESSAGE]


@pytest.mark.parametrize("kind", REDIS)
async def test_what_others_write_is_dropped_and_logged(kind, caplog):
    """Garbage under our keys ends nothing."""
    with redis_server() as broker:
        async with laboratory(kind, broker) as lab:
            layer = lab.layer()
            channel = await layer.new_channel()
            await layer.group_add("room", channel)
            for payload in (b"garbage", b"[1]", b'{"no":1}', b"\x80\x04K\x01.", b'{"c":[]}', b'{"c":1,"m":2}'):
                if kind == "pubsub":
                    await layer._publish(layer._topic("group", "room"), payload[:3])
                    await layer._publish(layer._topic("node", layer.node), payload)
                else:
                    await layer._queues.run("x", "XADD", layer._queues.stream_of_node(layer.node), "*", "d", payload)
            await layer.group_send("room", MESSAGE)

            assert await receive(layer, channel) == [MESSAGE]
            assert "is dropped" in caplog.text


async def test_a_backlog_is_bounded(monkeypatch):
    """A process that does not read is told so little that Redis does not fill up."""
    monkeypatch.setattr(queues, "NODE_BACKLOG", 5)
    with redis_server() as broker:
        async with laboratory("queue", broker) as lab:
            a, b = lab.layer(), lab.layer()
            channel = await a.new_channel()
            for reader in a._readers:
                await reader.close()
            for _ in range(5):
                await b.send(channel, MESSAGE)
            with pytest.raises(ChannelFull):
                await b.send(channel, MESSAGE)


@pytest.mark.parametrize("layer", [RedisPubSubChannelLayer, RedisChannelLayer])
def test_a_worker_without_a_loop_sends_with_a_loop_a_call(layer):
    """FC-21: each asyncio.run() has connections of its own, and leaves none behind."""
    with redis_server() as broker:
        sender, reader = layer([broker.url], "runs"), layer([broker.url], "runs")

        async def read():
            channel = await reader.new_channel()
            await asyncio.to_thread(lambda: [asyncio.run(sender.send(channel, {"n": n})) for n in range(3)])
            got = await receive(reader, channel, 3)
            await reader.close()
            return got

        assert asyncio.run(read()) == [{"n": 0}, {"n": 1}, {"n": 2}]
        assert sender.is_closed
