"""Layers on Redis: several hosts, sentinels, what others write, what waits to be read."""

from __future__ import annotations

import asyncio

import pytest

from fastsio.layers import ChannelFull
from fastsio.layers.redis import RedisChannelLayer, RedisPubSubChannelLayer, queues
from tests.integration.layer_lab import MESSAGE, REDIS, laboratory, receive, soon
from tests.support.brokers import redis_sentinel, redis_server

pytestmark = pytest.mark.usefixtures("quick_layers")


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
    """Each asyncio.run() has connections of its own, and leaves none behind."""
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


async def test_a_group_may_be_left_while_it_is_joined():
    """Who joins is not kept waiting for a subscription that is not wanted any more; the next one to join is heard."""
    with redis_server() as broker:
        async with laboratory("pubsub", broker) as lab:
            layer = lab.layer()
            channel = await layer.new_channel()

            await soon(asyncio.gather(layer.group_add("room", channel), layer.group_discard("room", channel)))
            await soon(layer.group_add("room", channel))
            await layer.group_send("room", MESSAGE)

            assert await receive(layer, channel) == [MESSAGE]


async def test_groups_are_joined_and_left_in_quick_succession():
    """Redis is told of one change of a group at a time; the last one counts."""
    with redis_server() as broker:
        async with laboratory("pubsub", broker) as lab:
            layer = lab.layer()
            channel = await layer.new_channel()

            async def flicker(group: str) -> None:
                for _ in range(20):
                    await layer.group_add(group, channel)
                    await layer.group_discard(group, channel)
                await layer.group_add(group, channel)

            await soon(asyncio.gather(*(flicker(f"room{number}") for number in range(5))))
            for number in range(5):
                await layer.group_send(f"room{number}", {"n": number})

            assert await receive(layer, channel, 5) == [{"n": number} for number in range(5)]
