"""
Which value of the event each parameter takes, in handlers with markers, in hooks and in handlers without markers.

Source: the rules are listed at the top of :mod:`compiler`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from fastsio.injection import sources
from fastsio.injection.calls import Arguments
from fastsio.injection.graph import WIRE_WORDS, payload_default
from fastsio.injection.parameters import (
    CALL_FORMS,
    OPTIONAL_LAST,
    FromException,
    FromPayload,
    FromSource,
    HandlerKind,
    Need,
    Unannotated,
    contains,
    is_marked,
)
from fastsio.injection.signature import EMPTY, Parameter, Shape
from fastsio.types import Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastsio.injection.graph import Filling, Graph, Site
    from fastsio.injection.sources import Getter

#: The slot that an annotation stands for.
_CLAIMS: Final = {
    Source.SID: "sid",
    Source.ENVIRON: "environ",
    Source.AUTH: "auth",
    Source.REASON: "reason",
    Source.EVENT: "event",
    Source.NAMESPACE: "namespace",
}


@dataclass(slots=True)
class _Wire:
    """The values of the event that no parameter has taken yet: slots first, then payload arguments."""

    slots: list[str]
    limit: int | None
    index: int = 0
    taken: set[str] = field(default_factory=set)

    def take_payload(self) -> int:
        """Return the index of the next payload argument; the slots that are left are not taken any more."""
        self.slots.clear()
        self.index += 1
        return self.index - 1


def wire_handler(
    entries: Sequence[tuple[Parameter, Need]], *, prefix: tuple[str, ...], site: Site, graph: Graph
) -> Arguments:
    """Return the arguments of a handler with markers."""
    claimed = {_CLAIMS.get(need.source) for _, need in entries if isinstance(need, FromSource)}
    slots, limit = CALL_FORMS[site.kind]
    wire = _Wire([slot for slot in (*prefix, *slots) if slot not in claimed], limit)
    arguments = Arguments()
    for parameter, need in entries:
        match parameter.shape:
            case Shape.KEYWORD_REST:
                continue
            case Shape.REST:
                arguments.rest = wire.index
                continue
        if _is_left_alone(parameter, need, site):
            continue
        arguments.add(parameter, graph.getter(_fill(parameter, need, wire, site, graph)))
    return arguments


def wire_plain(kind: HandlerKind, prefix: tuple[str, ...], most: int | None) -> Arguments:
    """
    Return the arguments of a handler without markers, as python-socketio passes them.

    A ``connect`` handler may leave out ``auth`` and a ``disconnect`` handler ``reason``: *most* is how many positional
    arguments the handler takes, or None for any number.
    """
    slots = [*prefix, *CALL_FORMS[kind][0]]
    if kind in OPTIONAL_LAST:
        optional = len(slots) - 1
        kept = slots[:optional] if most is not None and most <= optional else slots
        return Arguments([sources.WIRE[slot] for slot in kept])
    return Arguments([sources.WIRE[slot] for slot in slots], rest=0)


def wire_hook(
    entries: Sequence[tuple[Parameter, Need]], *, offered: tuple[str, ...], site: Site, graph: Graph
) -> Arguments:
    """Return the arguments of a hook: the values of *offered* that its parameters name, and its injected ones."""
    arguments = Arguments()
    accepted = {parameter.name for parameter, _ in entries}
    for parameter, need in entries:
        if parameter.shape is Shape.KEYWORD_REST:
            arguments.open_keywords = _others(tuple(name for name in offered if name not in accepted))
        elif parameter.shape is not Shape.REST:
            arguments.add(parameter, graph.getter(_fill_hook(parameter, need, offered, site, graph)))
    return arguments


def _fill(parameter: Parameter, need: Need, wire: _Wire, site: Site, graph: Graph) -> Filling:
    if _is_exception(parameter, need, site):
        wire.slots = [slot for slot in wire.slots if slot != "exc"]
        return sources.WIRE["exc"]
    if not isinstance(need, (FromPayload, Unannotated)):
        return graph.injected(parameter, need, site)
    if _takes_slot(parameter, need, wire):
        return _slot(parameter, wire, site)
    return _payload(parameter, need, wire, site)


def _takes_slot(parameter: Parameter, need: Need, wire: _Wire) -> bool:
    if not wire.slots:
        return False
    # An annotated ``auth`` is validated, as the one payload argument of ``connect``.
    return isinstance(need, Unannotated) or (parameter.name == wire.slots[0] != "auth" and not is_marked(need))


def _slot(parameter: Parameter, wire: _Wire, site: Site) -> Getter:
    if parameter.name in wire.slots[1:]:
        raise site.error(
            parameter,
            f"would take the {wire.slots[0]!r} by position; annotate it with {WIRE_WORDS[parameter.name]}",
        )
    slot = wire.slots.pop(0)
    if slot == "auth":
        wire.index += 1
    return sources.WIRE[slot]


def _is_left_alone(parameter: Parameter, need: Need, site: Site) -> bool:
    """Tell whether a parameter is keyword-only without a marker, and so keeps its default."""
    if parameter.shape is not Shape.KEYWORD or is_marked(need):
        return False
    if parameter.default is EMPTY:
        raise site.error(parameter, "is keyword-only and has no marker; give it a default, or Depends(...)")
    return True


def _payload(parameter: Parameter, need: Need, wire: _Wire, site: Site) -> Getter:
    if parameter.name == "sid":
        raise site.error(parameter, "would take a payload argument; put it first or annotate it with SocketID")
    index = wire.take_payload()
    if wire.limit is not None and index >= wire.limit:
        if parameter.default is EMPTY:
            raise site.error(parameter, f"has nothing to take: a {site.kind.value!r} handler gets no further argument")
        return sources.constant(parameter.default)
    if isinstance(need, Unannotated):
        return sources.raw_argument(index, parameter.default)
    annotation, default = parameter.annotation, payload_default(parameter)
    if site.kind is HandlerKind.CONNECT:
        return site.build(parameter, lambda: sources.auth_argument(annotation, default))
    return site.build(parameter, lambda: sources.valid_argument(index, annotation, default))


def _is_exception(parameter: Parameter, need: Need, site: Site) -> bool:
    if site.kind is not HandlerKind.EXCEPTION:
        return False
    annotation = parameter.annotation
    return isinstance(need, FromException) or (annotation is not EMPTY and contains(annotation, BaseException))


def _fill_hook(parameter: Parameter, need: Need, offered: tuple[str, ...], site: Site, graph: Graph) -> Filling:
    if not isinstance(need, (FromPayload, Unannotated, FromException)):
        return graph.injected(parameter, need, site)
    if parameter.name in offered:
        if is_marked(need):
            return site.build(
                parameter,
                lambda: sources.valid_named_value(parameter.name, parameter.annotation, parameter.default),
            )
        return sources.named_value(parameter.name, None if parameter.default is EMPTY else parameter.default)
    if parameter.default is EMPTY:
        raise site.error(parameter, f"is not one of {', '.join(offered)}; give it a default or a marker")
    return sources.constant(parameter.default)


def _others(names: tuple[str, ...]) -> Getter:
    def get(context: Any) -> Any:
        given = context.named or {}
        return {name: given[name] for name in names if name in given}

    return get


SESSION: Final = "session"
DATA: Final = "data"


def wire_room_hook(entries: Sequence[tuple[Parameter, Need]], *, site: Site, graph: Graph) -> Arguments:
    """Return the arguments of a hook of a room class."""
    arguments = Arguments()
    left = _values_left(entries)
    for parameter, need in entries:
        if parameter.shape not in (Shape.REST, Shape.KEYWORD_REST):
            arguments.add(parameter, graph.getter(_fill_room_hook(parameter, need, left, site, graph)))
    return arguments


def _values_left(entries: Sequence[tuple[Parameter, Need]]) -> list[str]:
    """Return the values that no parameter claims by its name or annotation: they are passed by position."""
    claimed: set[str] = set()
    for parameter, need in entries:
        if isinstance(need, FromSource):
            claimed |= {SESSION} if need.source is Source.SESSION else set()
        elif isinstance(need, FromPayload) and need.model:
            claimed.add(DATA)
        elif _takes_value(need) and parameter.name in (SESSION, DATA):
            claimed.add(parameter.name)
    return [value for value in (SESSION, DATA) if value not in claimed]


def _takes_value(need: Need) -> bool:
    return isinstance(need, (FromPayload, Unannotated))


def _fill_room_hook(parameter: Parameter, need: Need, left: list[str], site: Site, graph: Graph) -> Filling:
    if not _takes_value(need):
        return graph.injected(parameter, need, site)
    if is_marked(need):
        return _data(parameter, site)
    if parameter.name in (SESSION, DATA):
        value = parameter.name
    elif left:
        value = left.pop(0)
    elif parameter.default is not EMPTY:
        return sources.constant(parameter.default)
    else:
        raise site.error(parameter, "has nothing to take: hooks are given (session, data); use a default or a marker")
    return sources.WIRE[SESSION] if value == SESSION else _data(parameter, site)


def _data(parameter: Parameter, site: Site) -> Getter:
    # A hook that reads data["chat_id"] without an annotation must not be given a list.
    annotation = dict[str, Any] if parameter.annotation is EMPTY else parameter.annotation
    return site.build(parameter, lambda: sources.valid_argument(0, annotation, payload_default(parameter)))
