"""What handlers return, what threads send, and what of the parts may be replaced."""

from __future__ import annotations

import asyncio

import pytest

from fastsio.consumers import AsyncJsonWebsocketConsumer, ChannelInfo, ws_handler
from tests.shells.consumers.messages import Said, Say, Told, say
from tests.support.rooms import present


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
