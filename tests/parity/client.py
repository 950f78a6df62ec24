"""
A raw Engine.IO client over real websocket or HTTP polling that records every frame it is sent.

It knows no Socket.IO client library: scripts write the packets themselves.
"""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.parity.wire import ack_id_in, describe_frame, sid_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.parity.lab import Lab

SEPARATOR = "\x1e"


class Client:
    """
    One Engine.IO session of a script.

    Args:
        lab: Where frames are recorded.
        name: The client's name in the transcript.
        address: ``host:port`` of the server.
        path: Path of the Engine.IO endpoint.

    """

    def __init__(self, lab: Lab, name: str, address: str, path: str) -> None:
        self.lab = lab
        self.name = name
        self.sids: dict[str, str] = {}
        self.packed = False
        self.last_ack_id = ""
        self._endpoint = f"{address}{path}?EIO=4"
        self._socket: ClientConnection | None = None
        self._http: httpx.AsyncClient | None = None
        self._reader: asyncio.Task[None] | None = None

    @property
    def sid(self) -> str:
        """The sid in the default namespace."""
        return self.sids["/"]

    async def open_websocket(self, query: str, headers: Mapping[str, str]) -> None:
        """Start the session over a websocket."""
        url = f"ws://{self._endpoint}&transport=websocket{query}"
        try:
            self._socket = await connect(
                url, additional_headers=headers, compression=None, ping_interval=None, close_timeout=1, proxy=None
            )
        except InvalidStatus as refusal:
            body = refusal.response.body or b""
            self._record(f"handshake refused: {refusal.response.status_code} {bytes(body).decode()}")
            return
        self._reader = asyncio.create_task(self._read_websocket())

    async def open_polling(self, query: str, headers: Mapping[str, str]) -> None:
        """Start the session over HTTP polling."""
        transport = httpx.AsyncHTTPTransport(verify=False)
        self._http = httpx.AsyncClient(transport=transport, headers=headers, timeout=30)
        if await self._poll(query):
            self._reader = asyncio.create_task(self._read_polling())

    async def send(self, *packets: str | bytes) -> None:
        """Send Socket.IO packets and attachments one after the other, then wait until nothing moves any more."""
        self.lab.step(f"{self.name} sends {', '.join(map(repr, packets))}")
        await self._write([f"4{packet}" if isinstance(packet, str) else packet for packet in packets])
        await self.lab.settle()

    async def send_frames(self, *frames: str | bytes) -> None:
        """Send Engine.IO frames as they are."""
        self.lab.step(f"{self.name} sends frames {', '.join(map(repr, frames))}")
        await self._write(list(frames))
        await self.lab.settle()

    async def write_quietly(self, packet: str) -> None:
        """Send a Socket.IO packet that is too long to be written down."""
        await self._write([f"4{packet}"])
        await self.lab.settle()

    async def post_raw(self, frame: str) -> None:
        """Post one Engine.IO frame and record the whole answer."""
        self.lab.step(f"{self.name} posts {frame!r}")
        assert self._http is not None, "the client is not a polling client"
        answer = await self._http.post(self._post_url(), content=frame)
        self._record(f"POST answered {answer.status_code} {answer.text}")
        await self.lab.settle()

    async def received(self, what: str) -> None:
        """Wait until a line that begins with *what* has been recorded for this client."""
        while not self.lab.has_seen(self.name, what):
            await self.lab.settle()

    async def join(self, namespace: str = "/", auth: str = "") -> None:
        """Send CONNECT for a namespace, with *auth* as JSON text."""
        await self.send("0" + ("" if namespace == "/" else f"{namespace},") + auth)

    async def upgrade(self) -> None:
        """Move the polling session to a websocket as the protocol describes."""
        self.lab.step(f"{self.name} upgrades")
        url = f"ws://{self._endpoint}&transport=websocket&sid={self.sids['eio']}"
        self._socket = await connect(url, compression=None, ping_interval=None, close_timeout=1, proxy=None)
        poller, self._reader = self._reader, asyncio.create_task(self._read_websocket())
        await self._socket.send("2probe")
        if poller is not None:
            await asyncio.wait({poller}, timeout=5)
        await self._socket.send("5")
        await self.lab.settle()

    async def close(self) -> None:
        """Leave: close the websocket, or send the close packet over polling."""
        self.lab.step(f"{self.name} closes")
        if self._socket is None:
            await self._write(["1"])
        else:
            await self._socket.close()
        await self.lab.settle()

    async def drop(self) -> None:
        """Vanish: cut the TCP connection without a closing handshake."""
        self.lab.step(f"{self.name} vanishes")
        if self._socket is not None:
            self._socket.transport.abort()
        await self.lab.settle()

    async def end(self) -> None:
        """Free what the client holds; not part of the transcript."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait({self._reader})
        if self._socket is not None:
            self._socket.transport.abort()
            await asyncio.wait_for(self._socket.wait_closed(), 5)
        if self._http is not None:
            await self._http.aclose()

    async def _write(self, frames: list[str | bytes]) -> None:
        if self._http is not None and self._socket is None:
            await self._post(frames)
            return
        if self._socket is None:
            self._record("cannot send: not open")
            return
        try:
            for frame in frames:
                await self._socket.send(frame)
        except ConnectionClosed:
            self._record("cannot send: closed")

    async def _post(self, frames: list[str | bytes]) -> None:
        assert self._http is not None, "the client is not open"
        texts = [f if isinstance(f, str) else "b" + base64.b64encode(f).decode() for f in frames]
        answer = await self._http.post(self._post_url(), content=SEPARATOR.join(texts))
        if answer.status_code != httpx.codes.OK:
            self._record(f"POST answered {answer.status_code} {answer.text}")

    def _post_url(self) -> str:
        return f"http://{self._endpoint}&transport=polling&sid={self.sids['eio']}"

    async def _read_websocket(self) -> None:
        assert self._socket is not None, "the client is not open"
        try:
            while True:
                frame = await self._socket.recv()
                self._receive(frame)
        except ConnectionClosed:
            self._record("closed")

    async def _poll(self, query: str = "") -> bool:
        assert self._http is not None, "the client is not open"
        if "eio" in self.sids:
            query = f"&sid={self.sids['eio']}"
        answer = await self._http.get(f"http://{self._endpoint}&transport=polling{query}")
        if answer.status_code != httpx.codes.OK:
            self._record(f"GET answered {answer.status_code} {answer.text}")
            return False
        frames = answer.text.split(SEPARATOR)
        for frame in frames:
            self._receive(base64.b64decode(frame[1:]) if frame.startswith("b") else frame)
        return not {"1", "6"} & set(frames)

    async def _read_polling(self) -> None:
        while await self._poll():
            pass

    def _receive(self, frame: str | bytes) -> None:
        self.last_ack_id = ack_id_in(frame) or self.last_ack_id
        told = sid_in(frame)
        if told is not None:
            self.sids[told[0]] = told[1]
            self.lab.name_sid(told[1], self.name, told[0])
        self._record(describe_frame(frame, packed=self.packed))

    def _record(self, line: str) -> None:
        self.lab.record(self.name, line)
