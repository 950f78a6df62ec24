"""
Getters: functions that take a :class:`Context` and return one value, made at registration and called per event.

:mod:`graph` and :mod:`arguments` decide which getter a parameter has.
"""

from __future__ import annotations

from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

from fastsio.injection.context import handshake_of
from fastsio.injection.handshake import Place
from fastsio.injection.markers import REQUIRED, HandshakeParameter
from fastsio.injection.parameters import is_list, model_of
from fastsio.injection.signature import EMPTY
from fastsio.injection.validation import missing, validator_for
from fastsio.types import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from pydantic import BaseModel

    from fastsio.injection.context import Context

#: Takes the context of an event, and returns one value.
Getter: TypeAlias = "Callable[[Context], Any]"


def payload_of(context: Context) -> Any:
    """Return the payload as one value: None, the only argument, or a tuple of several."""
    args = context.args
    return args[0] if len(args) == 1 else args or None


SOURCES: Final[dict[Source, Getter]] = {
    Source.SID: attrgetter("client.sid"),
    Source.ENVIRON: attrgetter("client.environ"),
    Source.AUTH: attrgetter("client.auth"),
    Source.REASON: attrgetter("reason"),
    Source.DATA: payload_of,
    Source.EVENT: attrgetter("event"),
    Source.NAMESPACE: attrgetter("client.namespace"),
    Source.SESSION: attrgetter("client.session"),
    Source.SERVER: attrgetter("server"),
    Source.CLIENT: attrgetter("server"),
    Source.ROOM: attrgetter("room"),
    Source.RECOVERED: attrgetter("client.recovered"),
}

#: The values python-socketio passes by position, by the names that handlers' slots and prefixes have.
WIRE: Final[dict[str, Getter]] = {
    "sid": SOURCES[Source.SID],
    "environ": SOURCES[Source.ENVIRON],
    "auth": SOURCES[Source.AUTH],
    "reason": SOURCES[Source.REASON],
    "event": SOURCES[Source.EVENT],
    "namespace": SOURCES[Source.NAMESPACE],
    "exc": attrgetter("exc"),
    "self": attrgetter("server"),  # of a method of a consumer, which is its connection's own server
    "session": SOURCES[Source.SESSION],
}


def constant(value: Any) -> Getter:
    """Return a getter that always returns *value*."""

    def get(_context: Context) -> Any:
        return value

    return get


def resolved(key: Hashable) -> Getter:
    """Return a getter for the value that the step of a dependency has stored."""

    def get(context: Context) -> Any:
        return context.values[key]

    return get


def validating(get: Getter) -> Getter:
    """Mark a getter that may raise ValidationFailed, so that all failures of one function are reported together."""
    get.validates = True  # type: ignore[attr-defined] # a function takes attributes
    return get


def raw_argument(index: int, default: Any) -> Getter:
    """Return a getter for one payload argument as it was sent, or *default* (EMPTY: none) if it was not sent."""
    failure_loc = ("args", index)

    def get(context: Context) -> Any:
        args = context.args
        if index < len(args):
            return args[index]
        if default is EMPTY:
            raise missing(failure_loc)
        return default

    return validating(get)


def valid_argument(index: int, annotation: Any, default: Any) -> Getter:
    """Return a getter for one payload argument, validated, or *default* (EMPTY: none) if it was not sent."""
    loc = ("args", index)
    validate = validator_for(annotation, loc)

    def get(context: Context) -> Any:
        args = context.args
        if index < len(args):
            return validate(args[index])
        if default is EMPTY:
            raise missing(loc)
        return default

    return validating(get)


def auth_argument(annotation: Any, default: Any) -> Getter:
    """Return a getter for the ``auth`` of the client, validated; None counts as not sent."""
    validate = validator_for(annotation, ("auth",))

    def get(context: Context) -> Any:
        args = context.args
        if args and args[0] is not None:
            return validate(args[0])
        if default is EMPTY:
            raise missing(("auth",))
        return default

    return validating(get)


def named_value(name: str, default: Any) -> Getter:
    """Return a getter for a value that a hook gets by keyword; *default* if the event has no value of that name."""

    def get(context: Context) -> Any:
        return (context.named or {}).get(name, default)

    return get


def valid_named_value(name: str, annotation: Any, default: Any) -> Getter:
    """Return a getter for a value that a hook gets by keyword, validated; *default* takes the place of None."""
    validate = validator_for(annotation, (name,))

    def get(context: Context) -> Any:
        value = (context.named or {}).get(name)
        return default if value is None and default is not EMPTY else validate(value)

    return validating(get)


def connection_view(factory: type) -> Getter:
    """Return a getter for the handshake as Starlette's ``HTTPConnection`` or ``Request``."""

    def get(context: Context) -> Any:
        return handshake_of(context.client).connection(factory)

    return get


def handshake_value(name: str, marker: HandshakeParameter, annotation: Any, default: Any) -> Getter:
    """
    Return a getter for a header, cookie or query value of the handshake, validated.

    A pydantic model as *annotation* takes one value for each field. *default* is the parameter's own and wins over the
    marker's; EMPTY when it has none.
    """
    model = model_of(annotation)
    if model is not None:
        return _handshake_model(marker, model, annotation)
    alias = _name_in(marker, name, marker.alias)
    loc = (marker.place.value, alias)
    constrained = annotation if marker.constraints is None else Annotated[annotation, marker.constraints]
    validate = validator_for(constrained, loc)
    fallback = _fallback(marker, default, loc)
    pick = _picker(marker, annotation)

    def get(context: Context) -> Any:
        found = handshake_of(context.client).values(marker.place).get(alias)
        return validate(pick(found)) if found is not None else fallback()

    return validating(get)


def _handshake_model(marker: HandshakeParameter, model: type[BaseModel], annotation: Any) -> Getter:
    """Return a getter for a model with one value per field, as FastAPI reads one in Query(), Header() or Cookie()."""
    validate = validator_for(annotation, (marker.place.value,))
    fields = [
        (field.alias or name, _name_in(marker, name, field.alias), _picker(marker, field.annotation))
        for name, field in model.model_fields.items()
    ]

    def get(context: Context) -> Any:
        values = handshake_of(context.client).values(marker.place)
        return validate({key: pick(values[alias]) for key, alias, pick in fields if alias in values})

    return validating(get)


def _name_in(marker: HandshakeParameter, name: str, alias: str | None) -> str:
    if alias is None:
        alias = name.replace("_", "-") if marker.convert_underscores else name
    return alias.lower() if marker.place is Place.HEADER else alias


def _fallback(marker: HandshakeParameter, default: Any, loc: tuple[str, str]) -> Callable[[], Any]:
    if default is not EMPTY:
        return lambda: default
    if marker.default_factory is not None:
        return marker.default_factory
    if marker.default is not REQUIRED:
        return lambda: marker.default

    def refuse() -> Any:
        raise missing(loc)

    return refuse


def _picker(marker: HandshakeParameter, annotation: Any) -> Callable[[list[str]], Any]:
    """Return the function that picks one of several values with one name, as Starlette does, or all of them."""
    if is_list(annotation):
        return list
    return itemgetter(0 if marker.place is Place.HEADER else -1)
