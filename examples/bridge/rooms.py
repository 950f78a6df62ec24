"""The rooms, and what is said in them. Nothing here knows by which protocol somebody is in a room."""

from pydantic import BaseModel

from fastsio import BroadcastEvent, Room, Session

CHATS = {"lobby"}


class WhichChat(BaseModel):
    """What a client sends to enter a chat, and with everything it says there."""

    chat_id: str


class ChatRoom(Room):
    """A chat that everybody with a name may read."""

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
        """Say who it is. With this hook the event ``presence`` tells the members that somebody has come or gone."""
        return str(session["user"])


async def who_is_there(room: Room) -> list[str]:
    """
    Return who is in a room, in whichever process and by whichever protocol.

    Members ask for it. A list that a hook sends to all would be of no use: hooks run in several processes, and an older
    list may arrive after a newer one.
    """
    members = await room.members(cluster=True)
    return sorted({member.user for member in members if member.user is not None})


class UserRoom(Room):
    """All connections of one user. Servers put them in; clients cannot ask for it."""


class MessagePosted(BroadcastEvent):
    """Somebody said something."""

    chat_id: str
    author: str
    via: str
    text: str

    def broadcast_on(self) -> ChatRoom:
        return ChatRoom(self.chat_id)


class JobDone(BroadcastEvent):
    """A job of one user is done."""

    user: str
    result: str

    def broadcast_on(self) -> UserRoom:
        return UserRoom(self.user)
