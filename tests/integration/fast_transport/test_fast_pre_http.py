"""uvicorn with something before its HTTP protocol: all that is no plain request for a WebSocket is as without it."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import uvloop
from fastapi import FastAPI, WebSocket
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from websockets.asyncio.client import connect

import fastsio
from tests.integration.clients import eventually
from tests.integration.fast import opened
from tests.integration.raw_websocket import FIN, TEXT, RawWebSocket, client_frame, request_of
from tests.support.brokers import make_certificates
from tests.support.servers import FAST_WS, Address, is_fast, serve_on
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

PATH = "/socket.io/?EIO=4&transport=websocket"
POLL = b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: testserver\r\n\r\n"


@pytest.fixture
def made(monkeypatch) -> list[type]:
    """Note the classes of uvicorn's HTTP protocols that are made; they stay what they are."""
    counted: list[type] = []
    for kind in (HttpToolsProtocol, H11Protocol):
        begin = kind.__init__

        def init(self, *arguments: Any, begin: Any = begin, **options: Any) -> None:
            counted.append(type(self))
            begin(self, *arguments, **options)

        monkeypatch.setattr(kind, "__init__", init)
    return counted


class Site:
    """
    A server with something before its HTTP protocol, which has served a WebSocket.

    Attributes:
        listener: The socket that it listens on.
        scopes: Of all WebSockets so far.
    """

    def __init__(self, listener: socket.socket, scopes: list[dict[str, Any]], trusted: ssl.SSLContext | None) -> None:
        self.listener = listener
        self.scopes = scopes
        self._trusted = trusted

    @property
    def address(self) -> Address:
        """Where it listens."""
        return Address(*self.listener.getsockname()[:2])

    @asynccontextmanager
    async def dialled(self) -> AsyncIterator[RawWebSocket]:
        """Connect for the length of the block, and say nothing."""
        name = self.listener.getsockname()
        if self.listener.family == socket.AF_UNIX:
            reader, writer = await asyncio.open_unix_connection(name)
        else:
            reader, writer = await asyncio.open_connection(*name[:2], ssl=self._trusted)
        try:
            yield RawWebSocket(reader, writer)
        finally:
            writer.transport.abort()

    async def converse(self, path: str = PATH, *lines: str) -> bytes:
        """Open a WebSocket in one segment and use it; return the answer to the request."""
        async with self.dialled() as client:
            await client.send(request_of(path, *lines))
            return await used(client)


async def used(client: RawWebSocket) -> bytes:
    """Use a connection that a WebSocket was asked for on; return the answer to the request."""
    head = await asyncio.wait_for(client.reader.readuntil(b"\r\n\r\n"), WAIT_S)
    assert head.startswith(b"HTTP/1.1 101 "), head
    await client.join()
    await client.say('421["echo","tea"]')
    assert await client.text() == '431["tea"]'
    return head


async def response(client: RawWebSocket) -> tuple[bytes, bytes]:
    """Return head and body of a response with a length."""
    head = await asyncio.wait_for(client.reader.readuntil(b"\r\n\r\n"), WAIT_S)
    (length,) = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head, await client.reader.readexactly(int(length.split(b":")[1]))


def tcp_listener(family: socket.AddressFamily = socket.AF_INET, host: str = "127.0.0.1") -> socket.socket:
    """Return a socket on a free port."""
    listener = socket.socket(family, proto=socket.IPPROTO_TCP)
    listener.bind((host, 0))
    return listener


class Run:
    """
    Runs a scenario with a server in an event loop.

    Args:
        make_server: Makes Socket.IO servers.
        http: uvicorn's option.
        loop: What runs a coroutine.
    """

    def __init__(self, make_server: Any, http: str, loop: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        self._make_server = make_server
        self._http = http
        self.loop = loop

    def __call__(
        self,
        scenario: Callable[[Site], Coroutine[Any, Any, None]],
        listener: socket.socket | None = None,
        **options: Any,
    ) -> None:
        """Serve one WebSocket, then play *scenario*."""
        self.loop(self.play(scenario, listener or tcp_listener(), **options))

    async def play(self, scenario: Any, listener: socket.socket, trusted: Any = None, **options: Any) -> None:
        """Do so in the running loop."""
        sio, scopes = self._make_server(), []
        sio.on("echo", lambda _sid, data: data)
        sio.on("connect", lambda _sid, environ: scopes.append(environ["asgi.scope"]))
        app = FastAPI()

        @app.websocket("/plain")
        async def plain(websocket: WebSocket):
            await websocket.accept()
            await websocket.send_text(await websocket.receive_text())
            await websocket.close()

        site = Site(listener, scopes, trusted)
        settings = {"ws": FAST_WS, "http": self._http, **options}
        async with serve_on(listener, fastsio.ASGIApp(sio, other_asgi_app=app), **settings):
            await site.converse()
            await scenario(site)


@pytest.fixture(
    params=[(http, loop) for http in ("httptools", "h11") for loop in (asyncio.run, uvloop.run)],
    ids=["httptools-asyncio", "httptools-uvloop", "h11-asyncio", "h11-uvloop"],
)
def run(request, make_server) -> Run:
    """Both HTTP protocols of uvicorn, on both event loops."""
    return Run(make_server, *request.param)


def test_a_plain_request_needs_no_http_protocol(run, made):
    """From the first one on: the application has put something before it when it started."""

    async def scenario(site: Site) -> None:
        for _ in range(3):
            await site.converse()

        assert not made

    run(scenario)


@pytest.mark.parametrize("options", [{}, {"root_path": "/proxied"}, {"forwarded_allow_ips": "*"}])
def test_the_scope_is_uvicorns_own(run, made, options):
    """The same request has the same scope with it and without."""
    lines = ("X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: wss", "Cookie: a=1; b=2", "x-ODD:caf\xe9", "Origin:")
    url = "/socket.io/?EIO=4&transport=websocket&name=%C3%A9&x=1%202"
    seen: list[Any] = []

    async def scenario(site: Site) -> None:
        async with site.dialled() as client:
            await client.send(
                request_of(url).replace(b"\r\n\r\n", b"\r\n" + "\r\n".join([*lines, "", ""]).encode("latin-1"))
            )
            await used(client)
        # The application and its router are other ones in each run.
        seen.append((len(made), {**site.scopes[-1], "extensions": None, "app": None, "router": None}))

    run(scenario, **options)
    run(scenario, ws="websockets-sansio", **options)
    (count, scope), (_, expected) = seen
    own = {b"sec-websocket-key"}
    for each in (scope, expected):
        each["headers"] = [header for header in each["headers"] if header[0] not in own]
        each["client"], each["server"] = each["client"][0], each["server"][0]

    assert count == 0
    assert scope == expected


def test_a_request_in_several_segments_is_uvicorns(run, made):
    """And is served as fast as ever once uvicorn has put it together."""

    async def scenario(site: Site) -> None:
        request = request_of(PATH, "Sec-WebSocket-Extensions: permessage-deflate")
        for at in (1, len(request) // 2, len(request) - 1):
            before = len(made)
            async with site.dialled() as client:
                await client.send(request[:at])
                await eventually(lambda before=before: len(made) == before + 1)
                await client.send(request[at:])
                head = await used(client)
            assert b"sec-websocket-extensions" not in head.lower()

    run(scenario)


def test_what_is_sent_before_the_answer_is_uvicorns(run, made):
    """A client may not send frames before it knows that it is accepted; uvicorn decides what becomes of them."""

    async def scenario(site: Site) -> None:
        async with site.dialled() as client:
            await client.send(request_of(), client_frame(FIN | TEXT, b"40"))
            await used(client)

        assert len(made) == 1

    run(scenario)


def test_plain_http_is_as_ever(run, made):
    """A fresh connection is kept alive, and may still become a WebSocket."""

    async def scenario(site: Site) -> None:
        async with site.dialled() as client:
            for _ in range(2):
                await client.send(b"GET /nowhere HTTP/1.1\r\nHost: testserver\r\n\r\n")
                head, _ = await response(client)
                assert head.startswith(b"HTTP/1.1 404 ")
            await client.send(request_of())
            await used(client)

        assert len(made) == 1

    run(scenario)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (request_of("/nowhere"), b"403"),
        (request_of().replace(b"Version: 13", b"Version: 8"), b"400"),
        (request_of().replace(b"Sec-WebSocket-Key", b"X-Key"), b"400"),
        (b"GET /nowhere HTTP/1.1\r\nHost: testserver\r\n\r\n", b"404"),
    ],
    ids=["no HTTP", "no such WebSocket", "another version", "no key", "no such page"],
)
def test_other_requests_get_uvicorns_answers(run, made, request_bytes, status):
    """Whatever is wrong with them."""

    async def scenario(site: Site) -> None:
        async with site.dialled() as client:
            await client.send(request_bytes)
            answer = await asyncio.wait_for(client.reader.readuntil(b"\r\n"), WAIT_S)
            assert answer.split(b" ")[1] == status

        assert len(made) == 1

    run(scenario)


def test_another_applications_websocket_is_uvicorns(run, made):
    """Compression included."""

    async def scenario(site: Site) -> None:
        async with connect(f"{site.address.ws}/plain", proxy=None) as websocket:
            await websocket.send("tea")
            assert await websocket.recv() == "tea"
            assert not is_fast(websocket)
        async with opened(site.address) as (client, websocket):
            await client.join()
            assert is_fast(websocket)

        assert len(made) == 1

    run(scenario)


def test_a_server_that_stops_closes_connections_without_a_request(run):
    """And waits for none of them, nor for those that have left before."""

    async def conversation() -> None:
        async with AsyncExitStack() as clients:
            idle: list[RawWebSocket] = []

            async def scenario(site: Site) -> None:
                idle.append(await clients.enter_async_context(site.dialled()))
                async with site.dialled():
                    pass
                await site.converse()  # the server takes connections in order, so it has the idle ones

            await run.play(scenario, tcp_listener(), timeout_graceful_shutdown=None)
            await idle[0].ended()

    run.loop(conversation())


class OwnHTTP(HttpToolsProtocol):
    """Somebody's own HTTP protocol."""


def test_somebodys_own_http_protocol_gets_every_request(run, made):
    """It is not stood before."""

    async def scenario(site: Site) -> None:
        await site.converse()

        assert made == [OwnHTTP, OwnHTTP]

    run(scenario, http=OwnHTTP)


def scheme_and_addresses(scope: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Return what a scope says of the connection, without the client's port."""
    return scope["scheme"], scope["client"] and scope["client"][0], scope["server"]


def test_it_works_over_tls(run, made, tmp_path):
    """The scheme of an encrypted connection is wss."""
    make_certificates(tmp_path)
    trusted = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    keys = {"ssl_keyfile": str(tmp_path / "server.key"), "ssl_certfile": str(tmp_path / "server.pem")}

    async def scenario(site: Site) -> None:
        await site.converse()

        assert not made
        assert scheme_and_addresses(site.scopes[-1]) == ("wss", "127.0.0.1", site.listener.getsockname())

    run(scenario, trusted=trusted, **keys)


def test_it_works_over_ipv6(run, made):
    """Addresses are host and port there too."""

    async def scenario(site: Site) -> None:
        await site.converse()

        assert not made
        assert scheme_and_addresses(site.scopes[-1]) == ("ws", "::1", site.listener.getsockname()[:2])

    run(scenario, tcp_listener(socket.AF_INET6, "::1"))


@pytest.mark.parametrize("ws", ["auto", FAST_WS])
def test_it_works_over_a_unix_socket(run, made, tmp_path, ws):
    """Its clients have no address, the server has its path."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "server.sock"))

    async def scenario(site: Site) -> None:
        await site.converse()

        assert len(made) == (0 if ws == FAST_WS else 2)
        assert scheme_and_addresses(site.scopes[-1]) == ("ws", None, (listener.getsockname(), None))

    run(scenario, listener, ws=ws)


@pytest.mark.parametrize("ws", ["auto", FAST_WS])
def test_a_limit_on_connections_is_one_on_requests(run, ws):
    """uvicorn answers plain HTTP with 503 while there are too many connections; those without a request count."""

    async def scenario(site: Site) -> None:
        async with site.dialled(), site.dialled(), site.dialled() as client:
            await client.send(POLL)
            head = await asyncio.wait_for(client.reader.readuntil(b"\r\n\r\n"), WAIT_S)
            assert head.startswith(b"HTTP/1.1 503 ")

    run(scenario, limit_concurrency=3, ws=ws)
