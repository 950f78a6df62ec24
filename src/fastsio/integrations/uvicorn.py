"""
The fast way to serve Socket.IO under uvicorn: ``uvicorn app:app --ws fastsio.integrations.uvicorn:WebSocketProtocol``.

WebSockets of an :class:`~fastsio.integrations.asgi.ASGIApp` are framed by picows and passed to the engine without an
ASGI message for each frame. All others go, unchanged, to the protocol that uvicorn uses by default. Plain requests for
a WebSocket and for long-polling are recognised before uvicorn's HTTP protocol reads them. See
:mod:`fastsio.integrations.fast` for the parts.
"""

from __future__ import annotations

import asyncio
import logging
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.websockets.auto import AutoWebSocketsProtocol

from fastsio._extras import optional
from fastsio.aio.engine.direct_upgrade import session_to_upgrade
from fastsio.base.server import engine_of
from fastsio.engine.gc_policy import freeze_loaded_objects
from fastsio.integrations.fast.app_lookup import OpenSize, find_application, message_limit, skip_proxy_headers
from fastsio.integrations.fast.connection import Connection
from fastsio.integrations.fast.handshake import client_of, make_scope, read_handshake, server_of
from fastsio.integrations.fast.pre_http import STANDARD, install_gate
from fastsio.integrations.workers.http_protocol import H11PassingProtocol, HTTPProtocol
from fastsio.integrations.workers.passing import passing_of
from fastsio.integrations.workers.sids import worker_of_request

__all__ = ["H11PassingProtocol", "HTTPProtocol", "WebSocketProtocol", "open_connection"]

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

    from fastsio.integrations.fast.handshake import Handshake
    from fastsio.integrations.fast.site import Site

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

    @staticmethod
    def begin(config: Config) -> None:
        """
        Have connections read before uvicorn's HTTP protocol reads them; the application calls this when it starts.

        Nothing happens if another class serves the WebSockets of *config*, such as a subclass.
        """
        if config.ws_protocol_class is WebSocketProtocol:
            known = (*STANDARD, HTTPProtocol, H11PassingProtocol)
            install_gate(config, open_connection, known, passing_of)

    @staticmethod
    def get_ready() -> None:
        """Do what the first connection would have to wait for; the application calls this when it has started."""
        if usable_framing() is not None:
            freeze_loaded_objects()

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
        asyncio.get_running_loop().call_soon(self._hand_over)

    def _hand_over(self) -> None:
        # uvicorn's protocol and its parser hold each other, and would wait for the garbage collector.
        vars(self._before).clear()
        if self._chosen is not None and self._transport.get_protocol() is self:
            self._transport.set_protocol(self._chosen)

    def _choose(self, request: bytes) -> Any:
        config = self._config
        limit_message_size(config)
        connection = open_connection(config, self._server_state, self._app_state, self._transport, request)
        if connection is None:
            return self._choose_standard(request)
        self.begin(config)
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
        """Pass the loss on to the chosen protocol, if the transport does not have that yet."""
        chosen, self._chosen = self._chosen, None
        if chosen is not None:
            chosen.connection_lost(exc)


def open_connection(
    config: Config,
    server_state: ServerState,
    app_state: dict[str, Any],
    transport: asyncio.Transport,
    request: bytes,
    site: Site | None = None,
) -> asyncio.BaseProtocol | None:
    """
    Serve a request for a Socket.IO WebSocket, or pass any request for a session of another worker on to it.

    The request is as the client sent it, or as uvicorn writes it. *site* is given if the connection gets its protocol
    as soon as this returns.

    Returns:
        The protocol that has the connection. None if the request is not certainly one for a Socket.IO WebSocket, or
        picows cannot be used; then nothing was changed.
    """
    if _passes_on(config, server_state, app_state, transport, request):
        return asyncio.Protocol()
    handshake = read_handshake(request)
    if handshake is None:
        return None
    own = None if site is None or handshake.is_forwarded else site.engine_alone(handshake.path)
    session = None
    if own is not None and usable_framing() is not None:
        session = session_to_upgrade(own, handshake.query, handshake.items, "https" if config.is_ssl else "http")
    # The log says where an upgrade comes from; nothing else asks for it.
    is_scope_needed = session is None or logger.isEnabledFor(logging.INFO)
    scope = _scope_of(config, app_state, transport, handshake) if is_scope_needed else {"extensions": {}}
    entry: Any = config.loaded_app if handshake.is_forwarded else skip_proxy_headers(config.loaded_app)
    app = entry if own is not None else find_application(entry, scope)
    framing = None if app is None else usable_framing()
    if app is None or framing is None:
        return None
    freeze_loaded_objects()
    engine = engine_of(app.engineio_server)
    limit = min(config.ws_max_size, engine.max_http_buffer_size)
    max_rate = engine.max_control_frames
    connection = Connection(
        entry, server_state, transport, handshake, scope, limit=limit, max_rate=max_rate, framing=framing
    )
    if session is not None:
        return connection.upgrade(session)
    if own is None or not own.answers_at_once:
        return connection.serve(None)
    app.prepare(scope)
    return connection.serve(own)


def _scope_of(
    config: Config, app_state: dict[str, Any], transport: asyncio.Transport, handshake: Handshake
) -> dict[str, Any]:
    return make_scope(
        handshake,
        scheme="wss" if transport.get_extra_info("sslcontext") else "ws",
        client=client_of(transport),
        server=server_of(transport),
        root_path=config.root_path,
        asgi_version=config.asgi_version,
        state=app_state,
    )


def _passes_on(
    config: Config, server_state: ServerState, app_state: dict[str, Any], transport: asyncio.Transport, request: bytes
) -> bool:
    if worker_of_request(request) is None:
        return False
    passing = passing_of(config, server_state, app_state)
    return passing is not None and passing.pass_on(transport, request)


def limit_message_size(config: Config) -> None:
    """Have uvicorn take no larger messages than the application does, unless ``ws_max_size`` was set."""
    if isinstance(config.ws_max_size, OpenSize):
        limit = message_limit(config.loaded_app)
        config.ws_max_size = int(config.ws_max_size) if limit is None else limit


@cache
def usable_framing() -> Any | None:
    """Return the module that frames with picows; None, and a line in the log, if it is missing or works otherwise."""
    framing = optional(FRAMING)
    problem = "picows is not installed; run: pip install 'fastsio[fast]'" if framing is None else framing.find_problem()
    if problem is None:
        return framing
    logger.warning("WebSockets are served the slower way, through ASGI messages: %s", problem)
    return None
