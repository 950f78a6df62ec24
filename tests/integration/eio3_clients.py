"""
Clients of Engine.IO 3 for an engine without a network; a WebSocket may also be one of the fast transport.

Both kinds of WebSocket have the face of :class:`tests.shells.engine.wire.WebSocketClient`.
"""

from __future__ import annotations

import json
from asyncio import IncompleteReadError
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Self

from fastsio.integrations.asgi import ASGIApp
from tests.integration.raw_websocket import BINARY, CLOSE, FIN, TEXT, RawWebSocket, client_frame, open_raw, request_of
from tests.shells.engine.wire import Application, HttpRequest, Response, WebSocketClient, soon, start_http
from tests.support.servers import FAST_WS, Address, serve

if TYPE_CHECKING:
    from collections.abc import Sequence

OCTETS = [("content-type", "application/octet-stream")]


class Poller:
    """An Engine.IO 3 client on the polling transport."""

    def __init__(self, app: Application, opened: Response) -> None:
        self.app = app
        length, _, packet = opened.text.partition(":")
        assert int(length) == len(packet)
        self.opened = json.loads(packet[1:])
        self.sid = self.opened["sid"]
        self.query = f"EIO=3&transport=polling&sid={self.sid}"

    def start_poll(self, query: str = "") -> HttpRequest:
        """Begin a poll."""
        return start_http(self.app, "GET", self.query + query)

    async def poll(self, query: str = "") -> Response:
        """Poll, and wait for the response."""
        return await self.start_poll(query).response()

    async def send(self, body: bytes, headers: Sequence[tuple[str, str]] = (), query: str = "") -> Response:
        """Post a body."""
        given = [("content-length", str(len(body))), *headers]
        return await start_http(self.app, "POST", self.query + query, body, headers=given).response()


async def open_polling(app: Application, query: str = "") -> Poller:
    """Open a session on the polling transport."""
    return Poller(app, await start_http(app, "GET", "EIO=3&transport=polling" + query).response())


class FastWebSocket:
    """A client on the fast transport."""

    def __init__(self, raw: RawWebSocket) -> None:
        self._raw = raw

    def say(self, frame: str | bytes) -> None:
        """Send a frame."""
        is_text = isinstance(frame, str)
        self._raw.writer.write(client_frame(FIN | (TEXT if is_text else BINARY), frame.encode() if is_text else frame))

    def leave(self) -> None:
        """Cut the connection."""
        self._raw.writer.transport.abort()

    async def frame(self) -> str | bytes:
        """Wait for the next frame; anything else in its place is an error."""
        head, payload = await self._raw.frame()
        assert head in {FIN | TEXT, FIN | BINARY}, (head, payload)
        return payload.decode() if head == FIN | TEXT else payload

    async def closed(self) -> list[str | bytes]:
        """Wait for the close; return the frames before it."""
        frames: list[str | bytes] = []
        while (received := await self._raw.frame())[0] != FIN | CLOSE:
            head, payload = received
            frames.append(payload.decode() if head == FIN | TEXT else payload)
        return frames

    async def ended(self) -> None:
        """Answer the close, if there is one, and wait until the server has hung up."""
        with suppress(IncompleteReadError):
            await self.closed()
        self._raw.writer.write(client_frame(FIN | CLOSE, b""))
        await soon(self._raw.reader.read())


class Dialer:
    """
    Opens WebSockets until the end of its block.

    Args:
        is_fast: Whether over the network to the fast transport, or by calling the engine.
    """

    def __init__(self, *, is_fast: bool) -> None:
        self._is_fast = is_fast
        self._stack = AsyncExitStack()
        self._served: dict[Application, Address] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._stack.aclose()

    async def dial(self, app: Application, query: str) -> WebSocketClient | FastWebSocket:
        """Open a WebSocket; return when it is accepted."""
        if not self._is_fast:
            client = WebSocketClient(app, query)
            assert (await soon(client._outgoing.get()))["type"] == "websocket.accept"
            return client
        if app not in self._served:
            serving = serve(ASGIApp(app.engine, socketio_path="engine.io"), ws=FAST_WS)
            self._served[app] = await self._stack.enter_async_context(serving)
        request = request_of(f"/engine.io/?{query}")
        raw = await self._stack.enter_async_context(open_raw(self._served[app], request))
        assert (await soon(raw.reader.readuntil(b"\r\n\r\n"))).startswith(b"HTTP/1.1 101")
        return FastWebSocket(raw)

    async def open(self, app: Application, query: str = "") -> tuple[WebSocketClient | FastWebSocket, str]:
        """Open a session."""
        client = await self.dial(app, "EIO=3&transport=websocket" + query)
        opened = await client.frame()
        assert isinstance(opened, str)
        assert opened[0] == "0"
        return client, json.loads(opened[1:])["sid"]

    async def start_upgrade(self, poller: Poller, query: str = "") -> WebSocketClient | FastWebSocket:
        """Open a websocket for a polling session, up to the answered probe."""
        websocket = await self.dial(poller.app, f"EIO=3&transport=websocket&sid={poller.sid}{query}")
        websocket.say("2probe")
        assert await websocket.frame() == "3probe"
        return websocket
