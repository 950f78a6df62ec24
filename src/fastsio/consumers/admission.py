"""Whether a client may connect: an authenticator, then permissions, each an endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastsio.aio.concurrency import resolved
from fastsio.consumers.authentication import CLOSE_FORBIDDEN, authenticate_endpoint, permission_endpoint
from fastsio.injection import Context

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fastsio.consumers.authentication import BaseAuthenticator
    from fastsio.consumers.peer import Peer
    from fastsio.injection import Endpoint


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a client may not connect."""

    close_code: int
    reason: str


class Admission:
    """
    The entrance of one consumer class.

    Args:
        authenticator_class: Who finds out who it is; None asks nobody.
        permissions: What must be true for that one.

    Raises:
        SignatureError: One of them cannot be called.
    """

    def __init__(
        self, authenticator_class: type[BaseAuthenticator] | None, permissions: Sequence[Callable[..., Any]]
    ) -> None:
        self._authenticator_class = authenticator_class
        self._authenticate = None if authenticator_class is None else authenticate_endpoint(authenticator_class)
        self._permissions = [permission_endpoint(permission) for permission in permissions]

    async def refuse(self, consumer: Any, peer: Peer) -> Refusal | None:
        """
        Return why a client may not connect, or None if it may.

        Args:
            consumer: The consumer; its ``authenticator`` is set.
            peer: The client.
        """
        if self._authenticator_class is not None and self._authenticate is not None:
            authenticator = consumer.authenticator = self._authenticator_class(consumer.send_message)
            authenticator.attach(peer, consumer.scope)
            if not await _ask(self._authenticate, consumer, peer, {"self": authenticator, "scope": consumer.scope}):
                return Refusal(authenticator.close_code, "authentication failed")
        offered = {"consumer": consumer, "authenticator": consumer.authenticator, "scope": consumer.scope}
        for permission in self._permissions:
            if not await _ask(permission, consumer, peer, offered):
                return Refusal(CLOSE_FORBIDDEN, "not allowed")
        return None


async def _ask(endpoint: Endpoint, consumer: Any, peer: Peer, offered: Mapping[str, Any]) -> bool:
    context = Context(consumer, peer, "connect", named=offered)
    try:
        # Any object is true: what has to be awaited has not answered yet.
        answer = await resolved(await endpoint.call(context))
    except BaseException as exc:
        await context.aclose(exc)
        raise
    await context.aclose()
    return bool(answer)
