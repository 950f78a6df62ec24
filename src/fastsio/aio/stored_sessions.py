"""
Sessions in a store of the application: those that this server stores when it shuts down, and those of earlier servers.

The store also has the logs of events of these servers. A session names the log to which its positions belong.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from fastsio.aio import concurrency
from fastsio.base.recovery import check_store
from fastsio.base.recovery_records import LOG, read_log, read_saved_session, session_key, write_log, write_saved_session
from fastsio.cluster.payloads import require_msgpack
from fastsio.engine.packet import MessagePacket
from fastsio.state.recovery import Found, position_after

if TYPE_CHECKING:
    from fastsio.base.recovery import ConnectionStateRecovery
    from fastsio.state.recovery import PacketLog, SavedSession

#: The server makes no longer pid, so a longer one is not looked up.
MAX_PID_CHARS: Final = 256
#: Seconds between two attempts to load the log of a server that is still shutting down.
LOOK_INTERVAL_S: Final = 0.2
#: How many logs of other servers are kept in memory.
MAX_LOGS: Final = 4


class StoredSessions:
    """
    Stores sessions and the log of events, and finds the sessions of servers that were shut down.

    Raises:
        SetupError: The store cannot be used.
        MissingExtraError: msgpack is not installed.
    """

    def __init__(self, options: ConnectionStateRecovery, logger: Any) -> None:
        check_store(options.store, asynchronous=concurrency.ASYNCHRONOUS)
        require_msgpack()
        self._options = options
        self._logger = logger
        #: The name of this server's log.
        self._log = uuid4().hex
        self._has_warned = self.has_stored = False
        #: Name of another server's log -> the time until which it is kept in memory, and the log.
        self._logs: dict[str, tuple[float, PacketLog]] = {}
        self._loading = concurrency.Lock()

    async def keep(self, session: SavedSession, seconds: float) -> bool:
        """Store a session for some seconds; return False if that failed. The first failure is logged."""
        why: Exception
        try:
            # A client that was lost again before it was let in: its session belongs to an earlier log.
            value = write_saved_session(session, session.log or self._log)
            await self._ask("keep", session_key(session.namespace, session.pid), value, seconds)
        except Exception as error:  # noqa: BLE001 - a store may raise anything, and it is logged
            why = error
        else:
            self.has_stored = True
            return True
        if not self._has_warned:
            self._has_warned = True
            text = "the session of a client cannot be stored, and the client cannot come back: %s: %s"
            self._logger.error(text, type(why).__name__, why)
        return False

    async def keep_log(self, log: PacketLog) -> None:
        """Store the log of this server's events; events after this belong to a new log."""
        name, self._log, self.has_stored = self._log, uuid4().hex, False
        try:
            await self._ask("keep", LOG + name, write_log(log), self._options.max_disconnection_duration)
        except Exception:
            self._logger.exception("the events of clients that may come back cannot be stored")

    async def claim(self, namespace: str, pid: str, offset: str | None, before: Any) -> Found | None:
        """
        Take the session of a client of another server out of the store, so that no other client can get it.

        The log of this server begins at *before*. The result is None if there is no such session, or the client cannot
        get all that it has missed.
        """
        if len(pid) > MAX_PID_CHARS:
            return None
        try:
            raw = await self._ask("take", session_key(namespace, pid))
            record = None if raw is None else read_saved_session(bytes(raw), pid, namespace)
            log = None if record is None or record.node is None else await self._log_of(record.node)
        except Exception:
            self._logger.exception("the store of sessions cannot be asked")
            return None
        if record is None or log is None or log.last > before:  # a clock may have been set back
            return None
        session, session.log = record.session, str(record.node)
        after = position_after(session, offset, log.last)
        if after is None or log.has_missed_dropped(session, after):
            return None
        session.is_present = False
        return Found(session, after, before, log.missed(session, after))

    async def _log_of(self, name: str) -> PacketLog | None:
        """Return the log of another server, which stores it at the end of its shutdown; None if it does not."""
        until = monotonic() + self._options.takeover_timeout
        while True:
            async with self._loading:  # many clients come back at once, and the first loads the log for all
                log = await self._load(name)
            if log is not None or monotonic() >= until:
                return log
            await concurrency.sleep(LOOK_INTERVAL_S)

    async def _load(self, name: str) -> PacketLog | None:
        now = monotonic()
        self._logs = {each: known for each, known in self._logs.items() if known[0] > now}
        if name in self._logs:
            return self._logs[name][1]
        raw = await self._ask("load", LOG + name)
        log = None if raw is None else read_log(bytes(raw), MessagePacket)
        if log is not None:
            while len(self._logs) >= MAX_LOGS:
                del self._logs[next(iter(self._logs))]
            self._logs[name] = now + self._options.max_disconnection_duration, log
        return log

    async def _ask(self, method: str, *args: Any) -> Any:
        return await concurrency.resolved(getattr(self._options.store, method)(*args))
