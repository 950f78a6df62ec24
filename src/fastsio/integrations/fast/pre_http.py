"""
The protocol that reads the first bytes of a connection before uvicorn's HTTP protocol does.

uvicorn's HTTP protocol parses a request with a callback for each header, and writes it again for the WebSocket
protocol. Here a plain request for Socket.IO's WebSocket is recognised in the first bytes of a connection. Any other
bytes are passed on, unchanged, to uvicorn's protocol, which then has the connection.

Must not know which application serves a request: the function that it is given decides that.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from uvicorn.logging import TRACE_LOG_LEVEL
from uvicorn.protocols.http.h11_impl import H11Protocol

from fastsio._extras import optional

if TYPE_CHECKING:
    from collections.abc import Callable

    from uvicorn.config import Config
    from uvicorn.server import ServerState

    #: Serves a request for a WebSocket, as :func:`fastsio.integrations.uvicorn.open_connection` does.
    Open = Callable[[Config, ServerState, dict[str, Any], Any, bytes], asyncio.BaseProtocol | None]

logger = logging.getLogger("uvicorn.error")
#: A longer request is uvicorn's to judge. h11 takes as much.
MAX_REQUEST_BYTES: Final = 16_384
#: The protocols whose ways are known; httptools need not be installed.
STANDARD: Final = (
    H11Protocol,
    getattr(optional("uvicorn.protocols.http.httptools_impl"), "HttpToolsProtocol", H11Protocol),
)


class Front(asyncio.Protocol):
    """
    A connection of which nothing is read yet.

    Args:
        open_connection: Returns who serves a request for a WebSocket; None when it is not such a one beyond doubt.
        standard: uvicorn's protocol, which gets everything else.
        config: uvicorn's.
        server_state: uvicorn's; lists the connection meanwhile.
        app_state: What the application's lifespan left.
        _loop: For uvicorn's protocol.
    """

    __slots__ = ("_app_state", "_config", "_loop", "_open", "_server_state", "_standard", "_transport")

    def __init__(
        self,
        open_connection: Open,
        standard: Callable[..., Any],
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._open = open_connection
        self._standard = standard
        self._config = config
        self._server_state = server_state
        self._app_state = app_state
        self._loop = _loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self._transport: Any = transport
        self._server_state.connections.add(self)  # type: ignore[arg-type] # it has what uvicorn calls

    def data_received(self, data: bytes) -> None:
        """Hand the connection over: a request that is not here as a whole is uvicorn's, as any other."""
        self._forget()
        transport = self._transport
        protocol = None
        if len(data) <= MAX_REQUEST_BYTES:
            protocol = self._open(self._config, self._server_state, self._app_state, transport, data)
        if protocol is None:
            self._step_aside(data)
        else:
            transport.set_protocol(protocol)

    def _step_aside(self, data: bytes) -> None:
        protocol = self._standard(
            config=self._config, server_state=self._server_state, app_state=self._app_state, _loop=self._loop
        )
        protocol.connection_made(self._transport)
        self._transport.set_protocol(protocol)
        protocol.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Remove the connection: the client has left without a request."""
        self._forget()

    def shutdown(self) -> None:
        """Close the connection: the server stops. Called by uvicorn."""
        self._transport.close()

    def _forget(self) -> None:
        self._server_state.connections.discard(self)


def stand_before(config: Config, open_connection: Open) -> None:
    """
    Have the connections that come from now on looked at before uvicorn's HTTP protocol takes them.

    uvicorn asks its configuration for the protocol of each connection. It is replaced if it is exactly one of uvicorn's
    own, so once, and somebody else's never; nor while uvicorn traces, for its protocol logs every connection then.

    Args:
        config: uvicorn's; its ``http_protocol_class`` is replaced.
        open_connection: What is put to each :class:`Front`.
    """
    standard: Any = config.http_protocol_class
    if standard in STANDARD and not logger.isEnabledFor(TRACE_LOG_LEVEL):
        config.http_protocol_class = partial(Front, open_connection, standard)  # type: ignore[assignment] # uvicorn calls it
