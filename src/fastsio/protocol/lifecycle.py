"""
The life of a client in a namespace: what each packet means in each state, and which steps follow which.

A connection has one state for each namespace, NONE at first. A CONNECT packet is the step *begin*: the state is
CONNECTING while the application's connect handler runs. If the handler *accepts* the client, the state is CONNECTED; if
it refuses, the client is *gone*. When one side *leaves*, the state is LEAVING while the disconnect handler runs, which
may still use rooms and session data. Then the client is *gone* and the state is LEFT: the client may connect again.

Rule 1: the tables of ``fastsio.protocol.lifecycle`` have the meaning of every packet, and every step from one state to
the next. The servers look them up; they decide nothing themselves.

Rule 2: a packet that no correct client can have sent closes the connection. In NONE only CONNECT is allowed, and a
client never sends CONNECT_ERROR.

Rule 3: a packet that a correct client may have sent before it read the last packet of the server is ignored. The server
may have disconnected or refused the client while an event was on its way; that is no error and closes nothing.

Rule 4: no event reaches the application before the connect handler has accepted the client, or its handler would run
without the checks of the connect handler. A correct client waits for the answer to its CONNECT, so an event before the
answer is ignored. With ``always_connect`` the answer is sent before the handler runs, so events are held until it has
decided, and acknowledgements of events that it emits are taken.

Rule 5: a CONNECT of a namespace that the client has not left is a *rejoin*. A client whose application disconnects and
connects before the server has answered sends a second CONNECT and no DISCONNECT. The client first leaves, as with a
DISCONNECT, or finishes leaving; then it connects anew. Other namespaces of the connection stay as they are.

The diagram in ``docs/explanation/lifecycle.md`` is drawn from these tables by ``tools/lifecycle_diagram.py``.

Source: Socket.IO protocol v5, "Connection to a namespace" and "Disconnection from a namespace".
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from fastsio.exceptions import LifecycleError
from fastsio.protocol.packet_type import PACKET_TYPES, PacketType

if TYPE_CHECKING:
    from collections.abc import Mapping


class NamespaceState(Enum):
    """The state of a client in one namespace."""

    # Each member is one object, and Enum's own hash is written in Python; these are looked up for every client.
    __hash__ = object.__hash__

    NONE = "none"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    LEAVING = "leaving"
    LEFT = "left"


class Verdict(Enum):
    """What to do with a packet."""

    #: Begin a connection to the namespace.
    CONNECT = "connect"
    #: Let the old client leave the namespace, then begin a new connection to it.
    REJOIN = "rejoin"
    #: Call the event's handler.
    DISPATCH = "dispatch"
    #: Hand the payload to the callback or call that waits for this acknowledgement.
    ACKNOWLEDGE = "acknowledge"
    #: The client leaves the namespace.
    LEAVE = "leave"
    #: Keep the packet until the connect handler has decided.
    HOLD = "hold"
    #: Do nothing; the client sent the packet before it read one from the server.
    IGNORE = "ignore"
    #: The client broke the protocol; close its connection.
    CLOSE = "close"


class Happening(Enum):
    """A step in the life of a namespace that the server takes or notices."""

    # Each member is one object, and Enum's own hash is written in Python; these are looked up for every client.
    __hash__ = object.__hash__

    #: A CONNECT packet was taken; the connect handler is about to run.
    BEGIN = "begin"
    #: The connect handler accepted.
    ACCEPT = "accept"
    #: One side ended the namespace, or the connection is lost.
    LEAVE = "leave"
    #: The connect handler refused or failed, or the disconnect handler is done or does not exist; the server forgets
    #: the client.
    GONE = "gone"


#: What each packet means in each state. BINARY_EVENT and BINARY_ACK mean what EVENT and ACK mean.
VERDICTS: Final[Mapping[tuple[NamespaceState, PacketType], Verdict]] = {
    (NamespaceState.NONE, PacketType.CONNECT): Verdict.CONNECT,
    (NamespaceState.NONE, PacketType.DISCONNECT): Verdict.CLOSE,
    (NamespaceState.NONE, PacketType.EVENT): Verdict.CLOSE,
    (NamespaceState.NONE, PacketType.ACK): Verdict.CLOSE,
    (NamespaceState.NONE, PacketType.CONNECT_ERROR): Verdict.CLOSE,
    (NamespaceState.CONNECTING, PacketType.CONNECT): Verdict.REJOIN,
    (NamespaceState.CONNECTING, PacketType.DISCONNECT): Verdict.LEAVE,
    (NamespaceState.CONNECTING, PacketType.EVENT): Verdict.IGNORE,
    (NamespaceState.CONNECTING, PacketType.ACK): Verdict.IGNORE,
    (NamespaceState.CONNECTING, PacketType.CONNECT_ERROR): Verdict.CLOSE,
    (NamespaceState.CONNECTED, PacketType.CONNECT): Verdict.REJOIN,
    (NamespaceState.CONNECTED, PacketType.DISCONNECT): Verdict.LEAVE,
    (NamespaceState.CONNECTED, PacketType.EVENT): Verdict.DISPATCH,
    (NamespaceState.CONNECTED, PacketType.ACK): Verdict.ACKNOWLEDGE,
    (NamespaceState.CONNECTED, PacketType.CONNECT_ERROR): Verdict.CLOSE,
    (NamespaceState.LEAVING, PacketType.CONNECT): Verdict.REJOIN,
    (NamespaceState.LEAVING, PacketType.DISCONNECT): Verdict.IGNORE,
    (NamespaceState.LEAVING, PacketType.EVENT): Verdict.IGNORE,
    (NamespaceState.LEAVING, PacketType.ACK): Verdict.IGNORE,
    (NamespaceState.LEAVING, PacketType.CONNECT_ERROR): Verdict.CLOSE,
    (NamespaceState.LEFT, PacketType.CONNECT): Verdict.CONNECT,
    (NamespaceState.LEFT, PacketType.DISCONNECT): Verdict.IGNORE,
    (NamespaceState.LEFT, PacketType.EVENT): Verdict.IGNORE,
    (NamespaceState.LEFT, PacketType.ACK): Verdict.IGNORE,
    (NamespaceState.LEFT, PacketType.CONNECT_ERROR): Verdict.CLOSE,
}

#: What differs under ``always_connect``, where the client has its answer before the connect handler has run.
ALWAYS_CONNECT_VERDICTS: Final[Mapping[tuple[NamespaceState, PacketType], Verdict]] = {
    (NamespaceState.CONNECTING, PacketType.EVENT): Verdict.HOLD,
    (NamespaceState.CONNECTING, PacketType.ACK): Verdict.ACKNOWLEDGE,
}

#: The state that follows. A namespace that a connect handler refused has LEFT: under ``always_connect`` the client may
#: have sent events before it read the refusal. A client that is connected must leave before it is gone, so that its
#: disconnect handler is called.
TRANSITIONS: Final[Mapping[tuple[NamespaceState, Happening], NamespaceState]] = {
    (NamespaceState.NONE, Happening.BEGIN): NamespaceState.CONNECTING,
    (NamespaceState.CONNECTING, Happening.ACCEPT): NamespaceState.CONNECTED,
    (NamespaceState.CONNECTING, Happening.LEAVE): NamespaceState.LEAVING,
    (NamespaceState.CONNECTING, Happening.GONE): NamespaceState.LEFT,
    (NamespaceState.CONNECTED, Happening.LEAVE): NamespaceState.LEAVING,
    (NamespaceState.LEAVING, Happening.GONE): NamespaceState.LEFT,
    (NamespaceState.LEFT, Happening.BEGIN): NamespaceState.CONNECTING,
}

#: What a packet with attachments means: the same as without.
_PLAIN_TYPES: Final[Mapping[PacketType, PacketType]] = {
    PacketType.BINARY_EVENT: PacketType.EVENT,
    PacketType.BINARY_ACK: PacketType.ACK,
}


def _by_state(
    table: Mapping[tuple[NamespaceState, PacketType], Verdict],
) -> dict[NamespaceState, tuple[Verdict, ...]]:
    """Arrange a table for lookup by state and then by the number of the packet type."""
    types = [_PLAIN_TYPES.get(packet_type, packet_type) for packet_type in PACKET_TYPES]
    return {state: tuple(table[state, packet_type] for packet_type in types) for state in NamespaceState}


_LOOKUP: Final = _by_state(VERDICTS)
_LOOKUP_ALWAYS_CONNECT: Final = _by_state({**VERDICTS, **ALWAYS_CONNECT_VERDICTS})


def on_packet(state: NamespaceState, packet_type: int, *, always_connect: bool = False) -> Verdict:
    """Decide what a packet from a client in *state* means; *always_connect* is the option of the server."""
    return (_LOOKUP_ALWAYS_CONNECT if always_connect else _LOOKUP)[state][packet_type]


def advance(state: NamespaceState, happening: Happening) -> NamespaceState:
    """Return the state that follows; raise LifecycleError if *happening* cannot happen in *state*."""
    try:
        return TRANSITIONS[state, happening]
    except KeyError:
        raise LifecycleError(f"{happening.name} cannot happen to a namespace that is {state.name}") from None


class Reasons:
    """The values of a disconnect handler's ``reason``."""

    #: The server ended the connection.
    SERVER_DISCONNECT: Final = "server disconnect"
    #: The client ended the connection.
    CLIENT_DISCONNECT: Final = "client disconnect"
    #: The client did not answer a ping in time.
    PING_TIMEOUT: Final = "ping timeout"
    #: The transport was closed.
    TRANSPORT_CLOSE: Final = "transport close"
    #: The transport failed, or the client broke the protocol.
    TRANSPORT_ERROR: Final = "transport error"
    #: The server shuts down, or is drained; the client connects again by itself.
    SERVER_SHUTDOWN: Final = "server shutting down"
