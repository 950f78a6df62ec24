# Written by tools/unasync.py from aio/recovery.py; change that one.
"""
Connection state recovery: finds the session of a client that comes back, and keeps that of a client that is lost.

:class:`~fastsio.base.recovery_state.RecoveryState` has the sessions in memory and the events that were sent. This
module waits for old connections, stores, other nodes and handlers. The server's :class:`~.lifecycle.Lifecycle` calls it
when clients connect and leave. A pid is used once: if the old connection of a returning client is still open, it is
closed first, so that no two clients have the same session.
"""

from __future__ import annotations

from functools import partial
from secrets import randbelow
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Any, Final

from fastsio.base.lost_sessions import Due
from fastsio.base.recovery import check_manager
from fastsio.base.recovery_state import RecoveryState
from fastsio.engine.packet import frames_of
from fastsio.protocol.lifecycle import Reasons
from fastsio.sync import concurrency
from fastsio.sync.runner import new_deadlines
from fastsio.sync.stored_sessions import StoredSessions
from fastsio.sync.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fastsio.base.internals import ServerInternals
    from fastsio.base.parts import MovingSessions, PartServer, SharedSessions
    from fastsio.base.recovery import ConnectionStateRecovery
    from fastsio.state import Client
    from fastsio.state.recovery import Found, Missed, SavedSession


#: The log of a server with a store begins at a position that is made from the time: nanoseconds divided by this
#: number. Positions grow with the time because a server sends fewer events than one in so many nanoseconds.
NS_PER_POSITION: Final = 1000
#: Where sessions move from process to process, the log of each process begins at a multiple of this number, chosen at
#: random among so many, so that an offset of one process is not an offset of another.
POSITIONS_PER_PROCESS: Final = 10**9
MAX_PROCESS_NUMBER: Final = 10**8
#: Of the time that a shutdown has for the store, the share for sessions. The rest is for the log: without it, clients
#: cannot come back to any of the sessions.
SESSIONS_SHARE: Final = 0.75


class Recovery:
    """
    Finds the sessions of clients that come back, and keeps those of lost clients.

    Attributes:
        options: The options of recovery: how much is kept, and for how long.
        state: The sessions in memory, and the events that were sent.
        returning: Engine sid and namespace -> the sid of the client that is coming back on that connection.
    """

    def __init__(self, server: PartServer, shared: ServerInternals, options: ConnectionStateRecovery) -> None:
        self._server = server
        self._runner = shared.runner
        self._rooms = shared.room_keeper
        self.options = options
        self.returning: dict[tuple[str, str], str] = {}
        #: The sessions that all nodes share; None if clients only come back to this process.
        self._shared_sessions: SharedSessions | None = server.manager.share_sessions(self)
        #: Fetches sessions from the memory of other nodes; None if clients only come back to their own node.
        self._moves: MovingSessions | None = server.manager.move_sessions(self)
        #: The sessions and logs in the store, which outlive a restart; None without the option ``store``.
        self._stored: StoredSessions | None = None
        start: int | None = None
        if options.store is not None:
            check_manager(server.manager, is_shared=self._shared_sessions is not None)
            self._stored = StoredSessions(options, server.logger)
            # Positions continue after those of earlier servers.
            start = time_ns() // NS_PER_POSITION
        elif self._moves is not None:
            start = randbelow(MAX_PROCESS_NUMBER) * POSITIONS_PER_PROCESS
        self.state = RecoveryState(
            server,
            shared,
            options,
            start,
            self._shared_sessions,
            self._moves,
            new_deadlines=new_deadlines,
            now=monotonic,
            packet_frames=frames_of,
            on_due=partial(shared.runner.start_task, self._handle_due),
        )
        self._lock = self.state.lock
        self._log = self.state.log.kept
        self._lost = self.state.lost
        #: The position before the first event of the log.
        self._start: Any = self._log.last
        #: Clients that come back with the same pid are served one after the other; each waits for the turn of the pid.
        self._turns = Turns(self._lock, server.eio.create_event)

    # Clients that come back

    def find(self, namespace: str, pid: str, offset: str | None) -> Found | None:
        """
        Find the session of a client that comes back, and claim it, so that no other client gets it.

        If the old connection of the client is still open, it is closed first: its disconnect handler has run when this
        method returns. If the client was away for longer than ``presence_grace``, ``on_leave`` of its rooms has run
        too. The caller must pass the result to :meth:`restore` or :meth:`give_up`; until then, other connections with
        the same pid wait. The result is None if there is no such session, or the client cannot get all that it has
        missed.
        """
        if not self._turns.take(pid, self.options.takeover_timeout):
            return None
        found: Found | None = None
        try:
            if self._moves is not None and not self.state.knows(namespace, pid):
                found = self._moves.fetch(namespace, pid, offset)
            else:
                found = self._find_known(namespace, pid, offset)
        finally:
            if found is None:
                self._turns.end(pid)
        return found

    def _find_known(self, namespace: str, pid: str, offset: str | None) -> Found | None:
        client = self.state.client_of(pid)
        if client is not None:
            if client.namespace != namespace:
                return None
            if not self._end_connection(client, pid):
                return None
        if self._shared_sessions is None:
            found = self._find_here(namespace, pid, offset)
        else:
            found = self._find_shared(self._shared_sessions, namespace, pid, offset)
        if found is None and self._stored is not None:
            found = self._find_stored(self._stored, namespace, pid, offset)
        return found

    def _until_departed(self, session: SavedSession) -> None:
        """Wait until ``on_leave`` has run for a claimed session, if it runs at present."""
        if session.departure is not None:
            concurrency.wait_event(session.departure, self.options.takeover_timeout)

    def _find_here(self, namespace: str, pid: str, offset: str | None) -> Found | None:
        """Find the session of a client that comes back to this process."""
        session = self.state.claim(namespace, pid)
        if session is None:
            return None
        is_late = session.until <= monotonic()
        try:
            self._until_departed(session)
        except BaseException:
            session.is_claimed = False
            raise
        found = self.state.check(session, offset, is_late=is_late)
        if found is None:
            self._runner.call_unbroken(self._end, session)
        return found

    def _find_shared(self, sessions: SharedSessions, namespace: str, pid: str, offset: str | None) -> Found | None:
        """Find the session of a client that comes back from this node or another one."""
        known = self.state.claim(namespace, pid)
        try:
            if known is not None:
                self._until_departed(known)
            found: Found | None = sessions.claim(namespace, pid, offset)
        except BaseException:
            if known is not None:
                known.is_claimed = False
            raise
        if known is None:
            return found
        if found is not None and found.is_of(known):
            # The session in memory has the changes since it was stored, such as rooms that the client was removed from.
            known.stored = found.session.stored
            return found._replace(session=known)
        with self._lock:
            self._lost.remove(known)
        self._runner.call_unbroken(self._end, known)
        return found

    def _find_stored(self, stored: StoredSessions, namespace: str, pid: str, offset: str | None) -> Found | None:
        """Find the session of a client of an earlier server, in the store."""
        found = stored.claim(namespace, pid, offset, self._start)
        with self._lock:
            if found is None or self._log.has_missed_dropped(found.session, self._start):
                return None
        return found

    def give_up(self, found: Found) -> None:
        """Return a claimed session to where it is kept: its client was lost again before it was let in."""
        session = found.session
        session.is_claimed = False
        is_stored = self._shared_sessions is not None or (session.log and self._stored is not None)
        if session.is_over or not is_stored:
            self._turns.end(session.pid)
            return
        try:
            self._runner.start_task(self._keep_again, session)
        except BaseException:  # the system has no more threads
            self._turns.end(session.pid)
            raise

    def _end_connection(self, client: Client, pid: str) -> bool:
        """
        Abort the old connection of a client, without a close packet, and wait until its disconnect handler has run.

        If that takes longer than ``takeover_timeout``, drop the session and return False.
        """
        gone = self.state.end_of(client, pid)
        if gone is None:
            return True
        end = self._server.eio.close_client
        self._runner.start_task(end, client.eio_sid, Reasons.TRANSPORT_CLOSE, abort=True)
        if concurrency.wait_event(gone, self.options.takeover_timeout):
            return True
        self._server.logger.warning(
            "%s: its disconnect handler takes longer than takeover_timeout; the client that is back is a new one",
            client.label,
        )
        self.dismiss(client.namespace, client.sid)
        if self._shared_sessions is not None:
            self._shared_sessions.drop(pid, client.recovery.stored if client.recovery is not None else ())
        return False

    def restore(self, client: Client, found: Found) -> bool:
        """Restore the session of a returning client; return False if it or the new connection has ended meanwhile."""
        session = found.session
        with self._lock:
            # The lock is held: a connection that is lost later finds the client with its restored session.
            is_lost = client.connection.is_lost
            try:
                was_here = None if is_lost else self.state.restore(client, found)
            finally:
                if not is_lost:
                    self._turns.end(session.pid)
        if is_lost:
            self.give_up(found)
        elif was_here is False and self._shared_sessions is not None:
            self._shared_sessions.tell_return(session)
        return was_here is not None

    # Clients that leave or are lost

    def keep(self, client: Client) -> None:
        """Keep the session of a lost client, before the client is removed from its rooms."""
        recovery = client.recovery
        if recovery is None or recovery.is_over:
            return
        if self.state.is_stopped and self._shared_sessions is None and self._stored is None:
            return
        with self._lock:  # other threads cannot take the client out of a room between the two
            session = self.state.session_of(client)
            dropped = self.state.add(session)
        if self._store(session, dropped):
            recovery.is_kept = True

    def _keep_again(self, session: SavedSession) -> None:
        """Store a session again; if that fails, remove its client from its rooms."""
        try:
            if session.log and self._stored is not None:
                self._stored.keep(session, self.options.max_disconnection_duration)
            is_kept = True
            if self._shared_sessions is not None:
                with self._lock:
                    dropped = self.state.add(session)
                is_kept = self._store(session, dropped)
        finally:
            self._turns.end(session.pid)
        if not is_kept:
            self._end(session)

    def _store(self, session: SavedSession, dropped: list[SavedSession]) -> bool:
        """Store a session that is kept in memory, and end those that were dropped; return False if that failed."""
        self._end_all(dropped)
        if self.state.is_stopped and self._stored is not None:
            return self._stored.keep(session, self.options.max_disconnection_duration)
        # The session is in memory before it is stored, so that changes meanwhile are stored after it.
        if self._shared_sessions is None or self._shared_sessions.keep(session):
            return True
        with self._lock:
            self._lost.remove(session)
        return False

    def dismiss(self, namespace: str, sid: str) -> None:
        """Delete the session of a lost client, or of one that is about to leave, so that it cannot come back."""
        session = self.state.take_dismissed(namespace, sid)
        if session is None:
            return
        if self._shared_sessions is not None:
            self._shared_sessions.drop(session.pid)
        self._end(session)

    def end_client(self, pid: str) -> None:
        """Close the connection of a client that comes back to another node; its session is then stored."""
        client = self.state.client_of(pid)
        if client is not None:
            self._end_connection(client, pid)

    def forget_returned(self, namespace: str, sid: str) -> None:
        """Delete the session of a lost client that has come back to another node."""
        session = self.state.take_returned(namespace, sid)
        if session is not None:
            self._end(session)

    # Sessions that end

    def _end(self, session: SavedSession) -> None:
        """Remove a client that does not come back from its rooms, with ``on_leave``; its session was removed before."""
        self._server.manager.abandon_rooms(session.namespace, [session.sid, *session.rooms])
        self._rooms.client_left(session)

    def _end_all(self, sessions: Iterable[SavedSession]) -> None:
        """End sessions in the background, so that the caller does not wait for the ``on_leave`` of their rooms."""
        for session in sessions:
            try:
                self._runner.start_task(self._end, session)
            except Exception:  # noqa: BLE001 - the system has no more threads, so this thread ends the session
                self._end(session)

    def _handle_due(self, session: SavedSession) -> None:
        due = self._lost.go_on(session)
        if due is Due.END:
            self._end(session)
        elif due is Due.DEPARTURE:  # if the client comes back, it joins the rooms again
            try:
                self._rooms.announce_leaving(session.members)
            finally:
                session.departure.set()

    # Sessions that move from node to node

    def give_away(self, namespace: str, pid: str, offset: str | None) -> tuple[SavedSession, list[Missed]] | None:
        """
        Remove the session of a client, which leaves its rooms here, for another node to which the client has come back.

        Return the session and the events that the client has missed; None if the session is not here, or the client
        cannot get all that it has missed.
        """
        found = self._find_known(namespace, pid, offset)
        taken = None if found is None else self.state.take_out(found)
        if taken is None:
            return None
        session, entries = taken
        self._runner.start_task(self._end, session)  # also if an event cannot be decoded
        return session, [(each.sent_to or each.rooms, self.state.log.arguments_of(each)) for each in entries]

    def adopt(self, session: SavedSession, missed: Iterable[Missed], offset: str | None) -> Found | None:
        """Keep a session that another node has given to this one, as :meth:`RecoveryState.adopt` does."""
        found, dropped = self.state.adopt(session, missed, offset)
        self._end_all(dropped)
        return found

    # The shutdown

    def save(self, grace_s: float) -> None:
        """Store sessions and log at the end of a shutdown, within *grace_s* seconds; do nothing without a store."""
        if self._stored is None:
            return
        sessions_s = grace_s * SESSIONS_SHARE
        self._save_within(sessions_s, self._save_sessions, self._stored, monotonic() + sessions_s)
        if self._stored.has_stored:  # the log comes last, because it must have all events
            self._save_within(grace_s - sessions_s, self._save_log, self._stored)

    def _save_within(self, seconds: float, function: Any, *args: Any) -> None:
        try:
            concurrency.bounded(seconds, function, *args)
        except TimeoutError:
            text = "the store of recovery takes longer than the shutdown may; clients may not come back"
            self._server.logger.error(text)  # noqa: TRY400 - the traceback would say no more

    def _save_sessions(self, stored: StoredSessions, until: float) -> None:
        """Store the sessions of clients that were lost before the shutdown; raise TimeoutError after *until*."""
        with self._lock:
            sessions = [session for session in self._lost.kept if not session.is_claimed]
        for session in sessions:
            if monotonic() >= until:
                raise TimeoutError
            with self._lock:
                self._lost.remove(session)
            stored.keep(session, max(0.0, session.until - monotonic()))
            self._end(session)

    def _save_log(self, stored: StoredSessions) -> None:
        """Store the log, to which the stored sessions belong."""
        stored.keep_log(self._log)
        with self._lock:
            self._log.restart(self._log.last)
            self._start = self._log.last
