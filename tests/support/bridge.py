"""Two servers and their consumers on layers of one broker, as two processes would have them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Literal

from fastsio import AsyncServer, BroadcastEvent, Room, Session
from fastsio.consumers import AsyncJsonWebsocketConsumer, ws_handler
from fastsio.layers import register_channel_layer, unregister_channel_layer
from fastsio.layers.manager import LayerManager
from fastsio.messages import BaseMessage
from fastsio.testing import TestClient, WebsocketCommunicator
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from fastsio.layers import BaseChannelLayer

_numbers = itertools.count()


class ChatRoom(Room):
    """A room that knows whom it refuses, and what has happened in it."""

    banned: set[str] = set()
    log: list[tuple[str, str]] = []

    @classmethod
    async def extract_room_identifier(cls, session: Any, data: Any) -> Any:
        return data["id"]

    @classmethod
    async def can_join(cls, session: Any, data: Any) -> bool:
        return session["user"] not in cls.banned

    @classmethod
    async def presence_key(cls, session: Session) -> str:
        return session["user"]

    @classmethod
    async def on_leave(cls, session: Session) -> None:
        cls.log.append(("left", session["user"]))


class Posted(BroadcastEvent):
    """Something for a chat."""

    text: str

    def broadcast_on(self) -> ChatRoom:
        return ChatRoom(5)


class Said(BaseMessage):
    """What somebody says."""

    action: Literal["say"] = "say"
    payload: str
    groups: list[str]
    exclude: list[str] = []
    exclude_current: bool = False


class Heard(BaseMessage):
    """What others hear of it."""

    action: Literal["said"] = "said"
    payload: str


class Node:
    """
    A server and a consumer class on one layer.

    Args:
        layer: The layer.
        stack: Ends what the node starts.
        options: Of the client manager.
    """

    def __init__(self, layer: BaseChannelLayer, stack: AsyncExitStack, **options: Any) -> None:
        self.alias = alias = f"bridge{next(_numbers)}"
        self.layer = layer
        self._stack = stack
        register_channel_layer(alias, layer)
        stack.callback(unregister_channel_layer, alias)
        self.sio = sio = AsyncServer(async_mode="asgi", client_manager=LayerManager(alias, **options))
        stack.push_async_callback(sio.shutdown)
        sio.register_room(ChatRoom)

        @sio.event
        async def connect(sid: str, environ: Any, auth: Any) -> None:
            await sio.save_session(sid, {"user": auth})

        @sio.event
        async def join(sid: str, room: str) -> None:
            await sio.enter_room(sid, room)

        @sio.event
        async def ask(sid: str, target: str, question: Any) -> Any:
            return await sio.call("question", question, to=target, timeout=WAIT_S)

        class Consumer(AsyncJsonWebsocketConsumer):
            channel_layer_alias = alias
            rooms = [ChatRoom]

            async def connect(self) -> None:
                self.session["user"] = self.scope["query_string"].decode()
                await self.accept()

            @ws_handler(action="join")
            async def handle_join(self, message: dict[str, Any]) -> None:
                await self.join_group(message["payload"])
                await self.send_json({"joined": self.channel_name})

            @ws_handler
            async def handle_say(self, message: Said) -> None:
                await self.broadcast_message(
                    Heard(payload=message.payload),
                    message.groups,
                    exclude=message.exclude,
                    exclude_current=message.exclude_current,
                )

        self.consumer = Consumer

    async def visitor(self, user: str, *rooms: str) -> TestClient:
        """Connect a client of Socket.IO, and put it into rooms."""
        client = await self._stack.enter_async_context(TestClient(self.sio, timeout=WAIT_S))
        await client.connect(auth=user)
        for room in rooms:
            await client.call("join", room)
        return client

    async def socket(self, user: str, *groups: str) -> Socket:
        """Connect a plain WebSocket, and put it into groups."""
        socket = Socket(self.consumer.as_asgi(), f"/?{user}")
        await self._stack.enter_async_context(socket)
        for group in groups:
            await socket.send_json_to({"action": "join", "payload": group})
            socket.name = (await socket.receive_json_from(WAIT_S))["joined"]
        return socket

    async def sync(self) -> None:
        """Wait until this server hears the others."""
        manager: Any = self.sio.manager
        await manager._listen_for_answers()


class Socket(WebsocketCommunicator):
    """A plain WebSocket that knows the name of its channel."""

    name = ""

    async def hear(self) -> Any:
        """Return the next frame."""
        return await self.receive_json_from(WAIT_S)

    async def subscribe(self, chat_id: int) -> Any:
        """Ask to be let into a chat; return the answer. What else comes meanwhile is dropped."""
        await self.send_json_to({"action": "subscribe", "payload": {"room": "chat", "data": {"id": chat_id}}})
        while True:
            answer = await self.hear()
            if answer["action"] in ("subscribed", "error"):
                return answer
