"""The kinds of functions the framework calls, and what each of them receives by position."""

from __future__ import annotations

from enum import Enum
from typing import Final


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
