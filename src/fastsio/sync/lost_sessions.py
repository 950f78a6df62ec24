# Written by tools/unasync.py from aio/lost_sessions.py; change that one.
"""
The sessions of lost clients, until each client comes back or its time is over.

:mod:`.recovery` decides which client gets which session; :class:`~fastsio.state.recovery.SavedSessions` limits how many
are kept. A session has two deadlines: after ``presence_grace`` seconds its client leaves the rooms of room classes,
after ``max_disconnection_duration`` seconds the session is deleted.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from fastsio.state.recovery import SavedSessions
from fastsio.sync.runner import new_deadlines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from fastsio.base.parts import LostMembers, RecoveryServer, TaskStarter
    from fastsio.base.recovery import ConnectionStateRecovery
    from fastsio.state.recovery import SavedSession

#: Seconds after which a session is checked again, if its client was coming back at the deadline.
RETRY_S: Final = 1.0


class LostSessions:
    """
    Keeps the sessions of lost clients in memory, and ends each when its time is over.

    Args:
        server: The server.
        options: How long sessions are kept, and how many.
        lock: In the half for threads, held while sessions and rooms change together.
        runner: Starts the tasks that end sessions.
        rooms: Removes lost clients from the rooms of room classes.
        is_stopped: Returns whether the server has shut down.
        on_change: Called with the pid of a session that was added or removed.

    Attributes:
        kept: The sessions.
    """

    __slots__ = (
        "_deadlines",
        "_is_stopped",
        "_lock",
        "_on_change",
        "_presence_grace_s",
        "_rooms",
        "_runner",
        "_server",
        "kept",
    )

    def __init__(
        self,
        server: RecoveryServer,
        options: ConnectionStateRecovery,
        lock: AbstractContextManager[Any],
        runner: TaskStarter,
        rooms: LostMembers,
        *,
        is_stopped: Callable[[], bool],
        on_change: Callable[[str], object],
    ) -> None:
        self._server = server
        self._presence_grace_s = options.presence_grace
        self._lock = lock
        self._runner = runner
        self._rooms = rooms
        self._is_stopped = is_stopped
        self._on_change = on_change
        self.kept = SavedSessions(options.max_sessions)
        #: Each session has a deadline as long as it is kept.
        self._deadlines: Any = new_deadlines(self._on_due, server.eio)

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

    def end(self, session: SavedSession) -> None:
        """Remove a client that does not come back from its rooms, with ``on_leave``; its session was removed before."""
        self._server.manager.abandon_rooms(session.namespace, [session.sid, *session.rooms])
        self._rooms.client_left(session)

    def end_all(self, sessions: Iterable[SavedSession]) -> None:
        """End sessions in the background, so that the caller does not wait for the ``on_leave`` of their rooms."""
        for session in sessions:
            try:
                self._runner.start_task(self.end, session)
            except Exception:  # noqa: BLE001 - the system has no more threads, so this thread ends the session
                self.end(session)

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
        left_s = max(0.0, session.until - monotonic())
        self._deadlines.set(session, min(self._presence_grace_s, left_s) if session.is_present else left_s)

    def _on_due(self, members: list[Any]) -> None:
        with self._lock:
            if self._is_stopped():
                return
            sessions = [each for each in members if each in self.kept]
            # The next timer is set in this thread: a task that is started below may find no thread for it.
            for session in sessions:
                self._deadlines.set(session, RETRY_S)
        for session in sessions:
            if session.is_claimed:
                continue
            try:
                self._runner.start_task(self._go_on, session)
            except Exception:
                self._server.logger.exception("Sessions whose time is up cannot be ended yet")
                break

    def _go_on(self, session: SavedSession) -> None:
        """End the presence of a session whose grace is over, or the session if its whole time is over."""
        with self._lock:
            if session not in self.kept or session.is_claimed or self._is_stopped():
                return
            left_s = session.until - monotonic()
            if left_s <= 0:
                self.remove(session)
            else:
                self._deadlines.set(session, left_s)
                if not session.is_present:
                    return
                session.is_present = False
                session.members += self._rooms.take_out(session)
                session.departure = self._server.eio.create_event()
        (self.end(session) if left_s <= 0 else self._end_presence(session))

    def _end_presence(self, session: SavedSession) -> None:
        """Call ``on_leave`` for the rooms that a lost client has left; it joins them again if it comes back."""
        try:
            self._rooms.announce_leaving(session.members)
        finally:
            session.departure.set()
