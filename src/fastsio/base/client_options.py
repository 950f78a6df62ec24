"""
What an application tells a client: its options, the URL of the server and the namespaces to join.

Owns the options beyond python-socketio's, with their defaults and their validation, and what the answers of the server
to a connection mean. Plain functions; must not know what the options do.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from fastsio.exceptions import ConnectionError as ConnectFailed
from fastsio.exceptions import SetupError
from fastsio.protocol.limits import Limits
from fastsio.routing import check_namespace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

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


#: What the URL of a server begins with; without any it is http.
SCHEMES: Final = ("http", "https", "ws", "wss")


def namespaces_to_join(named: str | Iterable[str] | None, handled: Iterable[str]) -> list[str]:
    """
    Return the namespaces to join.

    Args:
        named: What ``connect()`` was given; None is every namespace that has a handler, or the root.
        handled: The namespaces that have handlers.

    Raises:
        SetupError: A name does not begin with a slash.
    """
    if named is not None:
        names = [named] if isinstance(named, str) else list(named)
        for name in names:
            if check_namespace(name) == "*":
                raise SetupError("a client cannot join every namespace; write the names of those it joins")
        return names
    return sorted(set(handled) - {"*"}) or ["/"]


def refusal_arguments(said: Any) -> tuple[Any, ...]:
    """Return the arguments of a ``connect_error`` handler: the items of a list, none for None, else *said*."""
    if said is None:
        return ()
    return tuple(said) if isinstance(said, list) else (said,)


def failure_argument(error: BaseException) -> Any:
    """Return what a ``connect_error`` handler is told of a connection that failed: what the server said, or why."""
    return error.args[-1] if error.args else str(error)


def failure_text(failed: Collection[str]) -> str:
    """Return the text of the error for namespaces that could not be joined."""
    if not failed:
        return "Unexpected connection error"
    return "One or more namespaces failed to connect: " + ", ".join(failed)


def check_url(url: Any) -> None:
    """
    Make sure that a URL can be connected to; its text may hold a password and is not repeated whole.

    Raises:
        ConnectionError: It has no scheme, or none of Socket.IO's.
    """
    parts = urlsplit(str(url))
    if not parts.netloc:
        known = parts.scheme in SCHEMES
        example = "http://localhost:5000" if known or "@" in str(url) or not url else f"http://{url}"
        raise ConnectFailed(f"the URL has no {'host' if known else 'scheme'}; write it like {example!r}")
    if parts.scheme not in ("", *SCHEMES):
        raise ConnectFailed(f"the URL's scheme {parts.scheme!r} is unknown; it is one of {', '.join(SCHEMES)}")


def not_connected(namespace: str) -> str:
    """Return the text of the error for an event in a namespace that is not connected, with the cure if it never is."""
    text = f"{namespace} is not a connected namespace."
    if namespace == "*":
        return f"{text} It is every namespace, for handlers to be registered in; name one of them"
    return text if namespace.startswith("/") else f"{text} It has no slash; write '/{namespace}'"
