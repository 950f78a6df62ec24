"""
Slips in an application's code: misspelt names, and handlers written as for FastAPI.

Functions here find the name that was probably meant; the caller refuses the wrong one or mentions the right one. For
handlers there are only warnings, and only in clear cases: a handler without markers that is written as for FastAPI, or
a misspelt built-in event. A handler of python-socketio may name its parameters as it likes.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import is_dataclass
from difflib import get_close_matches
from inspect import currentframe, iscode, isroutine, unwrap
from typing import TYPE_CHECKING, Any, Final, get_origin

from fastsio.injection import HandlerKind
from fastsio.injection.parameters import bare
from fastsio.injection.signature import EMPTY, Shape, Unresolved, read_parameters

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from fastsio.injection import Endpoint
    from fastsio.injection.signature import Parameter

#: How similar two names must be, from 0 to 1, for one to be taken for a slip of the other.
ALIKE: Final = 0.75
#: The same for methods, of which a class may have many: ``handle_event`` is no slip of ``handle_exception``.
ALIKE_METHOD: Final = 0.85


def closest_name(name: str, known: Iterable[str], *, alike: float = ALIKE) -> str | None:
    """Return the known name that *name* is most like; None when no known name is like it."""
    found = get_close_matches(name, list(known), n=1, cutoff=alike)
    return found[0] if found else None


def one_letter_off(name: str, known: Iterable[str]) -> str | None:
    """Return the known name from which *name* differs by one letter, or by two that are swapped; None without one."""
    return next((one for one in known if one != name and _is_one_edit(name, one)), None)


def _is_one_edit(name: str, known: str) -> bool:
    if len(name) > len(known):
        name, known = known, name
    start = next((at for at, (one, other) in enumerate(zip(name, known, strict=False)) if one != other), len(name))
    rest, known_rest = name[start:], known[start:]
    if len(name) < len(known):
        return rest == known_rest[1:]
    return rest[1:] == known_rest[1:] or (rest[:2] == known_rest[1::-1] and rest[2:] == known_rest[2:])


def did_you_mean(name: Any, known: Iterable[Any]) -> str:
    """Return the end of a message about an unknown name: the one that was meant, or nothing."""
    nearest = closest_name(name, [one for one in known if isinstance(one, str)]) if isinstance(name, str) else None
    return "" if nearest is None else f"; did you mean {nearest!r}?"


def misspelt_methods(owner: type, known: Collection[str]) -> dict[str, str]:
    """
    Return the methods of a class that have nearly the name of a hook, with that name: they would never run.

    A method that another method of the class uses is a helper, whatever it is called. Methods that the class inherits
    from other classes of applications count too.
    """
    own = _of_applications(owner)
    names = [name for name, value in own if isroutine(value)]
    return _unused(names, own, known, alike=ALIKE_METHOD)


def misspelt_settings(owner: type, known: Collection[str]) -> dict[str, str]:
    """
    Return the attributes of a class that have nearly the name of a setting, with that name: they do nothing.

    An attribute that a method of the class uses is one of the application's own, whatever it is called.
    """
    own = _of_applications(owner)
    names = [name for name, value in own if not (isroutine(value) or isinstance(value, property))]
    return _unused(names, own, known, alike=ALIKE)


def _of_applications(owner: type) -> list[tuple[str, Any]]:
    """Return names and values of a class and of its bases, except those bases that belong to fastsio or Python."""
    kinds = [kind for kind in owner.__mro__ if not kind.__module__.startswith(("fastsio.", "builtins"))]
    return [entry for kind in kinds for entry in vars(kind).items()]


def _unused(
    names: Iterable[str], own: list[tuple[str, Any]], known: Collection[str], *, alike: float
) -> dict[str, str]:
    found = {}
    for name in names:
        nearest = None if name.startswith("_") or name in known else closest_name(name, known, alike=alike)
        used = nearest is not None and any(name in _names_in(value) for other, value in own if other != name)
        if nearest is not None and not used:
            found[name] = nearest
    return found


def _names_in(function: Any) -> set[str]:
    """Return the names that the code of a function, method or property, and of the functions in it, uses."""
    function = getattr(function, "fget", None) or getattr(function, "func", None) or function
    codes = [getattr(unwrap(function), "__code__", None)] if isroutine(function) else []
    names: set[str] = set()
    for code in codes:
        if code is not None:
            names.update(code.co_names)
            codes += [constant for constant in code.co_consts if iscode(constant)]
    return names


#: Names of the sid in programs for python-socketio.
_CLIENT: Final = re.compile(
    r"^_|sid|id$|client|sess|sock|conn|user|peer|sender|who|from|player|member|caller|source|src|origin|^.$"
)
#: Those of them that are not the name of anything but a sid, even with another type in the annotation.
_SURELY_CLIENT: Final = re.compile(r"^_|sid|client|sess|sock|conn")
#: Names of arguments of an event, which are never the name of a sid.
_PAYLOAD: Final = frozenset(
    {
        *("amount", "body", "channel", "content", "count", "data", "email", "item", "items", "message", "msg", "name"),
        *("number", "password", "path", "payload", "q", "query", "room", "text", "title", "topic", "url", "username"),
        "value",
    }
)
#: Other names of the built-in events: in the JavaScript server, and as methods of class-based namespaces.
_OTHER_NAMES: Final = {
    "connection": "connect",
    "on_connect": "connect",
    "on_disconnect": "disconnect",
    "on_connect_error": "connect_error",
}
#: Types that a sid cannot have, because it is text.
_NO_TEXT: Final = (bool, int, float, complex, bytes, bytearray, Mapping, list, tuple, set, frozenset)


def warn_of_habit(endpoint: Endpoint, prefix: Sequence[str]) -> None:
    """Warn of a handler without markers whose first parameter, after those of *prefix*, is not meant to be the sid."""
    if not endpoint.plain or endpoint.kind is not HandlerKind.EVENT:
        return
    parameters = [
        each
        for each in read_parameters(endpoint.handler, unresolved=Unresolved) or ()
        if each.shape is Shape.POSITIONAL
    ][len(prefix) :]
    if parameters and _is_habit(parameters[0], parameters[1:]):
        warnings.warn(_message(endpoint.label, parameters), stacklevel=stacklevel_outside())


def warn_of_name(label: str, event: Any, built_in: Collection[str]) -> None:
    """Warn of a handler whose event has nearly the name of a built-in one: it is not called when clients come or go."""
    if event in built_in or not isinstance(event, str) or not event[:1].isalpha():  # the Admin UI emits _disconnect
        return
    nearest = one_letter_off(event, built_in) or _OTHER_NAMES.get(event)
    if nearest is not None:
        text = (
            f"{label}: {event!r} is an event that the peer would have to emit; did you mean the built-in {nearest!r}?"
        )
        warnings.warn(text, stacklevel=stacklevel_outside())


def warn_of_method(namespace_handler: Any) -> None:
    """Warn of a class-based namespace with a method ``connect``: handlers are called ``on_connect``."""
    kind = type(namespace_handler)
    if callable(getattr(kind, "connect", None)) and not hasattr(kind, "on_connect"):
        text = f"{kind.__qualname__}.connect: is not called when clients come; the handler is called 'on_connect'"
        warnings.warn(text, stacklevel=stacklevel_outside())


def _is_habit(first: Parameter, others: Sequence[Parameter]) -> bool:
    if first.default is not EMPTY:
        return False
    if is_no_text(first.annotation):
        return _SURELY_CLIENT.search(first.name) is None
    is_payload = first.name in _PAYLOAD
    if first.annotation is str and is_payload:
        return True
    if not others or any(each.default is EMPTY for each in others):
        return False
    if is_payload:
        return True
    is_annotated = first.annotation is str and all(each.annotation is not EMPTY for each in others)
    return is_annotated and _CLIENT.search(first.name) is None


def is_no_text(annotation: Any) -> bool:
    """Tell whether *annotation* is a type whose values are not text."""
    annotation = bare(annotation)
    kind = get_origin(annotation) or annotation
    if not isinstance(kind, type):
        return False
    return is_dataclass(kind) or hasattr(kind, "__struct_fields__") or issubclass(kind, _NO_TEXT)


def _message(label: str, parameters: Sequence[Parameter]) -> str:
    first, *others = (each.name for each in parameters)
    second = f"{others[0]!r} the first argument of the event" if others else "nothing takes an argument of the event"
    return (
        f"{label}: has no marker, so it is called by position, as in python-socketio: {first!r} would be the sid, and "
        f"{second}; write 'sid' first, or 'sid: SocketID' to have the arguments validated"
    )


def stacklevel_outside() -> int:
    """Return the ``stacklevel`` for a warning that points at the application's code, as seen from the caller."""
    frame, level = currentframe(), 0
    while (
        frame is not None
        and frame.f_back is not None
        and frame.f_globals.get("__name__", "").partition(".")[0] == "fastsio"
    ):
        frame, level = frame.f_back, level + 1
    return level
