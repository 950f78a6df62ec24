"""
One Engine.IO session: its heartbeat, and how it ends. What it sends stands in :mod:`.outbox`.

The transports that read from the client stand in :mod:`.websocket` and :mod:`.polling`. Any thread may end a session;
the first that does runs the disconnect handler. What a client of Engine.IO 3 has otherwise, the form of binary and a
heartbeat that the client starts, is :class:`Eio3Session`; Socket.IO clients 1.x and 2.x are such clients.

Source: Engine.IO protocol v4 and v3; the JavaScript server's ``allowEIO3``.
"""

from __future__ import annotations

import math
import threading
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, Final

from fastsio.engine import http
from fastsio.engine.log_format import label, shown_message
from fastsio.engine.packet import CLOSE_PACKET, PING_PACKET, PONG_PACKET, MessagePacket, WirePacket
from fastsio.engine.request import RequestRefused
from fastsio.sync.engine.links import TextLink
from fastsio.sync.engine.outbox import Outbox
from fastsio.sync.engine.timers import NEVER, PUNCTUAL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from logging import Logger

    from fastsio.engine.packet import WirePacket
    from fastsio.sync.engine.bodies import BodyReading
    from fastsio.sync.engine.links import Link
    from fastsio.sync.engine.server import EngineServer

    MessageHandler = Callable[[Any, str | bytes], Any]


#: How long the last frames and the closing handshake may take before the connection is given up.
CLOSE_GRACE_S: Final = 10.0
#: The revision whose servers ping; before, clients did.
PINGED: Final = 4
#: As far as what stands unread is counted.
RECEIVE_BYTES: Final = 65_536


class Session:
    """
    A session.

    Args:
        server: The server it belongs to.
        sid: Its Engine.IO session id, a secret of the client.

    Attributes:
        accepted: True once the connect handler has let the client in.
        connection: What message handlers that are ``receivers`` of the server get in place of the sid.
        body: The reading of a POST's body; None while no body is read.
        expires: When the session is over unless a pong comes, by the system's clock.
        frames_base64: Whether binary messages go over the WebSocket as text; its own handshake says so.
        handling: True while the message handler runs for this client.
        posting: True while a POST is taken.
        progress: How many messages were handled.
        probing: True from the handshake of a WebSocket that would take over to its success or failure.
    """

    __slots__ = (
        "_lock",
        "accepted",
        "awaiting_pong",
        "body",
        "closed",
        "closing",
        "connected",
        "connection",
        "doomed",
        "expires",
        "frames_base64",
        "handling",
        "outbox",
        "posting",
        "probing",
        "progress",
        "progress_seen",
        "server",
        "session",
        "sid",
        "timer_key",
        "unread",
        "upgraded",
    )

    #: The revision of Engine.IO that the client speaks.
    protocol: ClassVar[int] = 4
    server: EngineServer

    def __init__(self, server: EngineServer, sid: str) -> None:
        self.server = server
        self.sid = sid
        self.connection: Any = None
        self.session: dict[str, Any] = {}
        self.connected = self.upgraded = self.closing = self.closed = False
        self.accepted = self.probing = self.posting = self.handling = self.awaiting_pong = False
        #: How many had been handled when the heartbeat looked.
        self.progress = self.progress_seen = 0
        #: How much stood unread behind the message that is handled when the heartbeat looked; None before it has.
        self.unread: int | None = None
        self.body: BodyReading | None = None
        #: The reason of an end asked for while the connect handler still ran.
        self.doomed: str | None = None
        self.timer_key = NEVER
        self.expires = math.inf
        self.frames_base64 = False
        self.outbox = Outbox(self)
        self._lock = threading.Lock()

    # Messages.

    def write_text(self, text: str) -> bool:
        """Send a message of text as :meth:`write` does."""
        return self.write((MessagePacket(text),))

    def write(self, packets: Sequence[WirePacket]) -> bool:
        """
        Send packets, then wait while the client is behind and reads.

        Returns:
            False when the session is over, or its buffer is full and the packets were dropped.
        """
        is_sent = self.outbox.post(packets, waits=True)
        if self.outbox.congestion is not None:
            self.outbox.let_read()
        return is_sent

    def message_handler(self) -> tuple[MessageHandler, Any]:
        """Return the handler of the server's messages, and what it gets to know the session by."""
        server = self.server
        handler = server.handlers["message"]
        key = self.connection if handler in server.receivers else self.sid
        return trace_messages(handler, self.sid, server.logger) if server.is_traced else handler, key

    # Claims: of several threads one gets through.

    def claim_post(self) -> bool:
        """
        Begin to take a POST; False while another is taken.

        Raises:
            RequestRefused: The session has moved to a WebSocket.
        """
        with self._lock:
            if self.upgraded:
                raise RequestRefused(http.Code.BAD_REQUEST, "Unexpected request for an upgraded session")
            if self.posting:
                return False
            self.posting = True
            return True

    def claim_upgrade(self) -> bool:
        """Move to the WebSocket; False while a POST is taken: packets are handled one after the other."""
        with self._lock:
            if not self.posting:
                self.upgraded = True
            return self.upgraded

    def claim_probe(self) -> bool:
        """Begin to serve a WebSocket that would take over; False while another is served or has taken over."""
        with self._lock:
            if self.probing or self.upgraded:
                return False
            self.probing = True
            return True

    def accept(self) -> str | None:
        """Let the client in; return the reason for its end if one was asked for meanwhile."""
        with self._lock:
            self.accepted = True
            return self.doomed

    def reject(self) -> None:
        """Do not let the client in: nothing of the session is left."""
        with self._lock:
            self.closing = self.closed = True
        self.outbox.give_up()
        self.outbox.close()

    def attach(self, link: Link) -> None:
        """Make *link* the way to the client, and write what waits."""
        self.connected = self.upgraded = True
        self.probing = False
        self.outbox.attach(TextLink(link) if self.frames_base64 else link)

    # The heartbeat.

    def start_heartbeat(self) -> None:
        """Schedule the next ping; it is never late, so that the client has all of its time to answer."""
        server = self.server
        self.awaiting_pong = False
        self.unread = None
        self.expires = monotonic() + server.ping_interval + server.ping_timeout
        server.deadlines.set(self, server.ping_interval * PUNCTUAL)

    def on_heartbeat(self) -> None:
        """Take a pong: schedule the next ping if one was waited for; others start nothing (CVE-2026-48802)."""
        if self.awaiting_pong and not self.closing:
            self.start_heartbeat()

    def on_deadline(self) -> None:
        """Send the ping that is due, end the session whose pong is overdue, or stop waiting for one that is over."""
        server = self.server
        if self.closing:
            self.on_shutdown()
        elif not self.awaiting_pong:
            self.awaiting_pong = True
            now = monotonic()
            if self.expires - now < server.ping_timeout / 2:
                # The ping is late, for the server was busy: the client has time to answer all the same.
                self.expires = now + server.ping_timeout
            server.deadlines.set(self, self.expires - now)
            self.outbox.post((PING_PACKET,), is_limited=False)
        elif self._is_excused():
            self._ask_again()
            server.deadlines.set(self, server.ping_timeout)
        else:
            self.expire()

    def is_overdue(self) -> bool:
        """Whether the pong should have come by now; the timer may be about to find that out."""
        return self.awaiting_pong and not self.closing and monotonic() >= self.expires and not self._is_excused()

    def _is_excused(self) -> bool:
        """
        Whether a pong need not come yet.

        It may stand behind the message that is being handled: it is read when the handler returns. And the ping may
        stand behind much that the client is still reading.
        """
        return not self.server.start_service_task or self._may_have_answered() or self.outbox.reads

    def expire(self) -> None:
        """End the session: its pong has not come."""
        self.server.logger.info("A client missed its heartbeat, its session is ended")
        self.server.start_background_task(self.finish, self.server.reason.PING_TIMEOUT)

    def _may_have_answered(self) -> bool:
        """
        Tell whether the pong may stand behind the message that is being handled.

        A client that is there answers one more ping, so that more stands there the next time. One that polls cannot
        answer before its POST is answered, but goes on polling.
        """
        if not self.handling or self.outbox.is_lagging:
            return False
        has_progressed = self.progress != self.progress_seen
        if has_progressed or not self.outbox.is_attached:
            return has_progressed or (self.posting and self.outbox.is_polled)
        before, unread = self.unread, self.outbox.unread()
        if unread is None:
            return before is None
        return unread >= 0 and (before is None or not unread <= before < RECEIVE_BYTES)

    def _ask_again(self) -> None:
        """Ping a client once more whose pong may stand behind the message that is being handled."""
        self.progress_seen = self.progress
        self.unread = self.outbox.unread() or 0
        if self.handling and self.outbox.is_attached and self.protocol == PINGED:
            self.outbox.post((PING_PACKET,), is_limited=False)

    def on_shutdown(self) -> None:
        """Stop waiting for a client whose session is over."""
        if self.closing:
            self.server.forget(self)
            self.outbox.abort()

    # The end.

    def close(self, wait: bool = True, abort: bool = False, reason: str | None = None) -> None:  # noqa: ARG002 - engineio's signature
        """End the session; engineio's name for :meth:`finish`."""
        self.finish(reason or self.server.reason.SERVER_DISCONNECT, abort=abort)

    def finish_in_background(self, reason: str) -> None:
        """End the session of a client that is gone or too slow, without waiting for its disconnect handler."""
        if not self.closing:
            self.server.start_background_task(self.finish, reason, abort=True)

    def finish(self, reason: str, *, abort: bool = False) -> None:
        """
        End the session: run the disconnect handler, tell the client, free everything. Only the first call counts.

        Args:
            reason: What the disconnect handler gets.
            abort: True when the client is gone, said goodbye itself, or broke the protocol.
        """
        with self._lock:
            if self.closing:
                return
            if not self.accepted:
                self.doomed = self.doomed or reason
                return
            self.closing = True
        self.outbox.give_up()
        self._end(reason, abort=abort)

    def _end(self, reason: str, *, abort: bool) -> None:
        server = self.server
        silent = abort or reason == server.reason.PING_TIMEOUT
        server.deadlines.clear(self)
        if silent and self.outbox.is_lagging:
            self.outbox.abort()
        try:
            server.run_disconnect(self.sid, reason)
            if not abort:
                self.outbox.post((CLOSE_PACKET,), is_limited=False)
        finally:
            self.closed = True
            server.retire(self, keep=not silent and not self.upgraded)
            self.outbox.close()
            body = self.body
            if body is not None:
                # Nobody wants it any more.
                body.cut_off()
            if self.outbox.is_attached:
                server.deadlines.set(self, CLOSE_GRACE_S)


class Eio3Outbox(Outbox):
    """The packets of one session, each in the form an Engine.IO 3 client reads."""

    __slots__ = ()

    def post(self, packets: Sequence[WirePacket], *, is_limited: bool = True, waits: bool = False) -> bool:
        """Send packets as :class:`Outbox` does."""
        return super().post([packet.eio3 for packet in packets], is_limited=is_limited, waits=waits)


class Eio3Session(Session):
    """
    A session of an Engine.IO 3 client.

    Args:
        server: The server it belongs to.
        sid: Its Engine.IO session id.
        base64: Whether the client said in its handshake that it reads no binary.

    Attributes:
        polls_base64: Whether polls are answered with nothing but text.
    """

    __slots__ = ("polls_base64",)

    protocol: ClassVar[int] = 3

    def __init__(self, server: EngineServer, sid: str, *, base64: bool) -> None:
        super().__init__(server, sid)
        self.outbox = Eio3Outbox(self)
        self.polls_base64 = self.frames_base64 = base64

    def start_heartbeat(self) -> None:
        """Wait for the client's ping."""
        server = self.server
        self.awaiting_pong = True
        allowed_s = server.ping_interval + server.ping_interval_grace_period + server.ping_timeout
        self.expires = monotonic() + allowed_s
        server.deadlines.set(self, allowed_s)

    def on_heartbeat(self) -> None:
        """Answer a ping; it counts like a message, so that a client that never reads cannot pile up pongs."""
        if not self.closing:
            self.start_heartbeat()
            self.outbox.post((PONG_PACKET,))


def trace_messages(on_message: MessageHandler, sid: str, logger: Logger) -> MessageHandler:
    """Log each message of a session before it is handled."""

    def traced(key: Any, data: str | bytes) -> None:
        logger.info("%s: Received packet MESSAGE data %s", label(sid), shown_message(data, from_server=False))
        on_message(key, data)

    return traced
