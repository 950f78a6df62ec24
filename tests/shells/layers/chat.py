"""Rooms that clients of Socket.IO and consumers share, and where both meet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel

from fastsio import AsyncServer, Joined, Room, Session, SocketID
from fastsio.consumers import AsyncJsonWebsocketConsumer, ws_handler
from fastsio.layers.manager import LayerManager
from fastsio.messages import BaseMessage
from fastsio.testing import TestClient, WebsocketCommunicator

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from fastsio.layers import InMemoryChannelLayer

BANNED: set[str] = set()
LOG: list[tuple[str, ...]] = []


class ChatRoom(Room):
    @classmethod
    async def extract_room_identifier(cls, session, data):
        if not data.get("chat_id"):
            raise ValueError("chat_id is required")
        return data["chat_id"]

    @classmethod
    async def can_join(cls, session, data):
        LOG.append(("can_join", session["user"]))
        return session["user"] not in BANNED

    @classmethod
    async def on_join(cls, session: Session, room: Room):
        LOG.append(("on_join", session["user"], room.name))

    @classmethod
    async def on_leave(cls, session: Session, room: Room):
        LOG.append(("on_leave", session["user"], room.name))


class WhichHall(BaseModel):
    hall_id: int


class HallRoom(Room):
    @classmethod
    def extract_room_identifier(cls, which: WhichHall):
        return which.hall_id

    @classmethod
    def presence_key(cls, session: Session):
        return session["user"]

    @classmethod
    async def on_join(cls, room: Room, sid: SocketID):
        await room.emit("welcome", {"to": "all"}, skip_sid=sid)
        LOG.append(("welcomed", sid))


class SayPayload(BaseModel):
    chat_id: int
    text: str


class SayMessage(BaseMessage):
    action: Literal["say"] = "say"
    payload: SayPayload


class Chat(AsyncJsonWebsocketConsumer):
    channel_layer_alias = "chat"
    rooms = [ChatRoom, HallRoom]
    max_rooms = 2

    async def connect(self) -> None:
        self.session["user"] = self.scope["query_string"].decode()
        await self.accept()

    @ws_handler
    async def say(self, message: SayMessage, room: Annotated[ChatRoom, Joined(ChatRoom)]) -> None:
        await room.emit("said", {"by": self.session["user"], "text": message.payload.text})


class Stage:
    """A server with the rooms, and consumers, on one layer."""

    def __init__(self, stack: AsyncExitStack, layer: InMemoryChannelLayer) -> None:
        self.layer = layer
        self._stack = stack
        self.sio = AsyncServer(async_mode="asgi", client_manager=LayerManager("chat"))
        self.sio.register_room(ChatRoom, HallRoom)

        @self.sio.event
        async def connect(sid: str, environ: Any, auth: str) -> None:
            await self.sio.save_session(sid, {"user": auth})

    async def visitor(self, user: str) -> TestClient:
        """Connect a client of Socket.IO."""
        client = await self._stack.enter_async_context(TestClient(self.sio))
        await client.connect(auth=user)
        return client

    async def socket(self, user: str, consumer: Any = Chat) -> WebsocketCommunicator:
        """Connect a plain WebSocket."""
        socket = WebsocketCommunicator(consumer.as_asgi(), f"/?{user}")
        return await self._stack.enter_async_context(socket)


def frame(action: str, room: str, data: Any = None, **more: Any) -> dict[str, Any]:
    """Return a frame about a room."""
    return {"action": action, "payload": {"room": room, **({} if data is None else {"data": data})}, **more}


async def subscribe(socket: WebsocketCommunicator, chat_id: Any = 5) -> Any:
    """Ask to be let into a chat, and return the answer."""
    await socket.send_json_to(frame("subscribe", "chat", {"chat_id": chat_id}))
    return await socket.receive_json_from()
