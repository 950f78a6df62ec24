"""How many messages a channel may hold: one number, and exceptions by pattern."""

from __future__ import annotations

import re
from fnmatch import translate
from typing import TYPE_CHECKING

from fastsio.exceptions import SetupError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Capacities:
    """
    Args are those of the layers.

    Args:
        capacity: What holds for channels without a pattern.
        channel_capacity: By pattern: a string with ``*``, ``?`` and ``[...]``, or a compiled regular expression that
            matches from the beginning of the name. The first that matches decides.

    Raises:
        SetupError: A capacity is no positive whole number.
    """

    def __init__(self, capacity: int, channel_capacity: Mapping[str | re.Pattern[str], int] | None = None) -> None:
        self._default = _require_positive(capacity, "capacity")
        self._patterns = [
            (
                re.compile(translate(pattern)) if isinstance(pattern, str) else pattern,
                _require_positive(number, f"channel_capacity[{pattern!r}]"),
            )
            for pattern, number in (channel_capacity or {}).items()
        ]

    def of(self, channel: str) -> int:
        """Return how many messages a channel may hold."""
        for pattern, number in self._patterns:
            if pattern.match(channel):
                return number
        return self._default


def _require_positive(number: object, name: str) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise SetupError(f"{name} is a positive whole number of messages, not {number!r}")
    return number


def require_seconds(seconds: object, name: str) -> float:
    """Return a positive number of seconds; raise SetupError for anything else."""
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not seconds > 0:
        raise SetupError(f"{name} is a positive number of seconds, not {seconds!r}")
    return float(seconds)
