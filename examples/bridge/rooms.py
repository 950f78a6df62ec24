"""The rooms and their events, for clients of both protocols."""

from pydantic import BaseModel

from fastsio import BroadcastEvent, Room, Session

CHATS = {"lobby"}


class WhichChat(BaseModel):
    """The payload of a join, and a part of each message: the id of the chat."""

    chat_id: str


class ChatRoom(Room):
    """A chat that every client with a name may read."""

    @classmethod
    async def extract_room_identifier(cls, which: WhichChat) -> str:
        if which.chat_id not in CHATS:
            raise ValueError("There is no such chat.")
        return which.chat_id

    @classmethod
    async def can_join(cls, session: Session) -> bool:
        return bool(session["user"])

    @classmethod
    async def presence_key(cls, session: Session) -> str:
        """Return the name. With this hook the members get ``presence`` when a user joins or leaves."""
        return str(session["user"])


async def who_is_there(room: Room) -> list[str]:
    """
    Return the names of the members of a room, in all processes and over both protocols.

    Members ask for the list. Hooks do not send it, because they run in several processes, and an older list may arrive
    after a newer one.
    """
    members = await room.members(cluster=True)
    return sorted({member.user for member in members if member.user is not None})


class UserRoom(Room):
    """All connections of one user. Servers put them into the room; clients cannot join it."""


class MessagePosted(BroadcastEvent):
    """A message was posted in a chat."""

    chat_id: str
    author: str
    via: str
    text: str

    def broadcast_on(self) -> ChatRoom:
        return ChatRoom(self.chat_id)


class JobDone(BroadcastEvent):
    """The job of a user is done."""

    user: str
    result: str

    def broadcast_on(self) -> UserRoom:
        return UserRoom(self.user)
