"""
The states of an Engine.IO session: which requests it accepts, and its steps.

A session has two states. Its *life* is OPENING while the connect handler runs, which *accepts* the client, so that it
is OPEN, or *refuses* it. When one side *ends* the session, it is CLOSING while the disconnect handler runs; when that
is *over*, it is CLOSED. If it has to end while the connect handler still runs, it is DOOMED, and ends after that.

Its *transport* is NEW until the handshake is answered, and POLLING after a polling handshake. An upgrade begins with
the *handshake* of a WebSocket, which makes the transport PROBING; the client's *probe* makes it UPGRADING, and the
client's packet to *switch* makes it WEBSOCKET. A client may leave the probe out, and a session may begin on a
WebSocket. An upgrade that *fails* leaves the session POLLING.

Rule 1: the tables of this module define what happens to each request, and every step from one state to the next. A
step that the tables do not have is not taken: if several threads or tasks end a session, or upgrade it, only one of
them succeeds.

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

from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


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

    #: The connect handler accepted the client.
    ACCEPT = "accept"
    #: The connect handler refused the client, or failed.
    REFUSE = "refuse"
    #: One side ends the session, or its client is lost.
    END = "end"
    #: The disconnect handler is done.
    OVER = "over"


#: The life that follows each step that may be taken.
LIVES: Final[Mapping[Life, Mapping[Step, Life]]] = {
    Life.OPENING: {Step.ACCEPT: Life.OPEN, Step.REFUSE: Life.CLOSED, Step.END: Life.DOOMED},
    Life.DOOMED: {Step.ACCEPT: Life.OPEN, Step.REFUSE: Life.CLOSED},
    Life.OPEN: {Step.END: Life.CLOSING},
    Life.CLOSING: {Step.OVER: Life.CLOSED},
    Life.CLOSED: {},
}
#: The states after the end has begun.
ENDING: Final = frozenset({Life.CLOSING, Life.CLOSED})


class Transport(_Constant):
    """The transport of a session's packets."""

    NEW = "new"
    POLLING = "polling"
    PROBING = "probing"
    UPGRADING = "upgrading"
    WEBSOCKET = "websocket"


class Move(_Constant):
    """A step from one transport to another."""

    #: The handshake of a polling session is answered.
    POLL = "poll"
    #: A WebSocket for an upgrade is about to be accepted.
    HANDSHAKE = "handshake"
    #: The client's probe has arrived over it.
    PROBE = "probe"
    #: The client moved to the WebSocket, or began on it.
    SWITCH = "switch"
    #: The upgrade has failed.
    FAIL = "fail"


#: The transport that follows each step that may be taken.
MOVES: Final[Mapping[Transport, Mapping[Move, Transport]]] = {
    Transport.NEW: {Move.POLL: Transport.POLLING, Move.SWITCH: Transport.WEBSOCKET},
    Transport.POLLING: {Move.HANDSHAKE: Transport.PROBING},
    Transport.PROBING: {
        Move.PROBE: Transport.UPGRADING,
        Move.SWITCH: Transport.WEBSOCKET,
        Move.FAIL: Transport.POLLING,
    },
    Transport.UPGRADING: {Move.SWITCH: Transport.WEBSOCKET, Move.FAIL: Transport.POLLING},
    Transport.WEBSOCKET: {},
}


class Asked(_Constant):
    """The kind of a request for a session."""

    POLL = "GET"
    POST = "POST"
    WEBSOCKET = "WebSocket"


class Verdict(_Constant):
    """What to do with a request."""

    #: Serve it.
    SERVE = "serve"
    #: Accept the WebSocket and close it: the session has one already.
    TURN_AWAY = "turn away"
    #: Refuse it: its client cannot know the session yet.
    TOO_EARLY = "too early"
    #: Refuse it: the session has moved to a WebSocket.
    TOO_LATE = "too late"


#: What to do with each request on each transport.
VERDICTS: Final[Mapping[Transport, Mapping[Asked, Verdict]]] = {
    Transport.NEW: dict.fromkeys(Asked, Verdict.TOO_EARLY),
    Transport.POLLING: dict.fromkeys(Asked, Verdict.SERVE),
    Transport.PROBING: {Asked.POLL: Verdict.SERVE, Asked.POST: Verdict.SERVE, Asked.WEBSOCKET: Verdict.TURN_AWAY},
    Transport.UPGRADING: {Asked.POLL: Verdict.SERVE, Asked.POST: Verdict.SERVE, Asked.WEBSOCKET: Verdict.TURN_AWAY},
    Transport.WEBSOCKET: {
        Asked.POLL: Verdict.TOO_LATE,
        Asked.POST: Verdict.TOO_LATE,
        Asked.WEBSOCKET: Verdict.TURN_AWAY,
    },
}
#: The verdicts that refuse a request, and their messages.
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
