"""The events of the page."""

from typing import Any

from fastsio import AsyncServer, Event, RouterSIO

from .models import Draft, Join, Message, Room, Typing, User
from .presence import NotInRoomError, Presence, PresenceDep
from .users import CurrentUser

router = RouterSIO()


def channel(room: str) -> str:
    """Return the Socket.IO room of a chat room; the prefix separates it from sids."""
    return f"chat:{room}"


@router.event
async def connect(user: CurrentUser) -> None:
    """Accept every client with a name."""


@router.event
async def disconnect(user: CurrentUser, presence: PresenceDep, server: AsyncServer) -> None:
    await say_goodbye(user, presence, server)


@router.event
async def join(request: Join, user: CurrentUser, presence: PresenceDep, server: AsyncServer) -> Room:
    """Move the user to a room, and return its description."""
    await say_goodbye(user, presence, server)
    presence.enter(user, request.room)
    await server.enter_room(user.id, channel(request.room))
    members = presence.room(request.room).members
    await server.emit("joined", {"user": user, "members": members}, room=channel(request.room), skip_sid=user.id)
    return presence.room(request.room)  # others may have come or gone while everybody was told


@router.event
async def message(draft: Draft, user: CurrentUser, presence: PresenceDep, server: AsyncServer) -> Message:
    """Send the message to the room, and return it as its members get it."""
    said = Message(user=user, text=draft.text)
    await server.emit("message", said, room=channel(presence.room_of(user)), skip_sid=user.id)
    return said


@router.event
async def typing(notice: Typing, user: CurrentUser, presence: PresenceDep, server: AsyncServer) -> None:
    room = channel(presence.room_of(user))
    await server.emit("typing", {"user": user, "active": notice.active}, room=room, skip_sid=user.id)


@router.exception_handler(NotInRoomError)
async def not_in_room(event: Event) -> dict[str, Any]:
    """Return an error object."""
    return {"error": {"type": "not_found", "event": event, "msg": "Join a room first.", "detail": None}}


async def say_goodbye(user: User, presence: Presence, server: AsyncServer) -> None:
    """Take the user out of the room, and send the change to the remaining members."""
    name = presence.leave(user)
    if name is None:
        return
    await server.leave_room(user.id, channel(name))
    await server.emit("left", {"user": user, "members": presence.room(name).members}, room=channel(name))
