"""What a consumer says about its rooms: names, the field of the action, the namespace, other rooms or none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fastsio import Room
from fastsio.consumers import AsyncJsonWebsocketConsumer, ws_handler
from fastsio.exceptions import SetupError
from tests.shells.layers.chat import Chat, ChatRoom, HallRoom, frame, subscribe


async def test_names_are_camel_case_where_the_consumer_says_so(stage):
    """Of fields of the hooks' models; a plain dict stays as it is."""

    class CamelChat(Chat):
        camelize = True

    socket = await stage.socket("ann", CamelChat)
    await socket.send_json_to(frame("subscribe", "hall", {"hallId": 3}))

    assert (await socket.receive_json_from())["payload"] == {"room": "hall|3"}


async def test_messages_may_be_told_apart_by_another_field(stage):
    """Requests and confirmations use the field of the class."""

    class Typed(AsyncJsonWebsocketConsumer):
        channel_layer_alias = "chat"
        discriminator_field = "type"
        rooms = [HallRoom]

    socket = await stage.socket("ann", Typed)
    await socket.send_json_to({"type": "subscribe", "payload": {"room": "hall", "data": {"hall_id": 3}}})
    answer = await socket.receive_json_from()

    assert answer["payload"]["type"] == "internal"  # nobody has said who it is
    assert answer["type"] == "error"
    sent = {model.__name__ for info in Typed.describe().handlers for model in info.output_types}
    assert sent == {"SubscribedMessage", "UnsubscribedMessage"}


async def test_rooms_of_another_namespace(stage):
    """A consumer says in which namespace of Socket.IO its rooms are."""
    stage.sio.register_room(ChatRoom, namespace="/chat")

    @stage.sio.on("connect", namespace="/chat")
    async def connect(sid: str, environ: Any, auth: str) -> None:
        await stage.sio.save_session(sid, {"user": auth}, namespace="/chat")

    class OfChat(Chat):
        room_namespace = "/chat"

    ann, ben, eve = await stage.visitor("ann"), await stage.socket("ben", OfChat), await stage.socket("eve")
    await ann.connect("/chat", auth="ann")
    await ann.call("join_chat", {"chat_id": 5}, namespace="/chat")
    await subscribe(ben)
    await subscribe(eve)

    await ChatRoom(5).on(stage.sio, "/chat").emit("news")

    assert (await ann.receive("news")).namespace == "/chat"
    assert (await ben.receive_json_from())["action"] == "news"
    assert await eve.receive_nothing()


def test_mistakes_are_told_when_the_application_is_made():
    """A class without a layer, a room that nobody can enter, two handlers of one action."""

    class Closed(Room):
        pass

    class NoLayer(AsyncJsonWebsocketConsumer):
        rooms = [ChatRoom]

    class NobodyEnters(AsyncJsonWebsocketConsumer):
        channel_layer_alias = "chat"
        rooms = [Closed]

    with pytest.raises(SetupError, match="channel_layer_alias"):
        NoLayer.as_asgi()
    with pytest.raises(SetupError, match="extract_room_identifier"):
        NobodyEnters.as_asgi()
    with pytest.raises(SetupError, match="'subscribe'"):

        class Twice(AsyncJsonWebsocketConsumer):
            rooms = [ChatRoom]

            @ws_handler(action="subscribe")
            async def mine(self, message: dict[str, Any]) -> None:
                pass


async def test_a_subclass_may_have_other_rooms_or_none(stage):
    """Rooms are a class's own."""

    class Quiet(Chat):
        rooms = []

    socket = await stage.socket("ann", Quiet)
    answer = await subscribe(socket)

    assert answer["payload"]["type"] == "not_found"
    assert json.dumps(answer["payload"]).count("subscribe") == 2
