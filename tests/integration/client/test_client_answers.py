"""How clients take the answers to their requests, from a server that sends head and body apart."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

import fastsio
from fastsio.exceptions import ConnectionError
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

OPEN = {"sid": "e", "upgrades": [], "pingInterval": 25_000, "pingTimeout": 20_000, "maxPayload": 100_000}


class Slow:
    """
    A server that lets a client join over polling, and sends the body of an answer when it is told to.

    Attributes:
        posted: What clients have posted, each once the head of its answer is on the way.
        may_end: Set while bodies may be sent.
        status: Of the answer to the handshake.
        connections: Those on which something was posted.
    """

    def __init__(self) -> None:
        self.posted: asyncio.Queue[str] = asyncio.Queue()
        self.may_end = asyncio.Event()
        self.status = 200
        self.connections: set[Any] = set()
        self._packets = ['40{"sid":"s"}']
        self._over = asyncio.Event()
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer any request."""
        if request.method == "POST":
            return await self._take(request)
        if "sid" not in request.query:
            return await self._send(request, json.dumps("no") if self.status != 200 else "0" + json.dumps(OPEN))
        if not self._packets:
            await self._over.wait()
        return await self._send(request, self._packets.pop() if self._packets else "6")

    async def _take(self, request: web.Request) -> web.StreamResponse:
        self.connections.add(request.transport)
        body = await request.text()
        if body.endswith("1"):
            self._over.set()
        response = await self._begin(request, "ok")
        self.posted.put_nowait(body)
        async with asyncio.timeout(WAIT_S):
            await self.may_end.wait()
        await response.write(b"ok")
        return response

    async def _send(self, request: web.Request, body: str) -> web.StreamResponse:
        response = await self._begin(request, body)
        await response.write(body.encode())
        return response

    async def _begin(self, request: web.Request, body: str) -> web.StreamResponse:
        headers = {"Content-Length": str(len(body)), "Content-Type": "application/json"}
        response = web.StreamResponse(status=self.status, headers=headers)
        await response.prepare(request)
        return response


@pytest.fixture
async def slow() -> AsyncIterator[Slow]:
    """A server of that kind, on loopback."""
    server = Slow()
    runner = web.ServerRunner(web.Server(server.answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}"
    yield server
    await runner.cleanup()


async def test_posts_share_a_connection(slow):
    """The answer to a POST is read to its end: so its connection is free for the next, and closed at the end."""
    client = fastsio.AsyncClient(reconnection=False)
    await client.connect(slow.url, transports=["polling"], wait=False)
    async with asyncio.timeout(WAIT_S):
        assert await slow.posted.get() == "40{}"
        leaving = asyncio.create_task(client.disconnect())
        slow.may_end.set()
        await leaving

    assert "1" in slow.posted.get_nowait()
    assert len(slow.connections) == 1


async def test_a_refusal_whose_reason_comes_late_is_read(slow):
    """The reason is not lost with the connection."""
    slow.status = 403
    client = fastsio.AsyncClient(reconnection=False)

    with pytest.raises(ConnectionError, match="Unexpected status code 403"):
        await client.connect(slow.url, transports=["polling"])
