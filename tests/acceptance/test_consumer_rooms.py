"""The typed messages tutorial: rooms, who hears what, and how they are left."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount, Router
from websockets.asyncio.client import connect

from fastsio.consumers import WebsocketRouter, event_handler
from fastsio.layers import InMemoryChannelLayer, override
from tests.acceptance.typed_chat import (
    BaseConsumer,
    RoomChatConsumer,
    RoomChatMessage,
    RoomMessagePayload,
    RoomNotificationMessage,
)
from tests.support.rooms import present, room_app
from tests.support.servers import serve
from tests.support.waiting import WAIT_S

GENERAL = "/ws/room/general"
JOINED = "🚪 Someone joined room 'general'"
LEFT = "👋 Someone left room 'general'"


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


def says(text: str) -> RoomChatMessage:
    """Make what a client says."""
    return RoomChatMessage(payload=RoomMessagePayload(message=text))


async def test_a_broadcast_reaches_every_member_and_the_sender(app):
    """It arrives with its emoji, in the form of the message class."""
    async with present(app, GENERAL, GENERAL) as (ada, ben):
        assert await ada.reads() == [JOINED]
        await ada.send_message(says("hi ✨ ünïcode"))

        heard = [*await ada.hears_json(), *await ben.hears_json()]
        payload = {"message": "💬 hi ✨ ünïcode", "room_name": "general"}
        assert heard == [{"action": "room_notification", "payload": payload}] * 2


async def test_two_rooms_run_in_parallel_without_leakage(app):
    """What is said in a is not heard in b, in both directions."""
    async with present(app, "/ws/room/a", "/ws/room/b", "/ws/room/a", "/ws/room/b") as people:
        for person in people[:2]:
            await person.reads()
        await asyncio.gather(*(person.send_message(says(str(number))) for number, person in enumerate(people)))

        heard = [sorted(await person.reads(2)) for person in people]
        assert heard == [["💬 0", "💬 2"], ["💬 1", "💬 3"]] * 2
        assert [person.pending() for person in people] == [0] * 4


async def test_joining_a_group_makes_a_connection_hear_it(layer):
    """group_add() in post_authentication is enough."""

    class Joining(BaseConsumer):
        channel_layer_alias = "chat"

        async def post_authentication(self) -> None:
            await self.channel_layer.group_add("news", self.channel_name)

        @event_handler(output_type=RoomNotificationMessage)
        async def told(self, event: RoomNotificationMessage) -> RoomNotificationMessage:
            return event

    async with present(Joining.as_asgi(), "/") as (ada,):
        event = RoomNotificationMessage(payload=RoomMessagePayload(message="news"))
        await Joining.broadcast_event(event, groups=["news"])

        assert await ada.reads() == ["news"]


async def test_groups_are_each_connections_own_list_and_are_left_at_the_end(layer):
    """A group that was appended, and one that was only added, has no member once the client has gone."""
    seen: list[list[str]] = []

    class Forgetful(BaseConsumer):
        channel_layer_alias = "chat"
        groups = ["all"]

        async def post_authentication(self) -> None:
            room = f"room_{self.scope['path_params']['room_name']}"
            assert room not in self.groups
            await self.channel_layer.group_add(room, self.channel_name)
            await self.channel_layer.group_add("noted-nowhere", self.channel_name)
            self.groups.append(room)
            seen.append(self.groups)

    async with present(room_app(Forgetful), "/ws/room/a", "/ws/room/b") as (ada, _):
        assert len(await layer.group_channels("all")) == 2
        await ada.disconnect()

        assert seen == [["all", "room_a"], ["all", "room_b"]]
        assert Forgetful.groups == ["all"]
        assert await layer.group_channels("room_a") == []
        assert [len(await layer.group_channels(name)) for name in ("all", "noted-nowhere", "room_b")] == [1, 1, 1]


async def test_groups_are_left_whatever_the_handlers_do(layer, caplog):
    """A disconnect handler that fails keeps nobody in a group."""

    class Failing(BaseConsumer):
        channel_layer_alias = "chat"
        groups = ["all"]

        async def websocket_disconnect(self, message) -> None:
            raise RuntimeError("on the way out")

    async with present(Failing.as_asgi(), "/"):
        assert len(await layer.group_channels("all")) == 1

    assert await layer.group_channels("all") == []
    assert "on the way out" in caplog.text


async def test_newcomers_are_announced_to_those_who_are_there(app):
    """exclude_current leaves out the one who joins; the others hear of each newcomer once."""
    async with present(app, GENERAL, GENERAL, GENERAL) as people:
        await people[0].send_message(says("end"))

        heard = [await person.reads(3 - number) for number, person in enumerate(people)]
        assert heard == [[JOINED, JOINED, "💬 end"], [JOINED, "💬 end"], ["💬 end"]]
        assert [person.pending() for person in people] == [0, 0, 0]


async def test_the_two_screenshots_of_the_tutorial(app):
    """The first sees the second's join and the chat, the second the chat only; nobody sees a join of their own."""
    async with present(app, GENERAL) as (first,):
        assert await first.receive_nothing()
        async with present(app, GENERAL) as (second,):
            assert await second.receive_nothing()
            for person, text in ((first, "hello"), (second, "hi there")):
                await person.send_message(says(text))

            assert await first.reads(3) == [JOINED, "💬 hello", "💬 hi there"]
            assert await second.reads(2) == ["💬 hello", "💬 hi there"]


@pytest.mark.parametrize(("drop", "code"), [("tab", 1001), ("network", 1006)])
async def test_leaving_is_noticed_however_it_happens(layer, drop, code):
    """websocket_disconnect runs with the close code, may still broadcast, and calling its parent ends cleanly."""
    codes: list[Any] = []
    left = asyncio.Event()

    class Watching(RoomChatConsumer):
        async def websocket_disconnect(self, message) -> None:
            codes.append(message["code"])
            await super().websocket_disconnect(message)
            left.set()

    async with serve(room_app(Watching)) as address, connect(f"{address.ws}{GENERAL}") as ada:
        ben = await connect(f"{address.ws}{GENERAL}")
        await asyncio.wait_for(ada.recv(), WAIT_S)
        if drop == "tab":
            await ben.close(code=1001)
        else:
            ben.transport.abort()
        heard = json.loads(await asyncio.wait_for(ada.recv(), WAIT_S))
        await asyncio.wait_for(left.wait(), WAIT_S)

        assert heard["payload"]["message"] == LEFT
        assert codes == [code] or (drop == "network" and codes[0] in {1005, 1006})


async def test_a_leave_is_told_once_and_the_gone_channel_is_forgotten(app, layer, caplog):
    """The others hear of it exactly once, the leaver not at all, and later broadcasts know nothing of it."""
    async with present(app, GENERAL, GENERAL) as (ada, ben):
        await ada.reads()
        await ben.disconnect()
        assert await ada.reads() == [LEFT]
        assert len(await layer.group_channels("room_general")) == 1
        await ada.send_message(says("alone"))

        assert await ada.reads() == ["💬 alone"]
        assert (ada.pending(), ben.pending()) == (0, 0)

    assert caplog.records == []


async def test_leaving_before_a_room_was_entered_raises_nothing(layer, caplog):
    """The room was never set: there is nothing to leave, and nothing to complain of."""

    class Outside(RoomChatConsumer):
        async def post_authentication(self) -> None:
            return

    async with present(room_app(Outside), GENERAL) as (ada,):
        await ada.disconnect(code=1006)

    assert caplog.records == []


def own_router() -> Any:
    """A router of fastsio's, mounted."""
    router = WebsocketRouter()
    router.add_websocket_route("/room/{room_name}", RoomChatConsumer.as_asgi())
    app = FastAPI()
    app.mount("/ws", router)
    return app


def fastapi_router() -> Any:
    """A router of FastAPI's, included."""
    router = APIRouter()
    router.add_websocket_route("/room/{room_name}", RoomChatConsumer.as_asgi())
    app = FastAPI()
    app.include_router(router, prefix="/ws")
    return app


def fastapi_router_mounted() -> Any:
    """A router of FastAPI's, mounted."""
    router = APIRouter()
    router.add_websocket_route("/room/{room_name}", RoomChatConsumer.as_asgi())
    app = FastAPI()
    app.mount("/ws", router)
    return app


def starlette_router() -> Any:
    """A router of Starlette's, mounted."""
    router = Router()
    router.add_websocket_route("/room/{room_name}", RoomChatConsumer.as_asgi())
    return Starlette(routes=[Mount("/ws", router)])


@pytest.mark.parametrize("make", [own_router, fastapi_router, fastapi_router_mounted, starlette_router])
async def test_a_consumer_is_a_route_of_every_router(layer, make):
    """add_websocket_route("/room/{room_name}", C.as_asgi()), at /ws, serves ws://host/ws/room/general."""
    async with (
        serve(make()) as address,
        connect(f"{address.ws}/ws/room/general") as ada,
        connect(f"{address.ws}/ws/room/general"),
    ):
        heard = json.loads(await asyncio.wait_for(ada.recv(), WAIT_S))

    assert heard["payload"] == {"message": JOINED, "room_name": "general"}


async def test_any_room_is_there_on_demand(app, layer):
    """The name is text, whatever it looks like."""
    async with present(app, "/ws/room/4711", "/ws/room/4711", "/ws/room/brand-new") as (ada, *_):
        (heard,) = await ada.hears_json()

        assert heard["payload"] == {"message": "🚪 Someone joined room '4711'", "room_name": "4711"}
        assert len(await layer.group_channels("room_brand-new")) == 1


async def test_discarding_a_group_stops_it_at_once(layer):
    """Twice is once."""
    left = asyncio.Event()

    class Leaving(RoomChatConsumer):
        async def receive(self, text_data=None, bytes_data=None, **kwargs) -> None:
            await self.channel_layer.group_discard(self.room_group_name, self.channel_name)
            await self.channel_layer.group_discard(self.room_group_name, self.channel_name)
            left.set()

    app = room_app(Leaving)
    async with present(app, GENERAL, GENERAL) as (ada, ben):
        await ada.reads()
        await ben.send_to("leave")
        await asyncio.wait_for(left.wait(), WAIT_S)
        async with present(app, GENERAL):
            assert await ada.reads() == [JOINED]

        assert await ada.reads() == [LEFT]
        assert ben.pending() == 0
