"""What is on the wire: references, completion, camelCase, other discriminators, and the log."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from fastsio.consumers import AsyncJsonWebsocketConsumer, event_handler, ws_handler
from fastsio.messages import BaseMessage, PingMessage, PongMessage
from tests.shells.consumers.messages import Said, Say, say
from tests.support.rooms import present


class Talking(AsyncJsonWebsocketConsumer):
    channel_layer_alias = "chat"
    groups = ["all"]

    @ws_handler
    async def ping(self, _message: PingMessage) -> PongMessage:
        return PongMessage()

    @ws_handler(output_type=Said)
    async def say(self, message: Say) -> None:
        if message.payload.text == "fail":
            raise PermissionError("No.")
        await self.send_message(Said(payload="first"))
        await self.broadcast_message(Said(payload=message.payload.text))

    @event_handler
    async def told(self, event: Said) -> Said:
        return event


@pytest.mark.usefixtures("layer")
@pytest.mark.parametrize("ref", ["7", 7, 'a "quoted" ref'])
async def test_the_ref_of_a_frame_is_in_its_answers_only(ref):
    """Answers and errors repeat it; broadcasts, and answers to frames without one, have none."""
    async with present(Talking.as_asgi(), "/") as (ada,):
        for frame in ({"action": "ping", "ref": ref}, say("fail", ref=ref), {"action": "no", "ref": ref}):
            await ada.send_json_to(frame)
        await ada.send_json_to({"action": "ping"})
        refs = [frame.get("ref") for frame in await ada.hears_json(4)]
        await ada.send_json_to(say("hello", ref=ref))
        texts = {frame["payload"]: frame.get("ref") for frame in await ada.hears_json(2)}

    assert refs == [ref, ref, ref, None]
    assert texts == {"first": ref, "hello": None}


async def test_completion_is_sent_after_each_thing_that_was_handled(layer):
    """complete, group_complete and event_complete, for those who wait for them."""

    class Complete(Talking):
        send_completion = True

    async with present(Complete.as_asgi(), "/") as (ada,):
        await ada.send_json_to({"action": "ping", "ref": "1"})
        assert await ada.receive_until_action("complete") == [{"action": "pong", "payload": None, "ref": "1"}]
        for frame in (say("fail"), {"action": "nope"}):
            await ada.send_json_to(frame)
            assert len(await ada.receive_until_action("complete")) == 1
        await ada.send_json_to(say("hi"))
        frames = await ada.receive_until_action("group_complete", inclusive=True)
        assert [frame["action"] for frame in frames] == ["said", "complete", "said", "group_complete"]
        await Complete.broadcast_event(Said(payload="event"))
        assert await ada.receive_until_action("event_complete") == [{"action": "said", "payload": "event"}]


class Inner(BaseModel):
    user_name: str
    free_data: dict[str, Any] = {}
    created_at: datetime | None = None
    own_name: str = Field(default="", alias="OWN")


class Profile(BaseMessage):
    action: Literal["user_profile"] = "user_profile"
    payload: list[Inner]
    reply_to: int | None = None


async def test_camel_case_is_on_the_wire_only():
    """Fields are renamed both ways, at any depth; keys of free dicts, aliases and actions are left alone."""
    seen: list[Profile] = []

    class Camel(AsyncJsonWebsocketConsumer):
        camelize = True

        @ws_handler
        async def profile(self, message: Profile) -> Profile:
            seen.append(message)
            return message

    inner = {"userName": "ada", "freeData": {"some_key": {"userName": 1}}, "createdAt": None, "OWN": "x"}
    async with present(Camel.as_asgi(), "/", consumer=Camel) as (ada,):
        await ada.send_json_to({"action": "user_profile", "payload": [inner], "replyTo": 3})
        await ada.send_json_to({"action": "user_profile", "payload": [{"user_name": "snake"}], "reply_to": 4})
        first, second = await ada.hears_json(2)
        await ada.send_message(seen[0])
        again = await ada.receive_message()

    assert first == {"action": "user_profile", "payload": [inner], "replyTo": 3}
    assert (second["payload"][0]["userName"], second["replyTo"]) == ("snake", 4)
    assert seen[0].payload[0].free_data == {"some_key": {"userName": 1}}
    assert again == seen[0] == seen[2]


async def test_broadcasts_of_a_camel_case_consumer_are_camel_case(layer):
    """What a member passes on is as the sender writes it."""

    class Camel(AsyncJsonWebsocketConsumer):
        channel_layer_alias = "chat"
        groups = ["all"]
        camelize = True

        async def post_authentication(self) -> None:
            await self.broadcast_message(Profile(payload=[], reply_to=1))

    async with present(Camel.as_asgi(), "/") as (ada,):
        assert await ada.hears_json() == [{"action": "user_profile", "payload": [], "replyTo": 1}]


async def test_another_field_may_tell_messages_apart():
    """The consumer's own messages use it too."""

    class Move(BaseMessage):
        kind: Literal["move", "jump"]
        x: int

    class Moving(AsyncJsonWebsocketConsumer):
        discriminator_field = "kind"

        @ws_handler
        async def move(self, message: Move) -> Move:
            return message

    async with present(Moving.as_asgi(), "/") as (ada,):
        for frame in ({"kind": "jump", "x": 1}, {"kind": "move", "x": 2}, {"kind": "fly"}, {"action": "move", "x": 1}):
            await ada.send_json_to(frame)
        jump, move, *errors = await ada.hears_json(4)

    assert (jump, move) == ({"kind": "jump", "x": 1}, {"kind": "move", "x": 2})
    assert [(error["kind"], error["payload"]["type"]) for error in errors] == [
        ("error", "not_found"),
        ("error", "validation_error"),
    ]


async def test_dates_models_and_emoji_are_written_as_json(layer):
    """Whatever pydantic can write, in dicts too, as it is and not escaped."""

    class Writing(AsyncJsonWebsocketConsumer):
        channel_layer_alias = "chat"
        groups = ["all"]

        async def post_authentication(self) -> None:
            moment = datetime(2024, 5, 1, tzinfo=UTC)
            await self.send_json({"at": moment, "who": Inner(user_name="🚪")})
            await self.broadcast_message({"action": "free", "at": moment})

    async with present(Writing.as_asgi(), "/") as (ada,):
        first, second = await ada.hears(2)

    assert '"🚪"' in first
    assert json.loads(first)["at"] == "2024-05-01T00:00:00Z"
    assert json.loads(second) == {"action": "free", "at": "2024-05-01T00:00:00Z"}


async def test_messages_are_logged_when_that_is_wanted(layer, caplog):
    """Both directions and broadcasts, but not the actions that are ignored."""
    caplog.set_level(logging.INFO, "fastsio.consumers")

    class Logged(Talking):
        log_websocket_message = True
        log_ignored_actions = ("ping", "pong")

    async with present(Logged.as_asgi(), "/") as (ada,):
        await ada.send_json_to({"action": "ping"})
        await ada.send_json_to(say("hello"))
        await ada.hears(3)

    lines = [record.getMessage().split(" ", 1)[1] for record in caplog.records]
    assert [line.split("{")[0] for line in lines] == ["received ", "sent ", "sent "]
    assert "hello" in lines[0]


async def test_send_message_can_yield_and_check(layer):
    """validate=True finds a message that was made wrong; send_message_immediately lets others run."""

    class Careful(AsyncJsonWebsocketConsumer):
        send_message_immediately = True

        @ws_handler
        async def say(self, message: Say) -> None:
            message.payload.text = 7  # type: ignore[assignment] # that is the mistake
            await self.send_message(message, validate=True)

    async with present(Careful.as_asgi(), "/") as (ada,):
        await ada.send_json_to(say("x"))
        (error,) = await ada.hears_json()

    assert error["payload"]["type"] == "internal"
