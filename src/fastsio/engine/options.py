"""The options of the transport: their defaults, and the values that each may have."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from numbers import Real
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from fastsio.exceptions import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable

SlowClientPolicy: TypeAlias = Literal["close", "drop"]
#: Frames in a second. No client needs more than a few, and this many cost the server little.
DEFAULT_CONTROL_FRAMES: Final = 1000


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def is_positive(value: Any) -> bool:
    """Tell whether *value* is a number above zero."""
    return _is_number(value) and value > 0


def is_positive_int(value: Any) -> bool:
    """Tell whether *value* is a whole number above zero."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def is_interval(value: Any) -> bool:
    """Tell whether *value* is seconds, or seconds and a grace period."""
    if isinstance(value, tuple):
        return len(value) == 2 and is_positive(value[0]) and _is_number(value[1]) and value[1] >= 0  # noqa: PLR2004 - a pair
    return is_positive(value)


def is_size(value: Any) -> bool:
    """Tell whether *value* is a number of bytes; python-socketio's users write ``1e8``."""
    return is_positive(value) and isfinite(value) and value >= 1


def is_policy(value: Any) -> bool:
    """Tell whether *value* names a policy for slow clients."""
    return value in ("close", "drop")


@dataclass(frozen=True, slots=True)
class Rule:
    """The values that an option may have: a function that checks one, and a description."""

    is_valid: Callable[[Any], bool]
    description: str


POSITIVE: Final = Rule(is_positive, "a number of seconds above 0")
COUNT: Final = Rule(is_positive_int, "a whole number above 0")
COUNT_OR_NONE: Final = Rule(lambda value: value is None or is_positive_int(value), "a whole number above 0, or None")
RULES: Final = {
    "ping_interval": Rule(is_interval, "a number of seconds above 0, or a pair of them: interval and grace period"),
    "ping_timeout": POSITIVE,
    "max_http_buffer_size": Rule(is_size, "a number of bytes above 0"),
    "body_timeout": POSITIVE,
    "upgrade_timeout": POSITIVE,
    "max_buffer_bytes": COUNT,
    "max_buffer_packets": COUNT,
    "high_water_bytes": COUNT,
    "high_water_packets": COUNT,
    "slow_client_timeout": POSITIVE,
    "slow_client": Rule(is_policy, "'close' or 'drop'"),
    "max_decode_packets": COUNT_OR_NONE,
    "max_control_frames": COUNT,
    "handler_grace": POSITIVE,
    "allow_eio3": Rule(lambda value: isinstance(value, bool), "True or False"),
}

#: Which modes each kind of server has; the first that is installed is the default.
MODES: Final = {
    "AsyncServer": ("aiohttp", "sanic", "tornado", "asgi"),
    "Server": ("eventlet", "gevent_uwsgi", "gevent", "threading"),
}
#: The packages that a mode needs, where their names differ from the mode.
_PACKAGES: Final = {"gevent_uwsgi": "gevent, and uWSGI to run it"}
TRANSPORTS: Final = ("polling", "websocket")


def check_options(options: dict[str, Any]) -> None:
    """Raise SetupError for an option with a wrong value; those without a rule may be anything."""
    for name, rule in RULES.items():
        if name in options and not rule.is_valid(options[name]):
            raise SetupError(f"{name} must be {rule.description}, not {options[name]!r}")


def choose_mode(kind: str, async_mode: Any, is_installed: Callable[[str], bool]) -> str:
    """
    Return the mode of a server, whose kind is ``"AsyncServer"`` or ``"Server"``.

    None as *async_mode* is the first mode that is installed.

    Raises:
        SetupError: This kind of server has no such mode, or what it needs is not installed.
    """
    modes = MODES[kind]
    if async_mode is not None and async_mode not in modes:
        other = next((other for other, others in MODES.items() if async_mode in others), None)
        hint = f"; {async_mode!r} is for {other}" if other else ""
        raise SetupError(f"Invalid async_mode {async_mode!r}: {kind} has {', '.join(map(repr, sorted(modes)))}{hint}")
    for mode in modes if async_mode is None else (async_mode,):
        if is_installed(mode):
            return mode
    raise SetupError(
        f"Invalid async_mode {async_mode!r}: a package that it needs is not installed: "
        f"{_PACKAGES.get(str(async_mode), async_mode)}"
    )


def choose_transports(transports: Any) -> list[str]:
    """
    Return the transports that a server takes: all for None, and no names that Engine.IO does not have.

    Raises:
        SetupError: There is no transport of these names.
    """
    if transports is None:
        return list(TRANSPORTS)
    given = [transports] if isinstance(transports, str) else list(transports)
    chosen = [name for name in given if name in TRANSPORTS]
    if given and not chosen:
        raise SetupError(f"No valid transports provided: give 'polling', 'websocket' or both, not {transports!r}")
    return chosen or list(TRANSPORTS)
