"""
Decisions about namespaces a client joins: which, with what, and what it makes of the server's answers.

Plain functions of what the application registered and what the server said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from fastsio.exceptions import ConnectionError as ConnectFailed
from fastsio.exceptions import SetupError
from fastsio.routing import check_namespace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

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
