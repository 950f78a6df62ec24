"""Which application will serve a request for a WebSocket."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from starlette.routing import Mount, Router
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from fastsio import ASGIApp, AsyncServer
from fastsio.integrations.fast.app_lookup import find_all, find_application, skip_proxy_headers
from fastsio.integrations.fast.handshake import read_handshake


class Wrapper:
    """A middleware nobody knows."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


class OwnApp(ASGIApp):
    """An application that does something before it serves."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await super().__call__(scope, receive, send)


class PlainSubclass(ASGIApp):
    """An application that does not."""


@pytest.fixture
def sio() -> AsyncServer:
    """A server."""
    return AsyncServer(async_mode="asgi")


def scope_of(path: str, root_path: str = "") -> dict[str, Any]:
    """Return what is looked at of a scope."""
    return {"type": "websocket", "path": path, "root_path": root_path, "headers": []}


@pytest.mark.parametrize(
    ("path", "root_path", "is_found"),
    [
        ("/socket.io/", "", True),
        ("/socket.io", "", True),
        ("/socket.io/more", "", True),
        ("/socket.iox/", "", False),
        ("/", "", False),
        ("/api/socket.io/", "/api", True),
        ("/api/socket.io/", "", False),
    ],
)
def test_the_path_is_matched_as_the_application_does(sio, path, root_path, is_found):
    """The question is put to the application itself."""
    app = ASGIApp(sio)

    assert find_application(app, scope_of(path, root_path)) is (app if is_found else None)


def test_a_request_may_be_for_an_application_behind_another(sio):
    """What one ASGIApp does not serve may be served by the one it wraps."""
    inner = ASGIApp(sio)
    outer = PlainSubclass(AsyncServer(async_mode="asgi"), inner, socketio_path="/other")

    assert find_application(outer, scope_of("/socket.io/")) is inner
    assert find_application(outer, scope_of("/other/")) is outer
    assert find_application(outer, scope_of("/")) is None


def test_the_middleware_for_proxies_is_skipped_where_there_is_no_proxy(sio):
    """It is only there for headers that say who the client of a proxy is."""
    app = ASGIApp(sio)
    around = ProxyHeadersMiddleware(app)

    assert skip_proxy_headers(around) is app
    assert skip_proxy_headers(app) is app
    assert skip_proxy_headers(Wrapper(around)) is not app


@pytest.mark.parametrize("name", ["X-Forwarded-For", "x-forwarded-proto", "X-FORWARDED-HOST", "Forwarded"])
def test_a_request_through_a_proxy_is_told_from_others(name):
    """However the header's name is written, and not by headers that only look like it."""
    lines = [
        b"GET / HTTP/1.1",
        b"Host: a",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        b"X-Real-IP: forwarded",
    ]
    plain = read_handshake(b"\r\n".join([*lines, b"", b""]))
    forwarded = read_handshake(b"\r\n".join([*lines, name.encode() + b": 10.0.0.1", b"", b""]))

    assert plain is not None
    assert not plain.is_forwarded
    assert forwarded is not None
    assert forwarded.is_forwarded


async def test_the_middleware_for_proxies_changes_nothing_without_their_headers():
    """What is skipped would have passed the scope on as it is."""
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    headers = [(b"host", b"a"), (b"x-real-ip", b"10.0.0.1"), (b"via", b"1.1 proxy"), (b"client-ip", b"10.0.0.1")]
    scope = {"type": "websocket", "scheme": "ws", "client": ("127.0.0.1", 1), "server": ("h", 80), "headers": headers}
    await ProxyHeadersMiddleware(app)({**scope}, None, None)

    assert seen == [scope]


@pytest.mark.parametrize("wrap", [Wrapper, lambda app: OwnApp(app.engineio_server), lambda app: app.__call__])
def test_who_might_look_at_messages_is_not_passed_over(sio, wrap):
    """Middleware, subclasses with a __call__ of their own and functions are not looked through."""
    assert find_application(wrap(ASGIApp(sio)), scope_of("/socket.io/")) is None


def test_an_application_may_change_while_it_is_served(sio, monkeypatch):
    """Who is in the way is asked for each request, also of a class that was known before."""
    app = PlainSubclass(sio)
    assert find_application(app, scope_of("/socket.io/")) is app
    monkeypatch.setattr(PlainSubclass, "__call__", OwnApp.__call__)
    assert find_application(app, scope_of("/socket.io/")) is None
    monkeypatch.undo()

    assert find_application(app, scope_of("/socket.io/")) is app


def test_finding_leaves_the_scope_alone(sio):
    """What routers and FastAPI put into a scope is seen by who is asked next, and by nobody else."""

    class Marking(Mount):
        """A route that leaves something in the scope."""

        def matches(self, scope):
            scope["marked"] = True
            return super().matches(scope)

    inner = ASGIApp(sio)
    app = FastAPI(routes=[Marking("/ws", inner)])
    app.root_path = "/api"
    app.middleware_stack = app.build_middleware_stack()
    scope = scope_of("/api/ws/socket.io/")
    before = dict(scope)

    assert find_application(app, scope) is inner
    assert scope == before


def test_a_route_that_cannot_be_asked_beforehand_is_no_error(sio):
    """A route that expects what only the real call brings is left to that call."""

    class Demanding(Mount):
        """A route that looks at the application in the scope."""

        def matches(self, scope):
            return super().matches({**scope, "prefix": scope["app"].prefix})

    router = Router([Demanding("/ws", ASGIApp(sio))])

    assert find_application(router, scope_of("/ws/socket.io/")) is None


def test_every_application_is_found_behind_anything(sio):
    """For what must be known of all of them, such as their client managers."""
    inner = ASGIApp(sio)
    outer = ASGIApp(AsyncServer(async_mode="asgi"), Wrapper(Wrapper(inner)))

    assert list(find_all(Wrapper(outer))) == [outer, inner]
    assert list(find_all(Wrapper(None))) == []
