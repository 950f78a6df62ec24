"""
What one parameter asks for, read from its annotation and default, and the kinds of functions that ask.

Classifies parameters, and knows what each kind of handler cannot have; :mod:`graph` and :mod:`arguments` decide whether
a parameter can be filled where the function is used.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Final, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel

from fastsio.injection import fastapi_markers
from fastsio.injection.markers import Cookie, Dependency, Depends, EventMarker, HandshakeParameter, Header, Query
from fastsio.injection.signature import EMPTY, Parameter
from fastsio.types import Source


@dataclass(frozen=True, slots=True)
class FromSource:
    """A fact of the event, the client or the server."""

    source: Source


@dataclass(frozen=True, slots=True)
class FromDependency:
    """The value of a dependency; *annotation* is the class that ``Depends()`` means."""

    marker: Dependency
    annotation: Any


@dataclass(frozen=True, slots=True)
class FromEvent:
    """A value that its marker makes of the whole event."""

    marker: EventMarker


@dataclass(frozen=True, slots=True)
class FromHandshake:
    """A header, cookie or query value of the handshake; *default* is the parameter's own, which wins."""

    marker: HandshakeParameter
    annotation: Any
    default: Any


@dataclass(frozen=True, slots=True)
class FromConnection:
    """Starlette's view of the handshake."""

    factory: type


@dataclass(frozen=True, slots=True)
class FromSecurityScopes:
    """The security scopes on the way to this dependency."""

    factory: Any


@dataclass(frozen=True, slots=True)
class FromException:
    """The exception that an exception handler is called for."""


@dataclass(frozen=True, slots=True)
class FromPayload:
    """A payload argument, validated; *model* says whether the annotation has a model in it, and so is a marker."""

    annotation: Any
    model: bool


@dataclass(frozen=True, slots=True)
class Unannotated:
    """A wire slot or payload argument, as it was sent."""


@dataclass(frozen=True, slots=True)
class Impossible:
    """Something that an event does not have; *cure* says what to write instead."""

    cure: str


Need: TypeAlias = (
    FromSource
    | FromDependency
    | FromEvent
    | FromHandshake
    | FromConnection
    | FromSecurityScopes
    | FromException
    | FromPayload
    | Unannotated
    | Impossible
)

_FORGOTTEN_CALL: Final[dict[Any, str]] = {
    Depends: "Depends(...)",
    Header: "Header()",
    Cookie: "Cookie()",
    Query: "Query()",
}


def classify(parameter: Parameter) -> Need:
    """Return what *parameter* asks for."""
    annotation = parameter.annotation
    candidates = [(parameter.default, EMPTY)]
    candidates += [(extra, parameter.default) for extra in reversed(list(_metadata(annotation)))]
    for marker, default in candidates:
        found = _from_marker(marker, annotation, default)
        if found is not None:
            return found
    return _from_annotation(annotation)


def is_marked(need: Need) -> bool:
    """Tell whether a parameter counts as a marker, so that its handler is called with injection."""
    if isinstance(need, FromPayload):
        return need.model
    return not isinstance(need, (Unannotated, FromException))


def admits_none(annotation: Any) -> bool:
    """Tell whether None is a value of *annotation*."""
    annotation = bare(annotation)
    if annotation in (Any, None, type(None), object):
        return True
    return _is_union(annotation) and any(admits_none(member) for member in get_args(annotation))


def is_scalar(annotation: Any) -> bool:
    """Tell whether FastAPI would read a parameter of this type from the query rather than from the body."""
    annotation = bare(annotation)
    if _is_union(annotation):
        return all(is_scalar(member) for member in get_args(annotation))
    kind = get_origin(annotation) or annotation
    if not isinstance(kind, type) or issubclass(kind, (str, bytes)):
        return True
    structured = dataclasses.is_dataclass(kind) or hasattr(kind, "__struct_fields__")  # the latter is msgspec's
    return not (structured or issubclass(kind, (BaseModel, Mapping, Sequence, AbstractSet)))


def is_list(annotation: Any) -> bool:
    """Tell whether a handshake value of this type takes all values that were sent with its name."""
    annotation = bare(annotation)
    if _is_union(annotation):
        return any(is_list(member) for member in get_args(annotation))
    kind = get_origin(annotation) or annotation
    return isinstance(kind, type) and issubclass(kind, (Sequence, AbstractSet)) and not issubclass(kind, (str, bytes))


def model_of(annotation: Any) -> type[BaseModel] | None:
    """Return the pydantic model that *annotation* is, or None; ``M | None`` is M."""
    kind = _core(annotation)
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def contains(annotation: Any, base: type) -> bool:
    """Tell whether *base* or a subclass is anywhere in *annotation*."""
    annotation = bare(annotation)
    if get_origin(annotation) is Literal:
        return False
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return issubclass(annotation, base)
    return any(contains(member, base) for member in _types_in(annotation))


def _types_in(annotation: Any) -> Iterator[Any]:
    for member in get_args(annotation):
        yield from member if isinstance(member, list) else (member,)


def _from_marker(marker: Any, annotation: Any, default: Any) -> Need | None:
    if isinstance(marker, Source):
        return FromSource(marker)
    if isinstance(marker, EventMarker):
        return FromEvent(marker)
    if not isinstance(marker, (Dependency, HandshakeParameter)):
        translated = fastapi_markers.translate(marker)
        if translated is None:
            return _mistake(marker)
        marker = translated
    if isinstance(marker, Dependency):
        return FromDependency(marker, _core(annotation))
    return FromHandshake(marker, Any if annotation is EMPTY else annotation, default)


def _mistake(marker: Any) -> Impossible | None:
    if isinstance(marker, types.FunctionType) and marker in _FORGOTTEN_CALL:
        return Impossible(f"write {_FORGOTTEN_CALL[marker]}, with its parentheses")
    if fastapi_markers.is_unsupported(marker):
        return Impossible("an event has no HTTP body or path; annotate a payload argument with a model instead")
    return None


def _from_annotation(annotation: Any) -> Need:
    if annotation is EMPTY:
        return Unannotated()
    kind = _core(annotation)
    if isinstance(kind, types.FunctionType) and kind in _FORGOTTEN_CALL:
        return Impossible(f"write Annotated[..., {_FORGOTTEN_CALL[kind]}], with the type of the value first")
    if isinstance(kind, (Dependency, HandshakeParameter, EventMarker)) or fastapi_markers.translate(kind) is not None:
        return Impossible("its type is a marker; write Annotated[..., the marker], with the type of the value first")
    if isinstance(kind, type) and get_origin(kind) is None:
        found = _from_class(kind)
        if found is not None:
            return found
    return FromPayload(annotation, model=contains(annotation, BaseModel))


def _from_class(kind: type) -> Need | None:
    source = getattr(kind, "__fastsio_source__", None)
    if isinstance(source, Source):
        return FromSource(source)
    if fastapi_markers.is_security_scopes(kind):
        return FromSecurityScopes(kind)
    cure = fastapi_markers.cure_of(kind)
    if cure is not None:
        return Impossible(cure)
    if fastapi_markers.is_connection(kind):
        return FromConnection(kind)
    return FromException() if issubclass(kind, BaseException) else None


def _metadata(annotation: Any) -> Iterator[Any]:
    """Yield the metadata of ``Annotated``, also inside ``... | None``."""
    annotation = _alias_value(annotation)
    if get_origin(annotation) is Annotated:
        inner, *extras = get_args(annotation)
        yield from _metadata(inner)
        yield from extras
    elif (member := _only_member(annotation)) is not annotation:
        yield from _metadata(member)


def bare(annotation: Any) -> Any:
    """Return an annotation without ``Annotated`` and ``type`` aliases around it."""
    annotation = _alias_value(annotation)
    while get_origin(annotation) is Annotated:
        annotation = _alias_value(get_args(annotation)[0])
    return annotation


def _alias_value(annotation: Any) -> Any:
    while type(annotation).__name__ == "TypeAliasType":
        annotation = annotation.__value__
    return annotation


def _core(annotation: Any) -> Any:
    """Return the one type that matters in ``Annotated[M, ...] | None``."""
    return bare(_only_member(bare(annotation)))


def _only_member(annotation: Any) -> Any:
    """Return M for ``M | None``; anything else as it is."""
    if not _is_union(annotation):
        return annotation
    members = [member for member in get_args(annotation) if member is not type(None)]
    return members[0] if len(members) == 1 else annotation


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)


class HandlerKind(Enum):
    """The purpose that a function is registered for, which decides what it may ask for."""

    EVENT = "event"
    CONNECT = "connect"
    DISCONNECT = "disconnect"
    EXCEPTION = "exception"
    HOOK = "hook"
    CLIENT_EVENT = "client event"
    CLIENT_CONNECT = "client connect"
    CLIENT_DISCONNECT = "client disconnect"
    CONSUMER = "consumer"
    ROOM_IDENTIFIER = "room identifier"
    ROOM = "room"


#: The handlers of client programs, for which there is no environ, auth, session or sid.
CLIENT_KINDS: Final = frozenset({HandlerKind.CLIENT_EVENT, HandlerKind.CLIENT_CONNECT, HandlerKind.CLIENT_DISCONNECT})


#: The hooks of a room class: the one that finds the room, and those that are called with a room.
ROOM_KINDS: Final = frozenset({HandlerKind.ROOM_IDENTIFIER, HandlerKind.ROOM})

#: Kinds whose last positional value, ``auth`` or ``reason``, a handler may leave out.
OPTIONAL_LAST: Final = frozenset({HandlerKind.CONNECT, HandlerKind.DISCONNECT, HandlerKind.CLIENT_DISCONNECT})


#: The positional values of each kind before its payload arguments, as python-socketio passes them, and how many payload
#: arguments it can carry; None is any number.
CALL_FORMS: Final[dict[HandlerKind, tuple[tuple[str, ...], int | None]]] = {
    HandlerKind.EVENT: (("sid",), None),
    HandlerKind.CONNECT: (("sid", "environ", "auth"), 1),
    HandlerKind.DISCONNECT: (("sid", "reason"), 0),
    HandlerKind.EXCEPTION: (("exc",), None),
    HandlerKind.HOOK: ((), None),
    HandlerKind.CLIENT_EVENT: ((), None),
    HandlerKind.CLIENT_CONNECT: ((), 0),
    HandlerKind.CLIENT_DISCONNECT: (("reason",), 0),
    HandlerKind.CONSUMER: ((), 1),
    HandlerKind.ROOM_IDENTIFIER: (("session",), 1),
    HandlerKind.ROOM: (("session",), 1),
}

_NO_HANDSHAKE: Final = "is read from the handshake of a server's client; a handler of a client has none"

_NOT_ON_CLIENTS: Final = {
    Source.ENVIRON: "is annotated Environ, which only a server's handlers have; a client made the handshake itself",
    Source.AUTH: "is annotated Auth, which only a server's handlers have; a client gives it to connect()",
    Source.SESSION: "is annotated Session, which only a server keeps; keep what you need on an object of your own",
    Source.RECOVERED: "is annotated Recovered, which only a server's handlers have; a client has .recovered",
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
    """Return why a handler of *kind* cannot have the value that a parameter asks for; None if it can."""
    if isinstance(need, (FromHandshake, FromConnection)):
        return no_handshake(kind)
    if not isinstance(need, FromSource):
        return None
    if kind is HandlerKind.CONSUMER:
        return _NOT_ON_CONSUMERS.get(need.source)
    return (_NOT_ON_CLIENTS if kind in CLIENT_KINDS else _NOT_ON_SERVERS).get(need.source)


def no_handshake(kind: HandlerKind) -> str | None:
    """Return why a handler of *kind* cannot read the handshake; None if it can."""
    return _NO_HANDSHAKE if kind in CLIENT_KINDS else None
