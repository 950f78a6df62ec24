"""
Names that are nearly those that were meant.

Knows no options, events or hooks: the caller has the names.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

#: How alike two names are, from 0 to 1, for one to be taken for a slip of the other.
ALIKE: Final = 0.75


def meant(name: str, known: Iterable[str], *, alike: float = ALIKE) -> str | None:
    """Return the known name that *name* is most like; None when no known name is like it."""
    found = get_close_matches(name, list(known), n=1, cutoff=alike)
    return found[0] if found else None


def did_you_mean(name: Any, known: Iterable[Any]) -> str:
    """Return the end of a message about an unknown name: the one that was meant, or nothing."""
    nearest = meant(name, [one for one in known if isinstance(one, str)]) if isinstance(name, str) else None
    return "" if nearest is None else f"; did you mean {nearest!r}?"
