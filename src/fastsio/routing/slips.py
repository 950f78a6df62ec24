"""
Names that are nearly those that were meant.

Knows no options, events or hooks: the caller has the names.
"""

from __future__ import annotations

from difflib import get_close_matches
from inspect import iscode, isroutine, unwrap
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

#: How alike two names are, from 0 to 1, for one to be taken for a slip of the other.
ALIKE: Final = 0.75
#: The same for methods, of which a class has many of its own: more than ``handle_event`` is like ``handle_exception``.
ALIKE_METHOD: Final = 0.85


def meant(name: str, known: Iterable[str], *, alike: float = ALIKE) -> str | None:
    """Return the known name that *name* is most like; None when no known name is like it."""
    found = get_close_matches(name, list(known), n=1, cutoff=alike)
    return found[0] if found else None


def one_letter_off(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that *name* has a letter more, less, exchanged or in another place than; None for none."""
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
    nearest = meant(name, [one for one in known if isinstance(one, str)]) if isinstance(name, str) else None
    return "" if nearest is None else f"; did you mean {nearest!r}?"


def misspelt_methods(owner: type, known: Collection[str]) -> dict[str, str]:
    """
    Return the methods of a class that are nearly called like hooks: they would never run.

    A method that another method of the class uses is a helper, whatever it is called.

    Args:
        owner: The class; what it inherits from classes of applications counts too.
        known: The names of the hooks.

    Returns:
        The name of each such method, with that of the hook that was meant.
    """
    own = _of_applications(owner)
    names = [name for name, value in own if isroutine(value)]
    return _unused(names, own, known, alike=ALIKE_METHOD)


def misspelt_settings(owner: type, known: Collection[str]) -> dict[str, str]:
    """
    Return the attributes of a class that are nearly called like settings: they do nothing.

    An attribute that a method of the class uses is one of the application's own, whatever it is called.

    Args:
        owner: The class; what it inherits from classes of applications counts too.
        known: The names of the settings.

    Returns:
        The name of each such attribute, with that of the setting that was meant.
    """
    own = _of_applications(owner)
    names = [name for name, value in own if not (isroutine(value) or isinstance(value, property))]
    return _unused(names, own, known, alike=ALIKE)


def _of_applications(owner: type) -> list[tuple[str, Any]]:
    """Return what a class has, and what it inherits, apart from what fastsio and Python bring."""
    kinds = [kind for kind in owner.__mro__ if not kind.__module__.startswith(("fastsio.", "builtins"))]
    return [entry for kind in kinds for entry in vars(kind).items()]


def _unused(
    names: Iterable[str], own: list[tuple[str, Any]], known: Collection[str], *, alike: float
) -> dict[str, str]:
    found = {}
    for name in names:
        nearest = None if name.startswith("_") or name in known else meant(name, known, alike=alike)
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
