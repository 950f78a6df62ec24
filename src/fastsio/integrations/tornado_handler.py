"""
The request handler for Tornado; :mod:`fastsio.aio.engine.frameworks.tornado` is the other half of the driver.

Keeps the body within the server's limit, and turns Tornado's calls for a WebSocket into a link that is read from.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar, Final

from fastsio._extras import require
from fastsio.aio.engine.links import Event, Link
from fastsio.engine.websocket_handshake import WEBSOCKET, choose_subprotocol
from fastsio.integrations.tornado_masking import can_refuse, masked

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastsio.aio.engine import EngineServer

web: Final = require("tornado.web", "tornado")
WebSocketHandler: Any = require("tornado.websocket", "tornado").WebSocketHandler


class Body:
    """
    The body of a request as it arrives, kept up to a bound.

    Args:
        bound: How many bytes are kept; what comes beyond is dropped.
    """

    __slots__ = ("_bound", "_data", "_start")

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._data = bytearray()
        self._start = 0

    def add(self, chunk: bytes) -> None:
        """Keep what fits of *chunk*."""
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
        body: What the client posted.
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

    # What the server answers.

    def data_received(self, chunk: bytes) -> None:
        """Take a piece of the body."""
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
        """Tell who waits that the client is gone."""
        self.gone.set()
        self._frames.put_nowait(None)
        super().on_connection_close()

    # Checks of Tornado that the server makes by itself.

    def check_origin(self, origin: str) -> bool:  # noqa: ARG002 - Tornado's signature
        """Accept it: the server has checked it before."""
        return True

    def check_trusted_origin(self, origin: str) -> bool:  # noqa: ARG002 - Tornado's signature
        """Accept it: the server checks it."""
        return True

    def check_xsrf_cookie(self) -> None:
        """Do not ask for the cookie: a POST carries the session id, which no other page knows."""

    def compute_etag(self) -> None:
        """Give a poll no ETag: the answer is another one each time."""

    # The WebSocket.

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """Name one of those that the client offers; they mean nothing to the server."""
        return choose_subprotocol(subprotocols)

    @property
    def max_message_size(self) -> int:
        """The server's limit; Tornado closes the connection on a larger message."""
        return self.engine.max_http_buffer_size

    def get_compression_options(self) -> dict[str, Any]:
        """Compress messages for clients that ask for it."""
        return {}

    def get_websocket_protocol(self) -> Any:
        """Have frames refused that are not masked, which Tornado takes."""
        protocol = super().get_websocket_protocol()
        return masked(self, protocol) if self._can_refuse else protocol

    async def accept(self, serve: Callable[[Link], Awaitable[None]]) -> None:
        """
        Become a WebSocket; a request that asks for it in a wrong way gets Tornado's answer.

        Args:
            serve: Reads from the link and writes to it until one end closes it.
        """
        self._serve_link = serve
        self._can_refuse = await can_refuse()
        # A proxy may have repeated it, which Tornado takes for another one.
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
        """Hand a message over; Tornado reads the next one when this one was taken."""
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
        """Let Tornado read on to the peer's closing frame."""
        while not self._frames.empty():
            self._frames.get_nowait()
            self._frames.task_done()
