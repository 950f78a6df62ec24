"""
What the admin interface knows of its server: it counts and describes what the server does, and keeps reports of it.

The server calls its methods, and knows it as its *observer*. It never waits and looks at no clock. The reports are sent
by ``fastsio.aio.admin`` and ``fastsio.sync.admin``.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from fastsio.base.admin import (
    FailedLogins,
    handshake,
    hide_session,
    iso_time,
    opens_with_websocket,
    room_name,
    short_id,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from contextlib import AbstractContextManager

    from fastsio.base.admin import AdminSettings, EventCounts
    from fastsio.state import Client

#: The room of the administrators that have logged in. A report goes to this room, or to one of them.
ADMINISTRATORS: Final = "administrators"
#: The event with all clients of this server, which replaces a page's list; the event for each client that is added.
ALL_CLIENTS: Final = "all_sockets"
CLIENT: Final = "socket_connected"
#: A report of clients to be added, each of which is sent as CLIENT.
CLIENTS: Final = "clients"

#: A report that waits: an event of the admin UI, its arguments, and the sid or room that it is for.
Report: TypeAlias = tuple[str, tuple[Any, ...], str]


class AdminWatch:
    """
    Watches a server for its administrators.

    A server has at most one watch. Its methods must not wait and must not raise, because the server calls them while it
    handles packets.

    Args:
        on_connection: Called when a connection begins; starts what sends the reports.
        on_begin: Called when the server takes clients again after its end.
        on_end: Called when the server shuts down.

    Attributes:
        on_report: Called when there is a report to send; while it is None, nothing is reported.
    """

    def __init__(
        self,
        server: Any,
        settings: AdminSettings,
        counts: EventCounts,
        lock: AbstractContextManager[Any],
        time_s: Callable[[], float],
        *,
        on_connection: Callable[[], None],
        on_begin: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        self.settings = settings
        self.on_report: Callable[[], object] | None = None
        self._server = server
        self._counts = counts
        self._failed_logins = FailedLogins(
            settings.max_failed_logins,
            settings.max_failed_logins_per_minute,
            settings.max_failed_logins_overall,
            lock,
        )
        self._time_s = time_s
        self._on_connection = on_connection
        self.start = on_begin
        self.stop = on_end
        self._reports: deque[Report] = deque()
        self._has_dropped = False
        #: Engine.IO sid -> when the connection began, in seconds since 1970.
        self._opened: dict[str, float] = {}
        #: The connections that have not gone over to a WebSocket.
        self._polling: set[str] = set()

    # Called by the server

    def connection_opened(self, eio_sid: str, environ: dict[str, Any]) -> None:
        """Record when a connection began, and with which transport."""
        self._on_connection()
        self._counts.push("rawConnection")
        self._opened[eio_sid] = self._time_s()
        if not opens_with_websocket(environ):
            self._polling.add(eio_sid)

    def connection_closed(self, eio_sid: str) -> None:
        """Forget a connection."""
        self._counts.push("rawDisconnection")
        self._opened.pop(eio_sid, None)
        self._failed_logins.forget(eio_sid)
        self._polling.discard(eio_sid)

    def client_connected(self, client: Client) -> None:
        """Report a client, after the rooms it is in: the UI takes those from the client."""
        if self._is_shown(client.namespace):
            described = self.describe_client(client.sid, client.namespace, client.eio_sid)
            for room in described["rooms"]:
                self.report("room_joined", client.namespace, room, described["id"], self._now())
            self.report(CLIENT, described, self._now())

    def client_disconnected(self, client: Client, reason: str) -> None:
        """Report that a client is gone, and from which rooms."""
        if self._is_shown(client.namespace):
            sid = self._shown(client.sid)
            self.report("socket_disconnected", client.namespace, sid, reason, self._now())
            for room in self._server.manager.get_rooms(client.sid, client.namespace):
                self.report("room_left", client.namespace, self._shown(room), sid, self._now())

    def room_entered(self, namespace: str, room: Hashable, sid: str) -> None:
        """Report who entered a room."""
        if self._is_shown(namespace):
            self.report("room_joined", namespace, self._shown(room), self._shown(sid), self._now())

    def room_left(self, namespace: str, room: Hashable, sid: str) -> None:
        """Report who left a room."""
        if self._is_shown(namespace):
            self.report("room_left", namespace, self._shown(room), self._shown(sid), self._now())

    def event_received(self, client: Client, data: list[Any]) -> None:
        """Report what a client sent."""
        if self._is_shown(client.namespace):
            self.report("event_received", client.namespace, self._shown(client.sid), data, self._now())

    def event_sent(self, recipients: Sequence[tuple[str, str]], namespace: str, data: list[Any]) -> None:
        """Report to whom an event goes."""
        if self._is_shown(namespace):
            now = self._now()
            for sid, _ in recipients:
                self.report("event_sent", namespace, self._shown(sid), data, now)

    def clients_asked_for(self, namespace: str, to: str) -> None:
        """Report the clients to an administrator of another server, whose list they are added to."""
        if namespace == self.settings.namespace and self.settings.is_verbose:
            self.report(CLIENTS, self._clients(), to=to)

    def node_ended(self) -> None:
        """Report all clients anew to the administrators of this server."""
        if self.settings.is_verbose:
            for sid, _ in list(self._server.manager.get_participants(self.settings.namespace, ADMINISTRATORS)):
                self.report_clients(sid)

    def frame_received(self, frame: str | bytes) -> None:
        """Count what arrives."""
        self._counts.push("packetsIn")
        self._counts.push("bytesIn", len(frame))

    def frames_sent(self, frames: Sequence[Any], clients: int) -> None:
        """Count what goes out."""
        self._counts.push("packetsOut", len(frames) * clients)
        self._counts.push("bytesOut", sum([frame.size for frame in frames]) * clients)

    # Administrators

    def begin_login(self, sid: str, address: str, now_s: float) -> Callable[[], None] | None:
        """
        Count an attempt to log in from *address*, as the web server reports it.

        Returns:
            To be called if the credentials are right; None if they must not be looked at, for too many were wrong.
        """
        eio_sid: Any = self._server.manager.eio_sid_from_sid(sid, self.settings.namespace)
        if self._failed_logins.begin(eio_sid, address, now_s):
            return partial(self._failed_logins.succeed, eio_sid, address)
        return None

    def greet(self, to: str) -> None:
        """Report to an administrator who has come in what the interface offers, and all clients if it shows them."""
        self.report("config", {"supportedFeatures": self.settings.features}, to=to)
        if self.settings.is_verbose:
            self.report_clients(to)

    def targets(self, namespace: str, room_filter: Any) -> list[tuple[str, str | None]]:
        """
        Return (sid, eio_sid) of whom a command is for.

        A name that no client or room of this server has may be the sid of another server's client, which administrators
        see too. That server carries the command out; the Engine.IO sid is not known here.
        """
        here: list[tuple[str, str | None]] = list(self._server.manager.get_participants(namespace, room_filter or None))
        if here or not isinstance(room_filter, str) or not room_filter:
            return here
        return [(room_filter, None)]

    # Reports

    def report(self, event: str, *arguments: Any, to: str = ADMINISTRATORS) -> None:
        """Keep a report until it is taken; drop it if too many wait."""
        on_report = self.on_report
        if on_report is None:
            return
        if len(self._reports) >= self.settings.max_reports:
            self._has_dropped = True
            return
        self._reports.append((event, arguments, to))
        on_report()

    def take_report(self) -> Report | None:
        """Return the report that has waited longest; None if none waits."""
        return self._reports.popleft() if self._reports else None

    def make_up_for_dropped(self) -> bool:
        """Report all clients anew if reports were dropped; return whether they were."""
        has_dropped, self._has_dropped = self._has_dropped, False
        if has_dropped:
            self.report_clients()
        return has_dropped

    def report_clients(self, to: str = ADMINISTRATORS) -> None:
        """Report all clients anew, because earlier reports are not known or have gaps; other servers add theirs."""
        self.report(ALL_CLIENTS, self._clients(), to=to)

    def _clients(self) -> list[dict[str, Any]]:
        manager = self._server.manager
        return [
            self.describe_client(sid, namespace, eio_sid)
            for namespace in list(manager.get_namespaces())
            if namespace != self.settings.namespace
            for sid, eio_sid in list(manager.get_participants(namespace, None))
            if manager.is_connected(sid, namespace)
        ]

    def report_upgrades(self) -> None:
        """Report the clients whose connections went from polling to a WebSocket since the last look."""
        for eio_sid in list(self._polling):
            if self._transport(eio_sid) == "polling":
                continue
            self._polling.discard(eio_sid)
            connection = self._server.__fastsio__.connections.get(eio_sid)
            for client in connection.active() if connection is not None else ():
                if self._is_shown(client.namespace):
                    sid = self._shown(client.sid)
                    self.report("socket_updated", {"id": sid, "nsp": client.namespace, "transport": "websocket"})

    # Descriptions

    def describe_client(self, sid: str, namespace: str, eio_sid: str | None = None) -> dict[str, Any]:
        """Describe a client as the UI wants it, without its session data."""
        manager = self._server.manager
        known: Any = eio_sid or manager.eio_sid_from_sid(sid, namespace)
        return {
            "id": self._shown(sid),
            "clientId": short_id(known),
            "transport": self._transport(known),
            "nsp": namespace,
            "data": {},
            "handshake": handshake(self._server.environ.get(known, {}), self._opened.get(known) or self._time_s()),
            "rooms": [self._shown(room) for room in manager.get_rooms(sid, namespace)],
        }

    def describe_server(self) -> dict[str, Any]:
        """Return how many clients the server has, where, and what was counted since the last time."""
        manager = self._server.manager
        open_namespaces = self._server.__fastsio__.registry.namespaces(self._server.namespaces)
        return {
            "clientsCount": len(self._opened),
            "pollingClientsCount": len(self._polling),
            "aggregatedEvents": self._counts.get_and_clear(),
            "namespaces": [
                {"name": name, "socketsCount": len(list(manager.get_participants(name, None)))}
                for name in sorted({*open_namespaces, *manager.get_namespaces()})
            ],
        }

    def _transport(self, eio_sid: str) -> str:
        try:
            transport: str = self._server.eio.transport(eio_sid)
        except KeyError:  # its connection is over
            return "polling" if eio_sid in self._polling else "websocket"
        return transport

    def _shown(self, name: Hashable) -> Any:
        """Return a sid or a room's name as administrators see it: those who act on clients need their sids."""
        shown = room_name(name)
        if self.settings.read_only and isinstance(shown, str):
            return hide_session(shown, self._opened)
        return shown

    def _is_shown(self, namespace: str) -> bool:
        return self.settings.is_verbose and namespace != self.settings.namespace

    def _now(self) -> str:
        return iso_time(self._time_s())
