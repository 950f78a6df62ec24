"""What servers and clients write when they are told to: the lines of python-socketio, on its loggers."""

from __future__ import annotations

import asyncio
import importlib
import logging
import re
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
import socketio
from websockets.asyncio.client import connect

from tests.parity.packages import OURS, THEIRS
from tests.parity.serving import Site, serving
from tests.support.servers import FAST_WS
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CLASSES = {False: "AsyncClient", True: "Client"}
#: What tells sids and credentials in a line of python-socketio; fastsio does not write them.
SECRETS = [
    (r"[\w-]{20}: ", "<session>: "),
    (r"[\w-]{6}\.\.\.: ", "<session>: "),
    (r"OPEN data .*", "OPEN data <hidden>"),
    (r'data 0\{"token":"secret"\}', "data 0<hidden>"),
    (r"[\w-]{20}", "<sid>"),
    (r" data None$", " data "),
]


#: What python-engineio says of its own works: a WebSocket counts as an upgrade there even if it is none.
ITS_OWN = (
    "Received request to upgrade to websocket", "Upgrade to websocket successful", "Socket.IO is shutting down",
    "service task canceled",
)  # fmt: skip


class Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line, without what differs from run to run."""
        line = record.getMessage()
        for pattern, mark in SECRETS:
            line = re.sub(pattern, mark, line)
        self.lines.append(line)


def logger(name: str) -> tuple[logging.Logger, Lines]:
    """Make a logger that takes information, and what keeps it."""
    lines, made = Lines(), logging.getLogger(f"parity.{name}")
    made.propagate = False
    made.setLevel(logging.INFO)
    made.handlers = [lines]
    return made, lines


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sites() -> AsyncIterator[dict[str, Site]]:
    """Serve in both ways."""
    async with serving("websockets-sansio") as stock, serving(FAST_WS) as fast:
        yield {"stock": stock, "fast": fast}


async def told_by_a_server(package: str, site: Site) -> tuple[list[str], list[str]]:
    """Let a client connect, send and leave; return what the server and its transport log."""
    module = importlib.import_module(package)
    (events, event_lines), (packets, packet_lines) = logger("server"), logger("engine")
    sio = module.AsyncServer(async_mode="asgi", logger=events, engineio_logger=packets)
    left = asyncio.Event()

    @sio.event
    async def connect(sid: str, _environ: Any, _auth: Any) -> None:
        await sio.enter_room(sid, "room")

    @sio.event
    async def hello(sid: str, *_: Any) -> str:
        await sio.emit("news", {"a": 1}, room="room")
        await sio.emit("all")
        await sio.emit("ask", to=sid, callback=lambda: None)
        await sio.leave_room(sid, "room")
        await sio.close_room("room")
        return "hi"

    @sio.event
    async def disconnect(_sid: str) -> None:
        left.set()

    site.serve(module.ASGIApp(sio))
    await talk(site)
    await asyncio.wait_for(left.wait(), WAIT_S)
    await sio.shutdown()
    return event_lines.lines, packet_lines.lines


async def talk(site: Site) -> None:
    """Be a client."""
    async with connect_to(site) as websocket:
        await websocket.recv()
        await websocket.send('40{"token":"secret"}')
        await websocket.recv()
        await websocket.send('421["hello",1]')
        asked = [await websocket.recv() for _ in range(4)][2]
        await websocket.send(f"43{re.findall(r'[0-9]+', asked[2:])[0]}[]")
        await websocket.send('451-2["hello",{"_placeholder":true,"num":0}]')
        await websocket.send(b"1234")
        for _ in range(3):
            await websocket.recv()
        await websocket.send('42["nobody"]')
        await websocket.send('42["nobody"]')
        await websocket.send("41")


def connect_to(site: Site) -> Any:
    """Open a WebSocket."""
    return connect(f"ws://{site.address}/socket.io/?EIO=4&transport=websocket")


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("transport", ["stock", "fast"])
async def test_a_server_logs_what_python_socketio_logs(sites: dict[str, Site], transport: str) -> None:
    """Connects, events, rooms and packets; sids of sessions and credentials are hidden, an unhandled event is told."""
    their_events, their_packets = await told_by_a_server(THEIRS, sites["stock"])
    our_events, our_packets = await told_by_a_server(OURS, sites[transport])

    unhandled = [line for line in our_events if "no handler" in line]
    assert unhandled == ['no handler for event "nobody" [/]; this is said once']
    assert [line for line in our_events if line not in unhandled] == their_events
    assert our_packets == [line for line in their_packets if not line.endswith(ITS_OWN)]


async def told_by_a_client(package: str, site: Site, *, is_threaded: bool) -> tuple[list[str], list[str]]:
    """Let a client connect, call and leave; return what it and its transport log."""
    module = importlib.import_module(package)
    (events, event_lines), (packets, packet_lines) = logger("client"), logger("transport")
    options = {"handle_sigint": False} if is_threaded else {}
    client = getattr(module, CLASSES[is_threaded])(logger=events, engineio_logger=packets, **options)
    heard = asyncio.Event()
    loop = asyncio.get_running_loop()
    client.on("news", lambda *_: loop.call_soon_threadsafe(heard.set))

    async def do(method: Any, *args: Any, **given: Any) -> Any:
        return await (asyncio.to_thread(method, *args, **given) if is_threaded else method(*args, **given))

    url = f"http://{site.address}"
    await do(client.connect, url, auth={"token": "secret"}, transports=["websocket"])
    await do(client.call, "hello", 1)
    await do(client.emit, "hello", b"1234")
    await asyncio.wait_for(heard.wait(), WAIT_S)
    await do(client.disconnect)
    return event_lines.lines, [
        line for line in packet_lines.lines if re.match("Sending packet M|Received packet", line)
    ]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("is_threaded", [False, True])
async def test_a_client_logs_what_python_socketio_logs(sites: dict[str, Site], *, is_threaded: bool) -> None:
    """Connects, events, acknowledgements and packets; credentials are hidden."""
    sio = socketio.AsyncServer(async_mode="asgi")

    async def hello(sid: str, data: Any) -> str:
        if isinstance(data, bytes):
            await sio.emit("news", data, to=sid)
        return "hi"

    sio.on("hello", hello)
    sites["stock"].serve(socketio.ASGIApp(sio))

    theirs = await told_by_a_client(THEIRS, sites["stock"], is_threaded=is_threaded)
    ours = await told_by_a_client(OURS, sites["stock"], is_threaded=is_threaded)

    assert ours == theirs
