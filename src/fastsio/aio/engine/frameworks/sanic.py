"""
The Sanic driver.

It takes the peer's address and the scheme as Sanic's own proxy settings have them (``PROXIES_COUNT``,
``FORWARDED_SECRET``, ...), and reads bodies as streams, so that ``max_http_buffer_size`` is their limit
and not ``REQUEST_MAX_SIZE``.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final

from fastsio._extras import require
from fastsio.aio.engine.frameworks.environ import NOWHERE, make_environ
from fastsio.aio.engine.links import Event, Link
from fastsio.engine.websocket_handshake import WEBSOCKET, choose_subprotocol, offered_subprotocols
from fastsio.exceptions import PacketError, SetupError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

EXTRA: Final = "sanic"
#: RFC 6455: a message is too big to process.
TOO_BIG: Final = 1009


def create_route(app: Any, engine: Any, path: str) -> None:
    """Have *engine* answer at a path of an application."""

    async def socketio(request: Any) -> Any:
        return await engine.handle_request(request)

    # Otherwise Sanic reports an error when a WebSocket is over, because its handler returns no response.
    socketio.is_websocket = True  # type: ignore[attr-defined]  # Sanic's mark on a function
    name = f"socketio{re.sub(r'[^A-Za-z0-9]+', '_', path)}"
    app.add_route(socketio, path, methods=["GET", "POST", "OPTIONS"], name=name, stream=True)
    app.enable_websocket()


def on_shutdown(app: Any, stop: Callable[[], Awaitable[None]]) -> None:
    """Call *stop* while the application's connections are still open."""

    async def hook(_app: Any) -> None:
        await stop()

    app.register_listener(hook, "before_server_stop")


class Body:
    """The body of a request of Sanic."""

    __slots__ = ("_rest", "_stream")

    def __init__(self, request: Any) -> None:
        self._stream = request.stream
        self._rest = b""

    async def read(self, length: int) -> bytes:
        """Read up to *length* bytes; raise OSError if what the client sends cannot be decoded."""
        try:
            data = self._rest or await self._next_chunk()
        except require("sanic.exceptions", EXTRA).BadRequest as error:
            raise OSError("the body cannot be decoded") from error
        self._rest = data[length:]
        return data[:length]

    async def _next_chunk(self) -> bytes:
        stream = self._stream
        data: bytes | None = await stream.read()
        if stream.request_body and stream.request_body != "chunked" and not stream.request_bytes_left:
            # Else Sanic does not notice the end, and logs that the body was not consumed.
            await stream.read()
        return data or b""


def translate_request(request: Any) -> dict[str, Any]:
    """Build the environ."""
    peer = request.conn_info
    environ = make_environ(
        software="sanic",
        method=request.method,
        path=request.path,
        query=request.query_string,
        http_version=request.version,
        scheme=request.scheme,
        client=(request.remote_addr, None) if request.remote_addr else (request.ip, request.port),
        server=NOWHERE if peer is None else (peer.server, peer.server_port),
        headers=_raw_headers(request),
    )
    environ["wsgi.input"] = Body(request)
    environ["sanic.request"] = request
    return environ


def _raw_headers(request: Any) -> Iterator[tuple[bytes, bytes]]:
    for name, value in request.headers.items():
        yield name.encode(errors="surrogateescape"), value.encode(errors="surrogateescape")


def make_response(status: str, headers: list[tuple[str, str]], payload: bytes, environ: dict[str, Any]) -> Any:
    """Build the response, which Sanic gets from its handler."""
    if ("Connection", "close") in headers:
        # Sanic, which writes the header itself, would first wait for the rest of the body.
        stream = environ["sanic.request"].stream
        stream.keep_alive, stream.request_body = False, None
    response = require("sanic.response", EXTRA).HTTPResponse
    return response(body=payload, status=int(status.split(" ", 1)[0]), headers=headers)


async def serve_websocket(environ: dict[str, Any], serve: Callable[[Link], Awaitable[None]], engine: Any) -> None:
    """Accept a WebSocket and have its link served; return once it is over."""
    request = environ["sanic.request"]
    if request.app.asgi:  # there a WebSocket can neither be closed nor carry bytes
        raise SetupError("attach() serves Sanic's own server; under an ASGI server use ASGIApp(server, app)")
    # A proxy may have repeated their values, which Sanic would refuse.
    request.headers["Upgrade"], request.headers["Connection"] = WEBSOCKET, "Upgrade"
    protocol = request.transport.get_protocol()
    protocol.websocket_max_size = engine.max_http_buffer_size
    chosen = choose_subprotocol(offered_subprotocols(environ))
    websocket = await protocol.websocket_handshake(request, [chosen] if chosen else None)
    messages = Messages(websocket)
    serving = asyncio.ensure_future(serve(_link(websocket, messages)))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        # Sanic cancels the task of a connection that is lost, also when nobody has read its last messages yet.
        messages.end()
        await serving


class Messages:
    """
    The messages of a WebSocket of Sanic.

    Sanic's ``recv()`` raises CancelledError at the end, and loses messages that arrive together with the peer's closing
    frame or the end of the connection, as they do when a client leaves. So this waits for messages and for the end by
    itself, and what has arrived before the end is read first.
    """

    def __init__(self, websocket: Any) -> None:
        self._websocket = websocket
        self._is_over = False
        #: Takes the next message, which cannot be done twice at once.
        self._taking: asyncio.Future[str | bytes] | None = None

    def end(self) -> None:
        """Wait for no more messages: the connection is lost."""
        self._is_over = True
        end = self._websocket.recv_cancel
        if end is not None:
            end.cancel()

    async def read(self) -> str | bytes | None:
        """Wait for a message; None at the end. Raise PacketError after one over the limit, when Sanic has closed."""
        websocket = self._websocket
        taking = self._taking
        if taking is None:
            taking = self._taking = asyncio.ensure_future(websocket.assembler.get())
        try:
            if not self._is_over:
                websocket.recv_cancel = end = asyncio.get_running_loop().create_future()
                await _first_of(taking, end)
                websocket.recv_cancel = None
                self._is_over = self._is_over or end.cancelled()
            if not taking.done():
                handled = asyncio.ensure_future(_until_handled(websocket))
                await _first_of(taking, handled)
                handled.cancel()
        except asyncio.CancelledError:
            taking.cancel()
            raise
        if taking.done():
            self._taking = None
            return taking.result()
        taking.cancel()
        sent = websocket.ws_proto.close_sent
        if sent is not None and sent.code == TOO_BIG:
            raise PacketError("a WebSocket message over the size limit")
        return None


async def _first_of(*futures: asyncio.Future[Any]) -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


async def _until_handled(websocket: Any) -> None:
    """Wait until Sanic has no more frames to hand over."""
    async with websocket.process_event_mutex:
        pass


def _link(websocket: Any, messages: Messages) -> Link:
    cancelled = require("sanic.exceptions", EXTRA).RequestCancelled

    async def receive() -> Event:
        data = await messages.read()
        if data is None:
            return {"type": "websocket.disconnect"}
        return {"type": "websocket.receive", "text" if isinstance(data, str) else "bytes": data}

    async def send(event: Event) -> None:
        try:
            if event["type"] == "websocket.close":
                await websocket.close(event["code"])
            else:
                text = event.get("text")
                await websocket.send(event["bytes"] if text is None else text)
        except cancelled as error:
            # No task was cancelled: Sanic raises this when the connection is closed.
            raise ConnectionResetError("the WebSocket is closed") from error

    return Link(receive, send)


DRIVER: Final[dict[str, Any]] = {
    "create_route": create_route,
    "on_shutdown": on_shutdown,
    "translate_request": translate_request,
    "make_response": make_response,
    "serve_websocket": serve_websocket,
}
