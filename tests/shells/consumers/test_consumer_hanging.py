"""A handler that never returns keeps neither its consumer nor its groups from noticing that the client has left."""

from __future__ import annotations

import asyncio

import pytest

from fastsio.aio.engine.read_ahead import ReadAhead
from fastsio.consumers import AsyncWebsocketConsumer
from tests.shells.engine.wire import until
from tests.support.garbage import newcomers
from tests.support.rooms import Person
from tests.support.waiting import WAIT_S


class Hanging(AsyncWebsocketConsumer):
    """Waits for ever in the handlers that are told to, and keeps what happens."""

    channel_layer_alias = "chat"
    groups = ["all"]
    handler_grace = 0.05
    log: list[str]
    busy: asyncio.Event
    go: asyncio.Event

    async def handle(self, text):
        if "hang" not in text:
            self.log.append(f"{text} done")
            return
        self.busy.set()
        try:
            await self.go.wait()
            self.log.append(f"{text} done")
        except asyncio.CancelledError:
            self.log.append(f"{text} cancelled")
            raise

    async def receive(self, text_data=None, bytes_data=None, **kwargs):
        await self.handle(text_data)

    async def told(self, event):
        await self.handle(event["text"])

    async def disconnect(self, code):
        self.log.append(f"disconnect {code}")


def hanging(**attributes):
    """Make such a consumer."""
    events = {name: asyncio.Event() for name in ("busy", "go")}
    return type("Consumer", (Hanging,), {"log": [], **events, **attributes})


@pytest.mark.parametrize("concurrency", [1, 2])
async def test_the_handler_of_a_client_that_left_is_cancelled(layer, concurrency):
    """Then the consumer hears that it has left, and the groups are left, whatever stood behind."""
    consumer = hanging(concurrency=concurrency)
    person = Person(consumer.as_asgi(), "/")
    await person.connect()
    for text in ("hang", "hang too", "never"):
        await person.send_to(text)
    await consumer.busy.wait()
    await person.disconnect(1006)

    *handlers, last = consumer.log
    assert sorted(handlers) == ["hang cancelled", "hang too cancelled"][:concurrency]
    assert last == "disconnect 1006"
    assert await layer.group_channels("all") == []


async def test_a_handler_of_the_layer_is_cancelled_likewise(layer):
    """Also when the client has sent nothing."""
    consumer = hanging()
    person = Person(consumer.as_asgi(), "/")
    await person.connect()
    await layer.group_send("all", {"type": "told", "text": "hang"})
    await consumer.busy.wait()
    await person.disconnect(1006)

    assert consumer.log == ["hang cancelled", "disconnect 1006"]
    assert await layer.group_channels("all") == []


@pytest.mark.virtual_time
async def test_handlers_that_end_in_time_end_by_themselves(layer):
    """What the client sent before it left is handled, in order."""
    consumer = hanging(handler_grace=5.0)
    person = Person(consumer.as_asgi(), "/")
    await person.connect()
    for text in ("hang on", "second"):
        await person.send_to(text)
    await consumer.busy.wait()
    leaving = asyncio.create_task(person.disconnect(1000))
    await asyncio.sleep(0)
    consumer.go.set()
    await leaving

    assert consumer.log == ["hang on done", "second done", "disconnect 1000"]


async def test_a_client_that_leaves_while_it_is_connected_is_noticed(layer):
    """The method for connecting is cancelled too."""
    cancelled = asyncio.Event()

    async def connect(self):
        self.busy.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    consumer = hanging(connect=connect)
    person = Person(consumer.as_asgi(), "/")
    connecting = asyncio.create_task(person.connect(timeout=WAIT_S))
    await consumer.busy.wait()
    await person.send_input({"type": "websocket.disconnect", "code": 1006})
    await asyncio.wait_for(cancelled.wait(), WAIT_S)
    connecting.cancel()
    await asyncio.wait([connecting])
    await person.wait()

    assert await layer.group_channels("all") == []


@pytest.mark.virtual_time
async def test_an_idle_connection_keeps_nothing_of_a_handler_that_waited():
    """Nor is anything made for handlers that do not wait."""
    kept = newcomers(ReadAhead)
    consumer = hanging(groups=[], channel_layer_alias=None)
    person = Person(consumer.as_asgi(), "/")
    await person.connect()
    await person.send_to("quick")
    await until(lambda: consumer.log == ["quick done"])
    assert not kept()

    await person.send_to("hang")
    await consumer.busy.wait()
    assert len(kept()) == 1
    consumer.go.set()
    await until(lambda: len(consumer.log) == 2)
    await until(lambda: not kept())
    await person.disconnect(1000)
