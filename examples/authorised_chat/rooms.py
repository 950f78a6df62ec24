"""The rooms of chats: who may join them, and the event for their members."""

from pydantic import BaseModel

from fastsio import BroadcastEvent, Room, Session

from .accounts import CHATS, User


class WhichChat(BaseModel):
    """The payload of a join, and a part of each message: the id of the chat."""

    chat_id: int


class ChatRoom(Room):
    """The readers of one chat. Clients join with ``join_chat``."""

    @classmethod
    async def extract_room_identifier(cls, which: WhichChat) -> int:
        if which.chat_id not in CHATS:
            raise ValueError("There is no such chat.")
        return which.chat_id

    @classmethod
    async def can_join(cls, session: Session, which: WhichChat) -> bool:
        user: User = session["user"]
        return user.name in CHATS[which.chat_id].members

    @classmethod
    async def presence_key(cls, session: Session) -> str:
        return str(session["user"].name)


class MessagePosted(BroadcastEvent):
    """A message was posted in a chat."""

    chat_id: int
    author: str
    text: str

    def broadcast_on(self) -> ChatRoom:
        return ChatRoom(self.chat_id)
