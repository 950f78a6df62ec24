"""Ends that come at the wrong moment: cancellations, departures and failures of handlers, hooks and dependencies."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from fastsio import Depends
from fastsio.consumers import (
    AsyncConsumer,
    AsyncJsonWebsocketConsumer,
    AsyncWebsocketConsumer,
    StopConsumer,
    ws_handler,
)
from fastsio.exceptions import DisconnectedError
from tests.shells.consumers.messages import Said, Say, Told, say
from tests.support.rooms import Person, present
from tests.support.waiting import WAIT_S


@pytest.mark.parametrize("with_dependency", [False, True])
async def test_stop_consumer_and_departures_pass_through_typed_handlers(with_dependency, caplog):
    """They are no failures: nobody is answered, dependencies are closed, the rest goes on."""
    closed = []

    async def resource():
        try:
            yield
        finally:
            closed.append(True)

    async def nothing() -> None: ...

    class Ending(AsyncJsonWebsocketConsumer):
        @ws_handler
        async def say(self, message: Say, _: None = Depends(resource if with_dependency else nothing)) -> None:
            raise {"gone": DisconnectedError("gone"), "stop": StopConsumer()}[message.payload.text]

    async with present(Ending.as_asgi(), "/") as (ada,):
        for text in ("gone", "stop"):
            await ada.send_json_to(say(text))
        await ada.wait()

        assert ada.pending() == 0
    assert closed == [True, True] * with_dependency
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


async def test_a_handler_that_is_cancelled_closes_its_dependencies():
    """As when the server stops: what follows the yield runs with the cancellation."""
    entered, log = asyncio.Event(), []

    async def resource():
        try:
            yield
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    class Waiting(AsyncJsonWebsocketConsumer):
        @ws_handler
        async def say(self, message: Say, _: None = Depends(resource)) -> None:
            entered.set()
            await asyncio.Event().wait()

    person = Person(Waiting.as_asgi(), "/")
    await person.connect()
    await person.send_json_to(say("x"))
    await asyncio.wait_for(entered.wait(), WAIT_S)
    await person.stop()

    assert log == ["cancelled"]


async def test_a_dependency_that_fails_to_close_does_not_spoil_the_answer(caplog):
    """The client has its answer; the failure is in the log."""

    async def broken():
        yield
        raise RuntimeError("cannot close")

    class Answering(AsyncJsonWebsocketConsumer):
        @ws_handler
        async def say(self, message: Say, _: None = Depends(broken)) -> Said:
            return Said(payload=1)

    async with present(Answering.as_asgi(), "/") as (ada,):
        await ada.send_json_to(say("x"))
        assert await ada.hears_json() == [{"action": "said", "payload": 1}]

    assert "cannot close" in caplog.text


async def test_a_hook_that_fails_closes_its_dependencies(caplog):
    """Those of connect() hear of the failure."""
    heard = []

    async def resource():
        try:
            yield
        except RuntimeError as exc:
            heard.append(str(exc))
            raise

    class Broken(AsyncWebsocketConsumer):
        async def connect(self, _: None = Depends(resource)):
            raise RuntimeError("in connect")

    assert await Person(Broken.as_asgi(), "/").connect() == (False, 1011)
    assert heard == ["in connect"]


async def test_a_connection_that_fails_while_it_is_refused_is_left(caplog):
    """The client vanished meanwhile: there is nobody to tell."""

    class Broken(AsyncWebsocketConsumer):
        async def connect(self):
            await self.accept()
            raise RuntimeError("in connect")

    async def application(scope, receive, send):
        async def vanished(message):
            if message["type"] != "websocket.accept":
                raise OSError("gone")
            await send(message)

        await Broken.as_asgi()(scope, receive, vanished)

    person = Person(application, "/")
    await person.connect()
    await person.wait()

    assert "in connect" in caplog.text


async def test_sending_after_the_client_has_left_raises_disconnected_error():
    """In disconnect(), and in whatever outlives the connection."""
    raised: list[Any] = []
    consumers: list[Any] = []

    class Late(AsyncWebsocketConsumer):
        async def disconnect(self, code):
            consumers.append(self)
            await self.send("too late")

    async with present(Late.as_asgi(), "/"):
        pass
    try:
        await consumers[0].send("much too late")
    except DisconnectedError as exc:
        raised.append(str(exc))

    assert raised == ["the client has left"]


async def test_a_client_that_leaves_before_it_is_connected_is_nobody(layer):
    """The server's first word may be that it has gone."""
    calls: list[str] = []

    class Nobody(AsyncWebsocketConsumer):
        channel_layer_alias = "chat"

        async def connect(self):
            calls.append("connect")

        async def disconnect(self, code):
            calls.append("disconnect")

    received: asyncio.Queue[Any] = asyncio.Queue()
    received.put_nowait({"type": "websocket.disconnect"})
    await Nobody.as_asgi()({"type": "websocket", "path": "/"}, received.get, received.put)

    assert calls == []


async def test_a_write_that_ends_in_a_departure_loses_the_client_only(layer):
    """A broadcast waits for a slow client, who vanishes; its neighbour hears everything."""
    slow, vanish = asyncio.Event(), asyncio.Event()

    async def application(scope, receive, send):
        async def hesitant(message):
            if message["type"] == "websocket.send":
                slow.set()
                await vanish.wait()
                raise OSError("gone")
            await send(message)

        await Told.as_asgi()(scope, receive, hesitant)

    async with present(application, "/"), present(Told.as_asgi(), "/") as (ben,):
        await layer.group_send("all", {"type": "fastsio.text", "text": "1"})
        await asyncio.wait_for(slow.wait(), WAIT_S)
        vanish.set()
        await layer.group_send("all", {"type": "fastsio.text", "text": "2"})

        assert await ben.hears(2) == ["1", "2"]


async def test_a_frame_for_a_consumer_without_a_websocket_is_a_warning(layer, caplog):
    """It is in a group that others use for frames."""
    warned = asyncio.Event()

    class Http(AsyncConsumer):
        channel_layer_alias = "chat"

        async def http_request(self, message):
            await self.channel_layer.send(self.channel_name, {"type": "fastsio.text", "text": "x"})
            await self.channel_layer.send(self.channel_name, {"type": "fails"})
            await self.channel_layer.send(self.channel_name, {"type": "done"})

        async def fails(self, event):
            raise RuntimeError("over the layer")

        async def done(self, event):
            warned.set()
            raise StopConsumer

        async def http_disconnect(self, message): ...

    received: asyncio.Queue[Any] = asyncio.Queue()
    received.put_nowait({"type": "http.request"})
    running = asyncio.create_task(Http.as_asgi()({"type": "http", "path": "/"}, received.get, received.put))
    await asyncio.wait_for(warned.wait(), WAIT_S)
    received.put_nowait({"type": "http.disconnect"})
    await asyncio.wait_for(running, WAIT_S)

    assert "has no WebSocket" in caplog.text
    assert "over the layer" in caplog.text


async def test_a_typed_consumer_may_refuse_before_it_accepts():
    """connect() of a typed consumer decides as any other; nothing after it runs."""

    class Closed(Told):
        channel_layer_alias = None
        groups: list[str] = []

        async def connect(self):
            await self.close(4003)

        async def post_authentication(self) -> None:
            raise AssertionError("was refused")

    assert await Person(Closed.as_asgi(), "/").connect() == (False, 4003)


async def test_a_method_for_the_layer_that_fails_closes_its_dependencies(layer, caplog):
    """As a handler of frames does; the connection lives on."""
    heard = []

    async def resource():
        try:
            yield
        except RuntimeError as exc:
            heard.append(str(exc))
            raise

    class Raw(AsyncWebsocketConsumer):
        channel_layer_alias = "chat"
        groups = ["all"]

        async def fails(self, event, _: None = Depends(resource)):
            raise RuntimeError("in fails")

    async with present(Raw.as_asgi(), "/") as (ada,):
        await layer.group_send("all", {"type": "fails"})
        assert '"internal"' in (await ada.hears())[0]

    assert heard == ["in fails"]


async def test_a_consumer_may_end_itself_over_a_failure():
    """on_failure() says what becomes of an exception; StopConsumer is an answer."""

    class Strict(AsyncWebsocketConsumer):
        async def receive(self, text_data=None, bytes_data=None, **kwargs):
            raise RuntimeError("no")

        async def on_failure(self, exc, message):
            await self.close(4000, str(exc))
            raise StopConsumer

    async with present(Strict.as_asgi(), "/") as (ada,):
        await ada.send_to("x")
        await ada.assert_closed(4000)
        await ada.wait()


async def test_sending_after_closing_raises_disconnected_error(caplog):
    """Whoever closed the connection has nothing more to say."""

    class Closing(AsyncWebsocketConsumer):
        async def receive(self, text_data=None, bytes_data=None, **kwargs):
            await self.close()
            await self.send("too late")

    async with present(Closing.as_asgi(), "/") as (ada,):
        await ada.send_to("x")
        await ada.assert_closed(1000)

    assert ada.pending() == 0
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []
