"""The client of a consumer, as injection sees it: what a Socket.IO handler finds in its client, found in the scope."""

from __future__ import annotations

from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

from fastsio.aio.connection_scope import TaskScope
from fastsio.aio.engine.frameworks.environ import NOWHERE, make_environ
from fastsio.protocol import NamespaceState

if TYPE_CHECKING:
    from fastsio.consumers.types import Scope

_ID_BYTES: Final = 8


class Peer:
    """
    One connection's client.

    Args:
        scope: The connection's ASGI scope.

    Attributes:
        namespace: The namespace whose rooms it can be in: ``"/"`` unless the consumer says another.
        auth: None; what a client sends with its handshake is in headers, cookies and the query.
        session: What handlers keep for the length of the connection.
        scope_store: The dependencies that last as long as the connection.
        state: Whether it is there.
    """

    __slots__ = ("_environ", "_scope", "_sid", "auth", "namespace", "scope_store", "session", "state")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._sid: str | None = None
        self._environ: dict[str, Any] | None = None
        self.namespace = "/"
        self.auth: Any = None
        self.session: dict[str, Any] = {}
        self.scope_store = TaskScope()
        self.state = NamespaceState.CONNECTED

    @property
    def sid(self) -> str:
        """What tells the connection from others: its channel's name, or a random text without a channel layer."""
        if self._sid is None:
            self._sid = token_hex(_ID_BYTES)
        return self._sid

    @sid.setter
    def sid(self, sid: str) -> None:
        self._sid = sid

    @property
    def is_active(self) -> bool:
        """Whether it is there."""
        return self.state is NamespaceState.CONNECTED

    @property
    def label(self) -> str:
        """What logs call it."""
        return self.sid

    @property
    def environ(self) -> dict[str, Any]:
        """The handshake with WSGI's keys."""
        if self._environ is None:
            self._environ = _environ_of(self._scope)
        return self._environ


def _environ_of(scope: Scope) -> dict[str, Any]:
    environ = make_environ(
        software="asgi",
        method=scope.get("method", "GET"),
        path=scope.get("path", "/"),
        query=scope.get("query_string", b"").decode("latin-1"),
        http_version=scope.get("http_version", "1.1"),
        scheme=scope.get("scheme", "http"),
        client=scope.get("client") or NOWHERE,
        server=scope.get("server") or NOWHERE,
        headers=scope.get("headers", ()),
    )
    environ["asgi.scope"] = scope
    return environ
