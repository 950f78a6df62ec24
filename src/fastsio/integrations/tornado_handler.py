"""
The request handler for Tornado; :mod:`fastsio.aio.engine.frameworks.tornado` is the other half of the driver.

It keeps the body within the server's limit, and makes a :class:`.Link` of Tornado's calls for a WebSocket.

Tornado accepts frames of a client that are not masked, and has no public interface to see frames. So this module uses
the private method with which its protocol reads; :func:`trial` tests that before the first WebSocket.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final

from fastsio._extras import require
from fastsio.aio.engine.frameworks.masking import FIRST, REQUEST, SECOND, UNMASKED, Trial
from fastsio.aio.engine.links import Event, Link
from fastsio.engine.frame_reader import PROTOCOL_ERROR
from fastsio.engine.frames import MaskCheck, close_frame
from fastsio.engine.websocket_handshake import WEBSOCKET, choose_subprotocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastsio.aio.engine import EngineServer

EXTRA: Final = "tornado"
RECEIVE_BYTES: Final = 4096
#: Why a connection is closed.
REASON: Final = "a frame without a mask"
#: A close frame of a client, which ends a trial in which no frame was refused.
CLOSING: Final = b"\x88\x80\x00\x00\x00\x00"


async def can_refuse() -> bool:
    """Tell whether :func:`masked` works with the installed Tornado; if not, a warning is logged once."""
    return await trial().fits()


def masked(handler: Any, protocol: Any) -> Any:
    """Return Tornado's protocol for a handler as one that refuses frames without a mask; None stays None."""
    return None if protocol is None else masked_protocol()(handler, mask_outgoing=False, params=protocol.params)


@cache
def masked_protocol() -> Any:
    """Return Tornado's protocol as a class that refuses frames which are not masked."""
    base: Any = require("tornado.websocket", EXTRA).WebSocketProtocol13
    closed: Any = require("tornado.iostream", EXTRA).StreamClosedError

    class MaskedProtocol(base):  # type: ignore[misc]  # Tornado is optional, so its class is Any
        """Tornado's protocol, with a check of all bytes that it reads."""

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


async def find_problem() -> str | None:
    """Serve a WebSocket between two sockets; return what the installed Tornado does otherwise than expected."""
    received: list[str | bytes] = []
    errors: list[BaseException | None] = []

    class Handler(require("tornado.websocket", EXTRA).WebSocketHandler):  # type: ignore[misc]  # its class is Any
        """Stores messages and errors."""

        def get_websocket_protocol(self) -> Any:
            """Return the protocol that refuses frames without a mask."""
            return masked(self, super().get_websocket_protocol())

        def on_message(self, message: str | bytes) -> None:
            """Store a message."""
            received.append(message)

        def log_exception(self, _kind: Any, error: BaseException | None, _traceback: Any) -> None:
            """Store an error, in place of logging it."""
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
    """Write as the client; return the bytes that the server writes until it closes the connection."""
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
    return Trial(f"Tornado {version}".strip(), find_problem, logging.getLogger("tornado.general"))


web: Final = require("tornado.web", "tornado")
WebSocketHandler: Any = require("tornado.websocket", "tornado").WebSocketHandler


class Body:
    """The body of a request as it arrives; bytes beyond the bound are dropped."""

    __slots__ = ("_bound", "_data", "_start")

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._data = bytearray()
        self._start = 0

    def add(self, chunk: bytes) -> None:
        """Add as much of *chunk* as the bound allows."""
        self._data += chunk[: self._bound - len(self._data)]

    async def read(self, length: int) -> bytes:
        """Read up to *length* bytes."""
        data = bytes(self._data[self._start : self._start + length])
        self._start += len(data)
        return data


@web.stream_request_body
class EngineHandler(WebSocketHandler):  # type: ignore[misc]  # Tornado is optional, so its class is Any
    """
    Serves one request, which may become a WebSocket.

    Attributes:
        engine: The Engine.IO server.
        body: The body of the request.
        gone: Set when the client has closed the connection.
    """

    engine: ClassVar[EngineServer]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.body = Body(self.engine.max_http_buffer_size + 1)
        # Tornado reads all of it before it calls post().
        self.request.connection.set_body_timeout(self.engine.body_timeout)
        self.gone = asyncio.Event()
        self._frames: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self._serve_link: Callable[[Link], Awaitable[None]] | None = None
        self._serving: asyncio.Future[None] | None = None
        self._can_refuse = False

    # Requests, which the server answers.

    def data_received(self, chunk: bytes) -> None:
        """Add a piece of the body."""
        self.body.add(chunk)

    async def get(self, *_args: Any, **_kwargs: Any) -> None:
        """Serve a handshake, a poll or a WebSocket."""
        await self.engine.handle_request(self)

    async def post(self, *_args: Any, **_kwargs: Any) -> None:
        """Serve a client's packets."""
        await self.engine.handle_request(self)

    async def options(self, *_args: Any, **_kwargs: Any) -> None:
        """Serve a preflight."""
        await self.engine.handle_request(self)

    def on_connection_close(self) -> None:
        """Wake the tasks that wait for the client, which has closed the connection."""
        self.gone.set()
        self._frames.put_nowait(None)
        super().on_connection_close()

    # Checks of Tornado that the server makes itself.

    def check_origin(self, origin: str) -> bool:  # noqa: ARG002 - Tornado's signature
        """Return True: the server has checked the origin before."""
        return True

    def check_trusted_origin(self, origin: str) -> bool:  # noqa: ARG002 - Tornado's signature
        """Return True: the server checks the origin."""
        return True

    def check_xsrf_cookie(self) -> None:
        """Do not check the cookie: a POST has the session id in its URL, which no other page knows."""

    def compute_etag(self) -> None:
        """Return None: a poll has no ETag, because its answer differs each time."""

    # The WebSocket.

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """Return one of the subprotocols that the client offers; they have no effect."""
        return choose_subprotocol(subprotocols)

    @property
    def max_message_size(self) -> int:
        """The server's limit; Tornado closes the connection on a larger message."""
        return self.engine.max_http_buffer_size

    def get_compression_options(self) -> dict[str, Any]:
        """Compress messages for clients that ask for it."""
        return {}

    def get_websocket_protocol(self) -> Any:
        """Return the protocol that refuses frames without a mask, which Tornado's own accepts."""
        protocol = super().get_websocket_protocol()
        return masked(self, protocol) if self._can_refuse else protocol

    async def accept(self, serve: Callable[[Link], Awaitable[None]]) -> None:
        """Become a WebSocket whose link *serve* serves; a handshake that is wrong gets Tornado's answer."""
        self._serve_link = serve
        self._can_refuse = await can_refuse()
        # A proxy may have repeated its value, which Tornado would refuse.
        self.request.headers["Upgrade"] = WEBSOCKET
        await super().get()
        if self._serving is not None:
            await self._serving

    def open(self, *_args: Any, **_kwargs: Any) -> None:
        """Begin to serve the link, while Tornado reads frames."""
        assert self._serve_link is not None  # noqa: S101 - Tornado calls this from accept() only
        self.set_nodelay(True)
        self._serving = asyncio.ensure_future(self._serve_link(Link(self._receive, self._send)))
        self._serving.add_done_callback(self._forget_frames)

    async def on_message(self, message: str | bytes) -> None:
        """Pass a message on; Tornado reads the next one when this one was received."""
        if self._serving is not None and not self._serving.done():
            self._frames.put_nowait(message)
            await self._frames.join()

    async def _receive(self) -> Event:
        data = await self._frames.get()
        self._frames.task_done()
        if data is None:
            return {"type": "websocket.disconnect"}
        return {"type": "websocket.receive", "text" if isinstance(data, str) else "bytes": data}

    async def _send(self, event: Event) -> None:
        if event["type"] == "websocket.close":
            self.close(event["code"])
        else:
            text = event.get("text")
            await self.write_message(event["bytes"] if text is None else text, binary=text is None)

    def _forget_frames(self, _serving: asyncio.Future[None]) -> None:
        """Drop messages that wait, so that Tornado reads on to the peer's closing frame."""
        while not self._frames.empty():
            self._frames.get_nowait()
            self._frames.task_done()
