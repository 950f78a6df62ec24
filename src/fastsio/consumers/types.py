"""The types of ASGI, the exceptions that accept, refuse or end a connection, and the logger of consumers."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final, Literal, Protocol, TypeAlias, TypedDict

from fastsio.exceptions import SocketIOError

#: The scope of a connection: path, headers, query string, and items that middlewares and routers add.
Scope: TypeAlias = MutableMapping[str, Any]
#: One event between the server and the application.
Message: TypeAlias = Mapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Any]]
Send: TypeAlias = Callable[[Any], Awaitable[None]]


class ASGIApplication(Protocol):
    """An ASGI application."""

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


class AcceptConnection(SocketIOError):  # noqa: N818 - an instruction, not an error; the name is that of Channels
    """Raised in ``connect()`` to accept the connection."""


class DenyConnection(SocketIOError):  # noqa: N818 - as above
    """Raised in ``connect()`` to refuse the connection."""


class StopConsumer(SocketIOError):  # noqa: N818 - as above
    """Raised in any method of a consumer to end it: no other method is called after that."""


logger: Final = logging.getLogger("fastsio.consumers")
