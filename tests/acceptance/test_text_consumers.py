"""The channel layers tutorial: a consumer that sends and receives text."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from websockets.asyncio.client import connect

from fastsio.consumers import AsyncWebsocketConsumer
from fastsio.layers import (
    InMemoryChannelLayer,
    override,
    register_channel_layer,
    safe_group_name,
    unregister_channel_layer,
)
from tests.acceptance.raw_chat import RoomChatConsumer
from tests.support.rooms import Person, present, room_app
from tests.support.servers import serve
from tests.support.waiting import WAIT_S


@pytest.fixture
async def layer():
    """The layer that the tutorial registers as ``chat``."""
    with override("chat", InMemoryChannelLayer()) as layer:
        yield layer
        await layer.close()


@pytest.fixture
def app(layer):
    """The tutorial's route."""
    return room_app(RoomChatConsumer)


GENERAL = "/ws/room/general"
JOINED = "🚪 Someone joined room 'general'"
LEFT = "👋 Someone left room 'general'"


async def test_text_and_binary_frames_come_in_their_own_arguments():
    """A text frame is text_data, a binary frame bytes_data; the other one is None."""
    got = []

    class Listening(AsyncWebsocketConsumer):
        async def connect(self):
            await self.accept()

        async def disconnect(self, code):
            got.append(code)

        async def receive(self, text_data=None, bytes_data=None, **kwargs):
            got.append((text_data, bytes_data, kwargs))
            await self.send("taken")

    async with present(Listening.as_asgi(), "/") as (ada,):
        await ada.send_to("héllo 💬")
        await ada.send_to(bytes_data=b"\x00\xff")
        await ada.hears(2)

    assert got == [("héllo 💬", None, {}), (None, b"\x00\xff", {}), 1000]


async def test_layer_and_path_are_there_before_the_client_is_accepted(layer):
    """connect() sees the layer, the channel and the route's parameters."""
    seen = []

    class Looking(AsyncWebsocketConsumer):
        channel_layer_alias = "chat"

        async def connect(self):
            seen.append((self.channel_layer, bool(self.channel_name), self.scope["path_params"]["room_name"]))
            await self.accept()

    async with present(room_app(Looking), GENERAL):
        pass

    assert seen == [(layer, True, "general")]


async def test_the_joiner_receives_its_own_join_message(app):
    """Without exclude_current all members hear of a join, the one who joins too."""
    async with present(app, GENERAL, GENERAL) as (ada, ben):
        assert await ada.hears(2) == [JOINED, JOINED]
        assert await ben.hears() == [JOINED]


async def test_a_group_message_calls_the_method_it_names_with_all_of_it(layer):
    """Extra keys survive, and a dot in the type is an underscore in the method."""
    got: list[dict[str, Any]] = []

    class Noting(AsyncWebsocketConsumer):
        channel_layer_alias = "chat"
        groups = ["room_x"]

        async def room_message(self, event):
            got.append(event)
            await self.send(event["message"])

    message = {"type": "room_message", "message": "hi", "at": 12.5, "by": {"id": 7}}
    async with present(Noting.as_asgi(), "/", "/") as (ada, ben):
        await layer.group_send("room_x", message)
        await layer.group_send("room_x", {**message, "type": "room.message"})

        assert await ada.hears(2) == await ben.hears(2) == ["hi", "hi"]

    assert got.count(message) == 2
    assert got.count({**message, "type": "room.message"}) == 2


async def test_send_takes_the_text_by_position():
    """send("text") sends one text frame."""

    class Greeting(AsyncWebsocketConsumer):
        async def connect(self):
            await self.accept()
            await self.send("welcome 🚪")

    async with present(Greeting.as_asgi(), "/") as (ada,):
        output = await ada.receive_output()

        assert output == {"type": "websocket.send", "text": "welcome 🚪"}
        assert ada.pending() == 0


async def test_others_hear_of_a_leave_and_the_leaver_does_not(app, layer, caplog):
    """disconnect() may leave the group and then tell those who stay."""
    async with present(app, GENERAL, GENERAL) as (ada, ben):
        await ada.hears(2)
        await ben.hears()
        await ben.disconnect()

        assert await ada.hears() == [LEFT]
        assert (ada.pending(), ben.pending()) == (0, 0)

    assert await layer.group_channels("room_general") == []
    assert caplog.records == []


async def test_everybody_sees_the_messages_of_everybody(app):
    """The sender hears its own message too."""
    async with present(app, GENERAL, GENERAL) as (ada, ben):
        await ada.hears(2)
        await ben.hears()
        await ada.send_to("from Ada")
        assert await ada.hears() == await ben.hears() == ["💬 from Ada"]
        await ben.send_to("from Ben")

        assert await ada.hears() == await ben.hears() == ["💬 from Ben"]


async def test_rooms_are_isolated_and_their_names_case_sensitive(app):
    """What is said in general is heard neither in support nor in General."""
    async with present(app, GENERAL, "/ws/room/support", "/ws/room/General") as people:
        for person in people:
            await person.hears()
        for number, person in enumerate(people):
            await person.send_to(str(number))

        assert [await person.hears() for person in people] == [["💬 0"], ["💬 1"], ["💬 2"]]
        assert [person.pending() for person in people] == [0, 0, 0]


async def test_a_thousand_rooms_at_once(app):
    """Each of a thousand rooms with one client works, and none hears another."""
    paths = [f"/ws/room/number-{number}" for number in range(1000)]
    async with present(app, *paths) as people:
        await asyncio.gather(*(person.send_to(str(number)) for number, person in enumerate(people)))

        heard = await asyncio.gather(*(person.hears(2) for person in people))

        assert heard == [[f"🚪 Someone joined room 'number-{n}'", f"💬 {n}"] for n in range(1000)]
        assert sum(person.pending() for person in people) == 0


@pytest.mark.parametrize("prefix", ["room_{}", "chat_{}", "app_v1_room_{}"])
@pytest.mark.parametrize("room", ["general", "support", "team-alpha"])
async def test_the_names_of_the_tutorial_are_valid(layer, prefix, room):
    """Rooms and groups may be called as the tutorial calls them."""

    class Named(AsyncWebsocketConsumer):
        channel_layer_alias = "chat"

        async def connect(self):
            self.group = prefix.format(self.scope["path_params"]["room_name"])
            await self.accept()
            await self.channel_layer.group_add(self.group, self.channel_name)
            await self.channel_layer.group_send(self.group, {"type": "room_message", "message": "in"})

        async def room_message(self, event):
            await self.send(event["message"])

    async with present(room_app(Named), f"/ws/room/{room}") as (ada,):
        assert await ada.hears() == ["in"]


ROOM_NAMES = pytest.mark.parametrize(
    ("path", "room"), [("team%20a", "team a"), ("m%C3%BCnchen", "münchen"), ("%F0%9F%9A%AA", "🚪")]
)


@ROOM_NAMES
async def test_a_room_with_spaces_or_unicode_in_its_name_works(layer, path, room):
    """With a group's name made by safe_group_name() any text can be a room's name, for a real client too."""

    class Safe(RoomChatConsumer):
        async def connect(self):
            self.room_name = self.scope["path_params"]["room_name"]
            self.room_group_name = safe_group_name("room", self.room_name)
            await self.accept()
            await self.channel_layer.group_add(self.room_group_name, self.channel_name)

    async with (
        serve(room_app(Safe)) as address,
        connect(f"{address.ws}/ws/room/{path}") as ada,
        connect(f"{address.ws}/ws/room/{path}x"),
    ):
        await ada.send(f"here in {room}")

        assert await asyncio.wait_for(ada.recv(), WAIT_S) == f"💬 here in {room}"


@ROOM_NAMES
async def test_a_room_name_that_is_no_groups_ends_one_connection_in_order(app, caplog, path, room):
    """The tutorial's own f-string: the client reads an error and may try again, the log says what to do."""
    async with serve(app) as address:
        async with connect(f"{address.ws}/ws/room/{path}") as client:
            error = json.loads(await asyncio.wait_for(client.recv(), WAIT_S))
            await asyncio.wait_for(client.wait_closed(), WAIT_S)
        async with connect(f"{address.ws}/ws/room/general") as other:
            assert await asyncio.wait_for(other.recv(), WAIT_S) == JOINED

    assert (error["action"], error["payload"]["type"], client.close_code) == ("error", "internal", 1011)
    (record,) = caplog.records
    assert "make one with safe_group_name" in str(record.exc_info[1])
    assert repr(f"room_{room}") in str(record.exc_info[1])


async def test_closing_in_connect_refuses_without_any_error(layer, caplog):
    """disconnect() is not called for a client that never was one: its attributes were never set."""

    class Choosy(RoomChatConsumer):
        async def connect(self):
            self.room_name = self.scope["path_params"]["room_name"]
            if self.room_name not in ["general", "support", "team"]:
                await self.close()
                return
            await super().connect()

    caplog.set_level(logging.INFO)
    app = room_app(Choosy)
    stranger = Person(app, "/ws/room/secret")
    assert await stranger.connect() == (False, 1000)
    async with present(app, GENERAL) as (ada,):
        assert await ada.hears() == [JOINED]

    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


async def test_a_refusal_is_a_403_to_a_real_client(layer):
    """The handshake is answered with an HTTP error under a real server."""

    class Closed(AsyncWebsocketConsumer):
        async def connect(self):
            await self.close()

        async def disconnect(self, code):
            raise AssertionError("was never connected")

    async with serve(Closed.as_asgi(), lifespan="off") as address:
        with pytest.raises(Exception, match="HTTP 403"):
            async with connect(f"{address.ws}/"):
                pass


async def test_returning_early_from_receive_broadcasts_nothing(layer):
    """A blank text is dropped by the handler; the next text is the next thing that anybody hears."""

    class Strict(RoomChatConsumer):
        async def receive(self, text_data=None, bytes_data=None, **kwargs):
            if not text_data or len(text_data.strip()) == 0:
                return
            await super().receive(text_data, bytes_data, **kwargs)

    async with present(room_app(Strict), GENERAL) as (ada,):
        await ada.hears()
        for text in ("", "   ", "\n", "words"):
            await ada.send_to(text)

        assert await ada.hears() == ["💬 words"]
        assert ada.pending() == 0


async def test_a_layer_registered_after_the_class_is_found():
    """The layer is looked up when a client connects; before, the error names what is missing."""

    class Late(AsyncWebsocketConsumer):
        channel_layer_alias = "registered-late"

    app = Late.as_asgi()
    with pytest.raises(LookupError, match="'registered-late'"):
        await Person(app, "/").connect()
    layer = InMemoryChannelLayer()
    register_channel_layer("registered-late", layer)
    try:
        async with present(app, "/") as (ada,):
            assert ada.pending() == 0
    finally:
        unregister_channel_layer("registered-late")
        await layer.close()


async def test_one_group_message_is_one_frame_for_each_tab(app, layer):
    """Three clients in a room, two of them one person's tabs, get one frame each."""
    async with present(app, GENERAL, GENERAL, GENERAL) as tabs:
        for number, tab in enumerate(tabs):
            await tab.hears(len(tabs) - number)
        await layer.group_send("room_general", {"type": "room_message", "message": "once"})

        assert [await tab.hears() for tab in tabs] == [["once"]] * 3
        assert [tab.pending() for tab in tabs] == [0, 0, 0]


class _Worked(AsyncWebsocketConsumer):
    """The consumer of the tutorial on background jobs: whoever asks tells the worker its channel."""

    channel_layer_alias = "chat"

    async def receive(self, text_data=None, bytes_data=None, **kwargs):
        await self.send(self.channel_name)

    async def job_result(self, event):
        await self.send(event["message"])


async def test_an_async_worker_pushes_a_result_to_one_client(layer):
    """channel_layer.send() reaches exactly the client whose channel it names."""
    async with present(_Worked.as_asgi(), "/", "/") as (ada, ben):
        await ada.send_to("job")
        (channel,) = await ada.hears()
        await layer.send(channel, {"type": "job_result", "message": "done"})

        assert await ada.hears() == ["done"]
        assert ben.pending() == 0


async def test_a_sync_worker_pushes_a_result_to_one_client(layer):
    """A worker in a thread without an event loop does the same."""
    async with present(_Worked.as_asgi(), "/", "/") as (ada, ben):
        await ada.send_to("job")
        (channel,) = await ada.hears()
        await asyncio.to_thread(layer.sync.send, channel, {"type": "job_result", "message": "done"})

        assert await ada.hears() == ["done"]
        assert ben.pending() == 0


async def test_a_worker_may_run_a_loop_for_each_message(layer):
    """That is what asgiref's async_to_sync() does in a thread, which the tutorial's worker uses."""
    async with present(_Worked.as_asgi(), "/") as (ada,):
        await ada.send_to("job")
        (channel,) = await ada.hears()
        for number in range(2):
            result = {"type": "job_result", "message": f"done {number}"}
            await asyncio.to_thread(lambda message: asyncio.run(layer.send(channel, message)), result)

        assert await ada.hears(2) == ["done 0", "done 1"]
