"""
Raw clients of the two transports, with one face: Engine.IO frames in, Engine.IO frames out.

They answer pings and know no Socket.IO; tests write the packets themselves.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from tests.support.servers import Address

SEPARATOR = "\x1e"
Frame = str | bytes


class Closed(Exception):  # noqa: N818 - says what happened
    """The server ended the session."""


class RawClient:
    """
    What both transports share.

    Attributes:
        eio_sid: The Engine.IO session id.
        handshake: The payload of the open packet.
    """

    def __init__(self) -> None:
        self.handshake: dict[str, Any] = {}

    @property
    def eio_sid(self) -> str:
        """The Engine.IO session id."""
        return str(self.handshake["sid"])

    async def send(self, *frames: Frame) -> None:
        """Send Engine.IO frames."""
        raise NotImplementedError

    async def receive(self) -> Frame:
        """Return the next frame that is neither a ping nor a noop; raise Closed when there is none."""
        raise NotImplementedError

    async def close(self) -> None:
        """Leave as the transport does."""
        raise NotImplementedError

    async def join(self, namespace: str = "/", auth: Any = None) -> str:
        """Connect to a namespace and return the sid."""
        place = "" if namespace == "/" else f"{namespace},"
        await self.send(f"40{place}" + ("" if auth is None else json.dumps(auth)))
        answer = await self.receive()
        assert isinstance(answer, str), answer
        assert answer.startswith(f"40{place}" + "{"), answer
        return str(json.loads(answer[2 + len(place) :])["sid"])

    async def ask(self, event: str, *arguments: Any, ack_id: int = 7) -> Any:
        """Send an event and return the arguments of its acknowledgement, which must be the next frame."""
        await self.send(f"42{ack_id}{json.dumps([event, *arguments])}")
        answer = await self.receive()
        assert isinstance(answer, str), answer
        assert answer.startswith(f"43{ack_id}"), answer
        return json.loads(answer[2 + len(str(ack_id)) :])

    async def closed(self) -> None:
        """Wait until the server ends the session; fail on any other frame."""
        try:
            frame = await self.receive()
        except Closed:
            return
        raise AssertionError(f"expected the end of the session, got {frame!r}")


class WebSocketClient(RawClient):
    """A client over a WebSocket."""

    def __init__(self, socket: ClientConnection) -> None:
        super().__init__()
        self.socket = socket

    async def send(self, *frames: Frame) -> None:
        for frame in frames:
            await self.socket.send(frame)

    async def receive(self) -> Frame:
        async with asyncio.timeout(WAIT_S):
            while True:
                try:
                    frame = await self.socket.recv()
                    if frame == "2":
                        await self.socket.send("3")
                        continue
                except ConnectionClosed:
                    raise Closed from None
                if frame == "1":
                    raise Closed
                if frame != "6":
                    return frame

    async def close(self) -> None:
        await self.socket.close()

    async def vanish(self) -> None:
        """Cut the TCP connection without a word."""
        self.socket.transport.abort()
        async with asyncio.timeout(WAIT_S):
            await self.socket.wait_closed()


class PollingClient(RawClient):
    """A client over HTTP long-polling."""

    def __init__(self, http: httpx.AsyncClient, url: str) -> None:
        super().__init__()
        self.http = http
        self._url = url
        self._received: deque[Frame] = deque()

    @property
    def url(self) -> str:
        """The session's URL."""
        return f"{self._url}&sid={self.eio_sid}" if self.handshake else self._url

    async def post(self, *frames: Frame) -> httpx.Response:
        """Send frames in one POST and return the answer."""
        texts = [f if isinstance(f, str) else "b" + base64.b64encode(f).decode() for f in frames]
        return await self.http.post(self.url, content=SEPARATOR.join(texts))

    async def send(self, *frames: Frame) -> None:
        await self.post(*frames)

    async def poll(self) -> list[Frame]:
        """Wait for what the server has to say; raise Closed when it has nothing to say any more."""
        answer = await self.http.get(self.url)
        if answer.status_code != httpx.codes.OK:
            raise Closed
        return [base64.b64decode(f[1:]) if f[:1] == "b" else f for f in answer.text.split(SEPARATOR)]

    async def receive(self) -> Frame:
        async with asyncio.timeout(WAIT_S):
            while True:
                while not self._received:
                    self._received.extend(await self.poll())
                frame = self._received.popleft()
                if frame == "2":
                    await self.post("3")
                elif frame == "1":
                    raise Closed
                elif frame != "6":
                    return frame

    async def close(self) -> None:
        await self.post("1")


@asynccontextmanager
async def open_websocket(
    address: Address,
    path: str = "/socket.io/",
    query: str = "",
    headers: Mapping[str, str] | None = None,
    source: str | None = None,
) -> AsyncIterator[WebSocketClient]:
    """Open a session over a WebSocket for the length of the block, from the address *source* if one is given."""
    options = {"local_addr": (source, 0)} if source else {}
    url = f"{address.ws}{path}?EIO=4&transport=websocket{query}"
    async with connect(
        url, additional_headers=headers, compression=None, ping_interval=None, close_timeout=1, proxy=None, **options
    ) as socket:
        client = WebSocketClient(socket)
        opened = await client.receive()
        assert isinstance(opened, str), opened
        client.handshake = json.loads(opened[1:])
        yield client


@asynccontextmanager
async def open_polling(
    address: Address,
    path: str = "/socket.io/",
    query: str = "",
    headers: Mapping[str, str] | None = None,
    source: str | None = None,
) -> AsyncIterator[PollingClient]:
    """Open a session over long-polling for the length of the block, from the address *source* if one is given."""
    async with http_client(headers, source) as http:
        client = PollingClient(http, f"{address.http}{path}?EIO=4&transport=polling{query}")
        (opened,) = await client.poll()
        assert isinstance(opened, str), opened
        client.handshake = json.loads(opened[1:])
        yield client


OPENERS: dict[str, Callable[..., Any]] = {"websocket": open_websocket, "polling": open_polling}


@asynccontextmanager
async def http_client(
    headers: Mapping[str, str] | None = None, source: str | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client for plain HTTP, without proxies and certificates."""
    transport = httpx.AsyncHTTPTransport(verify=False, local_address=source)
    async with httpx.AsyncClient(transport=transport, headers=headers, timeout=WAIT_S) as http:
        yield http


class Journal(list[Any]):
    """What an application saw, in order, and a way to wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = asyncio.Event()

    def note(self, entry: Any) -> None:
        """Write an entry."""
        self.append(entry)
        self._changed.set()

    async def until(self, entry: Any, count: int = 1) -> None:
        """Wait until *entry* has been written *count* times."""
        await self.until_any([entry], count)

    async def until_any(self, entries: list[Any], count: int = 1) -> None:
        """Wait until one of *entries* has been written *count* times."""
        try:
            async with asyncio.timeout(WAIT_S):
                while all(self.count(entry) < count for entry in entries):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"none of {entries} is in the journal {count} times: {self}") from None


async def eventually(condition: Callable[[], Any], within_s: float = WAIT_S) -> None:
    """Wait until *condition* holds: the loop is given turns until then, for *within_s* seconds at most."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - there is no event for somebody else's state
            await asyncio.sleep(0.001)


def remains(sio: Any) -> dict[str, Any]:
    """Return what a server still keeps of its clients, without what is empty; engine sessions included."""
    kept = {
        "environ": dict(sio.environ),
        "connections": dict(sio._connections),
        "namespaces": list(sio.manager.get_namespaces()),
        "rooms": {namespace: dict(rooms) for namespace, rooms in sio.manager.rooms.items()},
        "sockets": dict(sio.eio.sockets),
    }
    return {name: value for name, value in kept.items() if value}


def record_of(sio: Any, client: RawClient) -> Any:
    """Return what a server keeps of a client's connection."""
    return sio._connections[client.eio_sid]


def owed_by(sio: Any, sid: str) -> int:
    """Return how many acknowledgements of a client are waited for."""
    return int(sio.manager._acks.pending(sid))
