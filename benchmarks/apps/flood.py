"""Sends events over one raw WebSocket as fast as they are read: ``flood.py PORT``. No Socket.IO package takes part."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import sys

import uvloop

HOST = "127.0.0.1"
EVENT = b'42["news",{"text":"0123456789012345678901234567890123456789012345678901234567890123","room":"lobby"}]'
OPEN = b'0{"sid":"flood","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
CONNECT = b'40{"sid":"client"}'
BLOCK_EVENTS = 500
#: RFC 6455, section 1.3.
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(text: bytes) -> bytes:
    """Frame a text message of less than 64 KiB."""
    size = bytes([len(text)]) if len(text) < 126 else b"\x7e" + len(text).to_bytes(2)  # noqa: PLR2004 - RFC 6455
    return b"\x81" + size + text


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Shake hands, take the CONNECT packet, then send without end."""
    head = await reader.readuntil(b"\r\n\r\n")
    key = re.search(rb"(?i)sec-websocket-key: *(\S+)", head)
    if key is None:
        raise SystemExit("the client asks for no WebSocket")
    accept = base64.b64encode(hashlib.sha1(key[1] + GUID, usedforsecurity=False).digest())
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
    writer.write(b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + frame(OPEN))
    await reader.read(1024)
    writer.write(frame(CONNECT))
    # The client counts from the first event it handles.
    block = frame(EVENT) * BLOCK_EVENTS
    try:
        while True:
            writer.write(block)
            await writer.drain()
    except ConnectionError:
        writer.close()


async def main(port: int) -> None:
    """Listen until the process is ended."""
    server = await asyncio.start_server(serve, HOST, port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
