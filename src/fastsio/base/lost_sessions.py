"""
The sessions of lost clients, until each client comes back or its time is over.

:mod:`.recovery_state` decides which client gets which session; :class:`~fastsio.state.recovery.SavedSessions` limits
how many are kept. A session has two deadlines: after ``presence_grace`` seconds its client leaves the rooms of room
classes, after ``max_disconnection_duration`` seconds the session is deleted.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final

from fastsio.state.recovery import SavedSessions

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastsio.base.parts import PartServer
    from fastsio.base.recovery import ConnectionStateRecovery
    from fastsio.state.members import MemberTable
    from fastsio.state.recovery import SavedSession

#: Seconds after which a session is checked again, if its client was coming back at the deadline.
RETRY_S: Final = 1.0


class Due(Enum):
    """What the caller of :meth:`LostSessions.go_on` has to do now."""

    #: Call ``on_leave``: the grace is over, and the client was taken out of the rooms of room classes.
    DEPARTURE = auto()
    #: End the session, which was removed.
    END = auto()


class LostSessions:
    """
    Keeps the sessions of lost clients in memory, and tells when the time of each is over.

    Args:
        server: The server.
        options: How long sessions are kept, and how many.
        members: The members of the rooms of room classes.
        new_deadlines: Makes the timer.
        now: The clock, in seconds.
        is_stopped: Returns whether the server has shut down.
        on_due: Called with a session whose deadline has passed; starts what calls :meth:`go_on`.
        on_change: Called with the pid of a session that was added or removed.

    Attributes:
        kept: The sessions.
    """

    def __init__(
        self,
        server: PartServer,
        options: ConnectionStateRecovery,
        members: MemberTable,
        *,
        new_deadlines: Callable[..., Any],
        now: Callable[[], float],
        is_stopped: Callable[[], bool],
        on_due: Callable[[SavedSession], object],
        on_change: Callable[[str], object],
    ) -> None:
        self._server = server
        self._presence_grace_s = options.presence_grace
        self._lock = server.manager.lock
        self._members = members
        self._now = now
        self._is_stopped = is_stopped
        self._on_session_due = on_due
        self._on_change = on_change
        self.kept = SavedSessions(options.max_sessions)
        #: Each session has a deadline as long as it is kept.
        self._deadlines = new_deadlines(self._on_due, server.eio)

    def add(self, session: SavedSession) -> list[SavedSession]:
        """Keep a session; return the sessions that were dropped to make room. The caller holds the lock."""
        self._set_deadline(session)
        dropped = self.kept.add(session)
        self._on_change(session.pid)
        for old in dropped:
            old.is_over = True
            self._deadlines.clear(old)
            self._on_change(old.pid)
        return dropped

    def remove(self, session: SavedSession) -> bool:
        """Remove a session; return whether it was kept. The caller holds the lock."""
        self._deadlines.clear(session)
        self._on_change(session.pid)
        return self.kept.remove(session)

    # Time

    def start(self) -> None:
        """Set the deadlines again after :meth:`stop`, from the remaining times. The caller holds the lock."""
        for session in self.kept:
            self._set_deadline(session)

    def stop(self) -> None:
        """Stop the timers: the server has shut down."""
        self._deadlines.stop()

    def _set_deadline(self, session: SavedSession) -> None:
        """Set the deadline of a session: the end of its presence grace or, after that, the end of the session."""
        left_s = max(0.0, session.until - self._now())
        self._deadlines.set(session, min(self._presence_grace_s, left_s) if session.is_present else left_s)

    def _on_due(self, due: list[Any]) -> None:
        with self._lock:
            if self._is_stopped():
                return
            sessions = [each for each in due if each in self.kept]
            # The next timer is set in this thread: a task that is started below may find no thread for it.
            for session in sessions:
                self._deadlines.set(session, RETRY_S)
        for session in sessions:
            if session.is_claimed:
                continue
            try:
                self._on_session_due(session)
            except Exception:
                self._server.logger.exception("Sessions whose time is up cannot be ended yet")
                break

    def go_on(self, session: SavedSession) -> Due | None:
        """
        Remove a session whose time is over, or take its client out of its rooms if only the grace is over.

        Returns:
            What the caller has to do now; None for nothing.
        """
        with self._lock:
            if session not in self.kept or session.is_claimed or self._is_stopped():
                return None
            left_s = session.until - self._now()
            if left_s <= 0:
                self.remove(session)
                return Due.END
            self._deadlines.set(session, left_s)
            if not session.is_present:
                return None
            session.is_present = False
            session.members += self._members.remove_client(session.namespace, session.sid)
            session.departure = self._server.eio.create_event()
            return Due.DEPARTURE
