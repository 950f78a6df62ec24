# Written by tools/unasync.py from aio/recovery.py; change that one.
"""
Connection state recovery: what a server keeps for lost clients, and how they come back.

The server sends a client a secret, its ``pid``, when the client connects, and an offset as one more argument of each
event. When the connection is lost, the server keeps the client's session: sid, rooms, session data. A client that
reconnects with pid and offset gets its session and the events that it has missed. The server's
:class:`~.lifecycle.Lifecycle` calls this module when clients connect and leave, the manager when it sends an event. A
pid is used once: if the old connection of a returning client is still open, it is closed first, so that no two clients
have the same session.

Source: the JavaScript server's connection state recovery.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from secrets import randbelow
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Any, Final

from fastsio.protocol import CURRENT, NamespaceState
from fastsio.protocol.lifecycle import Reasons
from fastsio.state.recovery import (
    ClientRecovery,
    CountedPositions,
    Entry,
    Found,
    PacketLog,
    Recovered,
    SavedSession,
    in_batches,
    position_after,
)
from fastsio.sync import concurrency
from fastsio.sync.event_log import EventLog
from fastsio.sync.lost_sessions import LostSessions
from fastsio.sync.stored_sessions import StoredSessions, check_manager
from fastsio.sync.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from fastsio.base.internals import ServerInternals
    from fastsio.base.parts import MovingSessions, Positions, RecoveryServer, SharedSessions
    from fastsio.base.recovery import ConnectionStateRecovery
    from fastsio.engine.packet import MessagePacket
    from fastsio.state import Client


#: How many missed events, and how many bytes of them, a client gets before the answer to its CONNECT.
FIRST_PACKETS: Final = 100
FIRST_BYTES: Final = 65_536
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
    Decides which client comes back to which session, and which events it has missed.

    Args:
        server: The server.
        shared: The objects that the parts of the server share.
        options: The options of recovery: how much is kept, and for how long.

    Attributes:
        options: The options.
        log: The events that are kept.
        lock: In the half for threads, held while an event gets its number and is sent, so that a client gets events in
            the order of their numbers.
        returning: Engine sid and namespace -> the sid of the client that is coming back on that connection.
        excluded: The namespaces without recovery: their sessions and events are not kept.
    """

    def __init__(self, server: RecoveryServer, shared: ServerInternals, options: ConnectionStateRecovery) -> None:
        self._server = server
        self._shared = shared
        self.options = options
        self.lock = server.manager.lock
        self.returning: dict[tuple[str, str], str] = {}
        self.excluded: set[str] = set()
        #: The sessions that all nodes share; None if clients only come back to this process.
        self._shared_sessions: SharedSessions | None = server.manager.share_sessions(self)
        #: Fetches sessions from the memory of other nodes; None if clients only come back to their own node.
        self._moves: MovingSessions | None = server.manager.move_sessions(self)
        self._positions: Positions = self._shared_sessions or CountedPositions()
        #: The sessions and logs in the store, which outlive a restart; None without the option ``store``.
        self._stored: StoredSessions | None = None
        start = self._positions.start
        if options.store is not None:
            check_manager(server.manager, is_shared=self._shared_sessions is not None)
            self._stored = StoredSessions(options, server.logger)
            # Positions continue after those of earlier servers.
            start = time_ns() // NS_PER_POSITION
        elif self._moves is not None:
            start = randbelow(MAX_PROCESS_NUMBER) * POSITIONS_PER_PROCESS
        #: The position before the first event of the log.
        self._start = start
        is_shared = self._shared_sessions is not None
        self.log = EventLog(
            server, options, self._positions, start, self.lock, is_shared=is_shared, is_stopped=lambda: self.is_stopped
        )
        self._log = self.log.kept
        #: The sessions that are kept in memory.
        self._lost = LostSessions(
            server,
            options,
            self.lock,
            shared.runner,
            shared.room_keeper,
            is_stopped=lambda: self.is_stopped,
            on_change=self._tell_change,
        )
        self._sessions = self._lost.kept
        #: Clients that come back with the same pid are served one after the other; each waits for the turn of the pid.
        self._turns = Turns(self.lock, server.eio.create_event)
        #: pid -> the client that has it at present.
        self._clients: dict[str, Client] = {}
        #: pid -> the event that is set when its client has left.
        self._ends: dict[str, Any] = {}

    @property
    def is_stopped(self) -> bool:
        """Whether the server has shut down: nothing more is kept in memory, because the process is about to end."""
        is_closed: bool = self._shared.lifecycle.is_closed
        return is_closed

    # Events

    def is_awaited(self, namespace: str, room: Hashable) -> bool:
        """Return whether a lost client, whose session is kept, is in a room."""
        with self.lock:
            return self._sessions.is_in(namespace, room)

    def has_sessions(self, namespace: str | None = None) -> bool:
        """Return whether sessions of lost clients are kept, of a namespace or of any; always True with a store."""
        if self._stored is not None:
            return True
        return bool(len(self._sessions)) if namespace is None else self._sessions.is_in(namespace, None)

    # Clients that connect

    def begin(self, client: Client) -> None:
        """Give a new client a pid, except on Engine.IO 3, whose clients cannot come back."""
        if client.connection.dialect is not CURRENT or client.namespace in self.excluded:
            return
        with self.lock:
            if client.connection.is_lost:
                return
            recovery = client.recovery = ClientRecovery(self._server.eio.generate_id(), self._log.last)
            self._clients[recovery.pid] = client

    def find(self, namespace: str, pid: str, offset: str | None) -> Found | None:
        """
        Find the session of a client that comes back, and claim it, so that no other client gets it.

        If the old connection of the client is still open, it is closed first: its disconnect handler has run when this
        method returns. If the client was away for longer than ``presence_grace``, ``on_leave`` of its rooms has run
        too. The caller must pass the result to :meth:`restore` or :meth:`give_up`; until then, other connections with
        the same pid wait.

        Args:
            namespace: The namespace.
            pid: The id of the session, as the client has sent it.
            offset: What it sent as the offset of the last event that it has seen; None for no event.

        Returns:
            None if there is no such session, or the client cannot get all that it has missed.
        """
        if not self._turns.take(pid, self.options.takeover_timeout):
            return None
        found: Found | None = None
        try:
            if self._moves is not None and not self.knows(namespace, pid):
                found = self._moves.fetch(namespace, pid, offset)
            else:
                found = self._find_known(namespace, pid, offset)
        finally:
            if found is None:
                self._turns.end(pid)
        return found

    def _find_known(self, namespace: str, pid: str, offset: str | None) -> Found | None:
        client = self._clients.get(pid)
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
        with self.lock:
            session = self._sessions.claim(pid, namespace)
        if session is None:
            return None
        is_late = session.until <= monotonic()
        try:
            self._until_departed(session)
        except BaseException:
            session.is_claimed = False
            raise
        with self.lock:
            is_over = is_late or session.is_over
            after = None if is_over else position_after(session, offset, self._log.last)
            if after is not None and not self._log.has_missed_dropped(session, after):
                return Found(session, after)
            self._lost.remove(session)
        self._shared.runner.call_unbroken(self._lost.end, session)
        return None

    def _find_shared(self, sessions: SharedSessions, namespace: str, pid: str, offset: str | None) -> Found | None:
        """Find the session of a client that comes back from this node or another one."""
        with self.lock:
            known = self._sessions.claim(pid, namespace)
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
        with self.lock:
            self._lost.remove(known)
        self._shared.runner.call_unbroken(self._lost.end, known)
        return found

    def _find_stored(self, stored: StoredSessions, namespace: str, pid: str, offset: str | None) -> Found | None:
        """Find the session of a client of an earlier server, in the store."""
        found = stored.claim(namespace, pid, offset, self._start)
        with self.lock:
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
            self._shared.runner.start_task(self._keep_again, session)
        except BaseException:  # the system has no more threads
            self._turns.end(session.pid)
            raise

    def _end_connection(self, client: Client, pid: str) -> bool:
        """
        Abort the old connection of a client, without a close packet, and wait until its disconnect handler has run.

        Returns:
            False if the disconnect handler takes longer than ``takeover_timeout``. The session is dropped then.
        """
        with self.lock:
            if self._clients.get(pid) is not client:
                return True
            gone = self._ends.setdefault(pid, self._server.eio.create_event())
        end = self._server.eio.close_client
        self._shared.runner.start_task(end, client.eio_sid, Reasons.TRANSPORT_CLOSE, abort=True)
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
        """
        Give a returning client its rooms, its session data and its missed events; it already has its sid.

        Args:
            client: The client. Events that are sent to it wait until it is let in.
            found: Its session, and the position after which it has missed events.

        Returns:
            False if the session or the new connection of the client has ended meanwhile.
        """
        session = found.session
        with self.lock:
            # The lock is held: a connection that is lost later finds the client with its restored session.
            is_lost = client.connection.is_lost
            try:
                was_here = None if is_lost else self._restore(client, found)
            finally:
                if not is_lost:
                    self._turns.end(session.pid)
        if is_lost:
            self.give_up(found)
        elif was_here is False and self._shared_sessions is not None:
            self._shared_sessions.tell_return(session)
        return was_here is not None

    def _restore(self, client: Client, found: Found) -> bool | None:
        """Restore a session; return whether it was kept in this process, or None if it has ended."""
        session = found.session
        recovery = ClientRecovery(session.pid, session.since)
        recovery.restored = session
        recovery.recovered = Recovered(session.sid, session.rooms, session.data)
        with self.lock:
            # This is checked under the lock: another thread may have ended the session since it was found.
            if session.is_over or not self._bring_up(session):
                session.is_over = True
                return None
            self.forget(client)
            client.session = session.data
            client.recovery = recovery
            # The events that were sent to the client since the manager knows it are in the log too.
            client.drop_outgoing()
            was_here = self._lost.remove(session)
            self._clients[session.pid] = client
            self._server.manager.restore_rooms(client, session.rooms)
            if session.is_present:
                self._shared.room_keeper.client_returned(client)
            recovery.members = session.members
            if not was_here or self._moves is not None:
                recovery.joined = session.joined
            older = self._older(found)
            missed = older + self._log.missed(session, found.after if found.upto is None else found.upto)
            self.log.complete(missed)
            recovery.missed, recovery.seen, recovery.foreign_offset = missed, session.seen, session.foreign_offset
            if session.log:  # the session is of an earlier server
                recovery.since, recovery.seen = found.upto, older[-1].position if older else 0
            recovery.held_upto = self._log.last
        return was_here

    def _bring_up(self, session: SavedSession) -> bool:
        """Take account of what was done to a client since its session was found; False if it cannot come back."""
        if self._shared_sessions is None or session in self._sessions:
            return True
        return self._shared_sessions.bring_up(session)

    @staticmethod
    def _older(found: Found) -> list[Entry]:
        """Return the events that a client has missed and that the log of this process does not have."""
        older = PacketLog(len(found.older) + 1, sys.maxsize, sys.maxsize, found.after)
        for entry in found.older:
            older.append(entry)
        return older.missed(found.session, found.after)

    def take_missed(self, client: Client) -> list[list[MessagePacket]]:
        """
        Return the frames of the events that a client has missed, in batches: a small one first, then large ones.

        Events of rooms that the client has left since then are left out. A second call returns an empty list.
        """
        if client.recovery is None:
            return []
        missed = client.recovery.take_missed({None, client.sid, *(client.rooms or ())})
        return in_batches(missed, self._server.eio, FIRST_PACKETS, FIRST_BYTES) if missed else []

    def read_on(self, client: Client) -> list[list[MessagePacket]] | None:
        """
        Return, in batches, the frames for a client that was sent more than may wait until it is let in.

        The events beyond that limit are read from the log. Events that are sent meanwhile wait as before.

        Returns:
            An empty list if the limit was not reached. None if the client has missed an event that is not kept.
        """
        with self.lock:
            recovery, held = client.recovery, client.outgoing
            if not client.is_behind or recovery is None or held is None:
                return []
            session = self.session_of(client)
            if held.is_given_up or self._log.has_missed_dropped(session, recovery.held_upto):
                return None
            entries = self._log.missed(session, recovery.held_upto)
            self.log.complete(entries)
            client.drop_outgoing()
            recovery.held_upto = self._log.last
        return [held.packets, *in_batches(entries, self._server.eio)]

    def cut_off(self, client: Client) -> None:
        """Close the connection of a client that misses an event before it is let in, so that it reconnects."""
        with self.lock:
            if not client.give_up_outgoing():
                return
        end = self._server.eio.close_client
        try:
            self._shared.runner.start_task(end, client.eio_sid, Reasons.TRANSPORT_ERROR)
        except Exception:  # the system has no more threads; the next event tries again
            self._server.logger.exception("%s: its connection cannot be closed", client.label)
            if client.outgoing is not None:
                client.outgoing.is_given_up = False
            return
        self._server.logger.warning(
            "%s: its connection is closed, because it misses an event that was sent before connect was decided: "
            "max_held_packets or max_buffer_bytes was reached, and the event is not kept",
            client.label,
        )

    def entered(self, client: Client, room: Hashable) -> None:
        """Record the position at which a client has entered a room: later events of the room are for it."""
        if client.rooms is not None:
            client.rooms[room] = self._log.last
        self.changed(client)

    def changed(self, client: Client) -> None:
        """Report that the session of a client has changed: it was let in, or has entered or left a room."""
        if self._shared_sessions is not None and self.has(client):
            self._shared_sessions.store_soon(client)
        if client.recovery is not None:
            self._tell_change(client.recovery.pid)

    def _tell_change(self, pid: str) -> None:
        """Report a changed or ended session to the other nodes; not after a shutdown: sessions may go on there."""
        if self._moves is not None and not self.is_stopped:
            self._moves.touch(pid)

    def has(self, client: Client) -> bool:
        """Return whether a client is connected, and could come back after a lost connection."""
        recovery = client.recovery
        return (
            recovery is not None
            and self._clients.get(recovery.pid) is client
            and client.state is NamespaceState.CONNECTED
        )

    def clients(self) -> list[Client]:
        """Return all connected clients that could come back after a lost connection."""
        with self.lock:
            return [client for client in self._clients.values() if self.has(client)]

    def session_of(self, client: Client) -> SavedSession:
        """Return a session with the present rooms and data of a client."""
        recovery = client.recovery
        assert recovery is not None  # noqa: S101 - callers only pass clients with recovery
        with self.lock:
            rooms = dict(client.rooms or {})
        session = SavedSession(recovery.pid, client.sid, client.namespace, rooms, client.session, recovery.since)
        session.members, session.stored, session.joined = recovery.members, recovery.stored, recovery.joined
        session.seen, session.foreign_offset = recovery.seen, recovery.foreign_offset
        if self._shared_sessions is not None:
            session.as_of = self._log.last
        if self._shared_sessions is not None or self._stored is not None:
            session.joined = {**recovery.joined, **self._shared.room_keeper.joins_of(client)}
        return session

    # Clients that leave or are lost

    def keep(self, client: Client) -> None:
        """Keep the session of a lost client, before the client is removed from its rooms."""
        recovery = client.recovery
        if recovery is None or recovery.is_over:
            return
        if self.is_stopped and self._shared_sessions is None and self._stored is None:
            return
        with self.lock:  # other threads cannot take the client out of a room between the two
            session = self.session_of(client)
            dropped = self._add(session)
        if self._store(session, dropped):
            recovery.is_kept = True

    def _keep_again(self, session: SavedSession) -> None:
        """Store a session again; if that fails, remove its client from its rooms."""
        try:
            if session.log and self._stored is not None:
                self._stored.keep(session, self.options.max_disconnection_duration)
            is_kept = True
            if self._shared_sessions is not None:
                with self.lock:
                    dropped = self._add(session)
                is_kept = self._store(session, dropped)
        finally:
            self._turns.end(session.pid)
        if not is_kept:
            self._lost.end(session)

    def _add(self, session: SavedSession) -> list[SavedSession]:
        """
        Keep a session in memory from now on, unless the server has shut down. The caller holds the lock.

        Returns:
            The sessions that were dropped to make room.
        """
        if self.is_stopped:
            return []
        session.until = monotonic() + self.options.max_disconnection_duration
        dropped = self._lost.add(session)
        self._shared.room_keeper.client_lost(session)
        return dropped

    def _store(self, session: SavedSession, dropped: list[SavedSession]) -> bool:
        """Store a session that is kept in memory, and end those that were dropped; return False if that failed."""
        self._lost.end_all(dropped)
        if self.is_stopped and self._stored is not None:
            return self._stored.keep(session, self.options.max_disconnection_duration)
        # The session is in memory before it is stored, so that changes meanwhile are stored after it.
        if self._shared_sessions is None or self._shared_sessions.keep(session):
            return True
        with self.lock:
            self._lost.remove(session)
        return False

    def forget(self, client: Client) -> None:
        """Remove a client that has left, and wake the connection that waits for its end."""
        recovery = client.recovery
        if recovery is None:
            return
        with self.lock:
            if self._clients.get(recovery.pid) is not client:
                return
            del self._clients[recovery.pid]
            gone = self._ends.pop(recovery.pid, None)
        self._tell_change(recovery.pid)
        if self._shared_sessions is not None and not recovery.is_kept:
            self._shared_sessions.forget(client, recovery)
        if gone is not None:
            gone.set()

    def is_away(self, namespace: str, sid: str) -> bool:
        """Return whether the session of a lost client is kept in this process."""
        return self._sessions.get(namespace, sid) is not None

    def dismiss(self, namespace: str, sid: str) -> None:
        """Delete the session of a lost client, or of one that is about to leave, so that it cannot come back."""
        client = self._server.manager.client_of(sid, namespace)
        with self.lock:
            if client is not None and client.recovery is not None:
                client.recovery.is_over = True
            session = self._sessions.get(namespace, sid)
            if session is None:
                return
            session.is_over = True
            self._lost.remove(session)
        if self._shared_sessions is not None:
            self._shared_sessions.drop(session.pid)
        self._lost.end(session)

    def leave_room(self, namespace: str, sid: str, room: Hashable) -> None:
        """Remove a lost client from a room, or report that a connected client has left it."""
        with self.lock:
            session = self._sessions.leave_room(namespace, sid, room)
        if self._shared_sessions is None and self._moves is None:
            return
        client = self._server.manager.client_of(sid, namespace)
        if session is not None:
            self._update(session)
        elif client is not None:
            self.changed(client)

    def close_room(self, namespace: str, room: Hashable) -> None:
        """Remove all lost clients from a room."""
        with self.lock:
            sessions = self._sessions.close_room(namespace, room)
        for session in sessions:
            self._update(session)

    def _update(self, session: SavedSession) -> None:
        """Store and report the session of a lost client again, after the client was removed from a room."""
        if self._shared_sessions is not None:
            self._shared_sessions.update(session)
        self._tell_change(session.pid)

    def end_client(self, pid: str) -> None:
        """Close the connection of a client that comes back to another node; its session is then stored."""
        client = self._clients.get(pid)
        if client is not None:
            self._end_connection(client, pid)

    def forget_returned(self, namespace: str, sid: str) -> None:
        """Delete the session of a lost client that has come back to another node."""
        with self.lock:
            session = self._sessions.get(namespace, sid)
            if session is None or session.is_claimed:
                return
            self._lost.remove(session)
        self._lost.end(session)

    # Sessions that move from node to node

    def knows(self, namespace: str, pid: str) -> bool:
        """Return whether this process has a session, of a connected client or of a lost one."""
        client = self._clients.get(pid)
        return self._sessions.has(namespace, pid) if client is None else client.namespace == namespace

    def pids(self) -> list[str]:
        """Return the pids of all sessions, of connected clients and of lost ones."""
        return [*self._clients, *(session.pid for session in self._sessions)]

    def present_session(self, pid: str) -> SavedSession | None:
        """Return the present state of a session; None if its client cannot come back."""
        kept, client = self._sessions.of_pid(pid), self._clients.get(pid)
        if kept is not None:
            return None if kept.is_over else self._with_joins(kept, kept)
        if client is None or not self.has(client):
            return None
        return self._with_joins(self.session_of(client), client)

    def _with_joins(self, session: SavedSession, member: Client | SavedSession) -> SavedSession:
        """Return a copy of a session, with the payloads with which its client has joined its rooms."""
        members = {each.room.name: each.args for each in session.members}
        joined = {**session.joined, **members, **self._shared.room_keeper.joins_of(member)}
        return replace(session, joined=joined)

    def give_away(
        self, namespace: str, pid: str, offset: str | None
    ) -> tuple[SavedSession, list[tuple[tuple[Hashable, ...], list[Any]]]] | None:
        """
        Remove the session of a client from this node, for another node to which the client has come back.

        The client leaves its rooms here.

        Args:
            namespace: The namespace.
            pid: The id of the session.
            offset: The offset of the last event that the client has seen, as it has sent it; None for no event.

        Returns:
            The session and the events that the client has missed, each as its rooms and a list of name and arguments.
            None if the session is not here, or the client cannot get all that it has missed.
        """
        found = self._find_known(namespace, pid, offset)
        if found is None:
            return None
        session = found.session
        with self.lock:
            if session.is_over or not self._lost.remove(session):
                return None
            session.is_over = True
            session.joined = self._with_joins(session, session).joined
            entries = self._log.missed(session, found.after)
        self._shared.runner.start_task(self._lost.end, session)
        return session, [(entry.sent_to or entry.rooms, self.log.arguments_of(entry)) for entry in entries]

    def adopt(
        self, session: SavedSession, missed: Iterable[tuple[tuple[Hashable, ...], list[Any]]], offset: str | None
    ) -> Found | None:
        """
        Keep a session that another node has given to this one, for its client, which is about to come back.

        Args:
            session: The session.
            missed: The events that its client has missed.
            offset: The offset of the last event that the client has seen, as it has sent it; None for no event.

        Returns:
            None if the missed events exceed the limits of the log.
        """
        log, now = self._log, monotonic()
        with self.lock:
            after = session.since = log.last
            session.foreign_offset = offset
            for rooms, arguments in missed:
                position = log.last + 1
                frames = self.log.frames_of(session.namespace, arguments, position)
                size = sum([frame.size for frame in frames])
                # The entry is for this client alone: other clients got the event with another position.
                entry = Entry(position, session.namespace, (session.sid,), (), frames, size, now, sent_to=rooms)
                self.log.append(entry)
            session.rooms = dict.fromkeys(session.rooms, log.last)
            if log.has_missed_dropped(session, after):
                return None
            session.until = now + self.options.max_disconnection_duration
            session.is_claimed, session.is_present = True, False
            dropped = self._lost.add(session)
        self._lost.end_all(dropped)
        return Found(session, after)

    # The server

    def start(self) -> None:
        """Start keeping sessions again after a shutdown; sessions from before have what remains of their time."""
        with self.lock:
            self.log.start()
            self._lost.start()

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
        with self.lock:
            sessions = [session for session in self._sessions if not session.is_claimed]
        for session in sessions:
            if monotonic() >= until:
                raise TimeoutError
            with self.lock:
                self._lost.remove(session)
            stored.keep(session, max(0.0, session.until - monotonic()))
            self._lost.end(session)

    def _save_log(self, stored: StoredSessions) -> None:
        """Store the log, to which the stored sessions belong."""
        stored.keep_log(self._log)
        with self.lock:
            self._log.restart(self._log.last)
            self._start = self._log.last

    def stop(self) -> None:
        """Stop the timers: the server has shut down, and keeps nothing more."""
        self._lost.stop()
        self.log.stop()
