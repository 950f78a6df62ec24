"""The clients that speak plain WebSocket: JSON frames, no library."""

from typing import Annotated, Literal
from urllib.parse import parse_qs

from fastsio import Joined, broadcast
from fastsio.consumers import AsyncJsonWebsocketConsumer, ws_handler
from fastsio.messages import BaseMessage

from .layers import LAYER
from .rooms import ChatRoom, MessagePosted, UserRoom
from .socketio_side import Say


class SayMessage(BaseMessage):
    """Something to be said in a chat."""

    action: Literal["say"] = "say"
    payload: Say


class BridgeConsumer(AsyncJsonWebsocketConsumer):
    """``subscribe`` and ``unsubscribe`` come with ``rooms``, and ask the same hooks as a join over Socket.IO."""

    channel_layer_alias = LAYER
    rooms = (ChatRoom,)

    async def post_authentication(self) -> None:
        query = parse_qs(self.scope["query_string"].decode())
        user = self.session["user"] = query.get("name", [""])[0]
        if user:
            await self.enter_room(UserRoom(user))

    @ws_handler
    async def say(self, message: SayMessage, room: Annotated[ChatRoom, Joined(ChatRoom)]) -> None:
        author, text = self.session["user"], message.payload.text
        await broadcast(MessagePosted(chat_id=room.identifier, author=author, via="WebSocket", text=text))
