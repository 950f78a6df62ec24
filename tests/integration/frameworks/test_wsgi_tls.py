"""The server for threads under a web server that does TLS itself."""

from __future__ import annotations

import asyncio
import queue
import ssl
import threading
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import connect

import fastsio
from tests.integration.clients import WebSocketClient
from tests.support.brokers import make_certificates
from tests.support.waiting import WAIT_S
from tests.support.wsgi_servers import serve_werkzeug

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.servers import Address

HEAD = "POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n4"


class Site:
    """
    A server for threads whose handlers run one after the other.

    Attributes:
        reasons: Why clients have left.
        release: Lets the handler of ``hang`` go on.
    """

    def __init__(self, **options: Any) -> None:
        self.sio = sio = fastsio.Server(async_mode="threading", async_handlers=False, **options)
        self.reasons: queue.Queue[str] = queue.Queue()
        self.release = threading.Event()
        sio.on("hang", lambda _sid: self.release.wait(2 * WAIT_S))
        sio.on("echo", lambda _sid, *data: data)
        sio.on("disconnect", lambda _sid, reason: self.reasons.put(reason))

    async def reason(self) -> str:
        """Wait until a client has left, and return why."""
        return await asyncio.to_thread(self.reasons.get, timeout=WAIT_S)


@asynccontextmanager
async def served(site: Site, tmp_path: Any) -> AsyncIterator[tuple[Address, ssl.SSLContext]]:
    """Serve a site over TLS for the length of the block."""
    make_certificates(tmp_path)
    keys = (str(tmp_path / "server.pem"), str(tmp_path / "server.key"))
    with serve_werkzeug(fastsio.WSGIApp(site.sio), ssl_context=keys) as address:
        yield address, ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        site.release.set()
        await asyncio.to_thread(site.sio.shutdown)


@asynccontextmanager
async def opened(address: Address, trusted: ssl.SSLContext) -> AsyncIterator[WebSocketClient]:
    """Open a WebSocket and join the main namespace."""
    url = f"wss://{address.host}:{address.port}/socket.io/?EIO=4&transport=websocket"
    async with connect(url, ssl=trusted, proxy=None, close_timeout=0.1) as websocket:
        client = WebSocketClient(websocket)
        await client.receive()
        await client.join()
        yield client


async def test_a_body_that_never_ends_frees_its_thread(tmp_path):
    """The session ends, and the connection too: OpenSSL writes nothing more once the reading end was closed."""
    site = Site(body_timeout=0.2)
    async with served(site, tmp_path) as (address, trusted):
        reader, writer = await asyncio.open_connection(address.host, address.port, ssl=trusted)
        writer.write(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(WAIT_S):
            opening = await reader.readuntil(b"}")
        sid = opening.partition(b'"sid":"')[2].partition(b'"')[0].decode()
        writer.transport.abort()  # Werkzeug serves one request over each
        reader, writer = await asyncio.open_connection(address.host, address.port, ssl=trusted)
        writer.write(HEAD.format(sid=sid).encode())

        with suppress(ssl.SSLError, ConnectionError):
            async with asyncio.timeout(WAIT_S):
                assert not await reader.readline()
        writer.transport.abort()
    assert not site.sio.environ


async def test_a_client_that_leaves_under_a_handler_that_hangs_misses_its_heartbeat(tmp_path):
    """Nothing can be read ahead, so its session ends after one interval and two timeouts at the latest."""
    site = Site(ping_interval=0.3, ping_timeout=0.3)
    async with served(site, tmp_path) as (address, trusted):
        async with opened(address, trusted) as client:
            await client.send('42["hang"]')

        assert await site.reason() in ("ping timeout", "transport close")


async def test_a_client_that_answers_lives_on_under_a_handler_that_takes_long(tmp_path):
    """What stands unread grows with each of its pongs."""
    site = Site(ping_interval=0.2, ping_timeout=2)
    async with served(site, tmp_path) as (address, trusted), opened(address, trusted) as client:
        await client.send('42["hang"]')
        for _ in range(3):
            async with asyncio.timeout(WAIT_S):
                assert await client.socket.recv() == "2"
            await client.send("3")
        site.release.set()

        assert await client.ask("echo", 1) == [1]
        with pytest.raises(queue.Empty):
            site.reasons.get_nowait()
