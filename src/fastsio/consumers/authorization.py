"""Deciding whether a client may connect: an authenticator finds out who it is, then permissions are checked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from fastsio.aio.concurrency import resolved
from fastsio.injection import Context, HandlerKind, compile_endpoint, handshake_of
from fastsio.injection.handshake import Place

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from fastsio.consumers.connection import Peer
    from fastsio.consumers.types import Scope
    from fastsio.injection import Endpoint
    from fastsio.messages import BaseMessage

#: Close codes from 4000 to 4999 are for applications; these are statuses of HTTP with 4000 added.
CLOSE_UNAUTHENTICATED: Final = 4401
CLOSE_FORBIDDEN: Final = 4403
_APPLICATION_CODES: Final = 4000
_HTTP_ERRORS: Final = range(400, 600)


@dataclass(frozen=True, slots=True)
class Credential:
    """
    A value that an authenticator reads, for the description of its consumers.

    Args:
        name: The name of the query parameter, header or cookie.
        location: The part of the handshake that it is in.
        description: A description for people.
    """

    name: str
    location: Literal["query", "header", "cookie"]
    description: str | None = None


class BaseAuthenticator(ABC):
    """
    Finds out who connects; one is made for each connection.

    ``authenticate`` may take dependencies, ``Header()``, ``Cookie()`` and ``Query()``. It stores its results as
    attributes of its own: ``self.authenticator.user`` in the consumer.

    Args:
        send_message: Sends a message to the client, which is accepted already but not served yet.

    Attributes:
        status_code: The reason for a refusal, to be set by ``authenticate``: 401 (the default), 403, 404, 429.
        credentials: The values that it reads, for the description of its consumers.
        scope: The connection's ASGI scope.
    """

    credentials: ClassVar[tuple[Credential, ...]] = ()
    status_code: int | None = None
    scope: Scope
    _peer: Peer

    def __init__(self, send_message: Callable[[BaseMessage], Awaitable[None]]) -> None:
        self.send_message = send_message

    @abstractmethod
    async def authenticate(self, scope: Scope) -> bool:
        """
        Tell whether the client may connect.

        Args:
            scope: The connection's ASGI scope.
        """

    @property
    def close_code(self) -> int:
        """The close code for a client that may not connect."""
        if self.status_code in _HTTP_ERRORS:
            return _APPLICATION_CODES + int(self.status_code or 0)
        return CLOSE_UNAUTHENTICATED

    def get_query_param(self, name: str) -> str | None:
        """Return a parameter of the query, or None."""
        return self._value(Place.QUERY, name)

    def get_header(self, name: str) -> str | None:
        """Return a header, or None; case does not matter."""
        return self._value(Place.HEADER, name.lower())

    def get_cookie(self, name: str) -> str | None:
        """Return a cookie, or None."""
        return self._value(Place.COOKIE, name)

    def attach(self, peer: Peer, scope: Scope) -> None:
        """Set the connection to authenticate."""
        self._peer, self.scope = peer, scope

    def _value(self, place: Place, name: str) -> str | None:
        found = handshake_of(self._peer).values(place).get(name)
        return found[0] if found else None


class Admission:
    """Decides which clients may connect: the authenticator must know them, and all permissions must return True."""

    def __init__(
        self, authenticator_class: type[BaseAuthenticator] | None, permissions: Sequence[Callable[..., Any]]
    ) -> None:
        self._authenticator_class = authenticator_class
        self._authenticate: Endpoint | None = None
        if authenticator_class is not None:
            self._authenticate = compile_endpoint(
                authenticator_class.authenticate,
                kind=HandlerKind.HOOK,
                label=f"{authenticator_class.__qualname__}.authenticate",
                prefix=("self", "scope"),
                asynchronous=True,
            )
        self._permissions = [
            compile_endpoint(
                permission, kind=HandlerKind.HOOK, prefix=("consumer", "authenticator", "scope"), asynchronous=True
            )
            for permission in permissions
        ]

    async def refuse(self, consumer: Any, peer: Peer) -> tuple[int, str] | None:
        """Return the close code and reason for a client that may not connect; set the consumer's ``authenticator``."""
        if self._authenticator_class is not None and self._authenticate is not None:
            authenticator = consumer.authenticator = self._authenticator_class(consumer.send_message)
            authenticator.attach(peer, consumer.scope)
            if not await _call(self._authenticate, consumer, peer, {"self": authenticator, "scope": consumer.scope}):
                return authenticator.close_code, "authentication failed"
        offered = {"consumer": consumer, "authenticator": consumer.authenticator, "scope": consumer.scope}
        for permission in self._permissions:
            if not await _call(permission, consumer, peer, offered):
                return CLOSE_FORBIDDEN, "not allowed"
        return None


async def _call(endpoint: Endpoint, consumer: Any, peer: Peer, offered: Mapping[str, Any]) -> bool:
    async def call(context: Context) -> Any:
        # An awaitable would count as true, so it is awaited before the answer is read.
        return await resolved(await endpoint.call(context))

    return bool(await Context(consumer, peer, "connect", named=offered).arun(call))
