"""Layers used from threads, from programs without an event loop, and from one loop after the other."""

from __future__ import annotations

import asyncio
import threading

import pytest
from asgiref.sync import async_to_sync

from tests.integration.layer_lab import KINDS, Lab, has_nothing, receive, soon
from tests.support.waiting import WAIT_S

MESSAGE = {"type": "job.done", "data": b"\x00"}


@pytest.fixture(params=KINDS)
def program(request, layer_brokers):
    """Layers of one kind in a program without a loop."""
    lab = Lab(request.param, layer_brokers[request.param])
    yield lab
    for layer in lab._layers:
        layer.sync.close()
        assert layer.is_closed
    lab.folder.cleanup()


async def test_a_thread_of_a_server_uses_its_layer(lab):
    """The consumer is called on its own loop."""
    layer = lab.layer()
    channel, got, here = await layer.new_channel(), asyncio.Queue(), threading.get_ident()
    await layer.open_inbox(channel, on_message=lambda message: got.put_nowait((message, threading.get_ident())))

    def work():
        layer.sync.group_add("room", channel)
        layer.sync.send(channel, {"n": 1})
        layer.sync.group_send("room", {"n": 2})
        return layer.sync.group_channels("room")

    assert await asyncio.to_thread(work) == [channel]
    messages = [await soon(got.get()) for _ in range(2)]
    assert sorted(message["n"] for message, _ in messages) == [1, 2]
    assert {thread for _, thread in messages} == {here}


async def test_async_to_sync_sends_from_a_worker(lab):
    """A thread without a loop sends with ``async_to_sync``, which runs a loop for each call."""
    layer = lab.layer()
    channel = await layer.new_channel()

    def work():
        for number in range(3):
            async_to_sync(layer.send)(channel, {"n": number})

    thread = threading.Thread(target=work)
    thread.start()
    got = await receive(layer, channel, 3)
    await asyncio.to_thread(thread.join)

    assert [message["n"] for message in got] == [0, 1, 2]


async def test_waiting_in_the_thread_of_the_loop_is_refused(lab):
    """It would wait for itself."""
    layer = lab.layer()

    with pytest.raises(RuntimeError, match="await the method of the layer itself"):
        layer.sync.send("a", MESSAGE)


def test_a_program_without_a_loop_sends_and_receives(program):
    """All methods are there."""
    layer = program.layer()
    channel = layer.sync.new_channel()
    layer.sync.group_add("room", channel)
    layer.sync.group_send("room", MESSAGE)
    assert layer.sync.receive(channel, timeout=WAIT_S) == MESSAGE
    assert layer.sync.group_channels("room") == [channel]

    layer.sync.group_discard("room", channel)
    layer.sync.group_send("room", MESSAGE)
    with pytest.raises(TimeoutError):
        layer.sync.receive(channel, timeout=0.05)
    layer.sync.flush()
    layer.sync.close_inbox(channel)


def test_a_consumer_on_a_loop_of_its_own_is_called_there(program):
    """Even when the process began to listen on another one."""
    layer = program.layer()
    layer.sync.new_channel()

    async def serve():
        channel, got = await layer.new_channel(), asyncio.Queue()
        here = threading.get_ident()
        await layer.open_inbox(channel, on_message=lambda message: got.put_nowait((message, threading.get_ident())))
        await layer.group_add("room", channel)
        await layer.group_send("room", {"n": 1})
        assert await soon(got.get()) == ({"n": 1}, here)
        await layer.close_inbox(channel)

        queued = await layer.open_inbox(await layer.new_channel())
        await layer.send(queued.channel, {"n": 2})
        assert await soon(queued.receive()) == {"n": 2}
        await layer.send(queued.channel, {"n": 3})
        assert await receive(layer, queued.channel) == [{"n": 3}]
        await queued.aclose()

    asyncio.run(serve())


def test_the_next_loop_takes_over(program):
    """Consumers of a loop that has ended are gone from their groups; the layer goes on."""
    layer = program.layer()

    async def serve():
        held, channel = await layer.new_channel(), await layer.new_channel()
        await layer.open_inbox(held)
        await layer.group_add("room", held)
        await layer.group_add("room", channel)
        await layer.group_send("room", {"n": 1})
        assert await receive(layer, channel) == [{"n": 1}]
        return held, channel

    async def serve_again():
        channel = await layer.new_channel()
        await layer.group_add("room", channel)
        await layer.group_send("room", {"n": 2})
        assert await receive(layer, channel) == [{"n": 2}]
        assert await has_nothing(layer, channel)
        return channel, await layer.group_channels("room")

    held, _ = asyncio.run(serve())
    again, members = asyncio.run(serve_again())

    assert again in members
    assert held not in layer._table.inboxes
