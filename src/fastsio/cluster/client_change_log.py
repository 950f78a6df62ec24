"""
The latest changes that nodes have made to clients: disconnections, and removals from rooms.

A lost client's session is stored by the node that had the client. If that node has ended, it cannot change the stored
session any more. So the node to which the client comes back looks here for the changes since then.
"""

from __future__ import annotations

import sys
from math import inf
from typing import TYPE_CHECKING, Any

from fastsio.cluster.stream_entries import EntryType
from fastsio.state.recovery import Entry, PacketLog

if TYPE_CHECKING:
    from fastsio.cluster.stream_entries import ClientChange, Position
    from fastsio.state.recovery import SavedSession


class ClientChangeLog:
    """
    The latest changes of clients in the stream, in their order, from the position *start* on.

    Their bytes are counted as in :class:`~fastsio.state.recovery.PacketLog`.
    """

    __slots__ = ("_log",)

    def __init__(
        self, start: Position, max_entries: int = sys.maxsize, max_bytes: int = sys.maxsize, max_age_s: float = inf
    ) -> None:
        # A change is for the clients of rooms, like an event.
        self._log = PacketLog(max_entries, max_bytes, max_age_s, start)

    def restart(self, position: Position) -> None:
        """Drop all entries, because some up to a position were not read."""
        self._log.restart(position)

    def append(self, position: Position, change: ClientChange, time: float = 0.0) -> None:
        """Add the newest entry, which was read at *time* in seconds, and drop those beyond the limits."""
        if change.type is EntryType.JOIN:  # a client that is away enters no rooms
            return
        place = position, change.namespace, change.of, (), None, 0, time
        self._log.append(Entry(*place, change.without, [change]))
        self._log.drop_old(time)

    def knows(self, session: SavedSession) -> bool:
        """Return whether the log has all entries for a session since it was stored."""
        return not self._log.has_missed_dropped(session, session.as_of)

    def bring_up(self, session: SavedSession, position: Position) -> bool:
        """
        Remove a client from the rooms that it was taken out of since its session was stored; change the session.

        Return False if the client was disconnected, so that it cannot come back.
        """
        for entry in self._log.missed(session, session.as_of):
            change: Any = (entry.arguments or [None])[0]
            # An entry before this one may have taken the client out of the rooms of this one.
            if {None, session.sid, *session.rooms}.isdisjoint(change.of):
                continue
            if change.type is EntryType.DISCONNECT:
                return False
            for room in [each for each in change.rooms if each in session.rooms]:
                entered = session.rooms[room]
                if entered is None or entered < entry.position:
                    del session.rooms[room]
        session.as_of = position
        return True
