"""
The base classes of class-based namespaces: a name, and methods named after events.

This module must not know how a server calls them.
"""

from __future__ import annotations

from typing import Any

from fastsio.routing import check_namespace


class BaseNamespace:
    """
    A group of handlers as a class: method ``on_<event>`` handles *event*.

    Args:
        namespace: The namespace; None is ``"/"``, ``"*"`` every namespace.

    Raises:
        SetupError: The name does not begin with a slash.
    """

    def __init__(self, namespace: str | None = None) -> None:
        self.namespace = check_namespace(namespace)

    def is_asyncio_based(self) -> bool:
        """Whether the namespace is for an asyncio server or client."""
        return False


class BaseServerNamespace(BaseNamespace):
    """A class-based namespace of a server; :attr:`server` is set when it is registered."""

    def __init__(self, namespace: str | None = None) -> None:
        super().__init__(namespace)
        self.server: Any = None

    def _set_server(self, server: Any) -> None:
        self.server = server

    def rooms(self, sid: str, namespace: str | None = None) -> list[Any]:
        """Return the rooms a client is in; as :meth:`AsyncServer.rooms`."""
        rooms: list[Any] = self.server.rooms(sid, namespace=namespace or self.namespace)
        return rooms


def no_namespace(given: Any, owner: str) -> str:
    """Return the error's text for an object that is not a namespace; *owner* is ``"server"`` or ``"client"``."""
    if isinstance(given, type):
        return f"Not a namespace instance: {given.__name__} is a class; register an object, {given.__name__}('/name')"
    if isinstance(given, BaseNamespace):
        return f"Not a namespace instance for a {owner}: {type(given).__name__} is one for the other end"
    return f"Not a namespace instance: this is of type {type(given).__name__!r}"


def other_namespace(owner: Any, given: BaseNamespace, kind: str) -> str:
    """Return the error's text for a namespace for threads on an asyncio server or client, or the other way round."""
    end = "" if kind == "server" else "Client"
    asynchronous, threaded = f"Async{end}Namespace", f"{end}Namespace"
    wanted, is_given = (asynchronous, threaded) if owner.is_asyncio_based() else (threaded, asynchronous)
    return (
        f"Not a valid namespace class for this {kind}: {type(owner).__name__} takes subclasses of {wanted}, "
        f"{type(given).__name__} is one of {is_given}"
    )


class BaseClientNamespace(BaseNamespace):
    """A class-based namespace of a client; :attr:`client` is set when it is registered."""

    def __init__(self, namespace: str | None = None) -> None:
        super().__init__(namespace)
        self.client: Any = None

    def _set_client(self, client: Any) -> None:
        self.client = client
