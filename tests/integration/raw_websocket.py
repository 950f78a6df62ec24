"""A WebSocket client that sends whatever a test wants, frames that no library would send included."""

from __future__ import annotations

import asyncio
import os
from base64 import b64encode
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.servers import Address

FIN, CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x80, 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


def client_frame(head: int, payload: bytes, *, masked: bool = True, announced: int | None = None) -> bytes:
    """
    Build a frame.

    Args:
        head: The first byte.
        payload: What it carries.
        masked: Whether it is masked, as a client's must be.
        announced: The length that it claims to have, if not its own.
    """
    length = len(payload) if announced is None else announced
    bit = 0x80 if masked else 0
    if length < 126:
        size = bytes([bit | length])
    elif length < 1 << 16:
        size = bytes([bit | 126]) + length.to_bytes(2)
    else:
        size = bytes([bit | 127]) + length.to_bytes(8)
    if not masked:
        return bytes([head]) + size + payload
    mask = os.urandom(4)
    body = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return bytes([head]) + size + mask + body


class RawWebSocket:
    """
    An open connection.

    Attributes:
        reader: What the server sends.
        writer: What it gets.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, *frames: bytes) -> None:
        """Send bytes in one piece."""
        self.writer.write(b"".join(frames))
        await self.writer.drain()

    async def say(self, text: str) -> None:
        """Send a text."""
        await self.send(client_frame(FIN | TEXT, text.encode()))

    async def frame(self) -> tuple[int, bytes]:
        """Return the first byte and the payload of the server's next frame."""
        async with asyncio.timeout(WAIT_S):
            head, length = await self.reader.readexactly(2)
            if length == 126:
                length = int.from_bytes(await self.reader.readexactly(2))
            elif length == 127:
                length = int.from_bytes(await self.reader.readexactly(8))
            return head, await self.reader.readexactly(length)

    async def text(self) -> str:
        """Return the next frame, which must be a text."""
        head, payload = await self.frame()
        assert head == FIN | TEXT
        return payload.decode()

    async def close_code(self) -> int:
        """Return the code of the close frame, the next frame that is no text, and wait for the end."""
        while (received := await self.frame())[0] == FIN | TEXT:
            pass
        assert received[0] == FIN | CLOSE
        self.writer.write(client_frame(FIN | CLOSE, received[1][:2]))
        await self.ended()
        return int.from_bytes(received[1][:2])

    async def ended(self) -> None:
        """Wait until the server has closed the connection."""
        async with asyncio.timeout(WAIT_S):
            with suppress(ConnectionResetError):  # bytes of the client were still on their way
                assert await self.reader.read() == b""

    async def join(self) -> None:
        """Read the open packet and join the main namespace."""
        assert (await self.text())[0] == "0"
        await self.say("40")
        assert (await self.text()).startswith("40")


def request_of(path: str = "/socket.io/?EIO=4&transport=websocket", *lines: str) -> bytes:
    """Build the request for a WebSocket; *lines* are further headers."""
    key = b64encode(os.urandom(16)).decode()
    head = [f"GET {path} HTTP/1.1", "Host: testserver", "Upgrade: websocket", "Connection: keep-alive, Upgrade"]
    return "\r\n".join([*head, "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", *lines, "", ""]).encode()


@asynccontextmanager
async def open_raw(address: Address, request: bytes | None = None) -> AsyncIterator[RawWebSocket]:
    """Connect and send a request for the length of the block; the answer to a handshake is read."""
    reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        writer.write(request_of() if request is None else request)
        if request is None:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT_S)
            assert head.startswith(b"HTTP/1.1 101"), head
        yield RawWebSocket(reader, writer)
    finally:
        writer.transport.abort()
