"""Results, threads, and ends that come at the wrong moment."""

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
    BaseAuthenticator,
    ChannelInfo,
    StopConsumer,
    event_handler,
    ws_handler,
)
from fastsio.exceptions import DisconnectedError
from tests.shells.consumers.messages import Said, Say, say
from tests.support.rooms import Person, present


class Told(AsyncJsonWebsocketConsumer):
    channel_layer_alias = "chat"
    groups = ["all"]

    @event_handler
    async def said(self, event: Said) -> Said:
        return event

    @ws_handler(output_type=Said)
    async def say(self, message: Say) -> Any:
        return {
            "dict": {"payload": "made of a dict"},
            "wrong dict": {"payload": 1, "action": "other"},
            "number": 7,
            "message": message,
        }[message.payload.text]


@pytest.mark.usefixtures("layer")
@pytest.mark.parametrize("text", ["wrong dict", "number", "message"])
async def test_a_result_that_was_not_promised_is_a_defect_of_the_program(text, caplog):
    """The client reads "internal"; the log names handler and class."""
    async with present(Told.as_asgi(), "/") as (ada,):
        await ada.send_json_to(say(text))
        (error,) = await ada.hears_json()

    assert error["payload"]["type"] == "internal"
    assert "Told.say returned what its response_model does not allow" in caplog.text


@pytest.mark.usefixtures("layer")
async def test_a_dict_becomes_the_one_message_that_was_promised():
    """Validated, and written as any other."""
    async with present(Told.as_asgi(), "/") as (ada,):
        await ada.send_json_to(say("dict"))

        assert await ada.hears_json() == [{"action": "said", "payload": "made of a dict"}]


async def test_events_are_sent_from_threads(layer):
    """To one connection, to groups, and to the class's own groups."""
    names = []

    class Named(Told):
        async def post_authentication(self) -> None:
            names.append(self.channel_name)

    async with present(Named.as_asgi(), "/", "/") as (ada, ben):
        await asyncio.to_thread(Named.send_event_sync, Said(payload="one"), names[0])
        await asyncio.to_thread(Named.broadcast_event_sync, Said(payload="group"), ["all", "all"])
        await asyncio.to_thread(Named.broadcast_event_sync, Said(payload="own"))
        await Named.broadcast_event(Said(payload="text"), groups="all")

        assert [frame["payload"] for frame in await ada.hears_json(4)] == ["one", "group", "own", "text"]
        assert [frame["payload"] for frame in await ben.hears_json(3)] == ["group", "own", "text"]


async def test_an_event_that_does_not_validate_is_answered_as_a_frame_is(layer):
    """Whoever sent it used another version of its class."""
    async with present(Told.as_asgi(), "/") as (ada,):
        await layer.group_send("all", {"type": "fastsio.event", "event": {"action": "said"}})

        assert (await ada.hears_json())[0]["payload"]["type"] == "validation_error"


async def test_another_json_may_be_used():
    """decode_json and encode_json are there to be replaced; what they raise is answered."""

    class Shouting(AsyncJsonWebsocketConsumer):
        @classmethod
        def decode_json(cls, text_data):
            if text_data == "?":
                raise ValueError("a riddle")
            return {"action": "say", "payload": {"text": text_data}}

        @classmethod
        def encode_json(cls, content):
            return str(content).upper()

        @ws_handler
        async def say(self, message: Say) -> None:
            await self.send_json(message.payload.text, close=True)

    async with present(Shouting.as_asgi(), "/") as (ada,):
        await ada.send_to("?")
        await ada.send_to("hello")

        assert "The frame cannot be decoded: a riddle" in (await ada.hears())[0]
        assert await ada.hears() == ["HELLO"]
        await ada.assert_closed(1000)


async def test_receive_json_may_be_replaced():
    """Then there are no handlers, and frames are plain data."""

    class Plain(AsyncJsonWebsocketConsumer):
        async def receive_json(self, content, **kwargs):
            await self.send_json({"got": content})

    async with present(Plain.as_asgi(), "/") as (ada,):
        await ada.send_json_to([1])

        assert await ada.hears_json() == [{"got": [1]}]


async def test_an_authenticator_reads_header_cookie_and_query():
    """Or nothing, where there is nothing."""
    found: list[Any] = []

    class Reading(BaseAuthenticator):
        async def authenticate(self, scope):
            found.append((self.get_header("X-Key"), self.get_cookie("c"), self.get_query_param("q")))
            return True

    class Entrance(AsyncJsonWebsocketConsumer):
        authenticator_class = Reading

    headers = [(b"x-key", b"k"), (b"cookie", b"c=1")]
    async with present(Entrance.as_asgi(), "/?q=2", headers=headers), present(Entrance.as_asgi(), "/"):
        pass

    assert found == [("k", "1", "2"), (None, None, None)]


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
    await asyncio.wait_for(entered.wait(), 5)
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
        await asyncio.wait_for(slow.wait(), 5)
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
    await asyncio.wait_for(warned.wait(), 5)
    received.put_nowait({"type": "http.disconnect"})
    await asyncio.wait_for(running, 5)

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


async def test_a_message_to_several_groups_is_heard_once(layer):
    """By who is in both as by who is in one."""

    class Both(Told):
        groups = ["all", "some"]

        @ws_handler
        async def say(self, message: Say) -> None:
            await self.broadcast_message(Said(payload=message.payload.text))

    async with present(Both.as_asgi(), "/") as (ada,), present(Told.as_asgi(), "/") as (ben,):
        await ada.send_json_to(say("text"))
        heard = [*await ada.hears_json(), *await ben.hears_json()]
        await Both.broadcast_event(Said(payload="event"))
        heard += [*await ada.hears_json(), *await ben.hears_json()]

        assert [frame["payload"] for frame in heard] == ["text", "text", "event", "event"]
        assert (ada.pending(), ben.pending()) == (0, 0)


def test_channel_info_may_be_said_in_the_class():
    """It is what @channel would have said."""

    class Said(AsyncJsonWebsocketConsumer):
        channel_info = ChannelInfo("said", "in the class")

    assert Said.describe().channel == ChannelInfo("said", "in the class")


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
