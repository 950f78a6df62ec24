"""
One Engine.IO session: its heartbeat, and how it ends.

What is decided about it stands in :mod:`fastsio.engine.session`, how its packets go out in :mod:`.outbox`, and the
transports that read from the client in :mod:`.websocket` and :mod:`.polling`. What a client of Engine.IO 3 has
otherwise, the form of binary and a heartbeat that the client starts, is :class:`Eio3Session`; Socket.IO clients 1.x and
2.x are such clients.

Source: Engine.IO protocol v4 and v3; the JavaScript server's ``allowEIO3``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from fastsio.aio.engine.outbox import Outbox
from fastsio.aio.engine.read_ahead import CANCEL_S
from fastsio.engine.log_format import label, shown_message
from fastsio.engine.packet import CLOSE_PACKET, PING_PACKET, PONG_PACKET, WirePacket
from fastsio.engine.session import Beat, Step, Transport

# Only threads:
# | from fastsio.engine.session import CLOSE_GRACE_S
# | from fastsio.sync.engine.outbox import PINGED, RECEIVE_BYTES, Outbox
# Both:

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from logging import Logger

    from fastsio.engine.packet import WirePacket
    from fastsio.engine.session import Reason

    MessageHandler = Callable[[Any, str | bytes], Awaitable[Any] | None]


class Host(Protocol):
    """What a session, and what serves it, needs of its server; the options are those of ``ServerBase``."""

    logger: Logger
    reason: type[Reason]
    handlers: dict[str, Callable[..., Any]]
    receivers: frozenset[Callable[..., Any]]
    deadlines: Any
    is_traced: bool
    ping_interval: float
    ping_interval_grace_period: float
    ping_timeout: float
    max_http_buffer_size: int
    body_timeout: float
    upgrade_timeout: float
    handler_grace: float
    # Only asyncio:
    stepped_handlers: frozenset[Callable[..., Any]]
    ahead_after: float

    @property
    def wait_disconnected(self) -> Callable[[dict[str, Any]], Awaitable[None]] | None:
        """Waits until the client of a request has gone."""

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine in a task that is kept alive until it is done."""
        ...

    # Only threads:
    # | async_mode: str
    # | hang_watch: Any
    # |
    # | def start_background_task(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    # |     """Run a function in a thread."""
    # |
    # Both:
    @property
    def packets_per_payload(self) -> int:
        """How many packets of one POST are handled before others have a turn."""
        ...

    def report(self, message: str, kind: str) -> None:
        """Log what a client did wrong."""

    def retire(self, session: Any, *, keep: bool) -> None:
        """Take a session that is over off the table."""

    def forget(self, session: Any) -> None:
        """Stop waiting for the last poll of a session that is over."""

    async def sleep(self, seconds: float = 0) -> None:
        """Wait, while others run."""

    async def run_message(self, session: Any, data: str | bytes) -> None:
        """Give the application a message that came in a POST."""

    async def run_disconnect(self, sid: str, reason: str) -> None:
        """Tell the application that a client is gone."""


class Session(Outbox):
    """
    A session.

    Args:
        server: The server it belongs to.
        sid: Its Engine.IO session id, a secret of the client.
    """

    __slots__ = ()

    server: Host

    @property
    def session(self) -> dict[str, Any]:
        """What the application keeps with the Engine.IO server, which few do."""
        if self.user_session is None:
            self.user_session = {}
        return self.user_session

    @session.setter
    def session(self, session: dict[str, Any]) -> None:
        self.user_session = session

    def message_handler(self) -> tuple[MessageHandler, Any]:
        """Return the handler of the server's messages, and what it gets to know the session by."""
        server = self.server
        handler = server.handlers["message"]
        key = self.connection if handler in server.receivers else self.sid
        return trace_messages(handler, self.sid, server.logger) if server.is_traced else handler, key

    # The heartbeat.

    def on_heartbeat(self) -> None:
        """Take a pong."""
        if self.counts_heartbeat():
            self.start_heartbeat()

    def on_deadline(self) -> None:
        """Send the ping that is due, end the session whose pong is overdue, or forget one that is over."""
        server, beat = self.server, self.beat()
        if beat is Beat.PING:
            server.deadlines.set(self, self.expires - self.clock())
            self.post_control(PING_PACKET)
        elif beat is Beat.WAIT:
            self._look_again_later()
            server.deadlines.set(self, server.ping_timeout)
        elif beat is Beat.EXPIRE:
            self.expire()
        else:
            server.forget(self)
            # Only threads:
            # | self.abort()
            # Both:

    def expire(self) -> None:
        """End the session: its client has not been heard of."""
        self.server.logger.info("A client missed its heartbeat, its session is ended")
        self.finish_later(self.server.reason.PING_TIMEOUT, abort=False)

    # Only asyncio:
    def may_have_answered(self) -> bool:
        """
        Tell whether the pong may stand behind messages that are being handled.

        On a WebSocket it is found there, unless it is behind more than is read ahead; then messages must get done
        for it. A client that polls cannot send it before its POST is answered, but it goes on polling.
        """
        if not self.handling or self.writer is not None:
            return False
        return self.has_progressed or (self.posting and self.poll_waiter is not None)

    def _look_again_later(self) -> None:
        self.has_progressed = False

    # Only threads:
    # | def may_have_answered(self) -> bool:
    # |     """
    # |     Tell whether the pong may stand behind the message that is being handled.
    # |
    # |     A client that is there answers one more ping, so that more stands there the next time. One that polls cannot
    # |     answer before its POST is answered, but goes on polling.
    # |     """
    # |     if not self.handling or self.is_lagging:
    # |         return False
    # |     has_progressed = self.progress != self.progress_seen
    # |     if has_progressed or not self.is_attached:
    # |         return has_progressed or (self.posting and self.poll_waiter is not None)
    # |     before, unread = self.unread_seen, self.unread()
    # |     if unread is None:
    # |         return before is None
    # |     return unread >= 0 and (before is None or not unread <= before < RECEIVE_BYTES)
    # |
    # | def start_heartbeat(self) -> None:
    # |     """Wait for the next ping to send; how much stood unread behind the last counts no more."""
    # |     self.unread_seen = None
    # |     super().start_heartbeat()
    # |
    # | def _look_again_later(self) -> None:
    # |     """Ping a client once more whose pong may stand behind the message that is being handled."""
    # |     self.progress_seen = self.progress
    # |     self.unread_seen = self.unread() or 0
    # |     if self.handling and self.is_attached and self.protocol == PINGED:
    # |         self.post_control(PING_PACKET)
    # |
    # | def on_shutdown(self) -> None:
    # |     """Stop waiting for a client whose session is over."""
    # |     if self.closing:
    # |         self.server.forget(self)
    # |         self.abort()
    # Both:

    # The end.

    async def close(self, wait: bool = True, abort: bool = False, reason: str | None = None) -> None:  # noqa: ARG002 - engineio's signature
        """End the session; engineio's name for :meth:`finish`."""
        await self.finish(reason or self.server.reason.SERVER_DISCONNECT, abort=abort)

    def reject(self) -> None:
        """Do not let the client in: nothing of the session is left."""
        self.advance(Step.REFUSE)
        self.give_up()
        self.shut()

    def finish_later(self, reason: str, *, abort: bool = True) -> None:
        """End the session without waiting for its disconnect handler."""
        if not self.closing:
            # Only asyncio:
            self.server.spawn(self.finish(reason, abort=abort))
            # Only threads:
            # | self.server.start_background_task(self.finish, reason, abort=abort)
            # Both:

    async def finish(self, reason: str, *, abort: bool = False) -> None:
        """
        End the session: run the disconnect handler, tell the client, free everything. Only the first call counts.

        Args:
            reason: What the disconnect handler gets.
            abort: True when the client is gone, said goodbye itself, or broke the protocol.
        """
        if not self.claim_end(reason):
            return
        self.give_up()
        # Only asyncio:
        # In a task of its own, so that a request that is cancelled does not cancel the application's handler.
        await asyncio.shield(self.server.spawn(self._end(reason, abort=abort)))
        # Only threads:
        # | self._end(reason, abort=abort)
        # Both:

    async def _end(self, reason: str, *, abort: bool) -> None:
        server = self.server
        is_silent = abort or reason == server.reason.PING_TIMEOUT
        server.deadlines.clear(self)
        if is_silent:
            self.stop_writing()
        try:
            await server.run_disconnect(self.sid, reason)
            if not abort:
                self.post_control(CLOSE_PACKET)
        finally:
            self.advance(Step.OVER)
            server.retire(self, keep=not is_silent and self.transport is not Transport.WEBSOCKET)
            self.shut()
            # Only asyncio:
            if self.body_reader is not None:
                self.body_reader.cancel()
            if not self.handling:
                self._cancel_reader()
            elif reason != server.reason.SERVER_DISCONNECT:
                # What is busy with a message looks itself. A handler that ends the session may do so in its own
                # time.
                self.limit_handling()
            # Only threads:
            # | body = self.body
            # | if body is not None:
            # |     # Nobody wants it any more.
            # |     body.cut_off()
            # | if self.is_attached:
            # |     server.deadlines.set(self, CLOSE_GRACE_S)
            # Both:

    # Only asyncio:
    def limit_handling(self) -> None:
        """Give the message handler under way a last while, for the client is gone; then cancel it."""
        if self.handling and not self.is_limited:
            self.is_limited = True
            asyncio.get_running_loop().call_later(self.server.handler_grace, self._interrupt)

    def _interrupt(self) -> None:
        """Cancel the message handler, and end the session even if it does not mind."""
        self.is_given_up = True
        if self.handling:
            self._cancel_reader()
        if not self.closing:
            asyncio.get_running_loop().call_later(CANCEL_S, self.finish_later, self.server.reason.TRANSPORT_CLOSE)

    def _cancel_reader(self) -> None:
        if self.reader is not None:
            self.reader.cancel()

    # Both:


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

    def __init__(self, server: Host, sid: str, *, base64: bool) -> None:
        super().__init__(server, sid)
        self.polls_base64 = self.frames_base64 = base64

    def post(self, packets: Sequence[WirePacket], waits: bool = False) -> bool:
        """Send packets as :class:`Session` does, each in the form this client reads."""
        forms = [packet.eio3 for packet in packets]
        # Only asyncio:
        if self.frames_base64:
            forms = [form.text for form in forms]
        # Both:
        return super().post(forms, waits)

    # Only asyncio:
    def _shared_writer(self, link: Any) -> None:
        """Have none: binary has a form of its own."""

    # Both:

    def start_heartbeat(self) -> None:
        """Wait for the client's ping."""
        server = self.server
        self.awaiting_pong = True
        allowed_s = server.ping_interval + server.ping_interval_grace_period + server.ping_timeout
        self.expires = self.clock() + allowed_s
        server.deadlines.set(self, allowed_s)

    def counts_heartbeat(self) -> bool:
        """Tell whether a ping of the client counts: it does while the session is open."""
        return not self.closing

    def on_heartbeat(self) -> None:
        """Answer a ping; it counts like a message, so that a client that never reads cannot pile up pongs."""
        if self.counts_heartbeat():
            self.start_heartbeat()
            self.post((PONG_PACKET,))


def trace_messages(on_message: MessageHandler, sid: str, logger: Logger) -> MessageHandler:
    """Log each message of a session before it is handled; a session that is not traced pays nothing for it."""

    def traced(key: Any, data: str | bytes) -> Awaitable[Any] | None:
        logger.info("%s: Received packet MESSAGE data %s", label(sid), shown_message(data, from_server=False))
        return on_message(key, data)

    return traced
