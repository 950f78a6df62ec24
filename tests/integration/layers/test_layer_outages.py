"""Brokers that are down, killed under load or restarted, and what layers tell the application."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from fastsio.brokers import nats
from fastsio.exceptions import BusError
from tests.integration.layer_lab import BROKERS, MESSAGE, Calls, laboratory, receive, soon, until
from tests.support.brokers import nats_server, redis_server

pytestmark = pytest.mark.usefixtures("quick_layers")


@pytest.fixture(params=BROKERS)
async def lab(request):
    """Layers of one kind on a broker of the test's own."""
    with nats_server() if request.param == "nats" else redis_server() as broker:
        async with laboratory(request.param, broker) as lab:
            yield lab


async def test_a_broker_that_is_down_is_an_error_and_comes_back(lab, caplog):
    """The sender gets an error, consumers stay, and everything works again once the broker does."""
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


async def test_losses_are_reported(lab):
    """A broker that is started anew has lost what was on its way, and what it kept for readers."""
    calls, losses = Calls(), []
    layer = lab.layer(**calls.options())
    channel = await layer.new_channel()
    await layer.group_add("room", channel)
    layer.loss_listeners.add(lambda: losses.append(1))

    lab.broker.kill()
    await soon(calls.lost.wait())
    lab.broker.start()
    await soon(calls.back.wait())

    assert losses


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
        return int(layer._topic("group", "room") in layer._subscribers[0]._subscribed)
    topic = layer._topic("group", "room")
    return int(await (await layer._senders.get())[0].client.execute_command("PUBLISH", topic, "{}"))


async def nobody_listens(lab, layer):
    """Tell whether there is none."""
    return await listeners(lab, layer) == 0
