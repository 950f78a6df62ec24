"""Reading what uvicorn hands over, and finding who will serve it."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.routing import Mount, Router

from fastsio import ASGIApp, AsyncServer
from fastsio.integrations.fast.finding import find_all, find_application
from fastsio.integrations.fast.handshake import acceptance, make_scope, read_handshake

REQUEST = (
    b"GET /a%20b/?x=%C3%A9 HTTP/1.1\r\nhost: x\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: one, two\r\nx-odd: caf\xe9\r\n\r\n"
)


def test_a_request_becomes_a_scope():
    """Path and query are taken apart, offers are listed, header values are kept as bytes."""
    handshake = read_handshake(REQUEST)
    assert handshake is not None
    scope = make_scope(
        handshake,
        scheme="ws",
        client=("10.0.0.1", 1),
        server=("x", 80),
        root_path="/root",
        asgi_version="3.0",
        state={"a": 1},
    )

    assert (scope["path"], scope["raw_path"]) == ("/root/a b/", b"/root/a%20b/")
    assert scope["query_string"] == b"x=%C3%A9"
    assert scope["subprotocols"] == ["one", "two"]
    assert scope["headers"][-1] == (b"x-odd", b"caf\xe9")
    assert scope["state"] == {"a": 1}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"GET", b"POST"),
        (b"version: 13", b"version: 8"),
        (b"sec-websocket-key", b"x-key"),
        (b"dGhlIHNhbXBsZSBub25jZQ==", b"dGhlIHNhbXBsZQ=="),
        (b"dGhlIHNhbXBsZSBub25jZQ==", b"%%%"),
        (b"/a%20b/", b"/\xc3\xa9/"),
        (b"host: x", b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="),
    ],
)
def test_what_is_unusual_is_left_to_others(old, new):
    """Only a handshake without any doubt is read."""
    assert read_handshake(REQUEST.replace(old, new)) is None


def test_an_acceptance_is_that_of_the_rfc():
    """RFC 6455, section 1.3; the application's headers are kept as bytes."""
    answer = acceptance(b"dGhlIHNhbXBsZSBub25jZQ==", [(b"x-odd", b"caf\xe9")], "two")

    status, *headers = answer.removesuffix(b"\r\n\r\n").split(b"\r\n")
    assert status == b"HTTP/1.1 101 Switching Protocols"
    assert sorted(headers) == [
        b"Connection: upgrade",
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        b"Sec-WebSocket-Protocol: two",
        b"Upgrade: websocket",
        b"x-odd: caf\xe9",
    ]


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


@pytest.mark.parametrize("wrap", [Wrapper, lambda app: OwnApp(app.engineio_server), lambda app: app.__call__])
def test_who_might_look_at_messages_is_not_passed_over(sio, wrap):
    """Middleware, subclasses with a __call__ of their own and functions are not looked through."""
    assert find_application(wrap(ASGIApp(sio)), scope_of("/socket.io/")) is None


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
