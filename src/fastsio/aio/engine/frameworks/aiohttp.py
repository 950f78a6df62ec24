"""
The aiohttp driver.

It takes the peer's address and the scheme from the request object, which a middleware that trusts a proxy may have
corrected (``request.clone(remote=...)``), and from no header.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from fastsio._extras import require
from fastsio.aio.engine.frameworks.aiohttp_masking import response_class
from fastsio.aio.engine.frameworks.environ import NOWHERE, Address, address_of, make_environ
from fastsio.aio.engine.links import Event, Link
from fastsio.engine.frame_reader import BadFrame, FrameRate, TooManyFrames
from fastsio.engine.websocket_handshake import WEBSOCKET, choose_subprotocol, offered_subprotocols

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

EXTRA: Final = "aiohttp"
#: How long the peer's closing frame is waited for. An application that shuts down waits in vain: aiohttp reads nothing
#: any more then.
CLOSE_TIMEOUT_S: Final = 1.0
#: Pings and pongs that are handled before other tasks have a turn.
FAIR_SHARE: Final = 64


def create_route(app: Any, engine: Any, path: str) -> None:
    """Have *engine* answer at a path of an application."""
    for method in ("GET", "POST", "OPTIONS"):
        app.router.add_route(method, path, engine.handle_request)


def on_shutdown(app: Any, stop: Callable[[], Awaitable[None]]) -> None:
    """Call *stop* while the application's connections are still open."""

    async def hook(_app: Any) -> None:
        await stop()

    app.on_shutdown.append(hook)


class Body:
    """The body of a request of aiohttp."""

    __slots__ = ("_content",)

    def __init__(self, request: Any) -> None:
        self._content = request.content

    async def read(self, length: int) -> bytes:
        """Read up to *length* bytes; raise OSError if the client left, or what it sends cannot be decoded."""
        try:
            data: bytes = await self._content.read(length)
        except require("aiohttp.web", EXTRA).RequestPayloadError as error:
            raise OSError("the body cannot be decoded") from error
        return data


def translate_request(request: Any) -> dict[str, Any]:
    """Build the environ."""
    environ = make_environ(
        software="aiohttp",
        method=request.method,
        path=request.path,
        query=request.rel_url.raw_query_string,
        http_version=f"{request.version[0]}.{request.version[1]}",
        scheme=request.scheme,
        client=_client(request),
        server=_socket_name(request, "sockname"),
        headers=request.raw_headers,
    )
    if "HTTP_CONTENT_ENCODING" in environ:
        # aiohttp decompresses the body: the length that was declared is not that of what is read.
        environ.pop("CONTENT_LENGTH", None)
    environ["wsgi.input"] = Body(request)
    environ["aiohttp.request"] = request
    return environ


def _client(request: Any) -> Address:
    peer = _socket_name(request, "peername")
    # The port is that of the connection: it says nothing about a client behind a proxy.
    return peer if request.remote in (peer[0], None) else (request.remote, None)


def _socket_name(request: Any, key: str) -> Address:
    return NOWHERE if request.transport is None else address_of(request.transport.get_extra_info(key))


def make_response(status: str, headers: list[tuple[str, str]], payload: bytes, environ: dict[str, Any]) -> Any:  # noqa: ARG001 - engineio's drivers take it
    """Build the response, which aiohttp gets from its handler."""
    response = require("aiohttp.web", EXTRA).Response
    return response(body=payload, status=int(status.split(" ", 1)[0]), headers=headers)


async def serve_websocket(environ: dict[str, Any], serve: Callable[[Link], Awaitable[None]], engine: Any) -> Any:
    """Accept a WebSocket and have its link served; return the response that became the WebSocket, once it is over."""
    response = await response_class()
    chosen = choose_subprotocol(offered_subprotocols(environ))
    protocols = [chosen] if chosen else []
    # aiohttp refuses what is as large as its limit.
    too_large = engine.max_http_buffer_size + 1
    websocket = response(max_msg_size=too_large, timeout=CLOSE_TIMEOUT_S, protocols=protocols, autoping=False)
    await websocket.prepare(_plain(environ["aiohttp.request"]))
    await serve(_link(websocket, engine.max_control_frames))
    return websocket


def _plain(request: Any) -> Any:
    """Return a handshake as aiohttp reads it, which takes an ``Upgrade`` that a proxy has repeated for another one."""
    if request.headers["Upgrade"].strip().lower() == WEBSOCKET:
        return request
    headers = request.headers.copy()
    headers["Upgrade"] = WEBSOCKET
    return request.clone(headers=headers)


def _link(websocket: Any, max_control_frames: int) -> Link:
    aiohttp = require("aiohttp", EXTRA)
    kinds = {aiohttp.WSMsgType.TEXT: "text", aiohttp.WSMsgType.BINARY: "bytes"}
    rate = FrameRate(max_control_frames, asyncio.get_running_loop().time)

    async def receive() -> Event:
        message = await _next_message(websocket, rate, aiohttp.WSMsgType)
        kind = kinds.get(message.type)
        if kind is not None:
            return {"type": "websocket.receive", kind: message.data}
        if isinstance(message.data, aiohttp.WebSocketError):
            code = int(message.data.code)
            raise BadFrame(f"a WebSocket frame was refused, code {code}", code)
        return {"type": "websocket.disconnect"}

    async def send(event: Event) -> None:
        if event["type"] == "websocket.close":
            await websocket.close(code=event["code"])
        elif (text := event.get("text")) is not None:
            await websocket.send_str(text)
        else:
            await websocket.send_bytes(event["bytes"])

    return Link(receive, send)


async def _next_message(websocket: Any, rate: FrameRate, kinds: Any) -> Any:
    """Return the next message that is no ping or pong; answer pings, raise TooManyFrames if they come too fast."""
    count = 0
    while True:
        message = await websocket.receive()
        if message.type is not kinds.PING and message.type is not kinds.PONG:
            return message
        if rate.is_exceeded():
            raise TooManyFrames
        if message.type is kinds.PING:
            await websocket.pong(message.data)
        count += 1
        if count % FAIR_SHARE == 0:  # aiohttp does not wait while it has frames
            await asyncio.sleep(0)


DRIVER: Final[dict[str, Any]] = {
    "create_route": create_route,
    "on_shutdown": on_shutdown,
    "translate_request": translate_request,
    "make_response": make_response,
    "serve_websocket": serve_websocket,
}
