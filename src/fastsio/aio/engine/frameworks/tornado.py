"""
The Tornado driver: the half of it that knows requests; :mod:`fastsio.integrations.tornado` has the request handler.

It takes the peer's address and the scheme from Tornado, which believes a proxy's headers if the server was made with
``xheaders=True``.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from fastsio.aio.engine.frameworks.environ import NOWHERE, Address, address_of, make_environ

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from fastsio.aio.engine.links import Link


def translate_request(handler: Any) -> dict[str, Any]:
    """Build the environ of the request that *handler* was made for."""
    request = handler.request
    environ = make_environ(
        software="tornado",
        method=request.method,
        path=request.path,
        query=request.query,
        http_version=request.version.removeprefix("HTTP/"),
        scheme=request.protocol,
        client=_client(request),
        server=_server(request),
        headers=_raw_headers(request),
    )
    environ["wsgi.input"] = handler.body
    environ["tornado.handler"] = handler
    return environ


def _client(request: Any) -> Address:
    peer = address_of(request.connection.context.address)
    # The port is that of the connection: it says nothing about a client behind a proxy.
    return peer if request.remote_ip == peer[0] else (request.remote_ip, None)


def _server(request: Any) -> Address:
    socket = request.connection.stream.socket
    return NOWHERE if socket is None else address_of(socket.getsockname())


def _raw_headers(request: Any) -> Iterator[tuple[bytes, bytes]]:
    for name, value in request.headers.get_all():
        yield name.encode("latin-1"), value.encode("latin-1")


async def make_response(status: str, headers: list[tuple[str, str]], payload: bytes, environ: dict[str, Any]) -> None:
    """Send a response; it is lost if the client is gone."""
    handler = environ["tornado.handler"]
    handler.set_status(int(status.split(" ", 1)[0]))
    handler.clear_header("Content-Type")
    for name, value in headers:
        handler.add_header(name, value)
    # Tornado's StreamClosedError is one.
    with suppress(OSError):
        await handler.finish(payload)


async def wait_disconnected(environ: dict[str, Any]) -> None:
    """Wait until the client has given the request up."""
    handler = environ["tornado.handler"]
    # Tornado does not tell of a connection that was closed together with its request.
    if not handler.request.connection.stream.closed():
        await handler.gone.wait()


async def serve_websocket(environ: dict[str, Any], serve: Callable[[Link], Awaitable[None]], _engine: Any) -> None:
    """Accept a WebSocket and have its link served; return once it is over."""
    await environ["tornado.handler"].accept(serve)


DRIVER: Final[dict[str, Any]] = {
    "translate_request": translate_request,
    "make_response": make_response,
    "wait_disconnected": wait_disconnected,
    "serve_websocket": serve_websocket,
}
