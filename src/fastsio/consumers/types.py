"""The words of ASGI that consumers use in annotations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Literal, Protocol, TypeAlias, TypedDict

#: What the server knows of a connection: path, headers, query string, and what middlewares and routers add.
Scope: TypeAlias = MutableMapping[str, Any]
#: One event between the server and the application.
Message: TypeAlias = Mapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Any]]
Send: TypeAlias = Callable[[Any], Awaitable[None]]


class ASGIApplication(Protocol):
    """What an ASGI server or framework can serve."""

    async def __call__(self, scope: Any, receive: Any, send: Any, /) -> None:
        """Serve one connection to its end."""
        ...


class WebSocketConnectEvent(TypedDict):
    """A client asks for a WebSocket."""

    type: Literal["websocket.connect"]


class WebSocketReceiveEvent(TypedDict):
    """A client sent a frame; one of ``bytes`` and ``text`` is not None."""

    type: Literal["websocket.receive"]
    bytes: bytes | None
    text: str | None


class WebSocketDisconnectEvent(TypedDict):
    """
    The connection ended.

    ``code`` is the WebSocket's close code: 1000 or 1001 for a client that left, 1005 without a code, 1006 when the
    network dropped.
    """

    type: Literal["websocket.disconnect"]
    code: int
    reason: str | None
