"""An Engine.IO without a network: it hands frames over and keeps what is sent."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from fastsio.engine.packet import MessagePacket
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


class Wire:
    """
    Takes the place of a server's Engine.IO.

    Args:
        server: The Socket.IO server.

    Attributes:
        closed: Engine.IO sid -> why the server ended the session.
        congested: Engine.IO sids of clients that are behind.
        reads: Set when they have caught up.
        stopped: Whether the server has shut the engine down.
    """

    async_mode = "asgi"
    max_buffer_bytes = 5_000
    high_water_bytes, high_water_packets = 1_048_576, 1_000

    def __init__(self, server: Any) -> None:
        self.server = server
        self.clients: dict[str, FakeClient] = {}
        self.closed: dict[str, str] = {}
        self.sockets: dict[str, Any] = {}  # it has no sessions
        self.stopped = False
        self.is_admitting = True
        self.congested: set[str] = set()
        self.reads = asyncio.Event()
        self._last_id = 0
        server.eio = self

    # What the server calls

    def generate_id(self) -> str:
        """Return a new sid."""
        self._last_id += 1
        return f"sid{self._last_id}"

    def post(self, eio_sid: str, packets: Sequence[Any], waits: bool = False) -> bool:
        """Keep what a client is sent."""
        client = self.clients.get(eio_sid)
        if client is None:
            return False
        client.take([packet.data for packet in packets])
        return True

    def post_to_all(self, sessions: Iterable[Any], packets: Sequence[Any], waits: bool = False) -> None:
        assert not sessions

    async def let_read(self, eio_sids: Sequence[str]) -> None:
        """Wait as long as the test wants for clients that are behind."""
        while self.congested.intersection(eio_sids):
            await self.reads.wait()

    async def write(self, eio_sid: str, packets: Sequence[Any]) -> bool:
        """Keep what a client is sent."""
        return self.post(eio_sid, packets)

    async def write_text(self, eio_sid: str, text: str) -> bool:
        return self.post(eio_sid, (MessagePacket(text),))

    async def send_packet(self, eio_sid: str, packet: Any) -> bool:
        """Keep what a client is sent."""
        return self.post(eio_sid, [packet])

    async def close_client(self, eio_sid: str, reason: str, *, abort: bool = False) -> None:
        """End a session, once."""
        if self.clients.pop(eio_sid, None) is not None:
            self.closed[eio_sid] = reason
            await self.server._handle_eio_disconnect(eio_sid, reason)

    def stop_admitting(self, grace_s: float) -> None:
        """Take no handshakes any more."""
        self.is_admitting = False

    def leave_client(self, eio_sid: str) -> None:
        """End a transport without its disconnect handler, once."""
        if self.clients.pop(eio_sid, None) is not None:
            self.closed[eio_sid] = "server shutting down"

    async def run_disconnect(self, eio_sid: str, reason: str) -> None:
        """Run the disconnect handler."""
        await self.server._handle_eio_disconnect(eio_sid, reason)

    def create_event(self) -> asyncio.Event:
        """Return what a task can wait on."""
        return asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """Let others run."""
        await asyncio.sleep(seconds)

    async def shutdown(self) -> None:
        """Stop."""
        self.stopped = True

    # What tests call

    async def open(self, **environ: Any) -> FakeClient:
        """Open a session."""
        client = FakeClient(self, f"eio{len(self.clients) + len(self.closed)}")
        accepted = await self.server._handle_eio_connect(client.eio_sid, environ)
        if accepted is False:
            raise ConnectionRefusedError
        self.clients[client.eio_sid] = client
        return client

    async def join(self, namespace: str = "/", auth: Any = None, **environ: Any) -> FakeClient:
        """Open a session and connect to a namespace."""
        client = await self.open(**environ)
        await client.join(namespace, auth)
        return client


class FakeClient:
    """
    A client on the wire.

    Args:
        wire: The wire.
        eio_sid: Its Engine.IO sid.

    Attributes:
        frames: What it was sent and has not read.
        sids: Namespace -> sid.
    """

    def __init__(self, wire: Wire, eio_sid: str) -> None:
        self.wire = wire
        self.eio_sid = eio_sid
        self.frames: list[str | bytes] = []
        self.sids: dict[str, str] = {}
        self._arrived = asyncio.Event()

    @property
    def sid(self) -> str:
        """The sid in "/"."""
        return self.sids["/"]

    def take(self, frames: Sequence[str | bytes]) -> None:
        """Receive frames."""
        self.frames.extend(frames)
        self._arrived.set()

    async def send(self, *frames: str | bytes) -> None:
        """Send Socket.IO frames; returns when the server has read them."""
        for frame in frames:
            await self.wire.server._handle_eio_message(self.eio_sid, frame)

    async def receive(self) -> Any:
        """Return the next frame."""
        async with asyncio.timeout(WAIT_S):
            while not self.frames:
                self._arrived.clear()
                await self._arrived.wait()
        return self.frames.pop(0)

    async def join(self, namespace: str = "/", auth: Any = None) -> str:
        """Connect to a namespace."""
        place = "" if namespace == "/" else f"{namespace},"
        await self.send(f"0{place}" + ("" if auth is None else json.dumps(auth)))
        answer = await self.receive()
        assert answer.startswith(f"0{place}" + "{"), answer
        self.sids[namespace] = json.loads(answer[1 + len(place) :])["sid"]
        return self.sids[namespace]

    async def ask(self, event: str, *arguments: Any, ack_id: int = 1) -> Any:
        """Send an event and return the arguments of its acknowledgement."""
        await self.send(f"2{ack_id}{json.dumps([event, *arguments])}")
        answer = await self.receive()
        assert answer.startswith(f"3{ack_id}["), answer
        return json.loads(answer[1 + len(str(ack_id)) :])

    async def lose(self, reason: str = "transport close") -> None:
        """Lose the connection."""
        self.wire.clients.pop(self.eio_sid, None)
        self.wire.closed[self.eio_sid] = reason
        await self.wire.server._handle_eio_disconnect(self.eio_sid, reason)


async def settled(condition: Callable[[], Any]) -> None:
    """Give the loop turns until *condition* holds, within bounds."""
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - there is no event for somebody else's state
            await asyncio.sleep(0)


async def turns(count: int = 20) -> None:
    """Give the loop some turns, for what must not happen."""
    for _ in range(count):
        await asyncio.sleep(0)
