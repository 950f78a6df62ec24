"""The base of managers that listen to a channel for each room: they are told which rooms have members here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from fastsio.aio.pubsub import AsyncPubSubManager

if TYPE_CHECKING:
    from collections.abc import Hashable


class RoomFollowingManager(AsyncPubSubManager, ABC):
    """
    Tells a subclass which rooms, those that clients have for themselves included, have members on this server.

    What its methods raise is what those of :class:`AsyncManager` raise.
    """

    @abstractmethod
    def _follow_room(self, namespace: str, room: Hashable, *, has_members: bool) -> None:
        """Follow a room if it has members here, else do not; called without a change of that, too."""

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
        """Take everybody of this server out of a room."""
        super().basic_close_room(room, namespace)
        self._tell_of(namespace, room)

    def basic_disconnect(self, sid: str, namespace: str, **kwargs: Any) -> None:
        """Forget a client: its rooms, its callbacks, what was held for it."""
        rooms = self.get_rooms(sid, namespace)
        super().basic_disconnect(sid, namespace, **kwargs)
        for room in rooms:
            self._tell_of(namespace, room)

    async def begin_join(self, namespace: str, room: Hashable) -> None:
        """Hear from now on what other servers say of a room that a client may be let into."""
        self._tell_of(namespace, room)

    def end_join(self, namespace: str, room: Hashable) -> None:
        """Note that a client is in a room now, or was not let in."""
        self._tell_of(namespace, room)

    def _tell_of(self, namespace: str, room: Hashable) -> None:
        self._follow_room(namespace, room, has_members=self._concerns_us(namespace, room))
