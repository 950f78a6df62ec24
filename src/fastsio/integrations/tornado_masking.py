"""
Tornado's WebSockets, made to refuse frames of a client that are not masked.

Tornado takes them, and has no public way to look at frames. So this is the one module that knows how its protocol
reads; :func:`trial` tries that out before the first WebSocket depends on it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from functools import cache
from typing import Any, Final

from fastsio._extras import require
from fastsio.aio.engine.frameworks.masking import FIRST, REQUEST, SECOND, UNMASKED, Trial
from fastsio.engine.frame_reader import PROTOCOL_ERROR
from fastsio.engine.frames import close_frame
from fastsio.engine.masks import MaskCheck

EXTRA: Final = "tornado"
RECEIVE_BYTES: Final = 4096
#: Why a connection is closed.
REASON: Final = "a frame without a mask"
#: A close frame of a client, which ends a trial in which nothing was refused.
CLOSING: Final = b"\x88\x80\x00\x00\x00\x00"


async def can_refuse() -> bool:
    """Tell whether :func:`masked` does with the installed Tornado what it says; a warning tells once if not."""
    return await trial().fits()


def masked(handler: Any, protocol: Any) -> Any:
    """
    Return a protocol that refuses frames which are not masked.

    Args:
        handler: The WebSocketHandler.
        protocol: Tornado's for this handler, which has not begun; None if the handshake asks for one that is unknown.
    """
    return None if protocol is None else masked_protocol()(handler, mask_outgoing=False, params=protocol.params)


@cache
def masked_protocol() -> Any:
    """Return Tornado's protocol as a class that refuses frames which are not masked."""
    base: Any = require("tornado.websocket", EXTRA).WebSocketProtocol13
    closed: Any = require("tornado.iostream", EXTRA).StreamClosedError

    class MaskedProtocol(base):  # type: ignore[misc]  # Tornado is optional, so its class is Any
        """Tornado's protocol, which looks at all that it reads."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self._masks = MaskCheck()

        async def _read_bytes(self, length: int) -> bytes:
            data: bytes = await super()._read_bytes(length)
            if self._masks.feed(data) is not None:
                self.close(PROTOCOL_ERROR, REASON)
                raise closed
            return data

    return MaskedProtocol


async def misfit() -> str | None:
    """
    Serve a WebSocket between two sockets of this process, to try the installed Tornado out.

    Returns:
        What it does not do as expected; None when it fits.
    """
    received: list[str | bytes] = []
    errors: list[BaseException | None] = []

    class Handler(require("tornado.websocket", EXTRA).WebSocketHandler):  # type: ignore[misc]  # its class is Any
        """Keeps messages and errors."""

        def get_websocket_protocol(self) -> Any:
            """Have frames without a mask refused."""
            return masked(self, super().get_websocket_protocol())

        def on_message(self, message: str | bytes) -> None:
            """Keep a message."""
            received.append(message)

        def log_exception(self, _kind: Any, error: BaseException | None, _traceback: Any) -> None:
            """Keep an error, in place of logging it."""
            errors.append(error)
            stream.close()

    application = require("tornado.web", EXTRA).Application([("/", Handler)], log_function=lambda _handler: None)
    ours, theirs = socket.socketpair()
    with ours:
        stream = require("tornado.iostream", EXTRA).IOStream(theirs)
        try:
            require("tornado.httpserver", EXTRA).HTTPServer(application).handle_stream(stream, ("127.0.0.1", 0))
            written = await _converse(ours)
        finally:
            stream.close()
    if errors:
        return repr(errors[0])
    is_refused = received == ["a", "b"] and close_frame(PROTOCOL_ERROR, REASON) in written
    return None if is_refused else "frames are read in another way"


async def _converse(ours: socket.socket) -> bytes:
    """Be the client; return what the server writes until it closes the connection, or has read on to the last frame."""
    loop = asyncio.get_running_loop()
    ours.setblocking(False)
    await loop.sock_sendall(ours, REQUEST + FIRST + SECOND + UNMASKED + CLOSING)
    written = b""
    while chunk := await loop.sock_recv(ours, RECEIVE_BYTES):
        written += chunk
    return written


@cache
def trial() -> Trial:
    """Return the trial of the installed Tornado."""
    version = getattr(require("tornado", EXTRA), "version", "")
    return Trial(f"Tornado {version}".strip(), misfit, logging.getLogger("tornado.general"))
