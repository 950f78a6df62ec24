"""
The fast way to serve Socket.IO under uvicorn: ``uvicorn app:app --ws fastsio.integrations.uvicorn:WebSocketProtocol``.

WebSockets of an :class:`~fastsio.integrations.asgi.ASGIApp` are framed by picows and handed to the engine without an
ASGI message for each frame. All others go to the protocol that uvicorn takes by itself, untouched. See
:mod:`fastsio.integrations.fast` for the parts.
"""

from __future__ import annotations

import asyncio
import logging
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl
from uvicorn.protocols.websockets.auto import AutoWebSocketsProtocol

from fastsio.extras import optional
from fastsio.integrations.fast.collecting import settle
from fastsio.integrations.fast.connection import Connection
from fastsio.integrations.fast.finding import find_application
from fastsio.integrations.fast.handshake import Handshake, make_scope, read_handshake

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

    from fastsio.integrations.asgi import ASGIApp

logger = logging.getLogger("uvicorn.error")
FRAMING: Final = "fastsio.integrations.fast.framing"
NOT_IMPLEMENTED: Final = (
    b"HTTP/1.1 501 Not Implemented\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 15\r\n"
    b"connection: close\r\n\r\nNot Implemented"
)


class WebSocketProtocol(asyncio.Protocol):
    """
    Takes over a connection whose client asks for a WebSocket, and hands it to who can serve it.

    Args:
        config: uvicorn's.
        server_state: uvicorn's.
        app_state: What the application's lifespan left.
        _loop: Not used.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._config = config
        self._server_state = server_state
        self._app_state = app_state
        self._chosen: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self._transport: Any = transport
        self._before = self._transport.get_protocol()

    def data_received(self, data: bytes) -> None:
        """Take the request, which uvicorn hands over whole; what follows is for who was chosen."""
        if self._chosen is not None:
            self._chosen.data_received(data)
            return
        self._chosen = self._choose(data)
        # uvicorn makes this object the transport's protocol when this method returns.
        asyncio.get_running_loop().call_soon(self._step_back)

    def _step_back(self) -> None:
        # uvicorn's protocol and its parser hold each other, and would wait for the garbage collector.
        vars(self._before).clear()
        if self._chosen is not None and self._transport.get_protocol() is self:
            self._transport.set_protocol(self._chosen)

    def _choose(self, request: bytes) -> Any:
        handshake = read_handshake(request)
        scope = None if handshake is None else self._scope_of(handshake)
        app = None if scope is None else find_application(self._config.loaded_app, scope)
        framing = None if app is None else usable_framing()
        if handshake is None or scope is None or app is None or framing is None:
            return self._choose_standard(request)
        settle()
        return Connection(
            self._config,
            self._server_state,
            self._transport,
            handshake,
            scope,
            limit=min(self._config.ws_max_size, _limit_of(app)),
            framing=framing,
        )

    def _scope_of(self, handshake: Handshake) -> dict[str, Any]:
        return make_scope(
            handshake,
            scheme="wss" if is_ssl(self._transport) else "ws",
            client=get_remote_addr(self._transport),
            server=get_local_addr(self._transport),
            root_path=self._config.root_path,
            asgi_version=self._config.asgi_version,
            state=self._app_state,
        )

    def _choose_standard(self, request: bytes) -> Any:
        if AutoWebSocketsProtocol is None:
            logger.warning("No WebSocket library that uvicorn can use is installed; run: pip install websockets")
            self._transport.write(NOT_IMPLEMENTED)
            self._transport.close()
            return asyncio.Protocol()
        standard: Any = AutoWebSocketsProtocol(
            config=self._config, server_state=self._server_state, app_state=self._app_state
        )
        standard.connection_made(self._transport)
        standard.data_received(request)
        return standard

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who was chosen, if that was a moment ago."""
        chosen, self._chosen = self._chosen, None
        if chosen is not None:
            chosen.connection_lost(exc)


def _limit_of(app: ASGIApp) -> int:
    server = app.engineio_server
    limit: int = getattr(server, "eio", server).max_http_buffer_size
    return limit


@cache
def usable_framing() -> Any | None:
    """
    Return the module that frames with picows.

    Returns:
        None when picows is not there or not what is expected; the reason is logged, once.
    """
    framing = optional(FRAMING)
    problem = "picows is not installed; run: pip install 'fastsio[fast]'" if framing is None else framing.misfit()
    if problem is None:
        return framing
    logger.warning("WebSockets are served the slower way, through ASGI messages: %s", problem)
    return None
