"""
What an Engine.IO session decides without I/O: its steps, heartbeat, buffer and end.

Its states and the rules for them are in :mod:`fastsio.engine.session_tables`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Final

from fastsio.engine.congestion import Congestion, PauseBudget, buffers_for
from fastsio.engine.deadlines import NEVER, PUNCTUAL
from fastsio.engine.frame_reader import GOING_AWAY, NORMAL_CLOSURE, ClientLeft, LinkLost, closing_code
from fastsio.engine.http import Code
from fastsio.engine.log_format import label, shown_message
from fastsio.engine.packet import NOOP_PACKET, PING_PACKET, SHUTDOWN_PACKET
from fastsio.engine.request import RequestRefused
from fastsio.engine.session_tables import (
    ENDING,
    LIVES,
    MOVES,
    REFUSALS,
    VERDICTS,
    Asked,
    Beat,
    Life,
    Move,
    Step,
    Transport,
    Verdict,
)
from fastsio.exceptions import PacketError
from fastsio.protocol.lifecycle import Reasons

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from logging import Logger

    from fastsio.engine.packet import ControlPacket, WirePacket
    from fastsio.engine.server_base import ServerBase

#: How long a poll that arrives during an upgrade waits for the end of the upgrade.
UPGRADE_CHECK_S: Final = 0.1
#: How long an upgrade that is under way may take when the server shuts down.
UPGRADE_GRACE_S: Final = 1.0


class SessionState(ABC):
    """
    A session without I/O: its state, and the decisions about it.

    The ``Session`` of either half adds how packets are sent, and what waits for the network or the application.

    Attributes:
        awaiting_pong: True while the client must send a heartbeat before ``expires``.
        broke_protocol: True once the client broke the protocol or a limit.
        buffered_bytes: The size of the packets that wait to be sent.
        buffered_count: The number of these packets.
        closed: True once its life is CLOSED.
        closing: True once its life is CLOSING or CLOSED.
        congestion: Set while the client is behind: more waits for it than the high-water mark.
        connection: The object that the ``receivers`` of the server get in place of the sid.
        doomed: The reason to end it after the connect handler; None unless its life was DOOMED.
        expires: The time by :meth:`clock` at which the session ends unless the client sends a heartbeat.
        frames_base64: Whether binary messages go over the WebSocket as text; the handshake of the WebSocket decides.
        handling: True while the message handler runs for this client.
        is_slow: True once the policy for slow clients was applied to this one.
        life: Whether it is open.
        pause_budget: How long this client may delay callers that send to several; None until it has been behind.
        pending: The packets that wait to be sent, in order; None while there are none.
        posting: True while a POST is handled.
        sid: Its Engine.IO session id, a secret of the client.
        timer_key: The bucket of its deadline; see :mod:`.deadlines`.
        transport: The transport of its packets.
        user_session: The session data that the application keeps with the Engine.IO server; None without any.
    """

    __slots__ = (
        "awaiting_pong",
        "broke_protocol",
        "buffered_bytes",
        "buffered_count",
        "closed",
        "closing",
        "congestion",
        "connection",
        "doomed",
        "expires",
        "frames_base64",
        "handling",
        "is_slow",
        "life",
        "pause_budget",
        "pending",
        "posting",
        "server",
        "sid",
        "timer_key",
        "transport",
        "user_session",
    )

    #: The revision of Engine.IO that the client speaks.
    protocol: ClassVar[int] = 4
    #: Whether polls are answered with text only, for clients of Engine.IO 3 that read no binary.
    polls_base64: bool = False
    server: ServerBase

    def __init__(self, server: ServerBase, sid: str) -> None:
        self.server = server
        self.sid = sid
        self.connection: Any = None
        self.life = Life.OPENING
        self.transport = Transport.NEW
        self.closing = self.closed = self.posting = self.handling = self.frames_base64 = False
        self.awaiting_pong = self.is_slow = self.broke_protocol = False
        self.doomed: str | None = None
        self.pending: list[WirePacket] | None = None
        self.buffered_bytes = self.buffered_count = 0
        self.congestion: Congestion | None = None
        self.pause_budget: PauseBudget | None = None
        self.timer_key = NEVER
        self.expires = math.inf
        self.user_session: dict[str, Any] | None = None

    @staticmethod
    @abstractmethod
    def clock() -> float:
        """Return the time in seconds, by a clock that never goes back."""

    # Steps. If several callers try one at the same time, one succeeds.

    def advance(self, step: Step) -> bool:
        """Take a step in the life of the session; return False if its state does not have this step."""
        life = LIVES[self.life].get(step)
        if life is None:
            return False
        self.life = life
        if life in ENDING:
            self.closing, self.closed = True, life is Life.CLOSED
        return True

    def move(self, move: Move) -> bool:
        """Take a step from one transport to another; return False if it is not possible, as SWITCH during a POST."""
        transport = MOVES[self.transport].get(move)
        if transport is None or (self.posting and move is Move.SWITCH):
            return False
        self.transport = transport
        return True

    def claim_end(self, reason: str) -> bool:
        """Begin to end the session; return True to the first call. The reason is kept if the connect handler runs."""
        life = LIVES[self.life].get(Step.END)
        if life is None:
            return False
        self.life = life
        if life is Life.DOOMED:
            self.doomed = reason
            return False
        self.closing = True
        return True

    def claim_post(self) -> bool:
        """
        Begin to handle a POST; return False while another is handled.

        Raises:
            RequestRefused: The session has moved to a WebSocket.
        """
        if VERDICTS[self.transport][Asked.POST] in REFUSALS:
            self.check_transport(Asked.POST)
        if self.posting:
            return False
        self.posting = True
        return True

    # Requests.

    def check_transport(self, asked: Asked) -> None:
        """Raise RequestRefused if the transport of the session does not accept a request."""
        why = REFUSALS.get(VERDICTS[self.transport][asked])
        if why is not None:
            raise RequestRefused(Code.BAD_REQUEST, why)

    def takes_at_once(self, asked: Asked) -> bool:
        """
        Return whether the session takes a request of its client at once, with nothing else to check.

        It is open, of Engine.IO 4, and not about to move to a WebSocket, and its heartbeat is not overdue.
        """
        return (
            self.protocol == 4  # noqa: PLR2004 - the revision
            and not self.closing
            and self.transport is not Transport.UPGRADING
            and VERDICTS[self.transport][asked] is Verdict.SERVE
            and not self.is_overdue()
        )

    @property
    def holds_polls(self) -> bool:
        """Whether polls are answered without packets, because the packets wait for a WebSocket."""
        return self.transport is Transport.UPGRADING or self.transport is Transport.WEBSOCKET

    def end_of_websocket(self, error: Exception | None) -> tuple[str, int]:
        """
        Report what a client did wrong; return the reason of the session's end, and the close code.

        *error* tells how the client left; it is None when the server ended the WebSocket, or the cause is not known.
        """
        if isinstance(error, ClientLeft):
            return Reasons.CLIENT_DISCONNECT, NORMAL_CLOSURE
        if isinstance(error, LinkLost):
            return Reasons.TRANSPORT_CLOSE, error.code
        if not isinstance(error, PacketError):
            return Reasons.TRANSPORT_CLOSE, NORMAL_CLOSURE if self.server.is_admitting else GOING_AWAY
        code = closing_code(error)
        self.broke_protocol = True
        self.server.report(f"Closing a websocket session: {error}", f"bad-frame-{code}")
        return Reasons.TRANSPORT_ERROR, code

    # Attributes of python-engineio's sockets.

    @property
    def session(self) -> dict[str, Any]:
        """The session data that the application keeps with the Engine.IO server."""
        if self.user_session is None:
            self.user_session = {}
        return self.user_session

    @session.setter
    def session(self, session: dict[str, Any]) -> None:
        self.user_session = session

    @property
    def connected(self) -> bool:
        """Whether the handshake was answered."""
        return self.transport is not Transport.NEW

    @property
    def upgrading(self) -> bool:
        """Whether an upgrade is under way."""
        return self.transport is Transport.UPGRADING

    @property
    def upgraded(self) -> bool:
        """Whether packets go over a WebSocket."""
        return self.transport is Transport.WEBSOCKET

    # The heartbeat.

    def start_heartbeat(self) -> None:
        """Set the deadline for the next ping; it is never late, so that the client has all of its time to answer."""
        server = self.server
        self.awaiting_pong = False
        self.expires = self.clock() + server.ping_interval + server.ping_timeout
        server.deadlines.set(self, server.ping_interval * PUNCTUAL)

    def accepts_heartbeat(self) -> bool:
        """Return whether a heartbeat of the client starts the next one; an unexpected pong does not."""
        return self.awaiting_pong and not self.closing

    def beat(self) -> Beat:
        """Decide what to do after a deadline has passed; a ping must be answered until ``expires``."""
        if self.closing:
            return Beat.FORGET
        if self.awaiting_pong:
            return Beat.WAIT if self.is_excused() else Beat.EXPIRE
        self.awaiting_pong = True
        ping_timeout, now = self.server.ping_timeout, self.clock()
        if not ping_timeout / 2 <= self.expires - now <= ping_timeout:
            # The ping is a little early, and the time to answer counts from it. Or it is late because the server was
            # busy, and the client gets the full time.
            self.expires = now + ping_timeout
        return Beat.PING

    def is_overdue(self) -> bool:
        """Return whether the heartbeat of the client is overdue, even if the timer has not run yet."""
        return self.awaiting_pong and not self.closing and self.clock() >= self.expires and not self.is_excused()

    def is_excused(self) -> bool:
        """
        Return whether the client gets more time for its pong.

        The pong may wait behind messages that are being handled, and the ping behind packets that the client is still
        reading.
        """
        return not self.server.start_service_task or self.may_have_answered() or self.is_reading()

    def on_heartbeat(self) -> None:
        """Handle a heartbeat of the client."""
        if self.accepts_heartbeat():
            self.start_heartbeat()

    def on_deadline(self) -> None:
        """Send the ping that is due, end the session whose heartbeat is overdue, or forget one that is over."""
        server, beat = self.server, self.beat()
        if beat is Beat.PING:
            server.deadlines.set(self, self.expires - self.clock())
            self.post_control(PING_PACKET)
        elif beat is Beat.WAIT:
            self.wait_longer()
            server.deadlines.set(self, server.ping_timeout)
        elif beat is Beat.EXPIRE:
            self.expire()
        else:
            self.forget()

    def expire(self) -> None:
        """End the session because its client has sent no heartbeat."""
        self.server.logger.info("A client missed its heartbeat, its session is ended")
        self.finish_later(self.server.reason.PING_TIMEOUT, abort=False)

    def forget(self) -> None:
        """Stop waiting for the last poll of the session, which is over."""
        self.server.forget(self)

    @abstractmethod
    def may_have_answered(self) -> bool:
        """Return whether a pong may be behind messages that are being handled."""

    @abstractmethod
    def wait_longer(self) -> None:
        """Record the progress of the messages being handled, for the next deadline to compare."""

    # Messages.

    def message_handler(self) -> tuple[Callable[[Any, str | bytes], Any], Any]:
        """Return the handler of the server's messages, and its first argument: the connection or the sid."""
        server = self.server
        handler = server.handlers["message"]
        key = self.connection if handler in server.receivers else self.sid
        return trace_messages(handler, self.sid, server.logger) if server.is_traced else handler, key

    # The end.

    @abstractmethod
    def finish(self, reason: str, *, abort: bool = False) -> Any:
        """
        End the session: run the disconnect handler, tell the client, free everything. Only the first call counts.

        Args:
            reason: The argument of the disconnect handler.
            abort: True when the client is gone, sent a close packet, or broke the protocol.
        """

    def close(self, wait: bool = True, abort: bool = False, reason: str | None = None) -> Any:  # noqa: ARG002 - engineio's signature
        """End the session; engineio's name for :meth:`finish`."""
        return self.finish(reason or self.server.reason.SERVER_DISCONNECT, abort=abort)

    @abstractmethod
    def finish_later(self, reason: str, *, abort: bool = True) -> None:
        """End the session without waiting for its disconnect handler."""

    @abstractmethod
    def shut(self) -> None:
        """Take no more packets; those that wait still go out, and a poll that waits is answered."""

    @abstractmethod
    def end_reading(self, reason: str) -> None:
        """Have the task or thread that reads for the session notice its end."""

    def reject(self) -> None:
        """End a session whose client the connect handler refused; nothing of it is left."""
        self.advance(Step.REFUSE)
        self.give_up()
        self.shut()

    def leave_client(self) -> bool:
        """
        End the transport because the server shuts down: the client is not told to stay away, and connects again.

        The disconnect handler is left to the caller.

        Returns:
            False when the session is ending already, or its connect handler has not decided.
        """
        reason = self.server.reason.SERVER_SHUTDOWN
        if not self.claim_end(reason):
            return False
        self.give_up()
        self.server.deadlines.clear(self)
        if self.transport is not Transport.WEBSOCKET:
            self.post_control(SHUTDOWN_PACKET)
        self.end_transport(reason, is_silent=False)
        return True

    def end_transport(self, reason: str, *, is_silent: bool) -> None:
        """Take no more packets, answer a poll, and keep the last packets for the next unless the client is gone."""
        self.advance(Step.OVER)
        self.server.retire(self, keep=not is_silent and self.transport is not Transport.WEBSOCKET)
        self.shut()
        self.end_reading(reason)

    # Packets that wait to be sent.

    @abstractmethod
    def post(self, packets: Sequence[WirePacket], waits: bool = False) -> bool:
        """
        Send packets in order and with nothing between them, at once if the client keeps up, else as soon as it does.

        Args:
            packets: What to send.
            waits: Whether the caller waits afterwards. Then a full buffer takes them too, unless the client has been
                behind for long.

        Returns:
            False when the session is over, or its buffer is full and the packets were dropped.
        """

    @abstractmethod
    def post_control(self, packet: ControlPacket) -> None:
        """Send a packet of Engine.IO itself; the buffer's limits do not apply."""

    @abstractmethod
    def unsent(self) -> int | None:
        """Return how many written bytes the network has not taken yet; None if that is not known."""

    @abstractmethod
    def wake(self, released: Any) -> None:
        """Wake the callers that wait for the client; *released* is what they wait for."""

    def append(self, packets: Sequence[WirePacket], size: int) -> None:
        """Add packets to those that wait, *size* bytes in all."""
        if self.pending is None:
            self.pending = list(packets)
        else:
            self.pending += packets
        self.count_waiting(len(packets), size)

    def has_room(self, count: int, size: int, *, waits: bool) -> bool:
        """Return whether so many more packets and bytes may wait; if no packet waits, any size may."""
        if not self.buffered_count:
            return True
        congestion = self.congestion
        if congestion is not None and (congestion.is_refused or self.refuse_if_stuck(congestion)):
            return False
        server = self.server
        buffers = buffers_for(congestion, self.clock(), waits=waits and not self.closing)
        fits: bool = (
            self.buffered_bytes + size <= server.max_buffer_bytes * buffers
            and self.buffered_count + count <= server.max_buffer_packets * buffers
        )
        return fits

    def take_some(self, max_bytes: float, max_packets: float = math.inf) -> tuple[list[WirePacket], int]:
        """
        Take packets within the limits but at least one; return them and their size.

        They count as waiting until :meth:`count_sent` is called.
        """
        packets = self.pending or []
        count = size = 0
        for packet in packets:
            if count and (count >= max_packets or size + packet.size > max_bytes):
                break
            count += 1
            size += packet.size
        self.pending = packets[count:] or None
        return packets[:count], size

    def take_all(self) -> list[WirePacket]:
        """Take all waiting packets; they no longer count as waiting."""
        packets, self.pending = self.pending or [], None
        if self.congestion is None:
            self.buffered_count = self.buffered_bytes = 0
        else:
            self.count_sent(self.buffered_count, self.buffered_bytes)
        return packets

    def count_waiting(self, count: int, size: int) -> None:
        """Count packets that wait from now on; beyond the high-water mark the client is behind."""
        self.buffered_count += count
        self.buffered_bytes += size
        server = self.server
        if (
            (self.buffered_bytes > server.high_water_bytes or self.buffered_count > server.high_water_packets)
            and self.congestion is None
            and not self.closing
        ):
            self.pause_budget = self.pause_budget or PauseBudget(server.slow_client_timeout)
            self.congestion = Congestion(self.clock(), server.slow_client_timeout, self.pause_budget)
            server.congested.add(self)

    def count_sent(self, count: int, size: int) -> None:
        """Subtract packets that no longer wait; below half of the high-water mark the client has caught up."""
        self.buffered_count -= count
        self.buffered_bytes -= size
        congestion = self.congestion
        if congestion is None:
            return
        server = self.server
        congestion.record_progress(self.clock())
        if self.buffered_bytes * 2 > server.high_water_bytes or self.buffered_count * 2 > server.high_water_packets:
            return
        self.congestion = None
        server.congested.discard(self)
        self.wake_waiting(congestion)

    def take(self, max_bytes: int, max_packets: int) -> list[WirePacket]:
        """Take waiting packets for a poll, within the limits but at least one; none if they wait for a WebSocket."""
        if self.holds_polls or not self.pending:
            return [NOOP_PACKET]
        if len(self.pending) <= max_packets and self.buffered_bytes <= max_bytes:
            return self.take_all()
        packets, size = self.take_some(max_bytes, max_packets)
        self.count_sent(len(packets), size)
        return packets

    # Upgrades.

    @abstractmethod
    def end_poll(self) -> None:
        """Let a pending poll check whether to answer now."""

    def hold_polls(self) -> None:
        """Keep packets for the WebSocket of an upgrade."""
        SessionState.move(self, Move.PROBE)
        self.end_poll()
        self.restart_pause()

    def end_upgrade(self) -> None:
        """Give packets to polls again, unless the upgrade has succeeded; a waiting poll checks again."""
        SessionState.move(self, Move.FAIL)
        self.end_poll()
        self.restart_pause()

    # A client that is behind.

    def pause_s(self, *, is_shared: bool) -> float:
        """Return how long a caller waits for the client before it asks again, in seconds; zero to stop waiting."""
        congestion = self.congestion
        if congestion is None or not self._is_worth_waiting(congestion):
            return 0
        unsent = self._check_progress(congestion)
        left_s = congestion.left_s(self.clock(), is_shared=is_shared)
        if left_s <= 0:
            self.refuse_if_stuck(congestion)
            return 0
        return left_s if unsent is None else congestion.next_check_s(left_s)

    def give_up(self) -> None:
        """Let no caller wait for this client any more."""
        congestion = self.congestion
        if congestion is not None:
            congestion.is_given_up = True
            self.server.congested.discard(self)
            self.wake_waiting(congestion)

    def restart_pause(self) -> None:
        """Count the pause of the client from now, because an upgrade begins or ends; waiting callers check again."""
        congestion = self.congestion
        if congestion is not None:
            congestion.record_progress(self.clock())
            self.wake_waiting(congestion)

    def wake_waiting(self, congestion: Congestion) -> None:
        """Wake the callers that wait for the client."""
        released, congestion.released = congestion.released, None
        if released is not None:
            self.wake(released)

    def is_reading(self) -> bool:
        """Return whether the client is behind, but has read something lately."""
        congestion = self.congestion
        return congestion is not None and not self._is_stuck(congestion)

    def refuse_if_stuck(self, congestion: Congestion) -> bool:
        """If the client reads nothing, refuse packets until it has caught up; return whether they are refused."""
        if not congestion.is_refused and self._is_stuck(congestion):
            congestion.is_refused = True
        return congestion.is_refused

    def claim_overflow(self) -> bool:
        """Mark a client whose packets are refused; return True to the first caller, which applies the policy."""
        congestion = self.congestion
        if congestion is not None and congestion.is_refused and not congestion.is_given_up:
            SessionState.give_up(self)
        is_known, self.is_slow = self.is_slow, True
        return not is_known

    def treat_as_slow(self) -> None:
        """Apply the policy for slow clients, and log it once for each client."""
        if not self.claim_overflow():
            return
        server = self.server
        drops = server.slow_client == "drop"
        server.logger.error(
            "A client is too slow, %d packets of %d bytes wait for it: %s (slow_client=%r)",
            self.buffered_count,
            self.buffered_bytes,
            "new packets are dropped" if drops else "its session is ended",
            server.slow_client,
        )
        if not drops:
            self.finish_later(server.reason.TRANSPORT_ERROR)

    def _is_worth_waiting(self, congestion: Congestion) -> bool:
        """Return whether the client can read, now or soon, even if the caller waits."""
        if self.life is not Life.OPEN or congestion.is_given_up:
            return False
        # A client finishes an upgrade after the answer to its POST, which may wait for the caller.
        return not (self.posting and self.transport is Transport.UPGRADING)

    def _is_stuck(self, congestion: Congestion) -> bool:
        """Return whether the client could have read for a whole timeout, and has read nothing."""
        self._check_progress(congestion)
        return congestion.is_stuck(self.clock()) and self.transport is not Transport.UPGRADING

    def _check_progress(self, congestion: Congestion) -> int | None:
        """Check whether the client reads a large packet."""
        unsent = self.unsent()
        if unsent is not None:
            congestion.check_progress(self.clock(), unsent)
        return unsent


def trace_messages(on_message: Callable[[Any, str | bytes], Any], sid: str, logger: Logger) -> Any:
    """Return a message handler that logs each message of a session first; only traced servers have it."""

    def traced(key: Any, data: str | bytes) -> Any:
        logger.info("%s: Received packet MESSAGE data %s", label(sid), shown_message(data, from_server=False))
        return on_message(key, data)

    return traced
