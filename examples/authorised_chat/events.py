"""The events of the page."""

from typing import Annotated, Any

from pydantic import BaseModel, StringConstraints

from fastsio import AsyncNamespace, Joined, Session, SocketID, broadcast, exceptions, register_room

from .accounts import CHATS, USERS
from .rooms import ChatRoom, MessagePosted, WhichChat

Member = Annotated[ChatRoom, Joined(ChatRoom)]


class ListedChat(BaseModel):
    """A chat in the list; that it is there does not say who may read it."""

    id: int
    title: str


class Welcome(BaseModel):
    """Who the client is, and which chats there are."""

    name: str
    chats: list[ListedChat]


class OpenChat(BaseModel):
    """A chat as its readers see it."""

    title: str
    owner: str


class Message(WhichChat):
    """A message for a chat."""

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class Removal(WhichChat):
    """The reader to remove from a chat."""

    name: str


@register_room(ChatRoom)
class Chats(AsyncNamespace):
    """The root namespace."""

    async def on_connect(self, sid: str, environ: dict[str, Any], auth: Any) -> None:
        user = USERS.get(auth.get("token", "")) if isinstance(auth, dict) else None
        if user is None:
            raise exceptions.ConnectionRefusedError("Sign in first.")
        await self.save_session(sid, {"user": user})

    async def on_hello(self, session: Session) -> Welcome:
        chats = [ListedChat(id=number, title=chat.title) for number, chat in CHATS.items()]
        return Welcome(name=session["user"].name, chats=chats)

    async def on_join_chat(self, sid: SocketID, which: WhichChat) -> OpenChat:
        """Describe the chat; this only runs for clients that may join."""
        chat = CHATS[which.chat_id]
        return OpenChat(title=chat.title, owner=chat.owner)

    async def on_who(self, room: Member) -> list[str]:
        """Return the names of the members. The page asks after its join and after each ``presence``."""
        return sorted({member.user for member in await room.members() if member.user is not None})

    async def on_say(self, message: Message, room: Member, session: Session) -> None:
        await broadcast(MessagePosted(chat_id=message.chat_id, author=session["user"].name, text=message.text))

    async def on_remove(self, removal: Removal, room: Member, session: Session) -> list[str]:
        """Take the permission of a reader, whom ``recheck()`` then kicks."""
        chat = CHATS[removal.chat_id]
        if session["user"].name != chat.owner:
            raise PermissionError("Only the owner may remove others.")
        chat.members -= {removal.name}
        await room.recheck()
        return sorted(chat.members)
