"""The clients that speak plain WebSocket: JSON frames, no library."""

from typing import Annotated, Literal
from urllib.parse import parse_qs

from fastsio import Joined, broadcast
from fastsio.consumers import AsyncJsonWebsocketConsumer, ws_handler
from fastsio.messages import BaseMessage

from .layers import LAYER
from .rooms import ChatRoom, MessagePosted, UserRoom, WhichChat, who_is_there
from .socketio_side import Say


class SayMessage(BaseMessage):
    """A message for a chat."""

    action: Literal["say"] = "say"
    payload: Say


class WhoMessage(BaseMessage):
    """The question for the members of a chat."""

    action: Literal["who"] = "who"
    payload: WhichChat


class PresentMessage(BaseMessage):
    """The answer: the names of the members."""

    action: Literal["present"] = "present"
    payload: list[str]


class BridgeConsumer(AsyncJsonWebsocketConsumer):
    """``rooms`` adds ``subscribe`` and ``unsubscribe``, which call the same hooks as a join over Socket.IO."""

    channel_layer_alias = LAYER
    rooms = (ChatRoom,)
    #: The list of members takes a while; messages do not wait for it.
    concurrency = 2

    async def post_authentication(self) -> None:
        query = parse_qs(self.scope["query_string"].decode())
        user = self.session["user"] = query.get("name", [""])[0]
        if user:
            await self.enter_room(UserRoom(user))

    @ws_handler
    async def say(self, message: SayMessage, room: Annotated[ChatRoom, Joined(ChatRoom)]) -> None:
        author, text = self.session["user"], message.payload.text
        await broadcast(MessagePosted(chat_id=room.identifier, author=author, via="WebSocket", text=text))

    @ws_handler
    async def who(self, message: WhoMessage, room: Annotated[ChatRoom, Joined(ChatRoom)]) -> PresentMessage:
        return PresentMessage(payload=await who_is_there(room))
