"""Reading a request for a WebSocket, as it comes and as uvicorn hands it over, and finding who will serve it."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.routing import Mount, Router
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from fastsio import ASGIApp, AsyncServer
from fastsio.integrations.fast import handshake as module
from fastsio.integrations.fast.finding import find_all, find_application
from fastsio.integrations.fast.handshake import LINES, Handshake, acceptance, make_scope, read_handshake
from tests.shells.fast.transport import FakeTransport

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
#: As uvicorn writes it.
REQUEST = (
    b"GET /a%20b/?x=%C3%A9 HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: keep-alive, Upgrade\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: " + KEY + b"\r\n"
    b"sec-websocket-protocol: one, two\r\nx-odd: caf\xe9\r\n\r\n"
)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Remember no lines of other tests."""
    LINES.clear()
    yield
    LINES.clear()


def scope_of_handshake(handshake: Handshake, root_path: str = "/root") -> dict[str, Any]:
    """Return the scope of a request from 10.0.0.1."""
    return make_scope(
        handshake,
        scheme="ws",
        client=("10.0.0.1", 1),
        server=("x", 80),
        root_path=root_path,
        asgi_version="3.0",
        state={"a": 1},
    )


def test_a_request_becomes_a_scope():
    """Path and query are taken apart, offers are listed, header values are kept as bytes."""
    handshake = read_handshake(REQUEST)
    assert handshake is not None
    scope = scope_of_handshake(handshake)

    assert (scope["path"], scope["raw_path"]) == ("/root/a b/", b"/root/a%20b/")
    assert scope["query_string"] == b"x=%C3%A9"
    assert scope["subprotocols"] == ["one", "two"]
    assert scope["headers"][-1] == (b"x-odd", b"caf\xe9")
    assert scope["state"] == {"a": 1}


def test_a_request_is_read_as_clients_send_it():
    """Names in any case, white space or none around values; the key and an empty value are kept as they are."""
    request = (
        b"GET / HTTP/1.1\r\nHOST:x\r\nUpgrade: \t WebSocket\r\nConnection:Upgrade\r\nX-Empty:\r\nX-Blank: \r\n"
        b"Sec-WebSocket-Version:13\r\nSec-WebSocket-Key: " + KEY + b"\r\nX-Tab: a\tb\r\n\r\n"
    )

    assert read_handshake(request) == Handshake(
        path=b"/",
        query=b"",
        key=KEY,
        headers=[
            (b"host", b"x"),
            (b"upgrade", b"WebSocket"),
            (b"connection", b"Upgrade"),
            (b"x-empty", b""),
            (b"x-blank", b""),
            (b"sec-websocket-version", b"13"),
            (b"sec-websocket-key", KEY),
            (b"x-tab", b"a\tb"),
        ],
        offered=(),
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"GET", b"POST"),
        (b"GET", b"get"),
        (b"GET", b"\r\nGET"),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"HTTP/1.1", b"HTTP/1.1 "),
        (b"GET /", b"GET  /"),
        (b"/a%20b/", b"/\xc3\xa9/"),
        (b"/a%20b/", b"a"),
        (b"/a%20b/", b"*"),
        (b"/a%20b/", b"http://x/"),
        (b"/a%20b/", b"/a#b"),
        (b"x=%C3%A9", b"x#y"),
        (b"x=%C3%A9", b"x y"),
        (b"version: 13", b"version: 8"),
        (b"version: 13", b"version: 13, 8"),
        (b"sec-websocket-key", b"x-key"),
        (KEY, b"dGhlIHNhbXBsZQ=="),
        (KEY, b"%%%"),
        (b"host: x", b"sec-websocket-key: " + KEY),
        (b"host: x", b"x-host: x"),
        (b"host: x", b"host: x\r\nhost: x"),
        (b"upgrade: websocket", b"upgrade: h2c"),
        (b"upgrade: websocket", b"upgrade: websocket\r\nUpgrade: websocket"),
        (b"keep-alive, Upgrade", b"keep-alive"),
        (b"keep-alive, Upgrade", b"keep alive, upgrade"),
        (b"keep-alive, Upgrade", b"not-upgrade"),
        (b"connection: ", b"connection: close\r\nconnection: "),
        (b"x-odd: ", b"content-length: 0\r\nx-odd: "),
        (b"x-odd: ", b"Transfer-Encoding: chunked\r\nx-odd: "),
        (b"x-odd: ", b"expect: 100-continue\r\nx-odd: "),
        (b"x-odd: ", b"proxy-connection: close\r\nx-odd: "),
        (b"x-odd: ", b"x-odd : "),
        (b"x-odd: ", b" x-odd: "),
        (b"x-odd: ", b": "),
        (b"x-odd: ", b"x-odd "),
        (b"x-odd: ", b"x-odd: a\r\n b"),
        (b"x-odd: ", b"x-odd: a\nb: "),
        (b"x-odd: ", b"x-odd: a\rb: "),
        (b"x-odd: ", b"x-odd: \x00"),
        (b"x-odd: ", b"x-odd: \x7f"),
        (b"websocket\r\n", b"websocket \r\n"),
        (b"caf\xe9", b"caf\xe9\t"),
        (b"x-odd: ", b"x-\xe9: "),
        (b"\r\n\r\n", b"\r\n"),
        (b"\r\n\r\n", b"\r\n\r\n\r\n"),
        (b"\r\n\r\n", b"\r\n\r\n\x81"),
        (b"\r\n\r\n", b"\n\n"),
        (REQUEST, b""),
        (REQUEST, b"GET / HTTP/1.1\r\n"),
    ],
)
def test_what_is_unusual_is_left_to_others(old, new):
    """Only a handshake without any doubt is read."""
    assert read_handshake(REQUEST) is not None
    assert read_handshake(REQUEST.replace(old, new)) is None


def test_what_clients_send_alike_is_kept_once_for_all():
    """The headers of two requests are the same objects, but for what is a client's own; the lists are not shared."""
    first, second = read_handshake(REQUEST), read_handshake(REQUEST)
    assert first is not None
    assert second is not None
    shared = {one[0] for one, other in zip(first.headers, second.headers, strict=True) if one is other}

    assert first.headers == second.headers
    assert first.headers is not second.headers
    assert shared == {b"host", b"upgrade", b"connection", b"sec-websocket-version"}


@pytest.mark.parametrize(
    ("line", "is_kept"),
    [
        (b"User-Agent: " + b"x" * 200, True),
        (b"User-Agent: " + b"x" * 300, False),
        (b"Cookie: a=1", False),
        (b"Authorization: Basic eDp5", False),
        (b"X-Own: 1", False),
    ],
)
def test_only_short_and_public_lines_are_remembered(line, is_kept):
    """A server's memory is not the place for what one client sent, and secrets are nobody else's."""
    assert read_handshake(REQUEST.replace(b"x-odd: caf\xe9", line)) is not None

    assert (line in LINES) is is_kept


def test_a_client_cannot_fill_the_memory(monkeypatch):
    """However many lines are sent, a bounded number of them is remembered."""
    monkeypatch.setattr(module, "MAX_SHARED_LINES", 10)
    sizes = set()
    for number in range(100):
        assert read_handshake(REQUEST.replace(b"host: x", b"host: x%d" % number)) is not None
        sizes.add(len(LINES))

    assert max(sizes) == 10


class Taken(asyncio.Protocol):
    """A WebSocket protocol that keeps what uvicorn writes."""

    requests: list[bytes] = []

    def __init__(self, **_options: Any) -> None:
        """Take uvicorn's arguments."""

    def data_received(self, data: bytes) -> None:
        self.requests.append(data)


async def closing(scope, receive, send):
    """Refuse whatever comes, and tell of the scope."""
    await receive()
    await send({"type": "websocket.close"})
    scope["state"]["seen"].append(scope)


@cache
def config_of(ws: Any) -> Config:
    """Return a loaded configuration."""
    config = Config(closing, ws=ws, http="h11", log_config=None, root_path="/root", proxy_headers=False)
    config.load()
    return config


def wire() -> FakeTransport:
    """Return a connection from 10.0.0.1."""
    transport = FakeTransport()
    transport._extra = {"peername": ("10.0.0.1", 1), "sockname": ("x", 80)}
    return transport


async def rewritten_by(protocol_class: Any, request: bytes) -> bytes | None:
    """Return what uvicorn's HTTP protocol makes of a request; None when it refuses."""
    Taken.requests = []
    http = protocol_class(config=config_of(Taken), server_state=ServerState(), app_state={})
    http.connection_made(wire())
    http.data_received(request)
    return Taken.requests[0] if Taken.requests else None


async def scope_by_uvicorn(request: bytes) -> dict[str, Any] | None:
    """Return the scope that uvicorn's own WebSocket protocol makes of a request; None when it refuses."""
    seen: list[dict[str, Any]] = []
    state = ServerState()
    websocket = WebSocketsSansIOProtocol(
        config=config_of(WebSocketsSansIOProtocol), server_state=state, app_state={"seen": seen}
    )
    websocket.connection_made(wire())
    websocket.data_received(request)
    await asyncio.gather(*state.tasks)
    return seen[0] if seen else None


def check_as_uvicorn(request: bytes, handshake: Handshake) -> None:
    """Check that both HTTP protocols take the request, and make what was read of it; and that the scope is uvicorn's."""
    for protocol_class in (HttpToolsProtocol, H11Protocol):
        rewritten = asyncio.run(rewritten_by(protocol_class, request))
        assert rewritten is not None
        assert read_handshake(rewritten) == handshake
        expected = asyncio.run(scope_by_uvicorn(rewritten))
        if expected is not None:
            assert scope_of_handshake(handshake) | {"state": expected["state"]} == expected


TOKEN = st.text("!#$%&'*+-.^_`|~019azAZ", min_size=1, max_size=8).map(str.encode)
SPACE = st.text(" \t", max_size=2).map(str.encode)
VALUE = st.binary(max_size=12).map(lambda value: bytes(byte for byte in value if byte >= 32 and byte != 127).strip())
TARGET = st.text([chr(code) for code in range(33, 127) if chr(code) != "#"], max_size=12).map(str.encode)
OWN_NAMES = (b"origin", b"sec-websocket-", b"content-length", b"transfer-encoding", b"expect", b"proxy-connection")


@st.composite
def plain_requests(draw: st.DrawFn) -> bytes:
    """Draw a request that is to be read."""

    def line(name: bytes, value: bytes) -> bytes:
        cased = draw(st.sampled_from([name, name.title(), name.upper()]))
        return cased + b":" + draw(SPACE) + value

    lines = [
        line(b"host", b"x"),
        line(b"upgrade", draw(st.sampled_from([b"websocket", b"WebSocket"]))),
        line(b"connection", draw(st.sampled_from([b"upgrade", b"Upgrade", b"keep-alive, Upgrade", b"upgrade ,x"]))),
        line(b"sec-websocket-version", b"13"),
        line(b"sec-websocket-key", KEY),
    ]
    others = draw(st.lists(st.tuples(TOKEN | st.sampled_from([b"cookie", b"user-agent", b"te"]), VALUE), max_size=4))
    lines += [line(b"x-" + name if len(name) < 3 else name, value) for name, value in others]
    return b"\r\n".join([b"GET /" + draw(TARGET) + b" HTTP/1.1", *draw(st.permutations(lines)), b"", b""])


@st.composite
def odd_requests(draw: st.DrawFn) -> bytes:
    """Draw one with a few bytes changed, in places where it matters."""
    request = draw(plain_requests())
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(request)))
        end = min(len(request), start + draw(st.integers(0, 3)))
        piece = draw(st.sampled_from(PIECES) | st.binary(max_size=2))
        request = request[:start] + piece + request[end:]
    return request


PIECES = [
    *(
        b"",
        b" ",
        b"\t",
        b"\r",
        b"\n",
        b"\r\n",
        b"\r\n ",
        b"\r\n\r\n",
        b"\x00",
        b"\x7f",
        b"\xe9",
        b":",
        b",",
        b"#",
        b"?",
    ),
    *(b"\r\n" + name + b": 1" for name in OWN_NAMES),
    *(b"\r\nhost: y\r\n", b"\r\nconnection: close\r\n", b"\r\nupgrade: x\r\n", b" HTTP/1.1\r\n"),
]


@settings(deadline=None, max_examples=150)
@given(request=plain_requests())
def test_a_plain_request_is_read_as_uvicorn_reads_it(request):
    """Headers, path and query are those of uvicorn's scope, whichever of its parsers is asked."""
    handshake = read_handshake(request)

    assert handshake is not None
    check_as_uvicorn(request, handshake)


@settings(deadline=None, max_examples=1000)
@given(request=odd_requests())
def test_nothing_is_read_that_uvicorn_would_refuse(request):
    """Whatever is done to a request, it is left to uvicorn, or read as uvicorn reads it."""
    handshake = read_handshake(request)

    if handshake is not None:
        check_as_uvicorn(request, handshake)


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
