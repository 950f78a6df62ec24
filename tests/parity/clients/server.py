"""
A scripted server: Engine.IO 4 over websocket and polling, on aiohttp, whose every frame a scenario decides.

It knows no Socket.IO library. Sids are names, so that transcripts need no symbols: ``s1`` is the first session, ``s1/chat``
its sid in ``/chat``.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections import deque
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from tests.parity.wire import PACKET, describe_frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.parity.clients.lab import Lab

SEPARATOR = "\x1e"
POLL_S = 5
#: Seconds after which a client that neither answers nor goes is taken to hang.
HANG_S = 1
Frame = str | bytes
#: What a client says when it leaves; of python-socketio's clients it is a matter of luck how much of it is sent.
GOODBYES = ("CLOSE", "DISCONNECT")


class Session:
    """
    One Engine.IO session, seen from the server.

    Args:
        lab: Where frames are recorded.
        name: Its name in the transcript and its sid.
    """

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab = lab
        self.name = name
        self.socket: web.WebSocketResponse | None = None
        self.pongs = asyncio.Semaphore(0)
        self.gone = asyncio.Event()
        self._waiting: deque[Frame] = deque()
        self._arrived = asyncio.Event()

    async def send(self, *packets: Frame) -> None:
        """Send Socket.IO packets and attachments, then wait until the client has read them and nothing moves."""
        self.lab.step(f"{self.name} sends {', '.join(map(repr, packets))}")
        await self.write(*[f"4{packet}" if isinstance(packet, str) else packet for packet in packets])
        await self.barrier()

    async def send_frames(self, *frames: Frame) -> None:
        """Send Engine.IO frames as they are, and wait until the client has read them or has gone."""
        self.lab.step(f"{self.name} sends frames {', '.join(map(repr, frames))}")
        await self.write(*frames)
        await self.taken()

    async def barrier(self) -> None:
        """Wait until the client has read everything that was sent."""
        await self.write("2")
        await asyncio.wait_for(self.pongs.acquire(), POLL_S)
        await self.lab.settle()

    async def taken(self) -> None:
        """Wait until the client has read everything that was sent, or has gone; a client that hangs does neither."""
        with suppress(ConnectionError):
            await self.write("2")
        ways = [asyncio.ensure_future(self.pongs.acquire()), asyncio.ensure_future(self.gone.wait())]
        await asyncio.wait(ways, timeout=HANG_S, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await self.lab.settle()

    async def close(self) -> None:
        """Close the websocket, or answer polls no more."""
        self.lab.step(f"{self.name} is closed by the server")
        if self.socket is not None:
            await self.socket.close()
        else:
            self._waiting.append("1")
            self._arrived.set()
        await self.lab.settle()

    def cut(self) -> None:
        """Cut the TCP connection."""
        if self.socket is not None and self.socket._req is not None and self.socket._req.transport is not None:
            self.socket._req.transport.abort()

    async def write(self, *frames: Frame) -> None:
        """Send frames over the websocket, or keep them for the next poll."""
        if self.socket is None:
            self._waiting.extend(frames)
            self._arrived.set()
            return
        for frame in frames:
            await (self.socket.send_str(frame) if isinstance(frame, str) else self.socket.send_bytes(frame))

    async def poll(self) -> str:
        """Return the next payload of a poll."""
        while not self._waiting:
            self._arrived.clear()
            await asyncio.wait_for(self._arrived.wait(), POLL_S)
        frames = [self._waiting.popleft() for _ in range(min(len(self._waiting), 16))]
        return SEPARATOR.join(f if isinstance(f, str) else "b" + base64.b64encode(f).decode() for f in frames)

    async def take(self, frame: Frame) -> None:
        """Record a frame of the client and answer what a server answers."""
        if frame == "3":
            self.pongs.release()
            return
        line = describe_frame(frame, packed=self.lab.packed)
        if not line.startswith(GOODBYES):
            self.lab.record(self.name, line)
        if frame == "1":
            self._waiting.append("6")
            self._arrived.set()
        if self.lab.answering and isinstance(frame, str) and frame.startswith("40"):
            match = PACKET.fullmatch(frame[1:])
            assert match is not None, frame
            await self._join((match["nsp"] or "/").removesuffix(","))

    async def _join(self, namespace: str) -> None:
        place = "" if namespace == "/" else f"{namespace},"
        answers = self.lab.answers.get(namespace)
        if answers is None:
            answers = [f"0{place}" + json.dumps({"sid": self.name + namespace})]
        await self.write(*[f"4{answer}" for answer in answers])


class Server:
    """Routes requests to the sessions of the lab in use."""

    def __init__(self) -> None:
        self.lab: Lab | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        lab = self.lab
        assert lab is not None, "no scenario is running"
        query = request.query
        session = lab.sessions.get(query.get("sid", ""))
        if session is None:
            await lab.admission.wait()
            lab.record("http", describe_handshake(request))
            if lab.refusals:
                return lab.refusals.pop(0)()
            session = lab.new_session()
            opening = self._opening(lab, session, query["transport"])
            if query["transport"] == "polling":
                return web.Response(text=opening)
            return await self._websocket(request, session, opening)
        if query["transport"] == "websocket":
            return await self._upgrade(request, session)
        if request.method == "POST":
            await self._take_payload(session, await request.text())
            return web.Response(text="ok")
        return web.Response(text=await session.poll())

    def _opening(self, lab: Lab, session: Session, transport: str) -> str:
        upgrades = ["websocket"] if transport == "polling" and lab.upgrades else []
        times = {"pingInterval": 25000, "pingTimeout": 20000, "maxPayload": 1000000}
        return "0" + json.dumps({"sid": session.name, "upgrades": upgrades, **times})

    async def _take_payload(self, session: Session, body: str) -> None:
        for frame in body.split(SEPARATOR):
            await session.take(base64.b64decode(frame[1:]) if frame.startswith("b") else frame)

    async def _websocket(self, request: web.Request, session: Session, opening: str) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(timeout=1)
        await socket.prepare(request)
        await socket.send_str(opening)
        session.socket = socket
        await self._read(session, socket)
        return socket

    async def _upgrade(self, request: web.Request, session: Session) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(timeout=1)
        await socket.prepare(request)
        session.lab.record(session.name, f"upgrade {(await socket.receive()).data}")
        await socket.send_str("3probe")
        session.lab.record(session.name, f"upgrade {(await socket.receive()).data}")
        session.socket = socket
        await session.write(*session._waiting)
        await self._read(session, socket)
        return socket

    async def _read(self, session: Session, socket: web.WebSocketResponse) -> None:
        async for message in socket:
            if message.type is WSMsgType.ERROR:
                break
            await session.take(message.data)
        session.lab.record(session.name, "gone")
        session.gone.set()


def describe_handshake(request: web.Request) -> str:
    """Write a handshake as a line: path, query, and the headers a scenario may have set."""
    query = {name: value for name, value in request.query.items() if name != "t"}
    told = {name.lower(): value for name, value in request.headers.items() if name.lower().startswith(("x-", "auth"))}
    return f"handshake {request.path} {dict(sorted(query.items()))} {dict(sorted(told.items()))}"


def refusal(status: int, body: str = "", content_type: str = "text/plain") -> Callable[[], web.Response]:
    """Make what answers a handshake that the scenario refuses."""
    return lambda: web.Response(status=status, text=body, content_type=content_type)


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Server, str]]:
    """Run a scripted server on a free port for the length of the block, which gets it and its URL."""
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner: Any = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        yield server, f"http://{host}:{port}"
    finally:
        await runner.cleanup()
