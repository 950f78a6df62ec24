"""The typed messages tutorial: definitions, handlers, what the connection brings."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ValidationError

from fastsio.consumers import Origin, WebsocketRouter, asyncapi_document, channel, event_handler, ws_handler
from fastsio.consumers.types import WebSocketDisconnectEvent
from fastsio.layers import InMemoryChannelLayer, override
from fastsio.messages import BaseMessage, PingMessage, PongMessage
from tests.acceptance.typed_chat import (
    BaseConsumer,
    RoomChatConsumer,
    RoomChatMessage,
    RoomMessagePayload,
    RoomNotificationMessage,
)
from tests.support.rooms import present, room_app

GENERAL = "/ws/room/general"


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


async def test_the_alias_selects_the_layer_of_a_class(layer):
    """Consumers of two layers with the same group do not hear each other."""

    class Elsewhere(RoomChatConsumer):
        channel_layer_alias = "other"

    with override("other", InMemoryChannelLayer()) as other:
        async with (
            present(room_app(RoomChatConsumer), GENERAL) as (ada,),
            present(room_app(Elsewhere), GENERAL) as (ben,),
        ):
            await ada.send_message(RoomChatMessage(payload=RoomMessagePayload(message="here")))
            await ben.send_message(RoomChatMessage(payload=RoomMessagePayload(message="there")))

            assert (await ada.reads(), await ben.reads()) == (["💬 here"], ["💬 there"])
            assert (ada.pending(), ben.pending()) == (0, 0)
            assert await layer.group_channels("room_general") != await other.group_channels("room_general")
        await other.close()


def test_messages_are_models_with_a_literal_action():
    """The wire form validates, and optional parts of the payload may be left out."""
    message = RoomChatMessage.model_validate({"action": "room_chat", "payload": {"message": "hi"}})

    assert message == RoomChatMessage(payload=RoomMessagePayload(message="hi"))
    assert message.payload.room_name is None
    assert message.model_dump() == {"action": "room_chat", "payload": {"message": "hi", "room_name": None}}
    with pytest.raises(ValidationError):
        RoomChatMessage.model_validate({"action": "other", "payload": {"message": "hi"}})


def test_a_consumer_knows_what_its_decorators_said():
    """Name, description and tags of the channel, and of each handler, are there for the description of the API."""
    info = RoomChatConsumer.describe()
    ping, chat = info.handlers

    assert RoomChatConsumer.channel_info == info.channel
    assert (info.channel.name, info.channel.tags) == ("room_chat", ("chat", "rooms"))
    assert info.channel.description == "Room Chat Consumer - Dynamic room-based messaging"
    assert (ping.name, ping.summary, ping.origin) == ("handle_ping", "Handle ping requests", Origin.CLIENT)
    assert (ping.actions, ping.output_types) == ((("ping", PingMessage),), (PongMessage,))
    assert (chat.description, chat.output_types) == (
        "Process room chat messages and broadcast to room members",
        (RoomNotificationMessage,),
    )


def test_the_asyncapi_document_has_what_the_decorators_said():
    """The channel's and the handlers' words, and their messages, are in the document."""
    router = WebsocketRouter()
    router.add_websocket_route("/room/{room_name}", RoomChatConsumer.as_asgi())

    document = asyncapi_document(router, title="Chat", version="1", prefix="/ws")

    room = document["channels"]["room_chat"]
    assert (room["address"], room["description"]) == (
        "/ws/room/{room_name}",
        "Room Chat Consumer - Dynamic room-based messaging",
    )
    assert room["tags"] == [{"name": "chat"}, {"name": "rooms"}]
    chat = document["operations"]["room_chat.handle_room_chat"]
    assert chat["description"] == "Process room chat messages and broadcast to room members"
    assert chat["reply"]["messages"] == [{"$ref": "#/channels/room_chat/messages/room_notification"}]
    assert set(document["components"]["schemas"]) >= {"RoomChatMessage", "RoomNotificationMessage", "PongMessage"}


async def test_every_connection_has_an_instance_of_its_own(layer):
    """What one connection's consumer keeps, another's does not see."""

    class Name(BaseMessage):
        action: Literal["name"] = "name"
        payload: str

    class Names(BaseMessage):
        action: Literal["names"] = "names"
        payload: list[str]

    class Keeping(BaseConsumer):
        def __init__(self, *args: Any, **kwargs: Any):
            super().__init__(*args, **kwargs)
            self.names: list[str] = []

        @ws_handler
        async def keep(self, message: Name) -> Names:
            self.names.append(message.payload)
            return Names(payload=self.names)

    async with present(Keeping.as_asgi(), "/", "/") as (ada, ben):
        await ada.send_message(Name(payload="a"))
        await ben.send_message(Name(payload="b"))

        assert [frame["payload"] for frame in (*await ada.hears_json(), *await ben.hears_json())] == [["a"], ["b"]]


async def test_what_a_handler_returns_goes_to_the_sender_only(app):
    """A ping is answered with a pong whose payload is null, to the one who asked."""
    async with present(app, GENERAL, "/ws/room/other") as (ada, ben):
        await ada.send_to('{"action": "ping"}')

        assert await ada.hears_json() == [{"action": "pong", "payload": None}]
        assert (ada.pending(), ben.pending()) == (0, 0)


async def test_an_output_type_sends_nothing_by_itself():
    """It documents what the handler sends, and is what a result must be."""

    class Ask(BaseMessage):
        action: Literal["ask"] = "ask"
        payload: Literal["nothing", "right", "wrong"]

    class Quiet(BaseConsumer):
        @ws_handler(output_type=PongMessage)
        async def ask(self, message: Ask) -> Any:
            return {"nothing": None, "right": PongMessage(), "wrong": PingMessage()}[message.payload]

    assert Quiet.describe().handlers[0].output_types == (PongMessage,)
    async with present(Quiet.as_asgi(), "/") as (ada,):
        for payload in ("nothing", "right", "wrong"):
            await ada.send_message(Ask(payload=payload))

        pong, error = await ada.hears_json(2)
        assert pong["action"] == "pong"
        assert error["payload"]["type"] == "internal"
        assert ada.pending() == 0


async def test_post_authentication_runs_once_after_the_client_was_accepted(layer):
    """It needs no authenticator, and finds the route's parameters."""
    calls = []

    class Welcoming(BaseConsumer):
        async def post_authentication(self) -> None:
            calls.append(self.scope["path_params"]["room_name"])
            await self.send_message(PongMessage())

    async with present(room_app(Welcoming), GENERAL) as (ada,):
        assert await ada.hears_json() == [{"action": "pong", "payload": None}]
        await ada.send_to('{"action": "nope"}')
        await ada.hears()

    assert calls == ["general"]


def test_the_event_of_a_disconnection_can_be_annotated():
    """WebSocketDisconnectEvent says what is in it."""
    assert set(WebSocketDisconnectEvent.__annotations__) == {"type", "code", "reason"}


class _Point(BaseModel):
    x: int


class _Move(BaseMessage):
    action: Literal["move"] = "move"
    payload: _Point


class _Moving(BaseConsumer):
    @ws_handler
    async def move(self, message: _Move) -> _Move:
        if message.payload.x < 0:
            raise RuntimeError("a secret of the server")
        return message


BAD_FRAMES = {
    "not json": ("not json", "validation_error", ""),
    "half a frame": ('{"action": "move", "pay', "validation_error", ""),
    "an array": ("[1, 2]", "validation_error", ""),
    "null": ("null", "validation_error", ""),
    "NaN": ('{"action": "move", "payload": {"x": NaN}}', "validation_error", ""),
    "no action": ('{"payload": {}}', "validation_error", ""),
    "an action of another type": ('{"action": ["move"]}', "validation_error", ""),
    "an unknown action": ('{"action": "nope"}', "not_found", "nope"),
    "no payload": ('{"action": "move"}', "validation_error", "move"),
    "a wrong payload": ('{"action": "move", "payload": {"x": "far"}}', "validation_error", "move"),
    "a strange ref": ('{"action": "move", "payload": {"x": 1}, "ref": {}}', "validation_error", ""),
    "too deep": ("[" * 5000 + "]" * 5000, "validation_error", ""),
    "too long": (json.dumps({"action": "move", "payload": {"x": 1}, "note": "x" * 1_000_000}), "validation_error", ""),
    "a failing handler": ('{"action": "move", "payload": {"x": -1}}', "internal", "move"),
}


@pytest.mark.parametrize("name", BAD_FRAMES)
async def test_a_bad_frame_is_answered_and_the_connection_lives_on(name):
    """Whatever comes, the client reads what was wrong, nothing of the server's secrets, and goes on."""
    frame, kind, event = BAD_FRAMES[name]
    async with present(_Moving.as_asgi(), "/") as (ada,):
        await ada.send_to(frame)
        (error,) = await ada.hears_json()
        await ada.send_to('{"action": "move", "payload": {"x": 1}}')

        assert await ada.hears_json() == [{"action": "move", "payload": {"x": 1}}]

    assert (error["action"], error["payload"]["type"], error["payload"]["event"]) == ("error", kind, event)
    assert set(error["payload"]) == {"type", "event", "msg", "detail"}
    assert error["payload"]["msg"]
    assert "secret" not in json.dumps(error)


async def test_a_binary_frame_is_answered_and_the_connection_lives_on():
    """Bytes are no JSON message."""
    async with present(_Moving.as_asgi(), "/") as (ada,):
        await ada.send_to(bytes_data=b"\xff\x00")
        await ada.send_to('{"action": "move", "payload": {"x": 1}}')
        error, answer = await ada.hears_json(2)

    assert (error["payload"]["type"], answer["action"]) == ("validation_error", "move")


class JobResult(BaseMessage):
    action: Literal["job_result"] = "job_result"
    payload: Any


class JobStatusMessage(BaseMessage):
    action: Literal["job_status"] = "job_status"
    payload: dict[str, Any]


class JobMessage(BaseMessage):
    action: Literal["job"] = "job"
    payload: str


@channel(name="background_jobs")
class BackgroundJobConsumer(BaseConsumer[JobResult]):
    """The consumer of the tutorial on background jobs."""

    channel_layer_alias = "chat"

    @ws_handler(output_type=JobStatusMessage)
    async def handle_job(self, message: JobMessage) -> None:
        await self.send_message(JobStatusMessage(payload={"status": "queued", "channel": self.channel_name}))

    @event_handler
    async def handle_job_result(self, event: JobResult) -> JobStatusMessage:
        return JobStatusMessage(payload={"status": "result", "message": event.payload})


async def test_an_event_reaches_the_one_client_it_is_for(layer):
    """send_event() names a channel; the event handler's result goes to that client."""
    async with present(BackgroundJobConsumer.as_asgi(), "/", "/") as (ada, ben):
        await ada.send_message(JobMessage(payload="hello"))
        (queued,) = await ada.hears_json()
        await BackgroundJobConsumer.send_event(JobResult(payload="hola 🌍"), queued["payload"]["channel"])

        assert await ada.hears_json() == [
            {"action": "job_status", "payload": {"status": "result", "message": "hola 🌍"}}
        ]
        assert ben.pending() == 0
