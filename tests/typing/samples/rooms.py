"""What type checkers see in room classes, their hooks, and broadcast events; not run."""

# ruff: noqa: D103 - samples for type checkers, never run
from __future__ import annotations

from typing import Annotated, Any, ClassVar, assert_type
from uuid import UUID  # noqa: TC003 - as applications write it

from pydantic import BaseModel

from fastsio import (
    AsyncNamespace,
    AsyncServer,
    BroadcastEvent,
    Depends,
    Joined,
    Room,
    RoomMember,
    RouterSIO,
    Server,
    Session,
    SocketID,
    broadcast,
    broadcast_sync,
    configure_broadcasting,
    register_room,
)


class Join(BaseModel):
    chat_id: int


def database() -> dict[int, str]:
    return {}


class SeedRoom(Room):
    def __init__(self, chat_id: UUID) -> None:
        super().__init__(chat_id)

    @classmethod
    async def extract_room_identifier(cls, session: Any, data: dict[str, Any]) -> str:
        return str(data["chat_id"])

    @classmethod
    async def can_join(cls, session: Any, data: dict[str, Any]) -> bool:
        return bool(session)


class ChatRoom(Room):
    key: ClassVar[str] = "chat"
    presence = True

    @classmethod
    def extract_room_identifier(cls, join: Join) -> int:
        return join.chat_id

    @classmethod
    def can_join(cls, join: Join, db: Annotated[dict[int, str], Depends(database)]) -> bool:
        return join.chat_id in db

    @classmethod
    async def on_join(cls, room: Room, sid: SocketID, session: Session) -> None:
        assert_type(room.name, str)
        await room.emit("welcome", session, skip_sid=sid)

    @classmethod
    def presence_key(cls, session: Session) -> str | None:
        return str(session.get("user"))


class VipRoom(ChatRoom):
    @classmethod
    def can_join(cls, join: Join, db: Annotated[dict[int, str], Depends(database)]) -> bool:
        return super().can_join(join, db) and join.chat_id > 5


@register_room(ChatRoom, SeedRoom)
class Chat(AsyncNamespace):
    async def on_say(self, room: Annotated[ChatRoom, Joined(ChatRoom)], later: ChatRoom = Joined(ChatRoom)) -> str:  # noqa: B008 - a marker
        assert_type(room.on(self.server, "/"), ChatRoom)
        return str(room)


class Posted(BroadcastEvent):
    broadcast_namespace = "/chat"

    chat_id: int

    def broadcast_on(self) -> list[Room]:
        return [ChatRoom(self.chat_id)]

    async def broadcast_when(self) -> bool:
        return True

    def broadcast_as(self) -> str:
        return "posted"


class ToOne(BroadcastEvent):
    async def broadcast_on(self) -> str:
        return "sid"


async def use(sio: AsyncServer, server: Server, router: RouterSIO) -> None:
    chat: Chat = Chat("/")
    assert_type(chat, Chat)
    sio.register_room(ChatRoom, SeedRoom, namespace="/chat")
    server.register_room(ChatRoom)
    router.register_room(ChatRoom)
    await sio.emit("x", room=ChatRoom(5))
    await sio.enter_room("sid", ChatRoom(5))
    await sio.close_room(ChatRoom(5))
    members: list[RoomMember] = await ChatRoom(5).members(cluster=True, timeout=1)
    assert_type(members[0].user, str | None)
    ChatRoom(5).on(server).kick("sid", "enough")
    configure_broadcasting(sio)
    assert_type(await broadcast(Posted(chat_id=5), skip_sid="sid"), bool)
    assert_type(broadcast_sync(ToOne(), via=server), bool)
