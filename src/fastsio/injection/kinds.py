"""
The kinds of functions the framework calls, what each of them receives by position, and what it cannot be given.

Says why a handler of a server, a client or a consumer cannot be given something, and what to write instead; raising
the error is the part of :mod:`graph`.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from fastsio.injection.parameters import FromConnection, FromHandshake, FromSource, Need
from fastsio.types import Source


class HandlerKind(Enum):
    """What a function is to the framework."""

    EVENT = "event"
    CONNECT = "connect"
    DISCONNECT = "disconnect"
    EXCEPTION = "exception"
    DEPENDENCY = "dependency"
    HOOK = "hook"
    CLIENT_EVENT = "client event"
    CLIENT_CONNECT = "client connect"
    CLIENT_DISCONNECT = "client disconnect"
    CONSUMER = "consumer"
    ROOM_IDENTIFIER = "room identifier"
    ROOM = "room"


#: The handlers of a client, which has neither environ, nor auth, nor session, and passes no sid.
CLIENT_KINDS: Final = frozenset({HandlerKind.CLIENT_EVENT, HandlerKind.CLIENT_CONNECT, HandlerKind.CLIENT_DISCONNECT})


#: The hooks of a room class: the one that finds the room, and those that know it.
ROOM_KINDS: Final = frozenset({HandlerKind.ROOM_IDENTIFIER, HandlerKind.ROOM})

#: Kinds whose last positional value, ``auth`` or ``reason``, a handler may leave out.
OPTIONAL_LAST: Final = frozenset({HandlerKind.CONNECT, HandlerKind.DISCONNECT, HandlerKind.CLIENT_DISCONNECT})


#: The positional values of each kind before its payload arguments, as python-socketio passes them.
WIRE_SLOTS: Final[dict[HandlerKind, tuple[str, ...]]] = {
    HandlerKind.EVENT: ("sid",),
    HandlerKind.CONNECT: ("sid", "environ", "auth"),
    HandlerKind.DISCONNECT: ("sid", "reason"),
    HandlerKind.EXCEPTION: ("exc",),
    HandlerKind.DEPENDENCY: (),
    HandlerKind.HOOK: (),
    HandlerKind.CLIENT_EVENT: (),
    HandlerKind.CLIENT_CONNECT: (),
    HandlerKind.CLIENT_DISCONNECT: ("reason",),
    HandlerKind.CONSUMER: (),
    HandlerKind.ROOM_IDENTIFIER: ("session",),
    HandlerKind.ROOM: ("session",),
}

#: How many payload arguments a kind can carry; None is any number.
PAYLOAD_LIMIT: Final[dict[HandlerKind, int | None]] = {
    HandlerKind.EVENT: None,
    HandlerKind.CONNECT: 1,
    HandlerKind.DISCONNECT: 0,
    HandlerKind.EXCEPTION: None,
    HandlerKind.DEPENDENCY: None,
    HandlerKind.HOOK: None,
    HandlerKind.CLIENT_EVENT: None,
    HandlerKind.CLIENT_CONNECT: 0,
    HandlerKind.CLIENT_DISCONNECT: 0,
    HandlerKind.CONSUMER: 1,
    HandlerKind.ROOM_IDENTIFIER: 1,
    HandlerKind.ROOM: 1,
}


_NO_HANDSHAKE: Final = "is read from the handshake of a server's client; a handler of a client has none"

_NOT_ON_CLIENTS: Final = {
    Source.ENVIRON: "is annotated Environ, which only a server's handlers have; a client made the handshake itself",
    Source.AUTH: "is annotated Auth, which only a server's handlers have; a client gives it to connect()",
    Source.SESSION: "is annotated Session, which only a server keeps; keep what you need on an object of your own",
    Source.SERVER: "is annotated with a server's class; in a handler of a client annotate it with the client's class",
}
_NOT_ON_SERVERS: Final = {
    Source.CLIENT: "is annotated with a client's class; in a handler of a server annotate it with the server's class",
}
_NOT_ON_CONSUMERS: Final = {
    **_NOT_ON_SERVERS,
    Source.SERVER: "is annotated with a server's class, and a consumer has none; what the server has is in 'self'",
}


def why_not(need: Need, kind: HandlerKind) -> str | None:
    """Say why a handler of *kind* cannot be given what a parameter asks for; None if it can."""
    if isinstance(need, (FromHandshake, FromConnection)):
        return no_handshake(kind)
    if not isinstance(need, FromSource):
        return None
    if kind is HandlerKind.CONSUMER:
        return _NOT_ON_CONSUMERS.get(need.source)
    return (_NOT_ON_CLIENTS if kind in CLIENT_KINDS else _NOT_ON_SERVERS).get(need.source)


def no_handshake(kind: HandlerKind) -> str | None:
    """Say why a handler of *kind* cannot read the handshake; None if it can."""
    return _NO_HANDSHAKE if kind in CLIENT_KINDS else None
