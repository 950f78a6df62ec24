"""
The options of a client beyond python-socketio's: their defaults and their validation.

Must not know what the options do.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

from fastsio.exceptions import SetupError
from fastsio.protocol.limits import Limits

#: A client chose its server: what the server may send is bounded by memory rather than by mistrust.
_LIMITS: Final[dict[str, int]] = {"max_attachments": 1000, "max_binary_bytes": 100_000_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """
    How a client delivers what the application emits.

    Args:
        retries: How often an event that was not acknowledged is sent again; None sends each once, without waiting.
        ack_timeout: Seconds to wait for an acknowledgement, of each attempt and of ``emit_with_ack()``; None is for
            ever.
        offline_buffer: Whether events emitted while a namespace is not connected wait for it.
        max_buffered_events: Events that may wait. 1,000.

    Raises:
        SetupError: A value is not valid.
    """

    retries: int | None = None
    ack_timeout: float | None = None
    offline_buffer: bool = False
    max_buffered_events: int = 1000

    def __post_init__(self) -> None:
        if self.retries is not None and (type(self.retries) is not int or self.retries < 0):
            raise SetupError(f"retries={self.retries!r} is not valid; give it a number of attempts, or None")
        if self.ack_timeout is not None and not _is_positive(self.ack_timeout):
            raise SetupError(f"ack_timeout={self.ack_timeout!r} is not valid; give it seconds, or None")
        if type(self.max_buffered_events) is not int or self.max_buffered_events < 1:
            raise SetupError(f"max_buffered_events={self.max_buffered_events!r} is not valid; give it a number above 0")


def split_client_options(options: dict[str, Any]) -> tuple[Limits, dict[str, Any]]:
    """
    Sort the further keyword arguments of a client.

    Returns:
        The limits of its decoder, and the rest, which Engine.IO gets.

    Raises:
        SetupError: A limit is not valid.
    """
    names = {field.name for field in fields(Limits)}
    given = {name: value for name, value in options.items() if name in names}
    rest = {name: value for name, value in options.items() if name not in names}
    rest["logger"] = rest.pop("engineio_logger", False)
    try:
        return Limits(**{**_LIMITS, **given}), rest
    except ValueError as exc:
        raise SetupError(str(exc)) from exc


def _is_positive(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
