"""The users and the last messages of each room, without sockets, for both HTTP routes and socket events."""

from collections import deque
from typing import Annotated

from fastapi import Depends

from .models import Message, OpenRoom, Room, User

KEPT_MESSAGES = 50


class NotInRoomError(Exception):
    """The user has to join a room first."""


class Presence:
    """Every user is in at most one room; a room and its messages exist while a user is in it."""

    def __init__(self) -> None:
        self._rooms: dict[str, dict[str, User]] = {}
        self._room_of: dict[str, str] = {}
        self._messages: dict[str, deque[Message]] = {}

    def enter(self, user: User, room: str) -> None:
        """Put *user* into *room*; a user must have left the previous one."""
        self._rooms.setdefault(room, {})[user.id] = user
        self._room_of[user.id] = room

    def leave(self, user: User) -> str | None:
        """Take *user* out and return the room that was left, if there was one."""
        room = self._room_of.pop(user.id, None)
        if room is not None:
            del self._rooms[room][user.id]
            if not self._rooms[room]:
                del self._rooms[room]
                self._messages.pop(room, None)
        return room

    def say(self, message: Message) -> str:
        """
        Keep a message for those who join later, and return the room of its user.

        Raises:
            NotInRoomError: The user is in no room.
        """
        room = self.room_of(message.user)
        self._messages.setdefault(room, deque(maxlen=KEPT_MESSAGES)).append(message)
        return room

    def room_of(self, user: User) -> str:
        """
        Return the room *user* is in.

        Raises:
            NotInRoomError: The user is in no room.
        """
        try:
            return self._room_of[user.id]
        except KeyError:
            raise NotInRoomError from None

    def room(self, name: str) -> Room:
        """Describe a room; a room without users is empty."""
        return Room(name=name, members=list(self._rooms.get(name, {}).values()))

    def opened(self, name: str) -> OpenRoom:
        """Describe a room for a user who has come in."""
        return OpenRoom(name=name, members=self.room(name).members, messages=list(self._messages.get(name, ())))

    def rooms(self) -> list[Room]:
        """Describe every room, in the order of their names."""
        return [self.room(name) for name in sorted(self._rooms)]


_presence = Presence()


def get_presence() -> Presence:
    """Give routes and events the same object."""
    return _presence


#: Works in FastAPI routes and in fastsio events alike.
PresenceDep = Annotated[Presence, Depends(get_presence)]
