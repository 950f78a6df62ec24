"""
The life of an Engine.IO session: which requests it takes in which state, its steps, heartbeat, buffer and end.

A session has two states. Its *life* is OPENING while the connect handler runs, which *accepts* the client, so that it
is OPEN, or *refuses* it. When one side *ends* the session, it is CLOSING while the disconnect handler runs; when that
is *over*, it is CLOSED. If it has to end while the connect handler still runs, it is DOOMED, and ends after that.

Its *transport* is NEW until the handshake is answered, and POLLING after a polling handshake. An upgrade begins with
the *handshake* of a WebSocket, which makes the transport PROBING; the client's *probe* makes it UPGRADING, and the
client's packet to *switch* makes it WEBSOCKET. A client may leave the probe out, and a session may begin on a
WebSocket. An upgrade that *fails* leaves the session POLLING.

Rule 1: the tables of ``fastsio.engine.session`` have the meaning of every request, and every step from one state to
the next. A step that the tables do not have is not taken: if several threads or tasks end a session, or upgrade it,
only one of them succeeds.

Rule 2: packets are handled one after the other. A second POST while one is being handled ends the session, and a
session does not switch to its WebSocket before the POST has been handled.

Rule 3: packets to a client that is UPGRADING wait for the WebSocket, because its polls are answered without packets. A
new poll meanwhile waits a moment for the end of the upgrade.

Rule 4: a session that is CLOSING takes only polls, which get its last packets.

Rule 5: a client of Engine.IO 4 must answer a ping within ``ping_timeout``; other pongs are ignored. A client of
Engine.IO 3 sends the pings. A client that may have answered, or that still reads, gets more time.

The diagrams in ``docs/explanation/engine-session.md`` are drawn from these tables by ``tools/session_diagram.py``.

Source: Engine.IO protocol v4 and v3, "Transports", "Upgrade", "Heartbeat"; CVE-2026-48802 for pongs.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Final

from fastsio.engine.congestion import Congestion, PauseBudget, buffers_for
from fastsio.engine.deadlines import NEVER, PUNCTUAL
from fastsio.engine.frame_reader import NORMAL_CLOSURE, ClientLeft, closing_code
from fastsio.engine.http import Code
from fastsio.engine.request import RequestRefused
from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastsio.engine.packet import WirePacket

#: How long a poll that comes during an upgrade waits to see its end.
UPGRADE_CHECK_S: Final = 0.1
#: How long the last frames and the closing handshake may take before the connection is given up.
CLOSE_GRACE_S: Final = 10.0


class _Constant(Enum):
    # Each member is one object, and Enum's own hash is written in Python; these are looked up for every client.
    __hash__ = object.__hash__


class Life(_Constant):
    """Whether a session is open."""

    OPENING = "opening"
    DOOMED = "doomed"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


class Step(_Constant):
    """A step in the life of a session."""

    #: The connect handler let the client in.
    ACCEPT = "accept"
    #: The connect handler refused the client, or failed.
    REFUSE = "refuse"
    #: One side ends the session, or its client is lost.
    END = "end"
    #: The disconnect handler is done.
    OVER = "over"


#: The life that follows.
LIVES: Final[Mapping[tuple[Life, Step], Life]] = {
    (Life.OPENING, Step.ACCEPT): Life.OPEN,
    (Life.OPENING, Step.REFUSE): Life.CLOSED,
    (Life.OPENING, Step.END): Life.DOOMED,
    (Life.DOOMED, Step.ACCEPT): Life.OPEN,
    (Life.DOOMED, Step.REFUSE): Life.CLOSED,
    (Life.OPEN, Step.END): Life.CLOSING,
    (Life.CLOSING, Step.OVER): Life.CLOSED,
}
#: Those of which the end has begun.
ENDING: Final = frozenset({Life.CLOSING, Life.CLOSED})


class Transport(_Constant):
    """What a session's packets go over."""

    NEW = "new"
    POLLING = "polling"
    PROBING = "probing"
    UPGRADING = "upgrading"
    WEBSOCKET = "websocket"


class Move(_Constant):
    """A step from one transport to another."""

    #: The handshake of a polling session is answered.
    POLL = "poll"
    #: A WebSocket that would take over is about to be accepted.
    HANDSHAKE = "handshake"
    #: The client's probe came over it.
    PROBE = "probe"
    #: The client moved to the WebSocket, or began on it.
    SWITCH = "switch"
    #: The WebSocket does not take over.
    FAIL = "fail"


#: The transport that follows.
MOVES: Final[Mapping[tuple[Transport, Move], Transport]] = {
    (Transport.NEW, Move.POLL): Transport.POLLING,
    (Transport.NEW, Move.SWITCH): Transport.WEBSOCKET,
    (Transport.POLLING, Move.HANDSHAKE): Transport.PROBING,
    (Transport.PROBING, Move.PROBE): Transport.UPGRADING,
    (Transport.PROBING, Move.SWITCH): Transport.WEBSOCKET,
    (Transport.PROBING, Move.FAIL): Transport.POLLING,
    (Transport.UPGRADING, Move.SWITCH): Transport.WEBSOCKET,
    (Transport.UPGRADING, Move.FAIL): Transport.POLLING,
}


class Asked(_Constant):
    """What a request wants of a session."""

    POLL = "GET"
    POST = "POST"
    WEBSOCKET = "WebSocket"


class Verdict(_Constant):
    """What to do with a request."""

    #: Serve it.
    SERVE = "serve"
    #: Accept the WebSocket and close it: the session has one.
    TURN_AWAY = "turn away"
    #: Refuse it: its client cannot know the session yet.
    TOO_EARLY = "too early"
    #: Refuse it: the session has moved to a WebSocket.
    TOO_LATE = "too late"


#: What each request means on each transport.
VERDICTS: Final[Mapping[tuple[Transport, Asked], Verdict]] = {
    (Transport.NEW, Asked.POLL): Verdict.TOO_EARLY,
    (Transport.NEW, Asked.POST): Verdict.TOO_EARLY,
    (Transport.NEW, Asked.WEBSOCKET): Verdict.TOO_EARLY,
    (Transport.POLLING, Asked.POLL): Verdict.SERVE,
    (Transport.POLLING, Asked.POST): Verdict.SERVE,
    (Transport.POLLING, Asked.WEBSOCKET): Verdict.SERVE,
    (Transport.PROBING, Asked.POLL): Verdict.SERVE,
    (Transport.PROBING, Asked.POST): Verdict.SERVE,
    (Transport.PROBING, Asked.WEBSOCKET): Verdict.TURN_AWAY,
    (Transport.UPGRADING, Asked.POLL): Verdict.SERVE,
    (Transport.UPGRADING, Asked.POST): Verdict.SERVE,
    (Transport.UPGRADING, Asked.WEBSOCKET): Verdict.TURN_AWAY,
    (Transport.WEBSOCKET, Asked.POLL): Verdict.TOO_LATE,
    (Transport.WEBSOCKET, Asked.POST): Verdict.TOO_LATE,
    (Transport.WEBSOCKET, Asked.WEBSOCKET): Verdict.TURN_AWAY,
}
#: Those that refuse, and why.
REFUSALS: Final[Mapping[Verdict, str]] = {
    Verdict.TOO_EARLY: "A request for a session that is not connected yet",
    Verdict.TOO_LATE: "Unexpected request for an upgraded session",
}


class Beat(_Constant):
    """What to do when the deadline of a session has passed."""

    #: Send a ping.
    PING = "ping"
    #: Wait longer: the client may have answered, or is still reading.
    WAIT = "wait"
    #: End the session.
    EXPIRE = "expire"
    #: Forget the session, which is over.
    FORGET = "forget"


class Reason:
    """Why a session ended, as disconnect handlers are told."""

    SERVER_DISCONNECT: Final = "server disconnect"
    CLIENT_DISCONNECT: Final = "client disconnect"
    PING_TIMEOUT: Final = "ping timeout"
    TRANSPORT_CLOSE: Final = "transport close"
    TRANSPORT_ERROR: Final = "transport error"


class SessionState(ABC):
    """
    What is known of a session, and decided about it; a shell's session adds how packets go out and come in.

    Args:
        server: The server it belongs to.
        sid: Its Engine.IO session id, a secret of the client.

    Attributes:
        awaiting_pong: True while the client is to be heard of until ``expires``.
        buffered_bytes: How much waits to be sent.
        buffered_count: The same in packets.
        closed: True once its life is CLOSED.
        closing: True once its life is CLOSING or CLOSED.
        congestion: Set while the client is behind: more waits for it than the high-water mark.
        connection: What message handlers that are ``receivers`` of the server get in place of the sid.
        doomed: The reason of the first end asked for while it was OPENING.
        expires: When the session is over unless the client is heard of, by the shell's clock.
        frames_base64: Whether binary messages go over the WebSocket as text; its own handshake says so.
        handling: True while the message handler runs for this client.
        is_slow: True once the policy for slow clients was applied to this one.
        life: Whether it is open.
        pause_budget: How long those who send to several may be held up by this client; None until it has been behind.
        pending: What waits to be sent, in order; None while nothing does.
        posting: True while a POST is taken.
        timer_key: Where the server's timer keeps it.
        transport: What its packets go over.
    """

    __slots__ = (
        "awaiting_pong",
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
    )

    #: The revision of Engine.IO that the client speaks.
    protocol: ClassVar[int] = 4
    server: Any

    def __init__(self, server: Any, sid: str) -> None:
        self.server = server
        self.sid = sid
        self.connection: Any = None
        self.life = Life.OPENING
        self.transport = Transport.NEW
        self.closing = self.closed = self.posting = self.handling = self.frames_base64 = False
        self.awaiting_pong = self.is_slow = False
        self.doomed: str | None = None
        self.pending: list[WirePacket] | None = None
        self.buffered_bytes = self.buffered_count = 0
        self.congestion: Congestion | None = None
        self.pause_budget: PauseBudget | None = None
        self.timer_key = NEVER
        self.expires = math.inf

    @staticmethod
    @abstractmethod
    def clock() -> float:
        """Return the time in seconds, by a clock that never goes back."""

    # Steps. Of several callers one gets through.

    def advance(self, step: Step) -> bool:
        """Take a step in the life of the session; tell whether it could be taken."""
        life = LIVES.get((self.life, step))
        if life is None:
            return False
        self.life = life
        if life in ENDING:
            self.closing, self.closed = True, life is Life.CLOSED
        return True

    def move(self, move: Move) -> bool:
        """Take a step from one transport to another; tell whether it could be taken. No switch is while a POST is."""
        transport = MOVES.get((self.transport, move))
        if transport is None or (self.posting and move is Move.SWITCH):
            return False
        self.transport = transport
        return True

    def claim_end(self, reason: str) -> bool:
        """
        Begin to end the session; only the first call counts.

        Args:
            reason: Why. It is kept if the connect handler still runs.

        Returns:
            Whether the caller is the one to end it.
        """
        life = LIVES.get((self.life, Step.END))
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
        Begin to take a POST; False while another is taken.

        Raises:
            RequestRefused: The session has moved to a WebSocket.
        """
        if VERDICTS[self.transport, Asked.POST] in REFUSALS:
            self.check_transport(Asked.POST)
        if self.posting:
            return False
        self.posting = True
        return True

    # Requests.

    def check_transport(self, asked: Asked) -> None:
        """
        Make sure that the transport of the session takes a request.

        Raises:
            RequestRefused: It does not.
        """
        why = REFUSALS.get(VERDICTS[self.transport, asked])
        if why is not None:
            raise RequestRefused(Code.BAD_REQUEST, why)

    @property
    def holds(self) -> bool:
        """Whether polls are answered with nothing, for what waits is for a WebSocket."""
        return self.transport is Transport.UPGRADING or self.transport is Transport.WEBSOCKET

    def departure(self, error: Exception | None) -> tuple[str, int]:
        """
        Decide what the end of a WebSocket means, and report what the client did wrong.

        Args:
            error: How the client left: it said goodbye, broke the protocol or closed the WebSocket. None when it was
                the server's wish, or there is no telling.

        Returns:
            The reason of the session's end, and the code to close the WebSocket with.
        """
        if isinstance(error, ClientLeft):
            return Reason.CLIENT_DISCONNECT, NORMAL_CLOSURE
        if not isinstance(error, PacketError):
            return Reason.TRANSPORT_CLOSE, NORMAL_CLOSURE
        code = closing_code(error)
        self.server.report(f"Closing a websocket session: {error}", f"bad-frame-{code}")
        return Reason.TRANSPORT_ERROR, code

    # What python-engineio's sockets tell of their transport.

    @property
    def connected(self) -> bool:
        """Whether the handshake was answered."""
        return self.transport is not Transport.NEW

    @property
    def upgrading(self) -> bool:
        """Whether a WebSocket is about to take over from polling."""
        return self.transport is Transport.UPGRADING

    @property
    def upgraded(self) -> bool:
        """Whether packets go over a WebSocket."""
        return self.transport is Transport.WEBSOCKET

    # The heartbeat.

    def start_heartbeat(self) -> None:
        """Wait for the next ping to send; it is never late, so that the client has all of its time to answer."""
        server = self.server
        self.awaiting_pong = False
        self.expires = self.clock() + server.ping_interval + server.ping_timeout
        server.deadlines.set(self, server.ping_interval * PUNCTUAL)

    def counts_heartbeat(self) -> bool:
        """Tell whether a heartbeat of the client begins the next: a pong that nobody waits for does not."""
        return self.awaiting_pong and not self.closing

    def beat(self) -> Beat:
        """Decide what a deadline means that has passed; a ping is to be answered until ``expires``."""
        if self.closing:
            return Beat.FORGET
        if self.awaiting_pong:
            return Beat.WAIT if self.is_excused() else Beat.EXPIRE
        self.awaiting_pong = True
        ping_timeout, now = self.server.ping_timeout, self.clock()
        if self.expires - now < ping_timeout / 2:
            # The ping is late, for the server was busy: the client has time to answer all the same.
            self.expires = now + ping_timeout
        return Beat.PING

    def is_overdue(self) -> bool:
        """Tell whether the client should have been heard of by now; the timer may be about to find that out."""
        return self.awaiting_pong and not self.closing and self.clock() >= self.expires and not self.is_excused()

    def is_excused(self) -> bool:
        """
        Tell whether a pong need not come yet.

        It may stand behind messages that are being handled. And the ping may stand behind much that the client is still
        reading.
        """
        return not self.server.start_service_task or self.may_have_answered() or self.reads()

    @abstractmethod
    def expire(self) -> None:
        """End the session: its client has not been heard of."""

    @abstractmethod
    def may_have_answered(self) -> bool:
        """Tell whether a pong may stand behind messages that are being handled."""

    # What waits to be sent.

    @abstractmethod
    def finish_later(self, reason: str, *, abort: bool = True) -> None:
        """End the session without waiting for its disconnect handler."""

    @abstractmethod
    def unsent(self) -> int | None:
        """Return how many bytes were written that the network has not taken yet; None if nobody knows."""

    @abstractmethod
    def wake(self, released: Any) -> None:
        """Wake those who wait for the client, with what they wait for."""

    def append(self, packets: Sequence[WirePacket], size: int) -> None:
        """Have packets wait, *size* bytes in all."""
        if self.pending is None:
            self.pending = list(packets)
        else:
            self.pending += packets
        self.arrived(len(packets), size)

    def has_room(self, count: int, size: int, *, waits: bool) -> bool:
        """
        Tell whether so many packets of so many bytes may wait too; they may if nothing does.

        Args:
            count: How many packets.
            size: How many bytes they have.
            waits: Whether the caller waits afterwards.
        """
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

    def cut(self, max_bytes: float, max_packets: float = math.inf) -> tuple[list[WirePacket], int]:
        """
        Take what waits, in order, within the limits but at least one packet.

        Returns:
            The packets, which count as waiting until :meth:`left` is told of them, and their size.
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

    def cut_all(self) -> list[WirePacket]:
        """Take all that waits; nothing of it counts as waiting any more."""
        packets, self.pending = self.pending or [], None
        if self.congestion is None:
            self.buffered_count = self.buffered_bytes = 0
        else:
            self.left(self.buffered_count, self.buffered_bytes)
        return packets

    def arrived(self, count: int, size: int) -> None:
        """Account for packets that wait from now on; beyond the high-water mark the client is behind."""
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

    def left(self, count: int, size: int) -> None:
        """Account for packets that do not wait any more; below half of the high-water mark the client has caught up."""
        self.buffered_count -= count
        self.buffered_bytes -= size
        congestion = self.congestion
        if congestion is None:
            return
        server = self.server
        congestion.move(self.clock())
        if self.buffered_bytes * 2 > server.high_water_bytes or self.buffered_count * 2 > server.high_water_packets:
            return
        self.congestion = None
        server.congested.discard(self)
        self.wake_waiting(congestion)

    # A client that is behind.

    def pause_s(self, *, is_shared: bool) -> float:
        """
        Return how many seconds a caller waits for the client, before it asks again; zero when it waits no more.

        Args:
            is_shared: Whether the caller sends to several clients.
        """
        congestion = self.congestion
        if congestion is None or not self._is_worth_waiting(congestion):
            return 0
        unsent = self._look(congestion)
        left_s = congestion.left_s(self.clock(), is_shared=is_shared)
        if left_s <= 0:
            self.refuse_if_stuck(congestion)
            return 0
        return left_s if unsent is None else congestion.next_look_s(left_s)

    def give_up(self) -> None:
        """Have nobody wait for this client any more."""
        congestion = self.congestion
        if congestion is not None:
            congestion.is_given_up = True
            self.server.congested.discard(self)
            self.wake_waiting(congestion)

    def restart_pause(self) -> None:
        """Count the pause of the client anew, for an upgrade begins or ends; those who wait look again."""
        congestion = self.congestion
        if congestion is not None:
            congestion.move(self.clock())
            self.wake_waiting(congestion)

    def wake_waiting(self, congestion: Congestion) -> None:
        """Wake those who wait for the client."""
        released, congestion.released = congestion.released, None
        if released is not None:
            self.wake(released)

    def reads(self) -> bool:
        """Tell whether the client is behind, but has read something lately."""
        congestion = self.congestion
        return congestion is not None and not self._is_stuck(congestion)

    def refuse_if_stuck(self, congestion: Congestion) -> bool:
        """Refuse packets until the client has caught up if it reads nothing; tell whether they are refused."""
        if not congestion.is_refused and self._is_stuck(congestion):
            congestion.is_refused = True
        return congestion.is_refused

    def claim_overflow(self) -> bool:
        """Give up on a client whose packets are refused; tell the first caller to apply the policy for slow clients."""
        congestion = self.congestion
        if congestion is not None and congestion.is_refused and not congestion.is_given_up:
            SessionState.give_up(self)
        is_known, self.is_slow = self.is_slow, True
        return not is_known

    def treat_as_slow(self) -> None:
        """Apply the policy for slow clients, and say so once for each client."""
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
        """Tell whether the client can read, now or soon, without the caller's going on."""
        if self.life is not Life.OPEN or congestion.is_given_up:
            return False
        # A client ends an upgrade when its POST is answered, and the caller may be what the POST waits for.
        return not (self.posting and self.transport is Transport.UPGRADING)

    def _is_stuck(self, congestion: Congestion) -> bool:
        """Tell whether the client could have read something for a whole timeout, and has not."""
        self._look(congestion)
        return congestion.is_stuck(self.clock()) and self.transport is not Transport.UPGRADING

    def _look(self, congestion: Congestion) -> int | None:
        """Find out whether the client reads a packet that takes long."""
        unsent = self.unsent()
        if unsent is not None:
            congestion.look(self.clock(), unsent)
        return unsent
