"""How a connection begins: accepting, refusing, constructing, groups with and without a layer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fastsio.consumers import (
    AcceptConnection,
    AsyncConsumer,
    AsyncJsonWebsocketConsumer,
    AsyncWebsocketConsumer,
    DenyConnection,
    StopConsumer,
)
from fastsio.exceptions import SetupError
from fastsio.messages import PingMessage
from tests.shells.consumers.messages import Pinged
from tests.support.rooms import Person, present
from tests.support.waiting import WAIT_S


@pytest.mark.parametrize("consumer", [AsyncWebsocketConsumer, AsyncJsonWebsocketConsumer])
async def test_connect_may_raise_what_it_wants(consumer):
    """AcceptConnection takes the client, DenyConnection refuses it, for both kinds of consumer."""

    class Choosing(consumer):
        async def connect(self):
            raise AcceptConnection if self.scope["path"] == "/in" else DenyConnection

    async with present(Choosing.as_asgi(), "/in"):
        pass
    assert await Person(Choosing.as_asgi(), "/out").connect() == (False, 1000)


async def test_accept_and_close_pass_on_what_they_are_told():
    """Subprotocol and headers; code and reason, once."""

    class Polite(AsyncWebsocketConsumer):
        async def connect(self):
            await self.accept("v2", headers=[(b"x-served-by", b"test")])

        async def receive(self, text_data=None, bytes_data=None, **kwargs):
            await self.send(bytes_data=b"bye", close=4000)
            await self.close(4001, "never sent")

    person = Person(Polite.as_asgi(), "/", subprotocols=["v1", "v2"])
    assert await person.connect() == (True, "v2")
    await person.send_to("leave")

    assert await person.receive_from() == b"bye"
    await person.assert_closed(4000)
    await person.send_to("too late")
    await person.disconnect()
    assert person.pending() == 0


async def test_sending_before_accepting_says_what_is_missing(caplog):
    """The client is refused, as after any failure to connect."""

    class Hasty(AsyncWebsocketConsumer):
        async def connect(self):
            await self.send("hello")

    assert await Person(Hasty.as_asgi(), "/").connect() == (False, 1011)
    assert "has not been accepted yet" in caplog.text


async def test_a_frame_has_text_or_bytes(caplog):
    """send() without either is a mistake."""

    class Empty(AsyncWebsocketConsumer):
        async def receive(self, text_data=None, bytes_data=None, **kwargs):
            await self.send()

    async with present(Empty.as_asgi(), "/") as (ada,):
        await ada.send_to("x")
        await ada.hears()

    assert "a frame has text or bytes" in caplog.text


async def test_a_failure_to_connect_closes_with_an_error_and_leaves_all_groups(layer, caplog):
    """disconnect() is not called: what connect() did not set, nobody misses."""

    class Broken(AsyncWebsocketConsumer):
        channel_layer_alias = "chat"
        groups = ["all"]

        async def connect(self):
            await self.accept()
            raise RuntimeError("half way")

        async def disconnect(self, code):
            raise AssertionError("was never connected")

    person = Person(Broken.as_asgi(), "/")
    await person.connect()

    assert '"internal"' in (await person.hears())[0]
    await person.assert_closed(1011)
    await person.wait()
    assert await layer.group_channels("all") == []
    assert "half way" in caplog.text


async def test_groups_without_a_layer_are_a_mistake(caplog):
    """The log names the attribute to set."""

    class Nowhere(AsyncWebsocketConsumer):
        groups = ["all"]

    assert await Person(Nowhere.as_asgi(), "/").connect() == (False, 1011)
    assert "set channel_layer_alias" in caplog.text


async def test_a_consumer_works_without_a_layer():
    """Its channel layer is None, and its name tells it from others all the same."""
    names = set()

    class Alone(AsyncWebsocketConsumer):
        async def connect(self):
            assert self.channel_layer is None
            names.add(self.channel_name)
            await self.accept()

    async with present(Alone.as_asgi(), "/", "/"):
        assert len(names) == 2


async def test_events_need_a_layer_and_say_so():
    """send_event() of a class without an alias."""
    with pytest.raises(SetupError, match="set channel_layer_alias"):
        await Pinged.send_event(PingMessage(), "channel")
    with pytest.raises(SetupError, match="set channel_layer_alias"):
        Pinged.broadcast_event_sync(PingMessage(), ["all"])


async def test_handlers_may_join_and_leave_groups(layer):
    """join_group and leave_group keep the list of groups."""

    class Moving(AsyncWebsocketConsumer):
        channel_layer_alias = "chat"

        async def receive(self, text_data=None, bytes_data=None, **kwargs):
            for _ in range(2):
                await (self.join_group("a") if text_data == "join" else self.leave_group("a"))
            await self.send(",".join(self.groups))

    async with present(Moving.as_asgi(), "/") as (ada,):
        await ada.send_to("join")
        assert await ada.hears() == ["a"]
        assert len(await layer.group_channels("a")) == 1
        await ada.send_to("leave")
        assert await ada.hears() == [""]
        assert await layer.group_channels("a") == []


async def test_a_constructor_need_not_call_that_of_its_parent():
    """Each connection still has groups of its own."""

    class Headstrong(AsyncWebsocketConsumer):
        def __init__(self):
            self.mine = 1

        async def receive(self, text_data=None, bytes_data=None, **kwargs):
            self.groups.append("x")
            await self.send(f"{self.mine} {self.groups}")

    async with present(Headstrong.as_asgi(), "/", "/") as people:
        for person in people:
            await person.send_to("x")
            assert await person.hears() == ["1 ['x']"]


async def test_initkwargs_reach_the_constructor():
    """as_asgi(name=...) makes each consumer with it."""

    class Named(AsyncWebsocketConsumer):
        def __init__(self, *args, name: str, **kwargs):
            super().__init__(*args, **kwargs)
            self.name = name

        async def receive(self, text_data=None, bytes_data=None, **kwargs):
            await self.send(self.name)

    async with present(Named.as_asgi(name="ada"), "/") as (ada,):
        await ada.send_to("who")
        assert await ada.hears() == ["ada"]


async def test_a_plain_consumer_takes_any_protocol(layer):
    """A message a.b of the server goes to a_b, and one of the layer to the method it names."""
    sent: asyncio.Queue[Any] = asyncio.Queue()
    told = asyncio.Event()

    class Http(AsyncConsumer):
        channel_layer_alias = "chat"

        async def http_request(self, message):
            await self.send({"type": "http.response.start", "status": 200, "headers": []})
            await self.channel_layer.send(self.channel_name, {"type": "told.later"})

        async def told_later(self, event):
            await self.send({"type": "http.response.body", "body": b"later"})
            told.set()
            raise StopConsumer

        async def http_disconnect(self, message):
            sent.put_nowait(message)

    received: asyncio.Queue[Any] = asyncio.Queue()
    received.put_nowait({"type": "http.request", "body": b""})
    running = asyncio.create_task(Http.as_asgi()({"type": "http", "path": "/"}, received.get, sent.put))
    await asyncio.wait_for(told.wait(), WAIT_S)
    received.put_nowait({"type": "http.disconnect"})
    await asyncio.wait_for(running, WAIT_S)

    assert [sent.get_nowait()["type"] for _ in range(sent.qsize())] == ["http.response.start", "http.response.body"]


async def test_a_plain_consumer_lets_its_failures_out():
    """What a server's message raises is the server's to report, and so is a message without a method."""

    class Http(AsyncConsumer):
        async def http_request(self, message):
            raise RuntimeError("on purpose")

    for scope, error in (("http", "on purpose"), ("lifespan", "has no method 'http_request'")):
        received: asyncio.Queue[Any] = asyncio.Queue()
        received.put_nowait({"type": "http.request"})
        consumer = Http if scope == "http" else AsyncConsumer
        with pytest.raises((RuntimeError, SetupError), match=error):
            await consumer.as_asgi()({"type": "http", "path": "/"}, received.get, received.put)
