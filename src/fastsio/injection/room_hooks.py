"""
What the hooks of a room class are called with: ``(session, data)``, in this order or by these names, and markers.

``data`` is the payload the client joined with, validated by its annotation; without one it must be an object. A hook
that knows the room gets it where an annotation names a room class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastsio.injection import sources
from fastsio.injection.calls import Arguments
from fastsio.injection.graph import payload_default
from fastsio.injection.parameters import FromPayload, FromSource, Need, Unannotated, is_marked
from fastsio.injection.signature import EMPTY, Parameter, Shape
from fastsio.types import Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastsio.injection.graph import Filling, Flattener, Graph, Site
    from fastsio.injection.sources import Getter

SESSION: Final = "session"
DATA: Final = "data"


def wire_room_hook(
    entries: Sequence[tuple[Parameter, Need]], *, site: Site, graph: Graph, flattener: Flattener
) -> Arguments:
    """
    Return the arguments of a hook of a room class.

    Raises:
        SignatureError: A parameter cannot be filled.
    """
    arguments = Arguments()
    left = _values_left(entries)
    for parameter, need in entries:
        if parameter.shape in (Shape.REST, Shape.KEYWORD_REST):
            continue
        getter = flattener.getter(_fill(parameter, need, left, site, graph))
        if parameter.shape is Shape.KEYWORD:
            arguments.keywords[parameter.name] = getter
        else:
            arguments.positional.append(getter)
    return arguments


def _values_left(entries: Sequence[tuple[Parameter, Need]]) -> list[str]:
    """Return what no parameter has claimed by its name or annotation: it is given by position."""
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


def _fill(parameter: Parameter, need: Need, left: list[str], site: Site, graph: Graph) -> Filling:
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
