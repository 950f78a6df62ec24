"""What stands before uvicorn's HTTP protocol, on transports without a network."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.logging import TRACE_LOG_LEVEL
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from fastsio import ASGIApp, AsyncServer
from fastsio.integrations import uvicorn as module
from fastsio.integrations.fast.connection import Connection
from fastsio.integrations.fast.handshake import client_of, server_of
from fastsio.integrations.fast.light_frames import ShortTextFraming
from fastsio.integrations.fast.pre_http import MAX_REQUEST_BYTES, Front, Gate, install_gate
from fastsio.integrations.fast.site import Site
from fastsio.integrations.uvicorn import WebSocketProtocol, open_connection
from tests.shells.fast.transport import FakeTransport
from tests.support.waiting import WAIT_S

REQUEST = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Line(FakeTransport):
    """A transport that tells addresses and its protocol."""

    def __init__(self, **extra: Any) -> None:
        super().__init__()
        self._extra = extra

    def get_protocol(self) -> Any:
        return self.protocol


class Standard(asyncio.Protocol):
    """A stand-in for uvicorn's HTTP protocol, which notes what happens to it."""

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.calls: list[Any] = []

    def connection_made(self, transport: Any) -> None:
        self.options["server_state"].connections.add(self)
        self.transport = transport
        self.calls.append("made")

    def data_received(self, data: bytes) -> None:
        self.calls.append((self.transport.protocol is self, data))


class Opener:
    """A stand-in for who serves WebSockets."""

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol
        self.asked: list[Any] = []

    def __call__(self, *arguments: Any) -> Any:
        self.asked.append(arguments)
        return self.protocol


def make_front(protocol: Any) -> tuple[Front, Line, ServerState, Opener]:
    """Return a connected front that opens *protocol*."""
    opener, state, line = Opener(protocol), ServerState(), Line()
    site = Site(loaded(), state, {"a": 1}, Standard, asyncio.get_running_loop())
    front = Front(site, opener)
    line.protocol = front
    front.connection_made(line)
    return front, line, state, opener


async def test_a_websocket_is_handed_over_at_once():
    """The transport gets who serves it, and uvicorn's protocol is not made."""
    websocket = asyncio.Protocol()
    front, line, state, opener = make_front(websocket)
    front.data_received(REQUEST)

    (asked,) = opener.asked
    assert asked[1:5] == (state, {"a": 1}, line, REQUEST)
    assert line.protocol is websocket
    assert not state.connections


async def test_everything_else_is_uvicorns():
    """Its protocol is made as uvicorn makes it, and gets the very same bytes."""
    front, line, state, _ = make_front(None)
    front.data_received(b"GET / HT")

    assert isinstance(line.protocol, Standard)
    options = line.protocol.options
    assert (options["server_state"], options["app_state"]) == (state, {"a": 1})
    assert options["_loop"] is asyncio.get_running_loop()
    assert line.protocol.calls == ["made", (True, b"GET / HT")]
    assert state.connections == {line.protocol}


async def test_a_long_request_is_not_looked_at():
    """Whatever it asks for."""
    front, line, _, opener = make_front(asyncio.Protocol())
    front.data_received(b"x" * (MAX_REQUEST_BYTES + 1))

    assert opener.asked == []
    assert isinstance(line.protocol, Standard)


async def test_a_connection_without_a_request_is_closed_with_the_server():
    """uvicorn knows of it until it is gone."""
    front, line, state, _ = make_front(None)
    assert state.connections == {front}
    for connection in list(state.connections):
        connection.shutdown()
    assert line.closed
    front.connection_lost(None)

    assert not state.connections


def loaded(**options: Any) -> Config:
    """Return a loaded configuration that serves Socket.IO."""
    app = ASGIApp(AsyncServer(async_mode="asgi"))
    config = Config(app, **{"ws": WebSocketProtocol, "log_config": None, "lifespan": "off", **options})
    config.load()
    return config


class OwnHTTP(HttpToolsProtocol):
    """Somebody's own HTTP protocol."""


class OwnWebSockets(WebSocketProtocol):
    """Somebody's own WebSocket protocol."""


@pytest.mark.parametrize("http", [HttpToolsProtocol, H11Protocol])
async def test_it_is_put_before_uvicorns_own_protocols_once(http):
    """The next connection gets a front; the one after that no second."""
    config = loaded(http=http)
    install_gate(config, open_connection)
    put: Any = config.http_protocol_class
    install_gate(config, open_connection)

    assert isinstance(put(config=config, server_state=ServerState(), app_state={}, _loop=None), Front)
    assert config.http_protocol_class is put


def test_it_is_not_put_before_somebody_elses_protocol():
    """What a subclass does with a connection is not known."""
    config = loaded(http=OwnHTTP)
    install_gate(config, open_connection)

    assert config.http_protocol_class is OwnHTTP


def test_it_is_not_put_there_while_uvicorn_traces(caplog):
    """uvicorn's protocol logs every connection then."""
    config = loaded(http="httptools")
    with caplog.at_level(TRACE_LOG_LEVEL, "uvicorn.error"):
        install_gate(config, open_connection)
    assert config.http_protocol_class is HttpToolsProtocol
    with caplog.at_level(logging.DEBUG, "uvicorn.error"):
        install_gate(config, open_connection)

    assert config.http_protocol_class is not HttpToolsProtocol


async def upgrade(config: Config, request: bytes = REQUEST) -> tuple[Line, ServerState]:
    """Feed a request to what uvicorn makes for a connection, and let the application answer."""
    state, line = ServerState(), Line(peername=("10.0.0.1", 1), sockname=("10.0.0.2", 80))
    line.protocol = config.http_protocol_class(config=config, server_state=state, app_state={}, _loop=None)  # type: ignore[call-arg] # as uvicorn does
    line.protocol.connection_made(line)
    line.protocol.data_received(request)
    async with asyncio.timeout(WAIT_S):
        while not line.writes:  # noqa: ASYNC110 - a transport has no event for this
            await asyncio.sleep(0)
    return line, state


async def end(line: Line, state: ServerState) -> None:
    """Lose the connection, forget its protocol as transports do, and wait until nothing is left of it."""
    line.protocol.connection_lost(None)
    line.protocol = None
    await asyncio.gather(*state.tasks)
    assert not state.connections


@pytest.mark.parametrize("http", ["httptools", "h11"])
async def test_the_first_websocket_puts_it_there(http):
    """The next ones are answered in the same way, without uvicorn's HTTP protocol."""
    config = loaded(http=http)
    answers = []
    for _ in range(2):
        line, state = await upgrade(config)
        answers.append(line.writes[0].partition(b"\r\n\r\n")[0])
        await end(line, state)

    assert isinstance(config.http_protocol_class, Gate)
    assert answers[0].startswith(b"HTTP/1.1 101 ")
    assert answers[0] == answers[1]


async def test_somebodys_own_websocket_protocol_gets_every_websocket():
    """A subclass would not be asked any more."""
    config = loaded(ws=OwnWebSockets, http="httptools")
    line, state = await upgrade(config)

    assert line.writes[0].startswith(b"HTTP/1.1 101 ")
    assert config.http_protocol_class is HttpToolsProtocol
    await end(line, state)


async def test_a_websocket_of_fastsios_is_opened():
    """It is listed as uvicorn's are."""
    config, state, line = loaded(), ServerState(), Line()
    line.protocol = open_connection(config, state, {}, line, REQUEST)

    assert isinstance(line.protocol, Connection)
    assert state.connections == {line.protocol}
    await end(line, state)


async def test_a_websocket_of_fastsios_alone_is_opened_at_once():
    """No task calls the application, if that would only call the engine."""
    config, state, line = loaded(), ServerState(), Line()
    site = Site(config, state, {}, HttpToolsProtocol, asyncio.get_running_loop())
    line.protocol = open_connection(config, state, {}, line, REQUEST, site)

    assert isinstance(line.protocol, ShortTextFraming)
    assert not state.tasks
    (connection,) = state.connections
    assert isinstance(connection, Connection)
    await end(line, state)


@pytest.mark.parametrize(
    "request_bytes",
    [REQUEST[:-1], REQUEST + b"x", REQUEST.replace(b"/socket.io/", b"/other/"), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"],
)
async def test_nothing_else_is_opened(request_bytes):
    """Half a request, more than one, another application's and plain HTTP leave no trace."""
    config, state, line = loaded(), ServerState(), Line()

    assert open_connection(config, state, {}, line, request_bytes) is None
    assert not state.connections
    assert not state.tasks
    assert not line.writes


async def test_nothing_is_opened_that_cannot_be_framed(monkeypatch):
    """Without picows uvicorn's own protocols serve."""
    monkeypatch.setattr(module, "usable_framing", lambda: None)

    assert open_connection(loaded(), ServerState(), {}, Line(), REQUEST) is None


@pytest.mark.parametrize(
    ("peername", "sockname", "client", "server"),
    [
        (("10.0.0.1", 1), ("10.0.0.2", 80), ("10.0.0.1", 1), ("10.0.0.2", 80)),
        (("::1", 1, 0, 0), ("::2", 80, 0, 0), ("::1", 1), ("::2", 80)),
        ("", "/run/server.sock", None, ("/run/server.sock", None)),
        (b"\0abstract", b"\0abstract", None, None),
        (None, None, None, None),
    ],
)
def test_addresses_are_uvicorns(peername, sockname, client, server):
    """IPv4 and IPv6, UNIX sockets with and without a path, none."""
    line = Line(peername=peername, sockname=sockname)

    assert (client_of(line), server_of(line)) == (client, server)


def test_a_client_that_has_left_has_no_address():
    """uvloop raises what the socket does."""

    class Left(Line):
        """A transport whose peer is gone."""

        def get_extra_info(self, name: str, default: Any = None) -> Any:
            raise OSError("Transport endpoint is not connected")

    assert client_of(Left()) is None
