"""How a connection ends: stopping, clients that are gone, servers that stop, failures on the way out."""

from __future__ import annotations

import asyncio
import logging

import pytest

from fastsio import Depends
from fastsio.consumers import AsyncJsonWebsocketConsumer, AsyncWebsocketConsumer, StopConsumer, ws_handler
from fastsio.exceptions import BusError, DisconnectedError
from fastsio.layers import InMemoryChannelLayer, override
from fastsio.messages import PingMessage, PongMessage
from tests.support.rooms import Person, present


async def test_stop_consumer_ends_it_without_further_calls(layer):
    """Whatever comes then is not handled, and the groups are left."""
    calls = []

    class Once(AsyncWebsocketConsumer):
        channel_layer_alias = "chat"
        groups = ["all"]

        async def receive(self, text_data=None, bytes_data=None, **kwargs):
            calls.append(text_data)
            raise StopConsumer

        async def disconnect(self, code):
            calls.append(code)

    async with present(Once.as_asgi(), "/") as (ada,):
        await ada.send_to("one")
        await ada.wait()

    assert calls == ["one"]
    assert await layer.group_channels("all") == []


@pytest.mark.parametrize(
    "error", [OSError("gone"), RuntimeError("Unexpected ASGI message, after the connection ended")]
)
async def test_sending_to_a_client_that_is_gone_is_no_failure_of_the_handler(layer, caplog, error):
    """It ends the handler that sends, is no line in the log, and the rest goes on."""
    caught = []

    class Talkative(AsyncJsonWebsocketConsumer):
        channel_layer_alias = "chat"
        groups = ["all"]

        @ws_handler
        async def ping(self, _message: PingMessage) -> None:
            try:
                await self.send_message(PongMessage())
            except DisconnectedError:
                caught.append("gone")
                raise

        async def disconnect(self, code):
            caught.append(code)

    person = Person(Talkative.as_asgi(), "/")
    fails = asyncio.Event()

    async def application(scope, receive, send):
        async def failing(message):
            if fails.is_set():
                raise error
            await send(message)

        await Talkative.as_asgi()(scope, receive, failing)

    person.application = application
    await person.connect()
    fails.set()
    await person.send_json_to({"action": "ping"})
    await layer.group_send("all", {"type": "fastsio.text", "text": "nobody hears it"})
    await person.disconnect(1006)

    assert caught == ["gone", 1006]
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


async def test_a_server_that_stops_leaves_nothing_behind(layer):
    """A connection that is cancelled leaves its groups and closes its dependencies."""
    log = []

    async def pool():
        yield
        log.append("closed")

    class Pooled(AsyncWebsocketConsumer):
        channel_layer_alias = "chat"
        groups = ["all"]

        async def connect(self, _: None = Depends(pool, scope="connection")):
            await self.accept()

    person = Person(Pooled.as_asgi(), "/")
    await person.connect()
    await person.stop()

    assert log == ["closed"]
    assert await layer.group_channels("all") == []


async def test_a_broker_that_is_away_at_the_end_is_a_warning(caplog):
    """The connection ends in order; its channel expires by itself."""

    class Away(InMemoryChannelLayer):
        async def close_inbox(self, channel):
            raise BusError("away")

    class Member(AsyncWebsocketConsumer):
        channel_layer_alias = "away"

    with override("away", Away()):
        async with present(Member.as_asgi(), "/"):
            pass

    assert "is left to expire" in caplog.text


async def test_a_dependency_that_fails_to_close_keeps_nobody_in_a_group(layer, caplog):
    """It is logged, and the end goes on."""

    async def broken():
        yield
        raise RuntimeError("cannot close")

    class Pooled(AsyncWebsocketConsumer):
        channel_layer_alias = "chat"
        groups = ["all"]

        async def connect(self, _: None = Depends(broken, scope="connection")):
            await self.accept()

    async with present(Pooled.as_asgi(), "/"):
        pass

    assert await layer.group_channels("all") == []
    assert "cannot close" in caplog.text
