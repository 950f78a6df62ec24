"""
The annotations users write in handlers.

Each is an ``Annotated`` alias: type checkers see the plain type, the compiler in :mod:`fastsio.injection` sees the
:class:`Source` behind it. Nothing here does more than name things.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from enum import Enum
from typing import Annotated, Any, TypeAlias


class Source(Enum):
    """Where an injected value comes from."""

    SID = "sid"
    ENVIRON = "environ"
    AUTH = "auth"
    REASON = "reason"
    DATA = "data"
    EVENT = "event"
    NAMESPACE = "namespace"
    SESSION = "session"
    SERVER = "server"
    CLIENT = "client"
    ROOM = "room"


#: The client's session id in the event's namespace.
SocketID: TypeAlias = Annotated[str, Source.SID]
#: The WSGI-like environ of the client's handshake.
Environ: TypeAlias = Annotated[dict[str, Any], Source.ENVIRON]
#: What the client sent as ``auth``: None, a dict, or whatever JSON value. In ``connect`` handlers only.
Auth: TypeAlias = Annotated[Any, Source.AUTH]
#: Why the client left. In ``disconnect`` handlers only.
Reason: TypeAlias = Annotated[str, Source.REASON]
#: The raw payload: None without one, the value of one argument, a tuple of several.
Data: TypeAlias = Annotated[Any, Source.DATA]
#: The event's name.
Event: TypeAlias = Annotated[str, Source.EVENT]
#: The namespace's name, ``"/"`` for the root.
NamespaceName: TypeAlias = Annotated[str, Source.NAMESPACE]
#: The client's session dict; what a handler writes into it is kept.
Session: TypeAlias = Annotated[dict[str, Any], Source.SESSION]

#: Whom an event is for: a sid, a room, or any iterable of them; None is everybody.
Rooms: TypeAlias = Hashable | Iterable[Hashable]
#: Whom an event is not for: a sid, or any iterable of them.
Sids: TypeAlias = str | Iterable[str] | None
#: What is called with the values of an acknowledgement; a coroutine function is awaited.
AckCallback: TypeAlias = Callable[..., Any] | None
