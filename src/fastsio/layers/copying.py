"""
Give each recipient a message of its own: what one changes, its neighbour does not see.

What cannot change is shared.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from datetime import date, time, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Callable

_FIXED: Final = frozenset({str, int, float, bool, bytes, type(None)})
_FIXED_TOO: Final = (str, int, float, bytes, date, time, timedelta, Decimal, UUID, frozenset)

Message = dict[str, Any]


def require_message(message: object) -> Message:
    """
    Return a message as a plain dict of its own.

    Raises:
        TypeError: It is no mapping with strings for keys.
    """
    if not isinstance(message, Mapping):
        raise TypeError(f"a message is a mapping like {{'type': 'chat.message', ...}}, not {type(message).__name__}")
    plain = dict(message)
    for key in plain:
        if not isinstance(key, str):
            raise TypeError(f"the keys of a message are strings; {key!r} is {type(key).__name__}")
    return plain


def copier(message: Mapping[str, Any]) -> Callable[[], Message]:
    """Return what makes copies of a message; it is looked through once, not once a copy."""
    plain = dict(message)
    for value in plain.values():
        if type(value) not in _FIXED:
            return partial(_copy_dict, plain)
    return plain.copy


def copy_message(message: Mapping[str, Any]) -> Message:
    """Return one copy of a message."""
    return _copy_dict(message)


def _copy_dict(value: Mapping[Any, Any]) -> dict[Any, Any]:
    return {key: item if type(item) in _FIXED else _copy(item) for key, item in value.items()}


def _copy(value: Any) -> Any:
    kind = type(value)
    if kind is dict:
        return _copy_dict(value)
    if kind is list:
        return [item if type(item) in _FIXED else _copy(item) for item in value]
    if kind is tuple:
        return tuple(map(_copy, value))
    if isinstance(value, _FIXED_TOO):
        return value
    return deepcopy(value)
