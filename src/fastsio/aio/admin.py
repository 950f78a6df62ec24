"""
The server's side of the Socket.IO Admin UI: tells administrators what happens, and does what they ask.

It watches as an observer (:mod:`fastsio.base.admin`). What it is told waits in a queue that one background task
sends, so nobody who emits or connects waits for an administrator.
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from fastsio.aio import concurrency
from fastsio.base.admin import (
    EventCounts,
    FailedLogins,
    handshake,
    hide_session,
    is_yes,
    iso_time,
    matches,
    opens_with_websocket,
    read_settings,
    room_name,
    short_id,
)
from fastsio.engine.log_format import Reports
from fastsio.exceptions import ConnectionRefusedError as Refused
from fastsio.exceptions import SetupError

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from fastsio.base.admin import SizedFrame
    from fastsio.state import Client

#: The room of those who have shown who they are; reports go nowhere else.
ADMINISTRATORS: Final = "administrators"


class EventBuffer(EventCounts):
    """Counts what happens, by kind and second."""

    def __init__(self) -> None:
        super().__init__(time.time, concurrency.guard())


class InstrumentedAsyncServer:
    """
    The admin interface of an :class:`AsyncServer`; ``instrument()`` of the server makes one.

    Args:
        sio: The server.
        auth: As for ``instrument()``, and so are the others.
        namespace: The namespace of the interface.
        read_only: Whether administrators can only look.
        server_id: The name of the server.
        mode: ``"development"`` or ``"production"``.
        server_stats_interval: Seconds between two reports of the counts.
        max_reports: How many reports may wait to be sent.
        max_failed_logins: How often one connection may give wrong credentials.
        max_failed_logins_per_minute: How often one address may, in a minute.
        max_failed_logins_overall: How often all addresses together may, until each may once in a minute.

    Attributes:
        event_buffer: What was counted since the last report.

    Raises:
        ValueError: An argument is not valid.
    """

    def __init__(
        self,
        sio: Any,
        auth: Any = None,
        # Only asyncio:
        namespace: str = "/admin",
        # Only threads:
        # | mode: str = "development",
        # Both:
        read_only: bool = False,
        server_id: str | None = None,
        # Only asyncio:
        mode: str = "development",
        # Only threads:
        # | namespace: str = "/admin",
        # Both:
        server_stats_interval: float = 2,
        *,
        max_reports: int = 10_000,
        max_failed_logins: int = 5,
        max_failed_logins_per_minute: int = 100,
        max_failed_logins_overall: int = 1000,
    ) -> None:
        settings = read_settings(
            auth,
            mode,
            read_only,
            server_id,
            namespace,
            server_stats_interval,
            max_reports,
            max_failed_logins,
            max_failed_logins_per_minute,
            max_failed_logins_overall,
            may_await=concurrency.ASYNCHRONOUS,
        )
        self.sio = sio
        self.settings = settings
        self.admin_namespace = settings.namespace
        self.server_id = settings.server_id or f"{socket.gethostname()}#{os.getpid()}"
        self.event_buffer = EventBuffer()
        self._began_s = time.monotonic()
        self._lock = concurrency.guard()
        self._reports: deque[tuple[str, tuple[Any, ...], str]] = deque()
        self._has_dropped = False
        self._opened: dict[str, float] = {}
        self._reports_of_failures = Reports()
        self._failed_logins = FailedLogins(
            settings.max_failed_logins,
            settings.max_failed_logins_per_minute,
            settings.max_failed_logins_overall,
            concurrency.guard(),
        )
        self._polling: set[str] = set()
        self._wake: Any = None
        self._task: Any = None
        self._is_stopped = False
        self.instrument()

    # Starting and stopping

    def instrument(self) -> None:
        """
        Start watching; called by the constructor.

        Raises:
            ValueError: The server is being watched already.
        """
        if self.sio.observer is not None:
            raise SetupError("the server is instrumented already; call instrument() once")
        self._is_stopped = False
        self.sio.observe(self)
        handlers: dict[str, Any] = {"connect": self.admin_connect}
        if not self.settings.read_only:
            handlers |= {
                "emit": self.admin_emit,
                "join": self.admin_enter_room,
                "leave": self.admin_leave_room,
                "_disconnect": self.admin_disconnect,
            }
        for event, handler in handlers.items():
            self.sio.on(event, handler, namespace=self.admin_namespace)

    def uninstrument(self) -> None:
        """Stop watching; administrators stay connected but learn nothing more, and nobody else gets in."""
        if self.sio.observer is self:
            self.sio.observe(None)
        self.stop()

    async def shutdown(self) -> None:
        """Stop watching, and wait until the last reports are sent."""
        self.uninstrument()
        task = self._task
        if task is not None and not concurrency.is_current(task):
            await concurrency.join(task)

    def stop(self) -> None:
        """Let the background task end."""
        self._is_stopped = True
        wake, self._wake = self._wake, None
        if wake is not None:
            wake.set()

    def _start(self) -> None:
        """Start the background task with the first connection; before, the server need not be running."""
        with self._lock:
            if self._wake is not None or self._is_stopped:
                return
            wake = self._wake = self.sio.eio.create_event()
        self._task = self.sio.start_background_task(self._run, wake)

    # What the server tells

    def connection_opened(self, eio_sid: str, environ: dict[str, Any]) -> None:
        """Note when a connection began, and with which transport."""
        self._start()
        self.event_buffer.push("rawConnection")
        self._opened[eio_sid] = time.time()
        if not opens_with_websocket(environ):
            self._polling.add(eio_sid)

    def connection_closed(self, eio_sid: str) -> None:
        """Forget a connection."""
        self.event_buffer.push("rawDisconnection")
        self._opened.pop(eio_sid, None)
        self._failed_logins.forget(eio_sid)
        self._polling.discard(eio_sid)

    def client_connected(self, client: Client) -> None:
        """Report a client, after the rooms it is in: the UI takes those from the client."""
        if self._is_shown(client.namespace):
            described = self.serialize_socket(client.sid, client.namespace, client.eio_sid)
            for room in described["rooms"]:
                self._report("room_joined", client.namespace, room, described["id"], _now())
            self._report("socket_connected", described, _now())

    def client_disconnected(self, client: Client, reason: str) -> None:
        """Report that a client is gone, and from which rooms."""
        if self._is_shown(client.namespace):
            sid = self._shown(client.sid)
            self._report("socket_disconnected", client.namespace, sid, reason, _now())
            for room in self.sio.manager.get_rooms(client.sid, client.namespace):
                self._report("room_left", client.namespace, self._shown(room), sid, _now())

    def room_entered(self, namespace: str, room: Hashable, sid: str) -> None:
        """Report who entered a room."""
        if self._is_shown(namespace):
            self._report("room_joined", namespace, self._shown(room), self._shown(sid), _now())

    def room_left(self, namespace: str, room: Hashable, sid: str) -> None:
        """Report who left a room."""
        if self._is_shown(namespace):
            self._report("room_left", namespace, self._shown(room), self._shown(sid), _now())

    def event_received(self, client: Client, data: list[Any]) -> None:
        """Report what a client sent."""
        if self._is_shown(client.namespace):
            self._report("event_received", client.namespace, self._shown(client.sid), data, _now())

    def event_sent(self, recipients: Sequence[tuple[str, str]], namespace: str, data: list[Any]) -> None:
        """Report to whom an event goes."""
        if self._is_shown(namespace):
            now = _now()
            for sid, _ in recipients:
                self._report("event_sent", namespace, self._shown(sid), data, now)

    def frame_received(self, frame: str | bytes) -> None:
        """Count what arrives."""
        self.event_buffer.push("packetsIn")
        self.event_buffer.push("bytesIn", len(frame))

    def frames_sent(self, frames: Sequence[SizedFrame], clients: int) -> None:
        """Count what goes out."""
        self.event_buffer.push("packetsOut", len(frames) * clients)
        self.event_buffer.push("bytesOut", sum([frame.size for frame in frames]) * clients)

    def _shown(self, name: Hashable) -> Any:
        """Return a sid or a room's name as administrators see it: those who act on clients need their sids."""
        shown = room_name(name)
        if self.settings.read_only and isinstance(shown, str):
            return hide_session(shown, self._opened)
        return shown

    def _is_shown(self, namespace: str) -> bool:
        return self.settings.is_verbose and namespace != self.admin_namespace

    # What administrators ask

    async def admin_connect(self, sid: str, environ: dict[str, Any], client_auth: Any) -> None:
        """
        Let an administrator in.

        Raises:
            ConnectionRefusedError: The credentials are wrong, in words that the UI knows.
        """
        if self._is_stopped or not await self._is_let_in(sid, environ, client_auth):
            raise Refused("invalid credentials")
        self._start()
        await self.sio.enter_room(sid, ADMINISTRATORS, namespace=self.admin_namespace)
        self._report("config", {"supportedFeatures": self.settings.features}, to=sid)
        if self.settings.is_verbose:
            self._report("all_sockets", self._all_sockets(), to=sid)

    async def _is_let_in(self, sid: str, environ: dict[str, Any], client_auth: Any) -> bool:
        """Look at credentials, unless too many were wrong."""
        eio_sid: Any = self.sio.manager.eio_sid_from_sid(sid, self.admin_namespace)
        address = str(environ.get("REMOTE_ADDR", ""))
        now_s = time.monotonic()
        if not self._failed_logins.begin(eio_sid, address, now_s):
            self._tell_of_failures(now_s)
            return False
        is_right = await self._may_enter(client_auth)
        if is_right:
            self._failed_logins.succeed(eio_sid, address)
        return is_right

    def _tell_of_failures(self, now_s: float) -> None:
        if self._reports_of_failures.due("login", now_s) is not None:
            self.sio.logger.warning("admin: too many failed logins, more are refused without a look")

    async def _may_enter(self, client_auth: Any) -> bool:
        auth = self.settings.auth
        if auth is False:
            return True
        if isinstance(auth, list):
            return matches(auth, client_auth)
        return is_yes(await concurrency.resolved(auth(client_auth or {})))

    async def admin_emit(self, _: str, namespace: str, room_filter: Any, event: str, *data: Any) -> None:
        """Emit to a room, a client, or with no filter to everybody."""
        await self.sio.emit(event, data, room=room_filter or None, namespace=namespace)

    async def admin_enter_room(self, _: str, namespace: str, room: Any, room_filter: Any = None) -> None:
        """Put clients into a room; one that may not enter it is left out."""
        for sid, _eio_sid in self._targets(namespace, room_filter):
            try:
                await self.sio.enter_room(sid, room, namespace=namespace)
            except (KeyError, ValueError) as exc:
                self.sio.logger.info("admin: %s cannot enter %s: %s", self.sio.label_of(sid), room, exc)

    async def admin_leave_room(self, _: str, namespace: str, room: Any, room_filter: Any = None) -> None:
        """Take clients out of a room."""
        for sid, _eio_sid in self._targets(namespace, room_filter):
            await self.sio.leave_room(sid, room, namespace=namespace)

    async def admin_disconnect(self, _: str, namespace: str, close: Any, room_filter: Any = None) -> None:
        """End clients' namespace, or with *close* their connection if it is one of this server."""
        for sid, eio_sid in self._targets(namespace, room_filter):
            if close and eio_sid is not None:
                await self.sio.end_connection(eio_sid)
            else:
                await self.sio.disconnect(sid, namespace=namespace)

    def _targets(self, namespace: str, room_filter: Any) -> list[tuple[str, str | None]]:
        """
        Return (sid, eio_sid) of whom a command is for.

        A name that nobody here answers to may be the sid of another server's client, which administrators are shown
        too. Its server does what is asked of it, as with any other call; the Engine.IO sid is not known here.
        """
        here: list[tuple[str, str | None]] = list(self.sio.manager.get_participants(namespace, room_filter or None))
        if here or not isinstance(room_filter, str) or not room_filter:
            return here
        return [(room_filter, None)]

    # Reports

    def serialize_socket(self, sid: str, namespace: str, eio_sid: str | None = None) -> dict[str, Any]:
        """Describe a client as the UI wants it; what its session holds stays here."""
        known: Any = eio_sid or self.sio.manager.eio_sid_from_sid(sid, namespace)
        return {
            "id": self._shown(sid),
            "clientId": short_id(known),
            "transport": self._transport(known),
            "nsp": namespace,
            "data": {},
            "handshake": handshake(self.sio.environ.get(known, {}), self._opened.get(known) or time.time()),
            "rooms": [self._shown(room) for room in self.sio.manager.get_rooms(sid, namespace)],
        }

    def _all_sockets(self) -> list[dict[str, Any]]:
        return [
            self.serialize_socket(sid, namespace, eio_sid)
            for namespace in list(self.sio.manager.get_namespaces())
            if namespace != self.admin_namespace
            for sid, eio_sid in list(self.sio.manager.get_participants(namespace, None))
            if self.sio.manager.is_connected(sid, namespace)
        ]

    def _transport(self, eio_sid: str) -> str:
        try:
            transport: str = self.sio.eio.transport(eio_sid)
        except KeyError:  # its connection is over
            return "polling" if eio_sid in self._polling else "websocket"
        return transport

    def _report(self, event: str, *arguments: Any, to: str = ADMINISTRATORS) -> None:
        """Have the background task send a report."""
        wake = self._wake
        if wake is None:
            return
        if len(self._reports) >= self.settings.max_reports:
            self._has_dropped = True
            return
        self._reports.append((event, arguments, to))
        wake.set()

    async def _run(self, wake: Any) -> None:
        """Send what is reported, and the counts when it is time."""
        due_s = time.monotonic() + self.settings.interval_s
        while self._wake is wake:
            await concurrency.wait_event(wake, max(0.0, due_s - time.monotonic()))
            wake.clear()
            await self._send_reports()
            if time.monotonic() >= due_s:
                due_s = time.monotonic() + self.settings.interval_s
                self._report_upgrades()
                await self._send("server_stats", (self._stats(),), ADMINISTRATORS)

    async def _send_reports(self) -> None:
        while self._reports:
            await self._send(*self._reports.popleft())
        if self._has_dropped:
            self._has_dropped = False
            self.sio.logger.warning("admin: more than max_reports=%d waited, some dropped", self.settings.max_reports)
            self._report("all_sockets", self._all_sockets())

    async def _send(self, event: str, arguments: tuple[Any, ...], to: str) -> None:
        try:
            await self.sio.emit(event, arguments, room=to, namespace=self.admin_namespace)
        except Exception:
            self.sio.logger.exception("admin: %s could not be sent", event)

    def _report_upgrades(self) -> None:
        """Report the clients whose connections went from polling to a WebSocket since the last look."""
        for eio_sid in list(self._polling):
            if self._transport(eio_sid) == "polling":
                continue
            self._polling.discard(eio_sid)
            connection = self.sio.connection_of(eio_sid)
            for client in connection.active() if connection is not None else ():
                if self._is_shown(client.namespace):
                    sid = self._shown(client.sid)
                    self._report("socket_updated", {"id": sid, "nsp": client.namespace, "transport": "websocket"})

    def _stats(self) -> dict[str, Any]:
        manager = self.sio.manager
        return {
            "serverId": self.server_id,
            "hostname": socket.gethostname(),
            "pid": os.getpid(),
            "uptime": time.monotonic() - self._began_s,
            "clientsCount": len(self._opened),
            "pollingClientsCount": len(self._polling),
            "aggregatedEvents": self.event_buffer.get_and_clear(),
            "namespaces": [
                {"name": name, "socketsCount": len(list(manager.get_participants(name, None)))}
                for name in sorted({*self.sio.known_namespaces(), *manager.get_namespaces()})
            ],
        }


def _now() -> str:
    return iso_time(time.time())
