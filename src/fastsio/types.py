"""
The annotations for parameters of handlers.

Each is an ``Annotated`` alias: type checkers see the plain type, the compiler in :mod:`fastsio.injection` sees the
:class:`Source`. Markers only name a source, and raise when FastAPI reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from enum import Enum
from inspect import currentframe
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

from fastsio.exceptions import SignatureError

if TYPE_CHECKING:
    from types import FrameType

#: The package that reads the parameters of FastAPI's routes. It is never imported here.
_READER: Final = "fastapi.dependencies."


class HandlerMarker:
    """
    Base of the markers that only handlers of Socket.IO events understand.

    FastAPI takes a parameter whose marker it does not know for a query parameter, so that a client could send the
    value: ``?user=root``. A marker therefore raises when FastAPI reads it, which FastAPI does when a route is made:
    with ``isinstance()``, which asks for ``__class__``, and with pydantic where the marker stands deeper in the
    annotation.
    """

    __slots__ = ()

    def instead(self) -> str:
        """Return the part of the refusal's message that names the marker and says what to write in a route."""
        return f"{self!r} of fastsio means nothing there"

    @property  # type: ignore[misc] # no setter is needed
    def __class__(self) -> type[Any]:  # pyright: ignore[reportIncompatibleMethodOverride] # as above
        """The type of the marker; FastAPI, when it reads the parameters of a route, gets an error instead."""
        own = currentframe()
        if own is not None and _reads_routes(own.f_back):
            raise self._refusal()
        return type(self)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Leave the annotated type as it is; refuse a parameter of a FastAPI route."""
        # A field of a model may be annotated SocketID; only there the handler knows a field's name.
        if handler.field_name is None:
            frame = currentframe()
            while frame is not None:
                if _reads_routes(frame):
                    raise self._refusal()
                frame = frame.f_back
        return handler(source)

    def _refusal(self) -> SignatureError:
        return SignatureError(f"a parameter of a FastAPI route or of its dependencies has a marker: {self.instead()}")


def _reads_routes(frame: FrameType | None) -> bool:
    return frame is not None and str(frame.f_globals.get("__name__")).startswith(_READER)


class Source(HandlerMarker, Enum):
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
    RECOVERED = "recovered"

    def instead(self) -> str:
        """Return the part of the refusal's message that names the marker and says what to write in a route."""
        return _IN_ROUTES.get(self, super().instead())


#: Marker -> what to write in a FastAPI route instead.
_IN_ROUTES: Final = {
    Source.SID: "SocketID of fastsio is the client of an event, and a request has none; "
    "let the client send it: sid: str",
    Source.ENVIRON: "Environ of fastsio is the handshake of an event's client; "
    "write request: Request, with 'from fastapi import Request'",
    Source.AUTH: "Auth of fastsio is what a Socket.IO client sends when it connects; "
    "write Depends(...) or Security(...), with 'from fastapi import Depends, Security'",
    Source.REASON: "Reason of fastsio says why a Socket.IO client left; a request has none, leave it out",
    Source.DATA: "Data of fastsio is the payload of an event; "
    "annotate the body with a model, or write Body(), with 'from fastapi import Body'",
    Source.EVENT: "Event of fastsio is the name of an event; a request has none, leave it out",
    Source.NAMESPACE: "NamespaceName of fastsio is the namespace of an event; a request has none, leave it out",
    Source.SESSION: "Session of fastsio belongs to a Socket.IO client; "
    "write request: Request, with 'from fastapi import Request', and read request.session",
}


#: The client's sid in the event's namespace.
SocketID: TypeAlias = Annotated[str, Source.SID]
#: The WSGI-like environ of the client's handshake.
Environ: TypeAlias = Annotated[dict[str, Any], Source.ENVIRON]
#: The ``auth`` that the client sent: None, a dict, or any other value of JSON. In ``connect`` handlers only.
Auth: TypeAlias = Annotated[Any, Source.AUTH]
#: Why the client left. In ``disconnect`` handlers only.
Reason: TypeAlias = Annotated[str, Source.REASON]
#: The raw payload: None without one, the value of one argument, a tuple of several.
Data: TypeAlias = Annotated[Any, Source.DATA]
#: The event's name.
Event: TypeAlias = Annotated[str, Source.EVENT]
#: The namespace's name, ``"/"`` for the root.
NamespaceName: TypeAlias = Annotated[str, Source.NAMESPACE]
#: The client's session data; changes that a handler makes are kept.
Session: TypeAlias = Annotated[dict[str, Any], Source.SESSION]

#: The recipients of an event: a sid, a room, or any iterable of them; None is all clients.
Rooms: TypeAlias = Hashable | Iterable[Hashable]
#: The clients to leave out: a sid, or any iterable of them.
Sids: TypeAlias = str | Iterable[str] | None
#: The function that is called with the values of an acknowledgement; a coroutine function is awaited.
AckCallback: TypeAlias = Callable[..., Any] | None
#: The name of an event. Numbers are for applications that have them on the wire.
EventName: TypeAlias = str | float
