"""In which order, and how many at a time, a connection's messages are handled."""

from __future__ import annotations

import asyncio

import pytest

from fastsio.consumers import AsyncJsonWebsocketConsumer, AsyncWebsocketConsumer, event_handler, ws_handler
from fastsio.exceptions import SetupError
from fastsio.layers import InMemoryChannelLayer, override
from tests.shells.consumers.messages import Said, Say, say
from tests.support.rooms import Person, present
from tests.support.waiting import WAIT_S


class Gate:
    """Keeps handlers waiting, and counts them."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.inside = 0
        self.most = 0
        self.entered = asyncio.Semaphore(0)

    async def pass_through(self) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.entered.release()
        await self.open.wait()
        self.inside -= 1


def consumer_of(gate: Gate, **attributes):
    """Make a consumer whose handlers wait at a gate for ``slow``."""

    class Waiting(AsyncJsonWebsocketConsumer):
        channel_layer_alias = "chat"
        groups = ["all"]
        vars().update(attributes)

        @ws_handler
        async def say(self, message: Say) -> Said:
            if message.payload.text.startswith("slow"):
                await gate.pass_through()
            return Said(payload=message.payload.text)

        @event_handler
        async def heard(self, event: Said) -> Said:
            if event.payload == "slow event":
                await gate.pass_through()
            return event

    return Waiting


async def entered(gate: Gate, count: int = 1) -> None:
    """Wait until handlers wait at the gate."""
    async with asyncio.timeout(WAIT_S):
        for _ in range(count):
            await gate.entered.acquire()


async def test_frames_are_answered_in_the_order_they_came(layer):
    """A slow handler keeps those after it waiting."""
    gate = Gate()
    async with present(consumer_of(gate).as_asgi(), "/") as (ada,):
        for text in ("slow 1", "2", "3"):
            await ada.send_json_to(say(text))
        await entered(gate)
        assert ada.pending() == 0
        gate.open.set()

        assert [frame["payload"] for frame in await ada.hears_json(3)] == ["slow 1", "2", "3"]
    assert gate.most == 1


async def test_one_handler_at_a_time_whatever_it_is_for(layer):
    """An event waits for the frame that is being handled, and a frame for the event."""
    gate = Gate()
    consumer = consumer_of(gate)
    async with present(consumer.as_asgi(), "/") as (ada,):
        await ada.send_json_to(say("slow"))
        await entered(gate)
        await consumer.broadcast_event(Said(payload="slow event"))
        await ada.send_json_to(say("later"))
        assert ada.pending() == 0
        gate.open.set()
        heard = [frame["payload"] for frame in await ada.hears_json(3)]

    assert heard[0] == "slow"
    assert sorted(heard[1:]) == ["later", "slow event"]
    assert gate.most == 1


async def test_events_of_the_layer_are_handled_in_their_order(layer):
    """Those with a handler and those that are passed on keep their order among themselves."""
    gate = Gate()
    consumer = consumer_of(gate)
    async with present(consumer.as_asgi(), "/") as (ada,):
        await consumer.broadcast_event(Said(payload="slow event"))
        await entered(gate)
        await layer.group_send("all", {"type": "fastsio.text", "text": '{"action": "said", "payload": "text"}'})
        await consumer.broadcast_event(Said(payload="last"))
        assert ada.pending() == 0
        gate.open.set()

        assert [frame["payload"] for frame in await ada.hears_json(3)] == ["slow event", "text", "last"]


async def test_a_broadcast_does_not_wait_for_a_frames_handler(layer):
    """Passing a frame on is no handler: a client that waits for a slow answer still hears its room."""
    gate = Gate()
    async with present(consumer_of(gate).as_asgi(), "/") as (ada,):
        await ada.send_json_to(say("slow"))
        await entered(gate)
        await layer.group_send("all", {"type": "fastsio.text", "text": '{"action": "said", "payload": "news"}'})

        assert [frame["payload"] for frame in await ada.hears_json()] == ["news"]
        gate.open.set()
        assert [frame["payload"] for frame in await ada.hears_json()] == ["slow"]


async def test_more_concurrency_starts_in_order_and_ends_as_it_will(layer):
    """Two handlers run at a time, a third waits."""
    gate = Gate()
    async with present(consumer_of(gate, concurrency=2).as_asgi(), "/") as (ada,):
        for text in ("slow 1", "2", "slow 3", "slow 4"):
            await ada.send_json_to(say(text))
        await entered(gate, 2)
        assert [frame["payload"] for frame in await ada.hears_json()] == ["2"]
        assert gate.inside == 2
        gate.open.set()

        assert sorted([frame["payload"] for frame in await ada.hears_json(3)]) == ["slow 1", "slow 3", "slow 4"]
    assert gate.most == 2


async def test_handlers_at_work_end_before_the_end_is_told(layer):
    """A client that leaves meanwhile is taken leave of afterwards."""
    gate, told = Gate(), []

    class Leaving(consumer_of(gate, concurrency=2)):
        async def disconnect(self, code):
            told.append(gate.inside)

    async with present(Leaving.as_asgi(), "/") as (ada,):
        await ada.send_json_to(say("slow"))
        await entered(gate)
        leaving = asyncio.create_task(ada.disconnect())
        gate.open.set()
        await leaving

    assert told == [0]


def test_concurrency_is_a_positive_number():
    """Nothing could be handled with none."""
    with pytest.raises(SetupError, match="concurrency is a positive whole number, not 0"):

        class Nothing(AsyncWebsocketConsumer):
            concurrency = 0


async def test_what_arrives_while_a_consumer_connects_waits(layer):
    """A message to the group comes after what connect() sends, and never before the client was accepted."""

    class Joining(AsyncWebsocketConsumer):
        channel_layer_alias = "chat"

        async def connect(self):
            await self.channel_layer.group_add("all", self.channel_name)
            await self.channel_layer.group_send("all", {"type": "told", "text": "early"})
            await self.channel_layer.group_send("all", {"type": "fastsio.text", "text": "early too"})
            await self.accept()
            await self.send("welcome")

        async def told(self, event):
            await self.send(event["text"])

    async with present(Joining.as_asgi(), "/") as (ada,):
        assert await ada.hears(3) == ["welcome", "early", "early too"]


async def test_a_full_inbox_drops_by_the_layers_policy():
    """One slow consumer loses what does not fit; its neighbour loses nothing, and its connection lives on."""
    gate = Gate()
    consumer = consumer_of(gate, inbox_capacity=2)
    with override("chat", InMemoryChannelLayer()) as layer:
        async with present(consumer.as_asgi(), "/") as (ada,):
            await consumer.broadcast_event(Said(payload="slow event"))
            await entered(gate)
            async with present(consumer_of(Gate()).as_asgi(), "/") as (ben,):
                for number in range(5):
                    await consumer.broadcast_event(Said(payload=number))
                gate.open.set()

                assert [frame["payload"] for frame in await ada.hears_json(3)] == ["slow event", 0, 1]
                assert [frame["payload"] for frame in await ben.hears_json(5)] == [0, 1, 2, 3, 4]
                await ada.send_json_to(say("still here"))
                assert [frame["payload"] for frame in await ada.hears_json()] == ["still here"]
        assert layer.dropped == 0  # of the channels that are open
        await layer.close()


async def test_the_policy_close_ends_the_connection_that_is_too_slow():
    """Its client is told to try again later."""
    gate = Gate()
    consumer = consumer_of(gate, inbox_capacity=1)
    with override("chat", InMemoryChannelLayer(overflow="close")) as layer:
        async with present(consumer.as_asgi(), "/") as (ada,):
            await consumer.broadcast_event(Said(payload="slow event"))
            await entered(gate)
            for number in range(3):
                await consumer.broadcast_event(Said(payload=number))

            await ada.assert_closed(1013)
            gate.open.set()
        await layer.close()


async def test_a_write_that_waits_keeps_the_order(layer):
    """A client that does not read delays its own messages, and nobody else's."""
    reads, sent = asyncio.Event(), []
    consumer = consumer_of(Gate())

    class Slow(Person):
        async def put(self, message):
            if message["type"] == "websocket.send":
                sent.append(message["text"])
                await reads.wait()
            self._from_application.put_nowait(message)

    ada = Slow(consumer.as_asgi(), "/")
    ada._from_application, queue = _Putting(ada.put), ada._from_application
    ada._from_application.queue = queue
    async with ada, present(consumer.as_asgi(), "/") as (ben,):
        for text in ("1", "2", "3"):
            await layer.group_send("all", {"type": "fastsio.text", "text": text})
        assert await ben.hears(3) == ["1", "2", "3"]
        assert sent == ["1"]
        reads.set()

        assert [str(await ada.receive_from()) for _ in range(3)] == ["1", "2", "3"]


class _Putting:
    """A queue whose ``put`` is another function."""

    def __init__(self, put) -> None:
        self.put = put
        self.queue: asyncio.Queue = asyncio.Queue()

    def __getattr__(self, name):
        return getattr(self.queue, name)
