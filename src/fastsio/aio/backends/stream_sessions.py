"""
The sessions of clients in Redis, which all nodes of a cluster share.

A session is stored while its client is connected, with the name of its node, because a killed node can store nothing.
When the client is lost, the session is stored again, without a name. If a client comes back and its session names
another node, that node is asked first to close the old connection. A node that claims a session deletes it in the same
step in which it makes sure that no other node has stored it meanwhile, so that a ``pid`` is used once.
"""

from __future__ import annotations

from itertools import islice
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, Final

from fastsio.aio import concurrency
from fastsio.aio.backends.stream_reader import read_range
from fastsio.aio.pubsub import REMEMBERED_COPIES
from fastsio.cluster.client_change_log import ClientChangeLog
from fastsio.cluster.relay import Recent
from fastsio.cluster.session_values import NOTHING, SessionValues, digest
from fastsio.cluster.stream_entries import (
    START,
    Broadcast,
    ClientChange,
    copy_of,
    read_entry,
    read_position,
    read_session,
    write_position,
    write_session,
)
from fastsio.exceptions import BusError
from fastsio.state.recovery import Entry, Found

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastsio.aio.backends.redis_streams import AsyncRedisStreamsManager
    from fastsio.cluster.stream_entries import Position
    from fastsio.state import Client
    from fastsio.state.recovery import ClientRecovery, SavedSession

#: Seconds in which the node of a client must answer that it closes the old connection; otherwise it counts as killed.
RELEASE_S: Final = 1.0
#: The sessions of connected clients are stored anew after ``max_disconnection_duration`` divided by this number.
REFRESH_SHARE: Final = 4
#: What was done to clients is kept in ``max_bytes`` divided by this number.
CHANGE_SHARE: Final = 4
#: How many sessions are stored with one request to Redis.
BATCH: Final = 200
#: How often a session is read that other nodes store or claim at the same time.
MAX_READINGS: Final = 10


class _Release:
    """The wait for the node of a client: *is_heard* is set when it has answered, *is_done* when the session is free."""

    __slots__ = ("is_done", "is_heard", "waiting")

    def __init__(self) -> None:
        self.is_heard, self.is_done = concurrency.Event(), concurrency.Event()
        self.waiting = 0


class StreamSessions:
    """Stores sessions in Redis, and finds them there."""

    #: How positions are written as offsets, and read.
    start: ClassVar[Position] = START
    write = staticmethod(write_position)
    read = staticmethod(read_position)

    def __init__(self, manager: AsyncRedisStreamsManager, recovery: Any) -> None:
        self._manager = manager
        self._recovery = recovery
        self._kept_ms = int(recovery.options.max_disconnection_duration * 1000)
        self._refresh_s = recovery.options.max_disconnection_duration / REFRESH_SHARE
        #: The milliseconds until the stored session of a connected client expires, unless it is stored again.
        self._expires_ms = self._kept_ms + 2 * int(self._refresh_s * 1000)
        #: Guards the attributes below against other threads.
        self._guard = concurrency.guard()
        self._values = SessionValues(manager.session_key_prefix, self._guard)
        #: The clients whose sessions have changed since they were stored.
        self._changed: dict[Client, None] = {}
        self._is_writing = False
        #: How many functions run in the background, and the event that is set when none runs any more.
        self._under_way = 0
        self._idle: Any = None
        #: The event that ends the task that stores the sessions of connected clients anew.
        self._stopped: Any = None
        self._refreshing: Any = None
        #: Seconds that the other node may take to close the old connection; after that the client gets a new session.
        self._release_s = recovery.options.takeover_timeout + RELEASE_S
        #: pid -> the wait for the node of its client.
        self._releases: dict[str, _Release] = {}
        #: The latest changes of clients, for sessions whose nodes have ended and cannot change them any more.
        self._client_changes = ClientChangeLog(
            START,
            recovery.options.max_packets,
            recovery.options.max_bytes // CHANGE_SHARE,
            self._expires_ms / 1000,
        )
        self._has_warned = False

    # Clients that are connected

    def begin(self) -> None:
        """Start to store the sessions of connected clients periodically, so that they do not expire."""
        if self._stopped is None or self._stopped.is_set():
            self._stopped = self._manager.server.eio.create_event()
            self._refreshing = self._manager.server.eio.start_background_task(self._refresh, self._stopped)

    async def stop(self) -> None:
        """Stop storing periodically, and wait ``publish_timeout`` seconds at most for the background functions."""
        if self._stopped is not None and not self._stopped.is_set():
            self._stopped.set()
            await concurrency.join(self._refreshing)
        with self._guard:
            if not self._under_way:
                return
            self._idle = concurrency.Event()
        await concurrency.wait_event(self._idle, self._manager.publish_timeout)

    async def _refresh(self, stopped: Any) -> None:
        while not await concurrency.wait_event(stopped, self._refresh_s):
            self.write_all()

    def write_all(self) -> None:
        """Store the sessions of all connected clients."""
        for client in self._recovery.state.clients():
            self.store_soon(client)

    def store_soon(self, client: Client) -> None:
        """Store the session of a connected client, which has changed, in the background."""
        with self._guard:
            self._changed[client] = None
            if self._is_writing:
                return
            self._is_writing = True
        try:
            self._start(self._write_changed)
        except Exception:  # noqa: BLE001 - the system has no more threads; the next change or _refresh tries again
            self._is_writing = False

    async def _write_changed(self) -> None:
        try:
            await concurrency.sleep(0)  # more may change at once
            while batch := self._take_changed():
                await self._write(batch)
        except BaseException:
            self._is_writing = False
            raise

    def _take_changed(self) -> list[Client]:
        """Return at most BATCH clients whose sessions have changed; an empty list ends the writing."""
        with self._guard:
            batch = list(islice(self._changed, BATCH))
            for client in batch:
                del self._changed[client]
            self._is_writing = bool(batch)
        return batch

    async def _write(self, batch: list[Client]) -> None:
        clients, commands = [], []
        for client in batch:
            if not self._recovery.state.has(client):
                continue
            value = self._encoded(self._recovery.state.session_of(client), self._manager.host_id)
            if value is None:
                continue
            with self._guard:
                # A client that is lost meanwhile is stored as lost; this older state must not be stored after that.
                if self._recovery.state.has(client):
                    # NOTHING: a session that Redis has evicted is stored anew.
                    recovery: Any = client.recovery
                    commands.append(self._values.store(recovery.stored, recovery.pid, value, self._expires_ms, NOTHING))
                    clients.append(client)
        if not commands:
            return
        answers = await self._post(commands) or [None] * len(commands)
        for client, command, is_stored in zip(clients, commands, answers, strict=True):
            recovery = client.recovery
            if is_stored:
                self._values.forget_older(recovery.stored, command)
            if recovery.is_over:
                # The client has left meanwhile, and the thread that deleted its session may have been faster.
                self.forget(client, recovery)
            elif is_stored is not None and not is_stored:
                self._start(self._find_owner, client, recovery)

    async def _find_owner(self, client: Client, recovery: ClientRecovery) -> None:
        """
        Close the connection of a client whose session another node has stored; otherwise store the session again.

        The client has come back to the other node while this process was suspended, and has not left this node yet.
        """
        is_here = await self._recognizes(client.namespace, recovery.pid, recovery.stored)
        if is_here:
            self.store_soon(client)
        elif is_here is not None:
            await self._recovery.end_client(recovery.pid)

    async def _recognizes(self, namespace: str, pid: str, stored: list[str]) -> bool | None:
        """
        Return whether this node has stored the value that Redis has for a session, and add its digest to *stored*.

        Redis has an older value than *stored* says if later ones did not reach it, or if it has lost them, as after a
        failover. The result is None if Redis does not answer.
        """
        answers = await self._post([self._values.read(pid)])
        if answers is None:
            return None
        raw: bytes | None = answers[0]
        if raw is None or (record := read_session(raw, pid, namespace)) is None:
            return False
        if record.node != self._manager.host_id:
            return False
        self._values.recognize(stored, raw)
        return True

    def _encoded(self, session: SavedSession, node: str | None) -> bytes | None:
        """Encode a session for Redis; return None if that is not possible, and log the first such error."""
        why: Exception
        try:
            return write_session(session, node)
        except (TypeError, ValueError) as error:
            why = error
        if not self._has_warned:
            self._has_warned = True
            text = "%s: the session of a client cannot be stored, and the client cannot come back: %s"
            self._manager.server.logger.error(text, self._manager.name, why)
        return None

    async def _post(self, commands: Sequence[tuple[Any, ...]]) -> list[Any] | None:
        """Send commands to Redis; log an error and return None if one failed."""
        try:
            return await self._manager.post_all(commands)
        except BusError as error:
            self._manager.server.logger.warning("%s", error)
            return None

    # Clients that leave or are lost

    async def keep(self, session: SavedSession) -> bool:
        """Store the session of a lost client; return False if that failed, so that the client cannot come back."""
        value = self._encoded(session, None)
        if value is None:
            await self.drop(session.pid, session.stored)
            return False
        # If the value that this node has stored is gone, another node has claimed it, and has the client.
        is_stored = await self._replace(session, value)
        if is_stored is False and await self._recognizes(session.namespace, session.pid, session.stored):
            is_stored = await self._replace(session, value)
        return bool(is_stored)

    async def _replace(self, session: SavedSession, value: bytes) -> bool | None:
        """Store the encoded session of a lost client; return False if another node has it, None without an answer."""
        answers = await self._post([self._values.store(session.stored, session.pid, value, self._kept_ms)])
        return None if answers is None else bool(answers[0])

    async def drop(self, pid: str, stored: Sequence[str] = ()) -> None:
        """
        Delete a stored session, so that its client cannot come back.

        If *stored* has the digests of the values that this node has stored, a value of another node stays.
        """
        await self._post([self._values.remove(pid, stored)])

    def forget(self, client: Client, recovery: ClientRecovery) -> None:
        """Delete the session of a client that has left for good."""
        recovery.is_over = True
        with self._guard:
            self._changed.pop(client, None)
        if recovery.stored:
            self._start(self.drop, recovery.pid, tuple(recovery.stored))

    def update(self, session: SavedSession) -> None:
        """Store the session of a lost client again, because the client was removed from a room."""
        session.as_of = self._recovery.state.log.last
        value = self._encoded(session, None)
        if value is not None:
            self._start(self._post, [self._values.store(session.stored, session.pid, value, "")])

    def _start(self, function: Any, *args: Any) -> None:
        with self._guard:
            self._under_way += 1
        try:
            self._manager.server.__fastsio__.runner.start_task(self._run, function, *args)
        except BaseException:
            self._end_task()
            raise

    async def _run(self, function: Any, *args: Any) -> None:
        try:
            await function(*args)
        finally:
            self._end_task()

    def _end_task(self) -> None:
        with self._guard:
            self._under_way -= 1
            if not self._under_way and self._idle is not None:
                self._idle.set()

    # Clients that come back

    async def claim(self, namespace: str, pid: str, offset: str | None) -> Found | None:
        """
        Take the session of a returning client out of Redis, so that no other client of any node gets it.

        The result is None if there is no such session, or the client cannot get all that it has missed.
        """
        try:
            return await self._claim(namespace, pid, offset)
        except BusError as error:
            self._manager.server.logger.warning("%s", error)
            return None

    async def _claim(self, namespace: str, pid: str, offset: str | None) -> Found | None:
        seen = None if offset is None else read_position(offset)
        if offset is not None and seen is None:
            return None
        await self._manager.until_listening()
        taken = await self._take_session(namespace, pid)
        if taken is None:
            return None
        session, taken_digest = taken
        session.is_present = False  # its client is no member of rooms of this node
        after = session.since if seen is None else seen
        if after is None or (session.since is not None and after < session.since):
            return None
        if session.since is None:
            session.since = after
        if session.as_of is None:  # a server of JavaScript has stored it
            session.as_of = after
        found = await self._missed(session, after)
        return None if found is None else found._replace(digest=taken_digest)

    async def _take_session(self, namespace: str, pid: str) -> tuple[SavedSession, str] | None:
        """
        Delete a session that no other node has; return it and the digest of its value.

        The result is None if a node keeps the session, or it is not found.
        """
        asked = None
        for _ in range(MAX_READINGS):
            raw = await self._manager.post(*self._values.read(pid))
            if raw is None or (record := read_session(raw, pid, namespace)) is None:
                return None
            if record.node not in (None, self._manager.host_id, asked):
                asked = record.node
                if not await self._have_released(pid, str(asked)):
                    return None
            elif await self._manager.post(*self._values.take(pid, raw)):
                return record.session, digest(raw)
        return None

    async def _missed(self, session: SavedSession, after: Position) -> Found | None:
        """
        Bring a session up to what this node has read of the stream, and return it with what its client has missed.

        What the logs of this node do not have any more is read from the stream again.
        """
        if not await self._manager.has_delivered(max(after, session.as_of)):
            return None
        with self._recovery.state.lock:
            is_complete = not self._recovery.state.log.kept.has_missed_dropped(session, after)
        with self._guard:
            is_complete = is_complete and self._client_changes.knows(session)
        if is_complete:
            return Found(session, after) if self.bring_up(session) else None
        last: Position = self._recovery.state.log.last
        seen, rooms = Recent(REMEMBERED_COPIES), {None, session.sid, *session.rooms}
        events, changes = [], ClientChangeLog(START)
        try:
            async for entry in read_range(self._manager.post, self._manager.channel, min(after, session.as_of), last):
                message = self._read(entry.fields)
                if message is None or message.namespace != session.namespace or seen.is_known(copy_of(entry.fields)):
                    continue
                if isinstance(message, ClientChange):
                    changes.append(entry.position, message)
                elif entry.position > after and not message.is_volatile and not rooms.isdisjoint(message.rooms):
                    place = entry.position, message.namespace, message.rooms, (), None, 0, 0.0
                    events.append(Entry(*place, message.without, message.arguments))
        except LookupError:
            return None
        return Found(session, after, last, events) if changes.bring_up(session, last) else None

    def _read(self, fields: dict[bytes, bytes]) -> Broadcast | ClientChange | None:
        try:
            return read_entry(fields, self._manager.codec)
        except ValueError:
            return None  # the error was logged when the entry arrived

    # Changes of clients

    def add_change(self, position: Position, change: ClientChange) -> None:
        """Keep a change that a node has made to clients, for sessions that no node has in memory."""
        with self._guard:
            self._client_changes.append(position, change, monotonic())

    def restart(self, position: Position) -> None:
        """Note that this node has not read all entries of the stream up to a position."""
        with self._guard:
            self._client_changes.restart(position)

    def bring_up(self, session: SavedSession) -> bool:
        """
        Make the changes to a claimed session that nodes have made to its client since it was stored.

        Return False if a node has disconnected the client, or if the log does not have all changes.
        """
        with self._guard:
            position = self._recovery.state.log.last  # entries after it may be known already; they are looked at again
            return self._client_changes.knows(session) and self._client_changes.bring_up(session, position)

    # Messages between nodes

    async def _have_released(self, pid: str, node: str) -> bool:
        """
        Ask the node of a client to close its old connection, and wait until it has done so or counts as killed.

        If the node has answered, but takes too long, the session cannot be claimed: return False.
        """
        with self._guard:
            release = self._releases.setdefault(pid, _Release())
            release.waiting += 1
        try:
            await self._tell({"method": "release", "pid": pid, "to": node})
            if not await concurrency.wait_event(release.is_heard, RELEASE_S):
                return True
            return await concurrency.wait_event(release.is_done, self._release_s)
        finally:
            with self._guard:
                release.waiting -= 1
                if not release.waiting:
                    del self._releases[pid]

    async def _tell(self, message: dict[str, Any]) -> None:
        await self._manager.tell_nodes({**message, "host_id": self._manager.host_id})

    def tell_return(self, session: SavedSession) -> None:
        """Tell the other nodes to delete a session whose client has come back to this node."""
        message = {"method": "returned", "pid": session.pid, "namespace": session.namespace, "sid": session.sid}
        self._start(self._tell_quietly, message)

    async def _tell_quietly(self, message: dict[str, Any]) -> None:
        try:
            await self._tell(message)
        except BusError as error:
            self._manager.server.logger.warning("%s", error)

    def take(self, message: dict[str, Any]) -> bool:
        """Handle a message of another node about a session; return False for any other message."""
        match message:
            case {"method": "release", "pid": str(pid), "to": str(node)}:
                if node == self._manager.host_id:
                    self._start(self._release, pid)
            case {"method": "releasing" | "released" as method, "pid": str(pid)}:
                release = self._releases.get(pid)
                if release is not None:
                    release.is_heard.set()
                    if method == "released":
                        release.is_done.set()
            case {"method": "returned", "namespace": str(namespace), "sid": str(sid), "host_id": str(node)}:
                if node != self._manager.host_id:
                    self._take_return(namespace, sid)
            case _:
                return False
        return True

    def _take_return(self, namespace: str, sid: str) -> None:
        client = self._manager.client_of(sid, namespace)
        if client is None:
            self._start(self._recovery.forget_returned, namespace, sid)
        elif self._recovery.state.has(client):
            # Storing the session finds out whether this node has the client again, or has only not seen it leave.
            self.store_soon(client)

    async def _release(self, pid: str) -> None:
        # The disconnect handler may take long, so the answer comes before.
        await self._tell_quietly({"method": "releasing", "pid": pid})
        await self._recovery.end_client(pid)
        await self._tell_quietly({"method": "released", "pid": pid})
