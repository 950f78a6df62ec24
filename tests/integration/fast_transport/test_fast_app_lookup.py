"""Which WebSockets the fast transport takes: wherever fastsio is mounted, unless somebody in front looks at messages."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI, WebSocket
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Host, Mount, Router
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

import fastsio
from fastsio.integrations import uvicorn as transport
from tests.integration.clients import WebSocketClient
from tests.integration.fast import QUERY, opened
from tests.integration.raw_websocket import open_raw, request_of
from tests.support.servers import FAST_WS, is_fast, serve
from tests.support.waiting import WAIT_S


class Watching:
    """A middleware of an application, which wants to see every message."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.kinds: list[str] = []

    async def __call__(self, scope, receive, send):
        async def watched():
            event = await receive()
            self.kinds.append(event["type"])
            return event

        await self.app(scope, watched if scope["type"] == "websocket" else receive, send)


class Quiet(BaseHTTPMiddleware):
    """A middleware that is called for HTTP only."""


def wrapped(app):
    """Put Socket.IO around the application."""
    return fastsio.ASGIApp(app.sio, other_asgi_app=app)


def mounted(app):
    """Put it below two prefixes."""
    app.mount("/deep", Router([Mount("/er", fastsio.ASGIApp(app.sio))]))
    return app


def with_middleware(app):
    """Put it behind middleware that leaves WebSockets alone."""
    app.add_middleware(CORSMiddleware, allow_origins=["*"])
    app.add_middleware(GZipMiddleware)
    app.add_middleware(Quiet)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1"])
    app.mount("/live", fastsio.ASGIApp(app.sio, socketio_path=""))
    return app


def behind_a_host(app):
    """Put it at a host name."""
    app.router.routes.append(Host("127.0.0.1", fastsio.ASGIApp(app.sio)))
    return app


def in_a_subclass(app):
    """Put it into an application of a class of its own."""

    class Site(FastAPI):
        """An application's own class."""

    site = Site()
    site.mount("/ws", fastsio.ASGIApp(app.sio))
    return site


PLACES = {
    "around FastAPI": (wrapped, "/socket.io"),
    "twice mounted": (mounted, "/deep/er/socket.io"),
    "behind known middleware": (with_middleware, "/live"),
    "at a host": (behind_a_host, "/socket.io"),
    "in a subclass": (in_a_subclass, "/ws/socket.io"),
}


def site_for(sio) -> FastAPI:
    """Return a FastAPI application with a WebSocket of its own."""
    app = FastAPI()
    app.sio = sio

    @app.websocket("/plain")
    async def plain(websocket: WebSocket):
        await websocket.accept()
        await websocket.send_text(await websocket.receive_text())
        await websocket.close()

    return app


@pytest.mark.parametrize("place", PLACES)
async def test_socketio_is_fast_wherever_it_is_mounted(sio, place):
    """An ASGIApp is found behind mounts and the middleware of Starlette."""
    put, path = PLACES[place]
    async with serve(put(site_for(sio)), ws=FAST_WS) as address, opened(address, path) as (client, websocket):
        await client.join()

        assert await client.ask("echo", "tea") == ["tea"]
        assert is_fast(websocket)


@pytest.mark.parametrize("put", [wrapped, with_middleware])
async def test_other_websockets_are_served_as_ever(sio, put):
    """A WebSocket route beside Socket.IO gets uvicorn's own protocol, compression included."""
    async with serve(put(site_for(sio)), ws=FAST_WS) as address:
        async with connect(f"{address.ws}/plain", proxy=None) as websocket:
            await websocket.send("tea")

            assert await websocket.recv() == "tea"
            assert not is_fast(websocket)
        with pytest.raises(InvalidStatus):
            await connect(f"{address.ws}/nowhere", proxy=None)


@pytest.mark.parametrize("ws", ["auto", FAST_WS])
async def test_middleware_may_refuse_a_handshake(sio, ws):
    """What stands in front of Socket.IO answers with a response of its own, the same on both ways."""
    app = with_middleware(site_for(sio))
    request = request_of(f"/live{QUERY}").replace(b"testserver", b"evil.example")
    async with serve(app, ws=ws) as address, open_raw(address, request) as client:
        answer = await asyncio.wait_for(client.reader.read(), WAIT_S)

    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answer.endswith(b"\r\n\r\nInvalid host header")


def mounted_below_middleware(sio, watch):
    """Wrap what is mounted."""
    app = FastAPI()
    app.mount("/ws", watch(fastsio.ASGIApp(sio)))
    return app, "/ws/socket.io"


def middleware_around_everything(sio, watch):
    """Wrap the application."""
    return watch(fastsio.ASGIApp(sio)), "/socket.io"


def middleware_of_the_application(sio, watch):
    """Give it to FastAPI."""
    app = FastAPI(middleware=[Middleware(watch)])
    app.mount("/ws", fastsio.ASGIApp(sio))
    return app, "/ws/socket.io"


def middleware_of_a_router(sio, watch):
    """Give it to a router."""
    return Router([Mount("/ws", fastsio.ASGIApp(sio))], middleware=[Middleware(watch)]), "/ws/socket.io"


@pytest.mark.parametrize(
    "put",
    [mounted_below_middleware, middleware_around_everything, middleware_of_the_application, middleware_of_a_router],
)
async def test_middleware_that_is_not_known_sees_every_message(sio, put):
    """Whoever might look at the messages gets them: such a Socket.IO is served the ASGI way."""
    watching: list[Watching] = []

    def watch(app):
        watching.append(Watching(app))
        return watching[-1]

    app, path = put(sio, watch)
    async with serve(app, ws=FAST_WS) as address, opened(address, path) as (client, websocket):
        await client.join()
        await client.ask("echo", "tea")

        assert not is_fast(websocket)
        assert watching[-1].kinds == ["websocket.connect", "websocket.receive", "websocket.receive"]


def comparable(environ: dict[str, Any]) -> dict[str, Any]:
    """Return what two requests have in common, without what is each one's own."""
    own = {"REMOTE_PORT", "SERVER_PORT", "HTTP_HOST", "HTTP_SEC_WEBSOCKET_KEY"}
    plain = {key: value for key, value in environ.items() if key not in own and not callable(value)}
    scope = plain.pop("asgi.scope")
    kept = {key: value for key, value in scope.items() if isinstance(value, (str, bytes, dict, list))}
    kept["client"], kept["server"] = scope["client"][0], scope["server"][0]
    own_headers = (b"host", b"sec-websocket-key")
    kept["headers"] = [header for header in scope["headers"] if header[0] not in own_headers]
    return {**plain, "wsgi.input": type(plain["wsgi.input"]), "keys": set(scope), "asgi.scope": kept}


@pytest.mark.parametrize("options", [{}, {"root_path": "/proxied"}, {"forwarded_allow_ips": "*"}])
@pytest.mark.parametrize("place", ["around FastAPI", "twice mounted"])
async def test_the_environ_is_that_of_the_asgi_way(make_server, place, options):
    """The same request has the same environ and scope on both ways, whatever is in it."""
    put, path = PLACES[place]
    seen = []
    for ws in ("auto", FAST_WS):
        sio = make_server(cors_allowed_origins="*")
        sio.on("connect", lambda _sid, environ: seen.append(comparable(environ)))
        headers = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "wss", "Cookie": "a=1", "X-Odd": "caf\xe9"}
        app = put(site_for(sio))
        url = f"{path}/?EIO=4&transport=websocket&name=%C3%A9&x=1%202"
        async with (
            serve(app, ws=ws, **options) as address,
            connect(address.ws + url, additional_headers=headers, origin="http://a.example", proxy=None) as websocket,
        ):
            await WebSocketClient(websocket).receive()
            await websocket.send("40")
            await websocket.recv()

    assert seen[0] == seen[1]


async def test_without_a_library_for_other_websockets_they_are_refused(sio, monkeypatch, caplog):
    """Socket.IO needs none; another WebSocket gets an answer, and the log says what is missing."""
    monkeypatch.setattr(transport, "AutoWebSocketsProtocol", None)
    async with serve(wrapped(site_for(sio)), ws=FAST_WS, log_config=None) as address:
        async with opened(address) as (client, _):
            await client.join()
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"{address.ws}/plain", proxy=None)

    assert refused.value.response.status_code == 501
    assert "pip install websockets" in caplog.text
