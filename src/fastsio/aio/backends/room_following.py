"""The base of managers that listen to a channel for each room that has members on this server."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from fastsio.aio.pubsub import AsyncPubSubManager

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

    from fastsio.state import Client


class RoomFollowingManager(AsyncPubSubManager, ABC):
    """
    Reports to a subclass which rooms have members on this server, the own rooms of clients included.

    The methods raise the errors of those of :class:`AsyncManager`.
    """

    @abstractmethod
    def _follow_room(self, namespace: str, room: Hashable, *, has_members: bool) -> None:
        """Start or stop listening for a room, as it has members here or not; also called if that has not changed."""

    def basic_connect(self, sid: str, eio_sid: str, namespace: str) -> None:
        """Add a client whose connect handler has not decided yet."""
        super().basic_connect(sid, eio_sid, namespace)
        self._tell_of(namespace, sid)

    def basic_enter_room(self, sid: str, namespace: str, room: Hashable, eio_sid: str | None = None) -> None:
        """Put a client of this server into a room."""
        super().basic_enter_room(sid, namespace, room, eio_sid)
        self._tell_of(namespace, room)

    def basic_leave_room(self, sid: str, namespace: str, room: Hashable) -> None:
        """Take a client of this server out of a room; one that is not in it is ignored."""
        super().basic_leave_room(sid, namespace, room)
        self._tell_of(namespace, room)

    def basic_close_room(self, room: Hashable, namespace: str) -> None:
        """Take all clients of this server out of a room."""
        super().basic_close_room(room, namespace)
        self._tell_of(namespace, room)

    def basic_disconnect(self, sid: str, namespace: str, **kwargs: Any) -> None:
        """Remove a client with its rooms and its callbacks."""
        rooms = self.get_rooms(sid, namespace)
        super().basic_disconnect(sid, namespace, **kwargs)
        for room in rooms:
            self._tell_of(namespace, room)

    def restore_rooms(self, client: Client, rooms: Mapping[Hashable, Any]) -> None:
        """Put a client that comes back into the rooms that it was in."""
        super().restore_rooms(client, rooms)
        for room in rooms:
            self._tell_of(client.namespace, room)

    def abandon_rooms(self, namespace: str, rooms: Iterable[Hashable]) -> None:
        """Stop following the rooms of a lost client that will not come back, unless others are in them."""
        for room in rooms:
            self._tell_of(namespace, room)

    async def begin_join(self, namespace: str, room: Hashable) -> None:
        """Listen from now on to messages of other servers about a room that a client asks to join."""
        self._tell_of(namespace, room)

    def end_join(self, namespace: str, room: Hashable) -> None:
        """End what :meth:`begin_join` began: the client has joined the room, or may not join it."""
        self._tell_of(namespace, room)

    def _tell_of(self, namespace: str, room: Hashable) -> None:
        is_followed = self._concerns_us(namespace, room)
        if not is_followed and self._histories is not None:
            with self._lock:
                self._histories.forget(namespace, room)  # its further events do not reach this process
        self._follow_room(namespace, room, has_members=is_followed)
