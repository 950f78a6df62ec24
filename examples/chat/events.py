"""The events of the page."""

from typing import Any

from fastsio import AsyncServer, Event, Recovered, RouterSIO

from .models import Draft, Join, Message, OpenRoom, Typing, User
from .presence import NotInRoomError, Presence, PresenceDep
from .users import CurrentUser

router = RouterSIO()


PREFIX = "chat:"


def channel(room: str) -> str:
    """Return the Socket.IO room of a chat room; the prefix separates it from sids."""
    return PREFIX + room


@router.event
async def connect(user: CurrentUser, recovered: Recovered, presence: PresenceDep, server: AsyncServer) -> None:
    """Accept every client with a name; one that is back after a loss is still in its room."""
    for room in recovered.rooms:
        name = room.removeprefix(PREFIX)
        presence.enter(user, name)
        await server.emit("joined", {"user": user, "members": presence.room(name).members}, room=room)


@router.event
async def disconnect(user: CurrentUser, presence: PresenceDep, server: AsyncServer) -> None:
    """Tell the others; the client stays in its Socket.IO room, for it may come back."""
    await say_goodbye(user, presence, server)


@router.event
async def join(request: Join, user: CurrentUser, presence: PresenceDep, server: AsyncServer) -> OpenRoom:
    """Move the user to a room, and return its description with what was said last."""
    left = await say_goodbye(user, presence, server)
    if left is not None:
        await server.leave_room(user.id, channel(left))
    presence.enter(user, request.room)
    await server.enter_room(user.id, channel(request.room))
    members = presence.room(request.room).members
    await server.emit("joined", {"user": user, "members": members}, room=channel(request.room), skip_sid=user.id)
    return presence.opened(request.room)  # others may have come or gone while everybody was told


@router.event
async def message(draft: Draft, user: CurrentUser, presence: PresenceDep, server: AsyncServer) -> Message:
    """Send the message to the room, and return it as its members get it."""
    said = Message(user=user, text=draft.text)
    await server.emit("message", said, room=channel(presence.say(said)), skip_sid=user.id)
    return said


@router.event
async def typing(notice: Typing, user: CurrentUser, presence: PresenceDep, server: AsyncServer) -> None:
    room = channel(presence.room_of(user))
    await server.emit("typing", {"user": user, "active": notice.active}, room=room, skip_sid=user.id)


@router.exception_handler(NotInRoomError)
async def not_in_room(event: Event) -> dict[str, Any]:
    """Return an error object."""
    return {"error": {"type": "not_found", "event": event, "msg": "Join a room first.", "detail": None}}


async def say_goodbye(user: User, presence: Presence, server: AsyncServer) -> str | None:
    """Take the user out of the room, and send the change to the remaining members; return which room it was."""
    name = presence.leave(user)
    if name is not None:
        left = {"user": user, "members": presence.room(name).members}
        await server.emit("left", left, room=channel(name), skip_sid=user.id)
    return name
