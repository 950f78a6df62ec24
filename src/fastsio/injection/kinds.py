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


#: The positional values of each kind before its payload arguments, as python-socketio passes them.
WIRE_SLOTS: Final[dict[HandlerKind, tuple[str, ...]]] = {
    HandlerKind.EVENT: ("sid",),
    HandlerKind.CONNECT: ("sid", "environ", "auth"),
    HandlerKind.DISCONNECT: ("sid", "reason"),
    HandlerKind.EXCEPTION: ("exc",),
    HandlerKind.DEPENDENCY: (),
    HandlerKind.HOOK: (),
}

#: How many payload arguments a kind can carry; None is any number.
PAYLOAD_LIMIT: Final[dict[HandlerKind, int | None]] = {
    HandlerKind.EVENT: None,
    HandlerKind.CONNECT: 1,
    HandlerKind.DISCONNECT: 0,
    HandlerKind.EXCEPTION: None,
    HandlerKind.DEPENDENCY: None,
    HandlerKind.HOOK: None,
}
