"""
What a server knows for connection state recovery: its clients with their sessions, and the events that it has sent.

The server sends a client a secret, its ``pid``, when the client connects, and an offset as one more argument of each
event. When the connection is lost, the server keeps the client's session: sid, rooms, session data. A client that
reconnects with pid and offset gets its session and the events that it has missed.

This module neither waits nor looks at a clock. ``Recovery`` of each half finds the session of a client that comes back,
and talks to stores and other nodes.

Source: the JavaScript server's connection state recovery.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from fastsio.base.lost_sessions import LostSessions
from fastsio.base.recovery_log import RecoveryLog
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

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from fastsio.base.internals import ServerInternals
    from fastsio.base.parts import MovingSessions, PartServer, SharedSessions
    from fastsio.base.recovery import ConnectionStateRecovery
    from fastsio.protocol import Packet
    from fastsio.state import Client
    from fastsio.state.recovery import Missed

#: How many missed events, and how many bytes of them, a client gets before the answer to its CONNECT.
FIRST_PACKETS: Final = 100
FIRST_BYTES: Final = 65_536


class RecoveryState:
    """
    The clients that can come back, connected ones and lost ones, and the events that they may have missed.

    Args:
        server: The server.
        shared: The objects that the parts of the server share.
        options: The options of recovery: how much is kept, and for how long.
        start: The position before the first event of the log; None is that of the store that all nodes share, or 0.
        shared_sessions: The sessions that all nodes share; None if clients only come back to this process.
        moves: Fetches sessions from the memory of other nodes; None if clients only come back to their own node.
        new_deadlines: Makes timers.
        now: The clock, in seconds.
        packet_frames: Returns the frames of a packet.
        on_due: Called with the session of a lost client whose deadline has passed.

    Attributes:
        lock: In the half for threads, held while an event gets its number and is sent, so that a client gets events in
            the order of their numbers.
        log: The events that are kept.
        lost: The sessions of lost clients that are kept in memory.
        excluded: The namespaces without recovery: their sessions and events are not kept.
    """

    def __init__(
        self,
        server: PartServer,
        shared: ServerInternals,
        options: ConnectionStateRecovery,
        start: Any,
        shared_sessions: SharedSessions | None,
        moves: MovingSessions | None,
        *,
        new_deadlines: Callable[..., Any],
        now: Callable[[], float],
        packet_frames: Callable[[Packet], list[Any]],
        on_due: Callable[[SavedSession], object],
    ) -> None:
        self._server = server
        self._shared = shared
        self._options = options
        self._shared_sessions = shared_sessions
        self._moves = moves
        self._now = now
        self.lock = server.manager.lock
        self.excluded: set[str] = set()
        positions = shared_sessions or CountedPositions()
        self.log = RecoveryLog(
            server,
            options,
            positions,
            positions.start if start is None else start,
            self.lock,
            is_shared=shared_sessions is not None,
            is_stopped=lambda: self.is_stopped,
            new_deadlines=new_deadlines,
            now=now,
            packet_frames=packet_frames,
        )
        self._log = self.log.kept
        self.lost = LostSessions(
            server,
            options,
            shared.room_keeper.table,
            new_deadlines=new_deadlines,
            now=now,
            is_stopped=lambda: self.is_stopped,
            on_due=on_due,
            on_change=self._tell_change,
        )
        self._sessions = self.lost.kept
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
        if self._options.store is not None:
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

    def client_of(self, pid: str) -> Client | None:
        """Return the client that has a pid at present."""
        return self._clients.get(pid)

    def end_of(self, client: Client, pid: str) -> Any:
        """Return the event that is set when a client has left; None if it has left."""
        with self.lock:
            if self._clients.get(pid) is not client:
                return None
            return self._ends.setdefault(pid, self._server.eio.create_event())

    def claim(self, namespace: str, pid: str) -> SavedSession | None:
        """Claim the session of a lost client in memory, so that no other client gets it."""
        with self.lock:
            return self._sessions.claim(pid, namespace)

    def check(self, session: SavedSession, offset: str | None, *, is_late: bool) -> Found | None:
        """
        Return what a client comes back to, or remove its session: the client cannot get all that it has missed.

        *is_late* says that the time of the session was over when it was claimed.
        """
        with self.lock:
            is_over = is_late or session.is_over
            after = None if is_over else position_after(session, offset, self._log.last)
            if after is not None and not self._log.has_missed_dropped(session, after):
                return Found(session, after)
            self.lost.remove(session)
        return None

    def restore(self, client: Client, found: Found) -> bool | None:
        """
        Give a returning client its rooms, its session data and its missed events; it already has its sid.

        Events that are sent to it wait until it is let in. Return whether the session was kept in this process; None if
        it has ended.
        """
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
            was_here = self.lost.remove(session)
            self._clients[session.pid] = client
            self._server.manager.restore_rooms(client, session.rooms)
            if session.is_present:
                self._shared.room_keeper.table.give_back(client)
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

    def take_missed(self, client: Client) -> list[list[Any]]:
        """
        Return the frames of the events that a client has missed, in batches: a small one first, then large ones.

        Events of rooms that the client has left since then are left out. A second call returns an empty list.
        """
        if client.recovery is None:
            return []
        missed = client.recovery.take_missed({None, client.sid, *(client.rooms or ())})
        if not missed:
            return []
        eio = self._server.eio
        return in_batches(missed, eio.high_water_packets, eio.high_water_bytes, FIRST_PACKETS, FIRST_BYTES)

    def read_on(self, client: Client) -> list[list[Any]] | None:
        """
        Return, in batches, the frames for a client that was sent more than may wait until it is let in.

        The events beyond that limit are read from the log. Events that are sent meanwhile wait as before. The list is
        empty if the limit was not reached; None is returned if the client has missed an event that is not kept.
        """
        with self.lock:
            recovery, held = client.recovery, client.outgoing
            if not client.has_overflowed or recovery is None or held is None:
                return []
            session = self.session_of(client)
            if held.is_given_up or self._log.has_missed_dropped(session, recovery.held_upto):
                return None
            entries = self._log.missed(session, recovery.held_upto)
            self.log.complete(entries)
            client.drop_outgoing()
            recovery.held_upto = self._log.last
        eio = self._server.eio
        return [held.packets, *in_batches(entries, eio.high_water_packets, eio.high_water_bytes)]

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
        if self._shared_sessions is not None or self._options.store is not None:
            session.joined = {**recovery.joined, **self._shared.room_keeper.table.joins_of(client)}
        return session

    # Clients that leave or are lost

    def add(self, session: SavedSession) -> list[SavedSession]:
        """
        Keep a session in memory, unless the server has shut down; return those that were dropped to make room.

        The caller holds the lock.
        """
        if self.is_stopped:
            return []
        session.until = self._now() + self._options.max_disconnection_duration
        dropped = self.lost.add(session)
        self._shared.room_keeper.table.keep_away(session)
        return dropped

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

    def take_dismissed(self, namespace: str, sid: str) -> SavedSession | None:
        """Remove and return the session of a lost client; for a client that is still leaving, none will be kept."""
        client = self._server.manager.client_of(sid, namespace)
        with self.lock:
            if client is not None and client.recovery is not None:
                client.recovery.is_over = True
            session = self._sessions.get(namespace, sid)
            if session is not None:
                session.is_over = True
                self.lost.remove(session)
        return session

    def take_returned(self, namespace: str, sid: str) -> SavedSession | None:
        """Remove and return the session of a lost client that has come back to another node."""
        with self.lock:
            session = self._sessions.get(namespace, sid)
            if session is None or session.is_claimed:
                return None
            self.lost.remove(session)
        return session

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

    def close_room(self, namespace: str, room: Hashable, members: Iterable[Client]) -> None:
        """Remove all lost clients from a room, and report that these connected clients have left it."""
        with self.lock:
            sessions = self._sessions.close_room(namespace, room)
        for session in sessions:
            self._update(session)
        for client in members:
            self.changed(client)

    def _update(self, session: SavedSession) -> None:
        """Store and report the session of a lost client again, after the client was removed from a room."""
        if self._shared_sessions is not None:
            self._shared_sessions.update(session)
        self._tell_change(session.pid)

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
        joined = {**session.joined, **members, **self._shared.room_keeper.table.joins_of(member)}
        return replace(session, joined=joined)

    def take_out(self, found: Found) -> tuple[SavedSession, list[Entry]] | None:
        """Remove a session for another node; return it and what its client has missed, or None if it has ended."""
        session = found.session
        with self.lock:
            if session.is_over or not self.lost.remove(session):
                return None
            session.is_over = True
            session.joined = self._with_joins(session, session).joined
            return session, self._log.missed(session, found.after)

    def adopt(
        self, session: SavedSession, missed: Iterable[Missed], offset: str | None
    ) -> tuple[Found | None, list[SavedSession]]:
        """
        Keep a session of another node, with the events that its client has missed, claimed for the client.

        Return what the client comes back to, None if the missed events exceed the limits of the log; and the sessions
        that were dropped to make room.
        """
        log, now = self._log, self._now()
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
                return None, []
            session.until = now + self._options.max_disconnection_duration
            session.is_claimed, session.is_present = True, False
            return Found(session, after), self.lost.add(session)

    # The server

    def start(self) -> None:
        """Start keeping sessions again after a shutdown; sessions from before have what remains of their time."""
        with self.lock:
            self.log.start()
            self.lost.start()

    def stop(self) -> None:
        """Stop the timers: the server has shut down, and keeps nothing more."""
        self.lost.stop()
        self.log.stop()
