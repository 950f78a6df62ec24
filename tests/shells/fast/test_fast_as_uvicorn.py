"""A request for a WebSocket is read as uvicorn's own protocols read it, or not at all."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from fastsio.integrations.fast.handshake import read_handshake
from tests.shells.fast.handshakes import KEY, scope_of_handshake
from tests.shells.fast.transport import FakeTransport

if TYPE_CHECKING:
    from fastsio.integrations.fast.handshake import Handshake


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
