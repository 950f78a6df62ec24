"""
The fast way to serve Socket.IO under uvicorn: ``uvicorn app:app --ws fastsio.integrations.uvicorn:WebSocketProtocol``.

WebSockets of an :class:`~fastsio.integrations.asgi.ASGIApp` are framed by picows and passed to the engine without an
ASGI message for each frame. All others go, unchanged, to the protocol that uvicorn uses by default. After the first
WebSocket, plain requests for a WebSocket are recognised before uvicorn's HTTP protocol reads them. See
:mod:`fastsio.integrations.fast` for the parts.
"""

from __future__ import annotations

import asyncio
import logging
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.websockets.auto import AutoWebSocketsProtocol

from fastsio._extras import optional
from fastsio.engine.gc_policy import freeze_what_is_loaded
from fastsio.integrations.fast.app_lookup import OpenSize, find_application, message_limit, skip_proxy_headers
from fastsio.integrations.fast.connection import Connection
from fastsio.integrations.fast.handshake import make_scope, read_handshake
from fastsio.integrations.fast.pre_http import stand_before

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
    Takes over a connection whose client asks for a WebSocket, and passes it to the protocol that can serve it.

    Args:
        config: uvicorn's configuration.
        server_state: uvicorn's state.
        app_state: The state that the application's lifespan has made.
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
        """Choose the protocol for the request, which uvicorn passes on whole; pass further data to that protocol."""
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
        config = self._config
        close_size(config)
        connection = open_connection(config, self._server_state, self._app_state, self._transport, request)
        if connection is None:
            return self._choose_standard(request)
        if config.ws_protocol_class is WebSocketProtocol:
            stand_before(config, open_connection)
        return connection

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


def open_connection(
    config: Config, server_state: ServerState, app_state: dict[str, Any], transport: asyncio.Transport, request: bytes
) -> Connection | None:
    """
    Serve a request for a Socket.IO WebSocket.

    Args:
        config: uvicorn's.
        server_state: uvicorn's; lists the connection.
        app_state: What the application's lifespan left.
        transport: The connection; the caller gives it its protocol.
        request: As the client sent it, or as uvicorn writes it.

    Returns:
        None when that is not what the request asks for beyond doubt, or when nothing can frame it. Nothing has happened
        then.
    """
    handshake = read_handshake(request)
    if handshake is None:
        return None
    scope = make_scope(
        handshake,
        scheme="wss" if transport.get_extra_info("sslcontext") else "ws",
        client=client_of(transport),
        server=server_of(transport),
        root_path=config.root_path,
        asgi_version=config.asgi_version,
        state=app_state,
    )
    entry = config.loaded_app if handshake.is_forwarded else skip_proxy_headers(config.loaded_app)
    app = find_application(entry, scope)
    framing = None if app is None else usable_framing()
    if app is None or framing is None:
        return None
    freeze_what_is_loaded()
    engine = _engine_of(app)
    limit = min(config.ws_max_size, engine.max_http_buffer_size)
    max_rate = engine.max_control_frames
    return Connection(entry, server_state, transport, handshake, scope, limit=limit, max_rate=max_rate, framing=framing)


def close_size(config: Config) -> None:
    """Have uvicorn take no larger messages than the application does, unless somebody asked for a size."""
    if isinstance(config.ws_max_size, OpenSize):
        limit = message_limit(config.loaded_app)
        config.ws_max_size = int(config.ws_max_size) if limit is None else limit


def client_of(transport: asyncio.Transport) -> tuple[str, int] | None:
    """Return the client of a scope as uvicorn does, from what the transport knows without asking the socket again."""
    try:
        name = transport.get_extra_info("peername")
    except OSError:  # uvloop's, when the client has left
        return None
    return (str(name[0]), int(name[1])) if isinstance(name, tuple) else None


def server_of(transport: asyncio.Transport) -> tuple[str, int | None] | None:
    """Return the server of a scope likewise; that of a UNIX socket is its path."""
    name = transport.get_extra_info("sockname")
    if isinstance(name, tuple):
        return str(name[0]), int(name[1])
    return (name, None) if isinstance(name, str) else None


def _engine_of(app: ASGIApp) -> Any:
    server = app.engineio_server
    return getattr(server, "eio", server)


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
