"""Senders wait for consumers whose clients are behind and read, and not for those whose clients do not."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from math import inf
from typing import TYPE_CHECKING, Any

import pytest

import fastsio
from fastsio.consumers import AsyncJsonWebsocketConsumer, AsyncWebsocketConsumer, ws_handler
from fastsio.exceptions import DisconnectedError
from fastsio.layers.manager import LayerManager
from tests.shells.consumers.messages import Said, Say
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: A timeout for clients that read nothing, which tests wait for.
SHORT_S = 0.05


class Feed(AsyncWebsocketConsumer):
    """Passes on what is broadcast; rows by a handler."""

    channel_layer_alias = "chat"
    groups = ["all"]
    inbox_capacity = 8

    async def row(self, event: dict[str, Any]) -> None:
        await self.send(event["text"])

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:
        for _ in range(3):
            await self.send(text_data or "")


class Client:
    """A WebSocket's client on an ASGI application, which reads while the test lets it."""

    def __init__(self, app: Any) -> None:
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.outgoing: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.incoming.put_nowait({"type": "websocket.connect"})
        scope = {"type": "websocket", "path": "/", "headers": [], "query_string": b"", "subprotocols": []}
        self.task = asyncio.create_task(app(scope, self.incoming.get, self._send))

    async def _send(self, event: dict[str, Any]) -> None:
        if event["type"] == "websocket.send":
            await self.flowing.wait()
        self.outgoing.put_nowait(event)

    _send.__module__ = "uvicorn"  # it stands for that server's, which needs no task

    async def event(self) -> dict[str, Any]:
        """Return the next event."""
        return await asyncio.wait_for(self.outgoing.get(), WAIT_S)

    async def texts(self, count: int) -> list[str]:
        """Return the next frames, reading one after the other."""
        texts = []
        for _ in range(count):
            self.flowing.set()
            texts.append((await self.event())["text"])
            self.flowing.clear()
        self.flowing.set()
        return texts


@asynccontextmanager
async def connected(consumer: Any = Feed) -> AsyncIterator[Client]:
    """Connect a client, to a consumer or an application, for the length of the block."""
    client = Client(consumer.as_asgi() if isinstance(consumer, type) else consumer)
    assert (await client.event())["type"] == "websocket.accept"
    yield client
    client.flowing.set()
    client.incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})
    await asyncio.wait_for(client.task, WAIT_S)


async def turns() -> None:
    """Give the loop some turns, for what must not happen."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize("kind", ["fastsio.text", "row"])
async def test_messages_sent_in_a_loop_reach_a_client_that_reads_slower(layer, kind):
    """Whether they are passed on or handled, more than the inbox holds arrive, in order."""

    async def produce() -> None:
        for number in range(100):
            await layer.group_send("all", {"type": kind, "text": str(number)})

    async with connected() as client:
        client.flowing.clear()
        producer = asyncio.create_task(produce())

        assert await client.texts(100) == [str(number) for number in range(100)]
        await asyncio.wait_for(producer, WAIT_S)
    assert layer.dropped == 0


async def test_broadcasts_of_a_consumer_reach_a_client_that_reads_slower(layer):
    """Also that of the consumer itself, whose handler waits until its client has read."""

    class Chat(AsyncJsonWebsocketConsumer):
        channel_layer_alias = "chat"
        groups = ["all"]
        inbox_capacity = 8

        @ws_handler
        async def say(self, message: Say) -> None:
            for number in range(50):
                await self.broadcast_message(Said(payload=number))

    async with connected(Chat) as client, connected(Chat) as other:
        client.flowing.clear()
        client.incoming.put_nowait(
            {"type": "websocket.receive", "text": '{"action": "say", "payload": {"text": "go"}}'}
        )

        assert len(await client.texts(50)) == 50
        assert [(await other.event())["text"] for _ in range(50)][-1].endswith("49}")


async def test_messages_to_one_channel_wait_as_well(layer):
    """``send`` does not say that the channel is full while its client reads."""

    class Named(Feed):
        async def connect(self) -> None:
            names.append(self.channel_name)
            await self.accept()

    names: list[str] = []

    async def produce() -> None:
        for number in range(50):
            await layer.send(names[0], {"type": "row", "text": str(number)})

    async with connected(Named) as client:
        client.flowing.clear()
        producer = asyncio.create_task(produce())

        assert await client.texts(50) == [str(number) for number in range(50)]
        await asyncio.wait_for(producer, WAIT_S)


async def test_a_thread_waits_for_a_client_that_is_behind(layer):
    """With ``layer.sync``."""

    def produce() -> None:
        for number in range(50):
            layer.sync.group_send("all", {"type": "row", "text": str(number)})

    async with connected() as client:
        client.flowing.clear()
        producer = asyncio.create_task(asyncio.to_thread(produce))

        assert await client.texts(50) == [str(number) for number in range(50)]
        await asyncio.wait_for(producer, WAIT_S)


async def test_who_is_told_not_to_wait_does_not(layer):
    """The inbox has its capacity, and its policy for more."""
    async with connected() as client:
        client.flowing.clear()

        for number in range(20):
            await layer.group_send("all", {"type": "row", "text": str(number)}, wait=False)

        assert layer.dropped > 0
        assert await client.texts(8) == [str(number) for number in range(8)]


@pytest.mark.virtual_time
async def test_a_client_that_reads_nothing_is_closed_and_delays_others_once(layer, caplog):
    """Its connection ends with 1013; whoever reads gets everything at once."""

    class Impatient(Feed):
        slow_client_timeout = SHORT_S

    async with connected(Impatient) as stuck, connected(Impatient) as reader:
        stuck.flowing.clear()
        for number in range(5):
            await layer.group_send("all", {"type": "row", "text": str(number)}, wait=False)
        await asyncio.wait_for(layer.group_send("all", {"type": "row", "text": "5"}), WAIT_S)

        await asyncio.wait_for(layer.group_send("all", {"type": "row", "text": "6"}), WAIT_S)

        assert await reader.texts(7) == [str(number) for number in range(7)]
        closed = await stuck.event()
        assert (closed["type"], closed["code"]) == ("websocket.close", 1013)
    assert caplog.text.count("reads nothing") == 1


@pytest.mark.virtual_time
async def test_a_handler_does_not_wait_for_ever_to_send_to_its_client(layer):
    """It is told that the client has gone."""
    failures: list[Exception] = []

    class Impatient(Feed):
        slow_client_timeout = SHORT_S

        async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:
            for _ in range(3):
                try:
                    await self.send(text_data)
                except DisconnectedError as error:
                    failures.append(error)

    async with connected(Impatient) as client:
        client.flowing.clear()
        client.incoming.put_nowait({"type": "websocket.receive", "text": "x"})

        assert (await client.event())["code"] == 1013
    assert len(failures) == 3


async def test_a_consumer_may_have_all_the_time(layer):
    """``slow_client_timeout = None`` never closes."""

    class Patient(Feed):
        slow_client_timeout = None

    async with connected(Patient) as client:
        client.flowing.clear()
        for number in range(6):
            await layer.group_send("all", {"type": "row", "text": str(number)}, wait=False)
        waiting = asyncio.create_task(layer.group_send("all", {"type": "row", "text": "6"}))
        await turns()

        assert not waiting.done()
        assert await client.texts(7) == [str(number) for number in range(7)]
        await asyncio.wait_for(waiting, WAIT_S)


async def test_a_sender_does_not_wait_for_a_handler(layer):
    """It may be one itself: a consumer whose handler sends it more events than its inbox holds does not lock up."""

    class Busy(Feed):
        async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:
            for number in range(6):
                await self.channel_layer.group_send("all", {"type": "row", "text": str(number)})

    async with connected(Busy) as client:
        client.incoming.put_nowait({"type": "websocket.receive", "text": "go"})

        assert await client.texts(6) == [str(number) for number in range(6)]


async def test_a_sender_is_released_when_the_client_leaves(layer):
    """Nobody waits for a client that is gone."""
    async with connected() as client:
        client.flowing.clear()
        for number in range(6):
            await layer.group_send("all", {"type": "fastsio.text", "text": str(number)}, wait=False)
        waiting = asyncio.create_task(layer.group_send("all", {"type": "row", "text": "6"}))
        await turns()
        assert not waiting.done()

        client.incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})

        await asyncio.wait_for(waiting, WAIT_S)


@pytest.mark.virtual_time
async def test_what_servers_emit_waits_for_consumers(layer):
    """Through ``LayerManager``; the broker's timeout does not run meanwhile, and ``wait=False`` does not wait."""
    sio = fastsio.AsyncServer(
        async_mode="asgi", client_manager=LayerManager("chat", write_only=True, publish_timeout=SHORT_S)
    )

    class Chat(AsyncJsonWebsocketConsumer):
        channel_layer_alias = "chat"
        inbox_capacity = 8
        slow_client_timeout = None

        async def connect(self) -> None:
            await self.channel_layer.group_add("sio.2f.everybody", self.channel_name)
            names.append(self.channel_name)
            await self.accept()

    names: list[str] = []

    async with connected(Chat) as client:
        client.flowing.clear()
        for number in range(6):
            await sio.emit("row", number, to=names[0], wait=False)
        waiting = asyncio.create_task(sio.emit("row", 6, to=names[0]))
        await asyncio.wait({waiting}, timeout=2 * SHORT_S)

        assert not waiting.done()
        assert len(await client.texts(7)) == 7
        await asyncio.wait_for(waiting, WAIT_S)


def in_time(app: Any, limit_s: float) -> Any:
    """Put a middleware around an application that limits the time of each write."""

    async def middleware(scope: Any, receive: Any, send: Any) -> None:
        async def send_in_time(event: Any) -> None:
            async with asyncio.timeout(limit_s):
                await send(event)

        await app(scope, receive, send_in_time)

    return middleware


async def test_a_middleware_may_limit_the_time_of_a_broadcast(layer):
    """Also one that arrives in no task, as from another thread."""
    async with connected(in_time(Feed.as_asgi(), WAIT_S)) as client:
        await turns()
        (inbox,) = layer._table.inboxes.values()
        asyncio.get_running_loop().call_soon(inbox.put, {"type": "fastsio.text", "text": "1"}, inf)

        assert await client.texts(1) == ["1"]
        await layer.group_send("all", {"type": "fastsio.text", "text": "2"})
        assert await client.texts(1) == ["2"]


async def test_a_broadcast_that_takes_too_long_for_a_middleware_ends_no_other_task(layer):
    """Only the connection of that client, not the task that sends."""
    async with connected(in_time(Feed.as_asgi(), 0.01)) as client:
        client.flowing.clear()
        sending = asyncio.create_task(_send_for_long(layer))

        await asyncio.wait({sending}, timeout=WAIT_S)
        assert sending.done()
        assert not sending.cancelled()


async def _send_for_long(layer: Any) -> None:
    await layer.group_send("all", {"type": "fastsio.text", "text": "1"}, wait=False)
    await asyncio.sleep(0.1)
