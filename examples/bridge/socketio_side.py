"""The clients that speak Socket.IO."""

from typing import Annotated, Any

from fastsio import AsyncServer, Auth, Joined, Session, SocketID, broadcast
from fastsio.layers.manager import LayerManager

from .layers import LAYER
from .rooms import ChatRoom, MessagePosted, UserRoom, WhichChat, who_is_there

sio = AsyncServer(async_mode="asgi", client_manager=LayerManager(LAYER))
sio.register_room(ChatRoom)


class Say(WhichChat):
    """A message for a chat."""

    text: str


@sio.event
async def connect(sid: SocketID, auth: Auth) -> None:
    user: Any = (auth or {}).get("name", "")
    await sio.save_session(sid, {"user": user})
    if user:
        await sio.enter_room(sid, UserRoom(user))


@sio.event
async def say(message: Say, room: Annotated[ChatRoom, Joined(ChatRoom)], session: Session) -> None:
    author = session["user"]
    await broadcast(MessagePosted(chat_id=room.identifier, author=author, via="Socket.IO", text=message.text))


@sio.event
async def who(room: Annotated[ChatRoom, Joined(ChatRoom)]) -> list[str]:
    return await who_is_there(room)
