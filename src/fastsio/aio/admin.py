"""
The server's side of the Socket.IO Admin UI: it sends reports to administrators, and carries out their commands.

An :class:`~fastsio.base.admin_watch.AdminWatch` gets the events of the server. Its reports wait in a queue that one
background task sends, so no emit and no client waits for an administrator.
"""

from __future__ import annotations

import os
import socket
import time
from typing import Any

from fastsio.aio import concurrency
from fastsio.base.admin import AdminSettings, EventCounts, check, is_yes, read_auth
from fastsio.base.admin_watch import ADMINISTRATORS, ALL_CLIENTS, CLIENT, CLIENTS, AdminWatch
from fastsio.engine.log_format import Reports
from fastsio.exceptions import BusError, SetupError
from fastsio.exceptions import ConnectionRefusedError as Refused
from fastsio.routing import check_namespace


class EventBuffer(EventCounts):
    """Counts what happens, by kind and second."""

    def __init__(self) -> None:
        super().__init__(time.time, concurrency.guard())


class InstrumentedAsyncServer:
    """
    The admin interface of an :class:`AsyncServer`; ``instrument()`` of the server makes one.

    Args:
        auth: As for ``instrument()`` of the server, which describes the other arguments too.

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
        settings = AdminSettings(
            read_auth(auth, may_await=concurrency.ASYNCHRONOUS),
            mode,
            read_only,
            server_id,
            check_namespace(namespace),
            server_stats_interval,
            max_reports,
            max_failed_logins,
            max_failed_logins_per_minute,
            max_failed_logins_overall,
        )
        self.sio = sio
        self.settings = settings
        self.admin_namespace = settings.namespace
        self.server_id = settings.server_id or f"{socket.gethostname()}#{os.getpid()}"
        self.event_buffer = EventBuffer()
        self._began_s = time.monotonic()
        self._lock = concurrency.guard()
        self._refusals = Reports()
        self._watch = AdminWatch(
            sio,
            settings,
            self.event_buffer,
            concurrency.guard(),
            time.time,
            on_connection=self._start,
            on_begin=self.restart,
            on_end=self.stop,
        )
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
        if self.sio.__fastsio__.observer is not None:
            raise SetupError("the server is instrumented already; call instrument() once")
        self._is_stopped = False
        shared = self.sio.__fastsio__
        shared.observe(self._watch)
        if shared.recovery is not None:  # a page that comes back wants the present state, not old reports
            shared.recovery_state.excluded.add(self.admin_namespace)
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
        """Stop watching; administrators stay connected but get no more reports, and no other can log in."""
        if self.sio.__fastsio__.observer is self._watch:
            self.sio.__fastsio__.observe(None)
        self.stop()

    async def shutdown(self) -> None:
        """Stop watching, and wait until the last reports are sent."""
        self.uninstrument()
        task = self._task
        if task is not None and not concurrency.is_current(task):
            await concurrency.join(task)

    def restart(self) -> None:
        """Let administrators in again, after :meth:`stop`; the background task starts with the next connection."""
        self._is_stopped = False

    def stop(self) -> None:
        """Let the background task end."""
        self._is_stopped = True
        self._watch.on_report = None
        wake, self._wake = self._wake, None
        if wake is not None:
            wake.set()

    def _start(self) -> None:
        """Start the background task with the first connection; before, the server need not be running."""
        with self._lock:
            if self._wake is not None or self._is_stopped:
                return
            wake = self._wake = self.sio.eio.create_event()
            self._watch.on_report = wake.set
        # Shutdown waits for the last reports, so that none opens the connection to the broker again.
        try:
            self._task = self.sio.__fastsio__.runner.start_task(self._run, wake)
        except Exception:  # the system has no more threads; the next connection tries again
            self._wake = self._watch.on_report = None
            self.sio.logger.exception("admin: reports cannot be sent yet")

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
        self._watch.greet(sid)

    async def _is_let_in(self, sid: str, environ: dict[str, Any], client_auth: Any) -> bool:
        """Look at credentials, unless too many were wrong."""
        now_s = time.monotonic()
        succeed = self._watch.begin_login(sid, str(environ.get("REMOTE_ADDR", "")), now_s)
        if succeed is None:
            if self._refusals.due("login", now_s) is not None:
                self.sio.logger.warning("admin: too many failed logins, more are refused without a look")
            return False
        is_right = is_yes(await concurrency.resolved(check(self.settings.auth, client_auth)))
        if is_right:
            succeed()
        return is_right

    async def admin_emit(self, _: str, namespace: str, room_filter: Any, event: str, *data: Any) -> None:
        """Emit to a room, a client, or without a filter to all clients."""
        await self.sio.emit(event, data, room=room_filter or None, namespace=namespace)

    async def admin_enter_room(self, _: str, namespace: str, room: Any, room_filter: Any = None) -> None:
        """Put clients into a room; one that may not enter it is left out."""
        for sid, _eio_sid in self._watch.targets(namespace, room_filter):
            try:
                await self.sio.enter_room(sid, room, namespace=namespace)
            except (KeyError, ValueError) as exc:
                self.sio.logger.info("admin: %s cannot enter %s: %s", self.sio.__fastsio__.label_of(sid), room, exc)

    async def admin_leave_room(self, _: str, namespace: str, room: Any, room_filter: Any = None) -> None:
        """Take clients out of a room."""
        for sid, _eio_sid in self._watch.targets(namespace, room_filter):
            await self.sio.leave_room(sid, room, namespace=namespace)

    async def admin_disconnect(self, _: str, namespace: str, close: Any, room_filter: Any = None) -> None:
        """Disconnect clients from a namespace; with *close*, end the connections of those of this server."""
        for sid, eio_sid in self._watch.targets(namespace, room_filter):
            if close and eio_sid is not None:
                await self.sio.__fastsio__.lifecycle.end_connection(eio_sid)
            else:
                await self.sio.disconnect(sid, namespace=namespace)

    # Reports

    def serialize_socket(self, sid: str, namespace: str, eio_sid: str | None = None) -> dict[str, Any]:
        """Describe a client as the UI wants it, without its session data."""
        return self._watch.describe_client(sid, namespace, eio_sid)

    async def _run(self, wake: Any) -> None:
        """Send what is reported, and the counts when it is time."""
        due_s = time.monotonic() + self.settings.server_stats_interval
        while self._wake is wake:
            await concurrency.wait_event(wake, max(0.0, due_s - time.monotonic()))
            wake.clear()
            await self._send_reports()
            if time.monotonic() >= due_s:
                due_s = time.monotonic() + self.settings.server_stats_interval
                self._watch.report_upgrades()
                await self._send("server_stats", (self._stats(),), ADMINISTRATORS)

    async def _send_reports(self) -> None:
        while (report := self._watch.take_report()) is not None:
            event, arguments, to = report
            if event == CLIENTS:
                for client in arguments[0]:
                    await self._send(CLIENT, (client, client["handshake"]["time"]), to)
                continue
            await self._send(*report)
            if event == ALL_CLIENTS:
                await self._ask_others(to)
        if self._watch.make_up_for_dropped():
            self.sio.logger.warning("admin: more than max_reports=%d waited, some dropped", self.settings.max_reports)

    async def _ask_others(self, to: str) -> None:
        """Have the other servers add their clients to the list that an administrator has just got."""
        others = getattr(self.sio.manager, "report_clients_elsewhere", None)
        if others is not None:
            try:
                await others(to, self.admin_namespace)
            except BusError as error:
                self.sio.logger.warning("admin: the clients of other servers are not listed: %s", error)

    async def _send(self, event: str, arguments: tuple[Any, ...], to: str) -> None:
        try:
            await self.sio.emit(event, arguments, room=to, namespace=self.admin_namespace)
        except Exception:
            self.sio.logger.exception("admin: %s could not be sent", event)

    def _stats(self) -> dict[str, Any]:
        process = {"serverId": self.server_id, "hostname": socket.gethostname(), "pid": os.getpid()}
        return {**process, "uptime": time.monotonic() - self._began_s, **self._watch.describe_server()}
