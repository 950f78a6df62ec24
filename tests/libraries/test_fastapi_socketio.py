"""fastapi-socketio, unchanged."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import httpx
import pytest
import socketio

from tests.libraries.conftest import program
from tests.parity.packages import OURS
from tests.support.peer_clients import LEAVE_CONNECTIONS
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.servers import Address

pytestmark = LEAVE_CONNECTIONS


@pytest.fixture(scope="module")
def application():
    """The application, served by uvicorn."""
    with program("fastapi_app.py") as address:
        yield address


@asynccontextmanager
async def connected(address: Address, transport: str) -> AsyncIterator[socketio.AsyncClient]:
    """Connect a client of python-socketio where fastapi-socketio mounts the server."""
    async with aiohttp.ClientSession() as http_session:
        client = socketio.AsyncClient(reconnection=False, http_session=http_session)
        client.on("really", lambda: "yes")
        await client.connect(address.http, transports=[transport], socketio_path="/ws/socket.io", wait_timeout=WAIT_S)
        try:
            yield client
        finally:
            await client.disconnect()


def heard(client: socketio.AsyncClient, event: str) -> asyncio.Queue:
    """Collect what arrives at *event*."""
    arrived: asyncio.Queue = asyncio.Queue()
    client.on(event, arrived.put_nowait)
    return arrived


async def next_of(queue: asyncio.Queue):
    """Wait for the next thing that was heard."""
    return await asyncio.wait_for(queue.get(), WAIT_S)


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_the_documented_application_serves_a_client(application: Address, transport: str):
    """Handlers of ``app.sio`` and of the manager, rooms, sessions and ``call`` work under the mount."""
    async with connected(application, transport) as client:
        lobby, messages, announcements = (heard(client, event) for event in ("lobby", "message", "announcement"))

        await client.emit("join", "red")
        assert await next_of(lobby) == "User joined"
        assert await client.call("login", "ada") == {"name": "ada", "answer": "yes"}
        assert await client.call("leave", "red") == "red"
        assert await next_of(messages) == "User left"
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"{application.http}/announce/hello")).status_code == 200
        assert await next_of(announcements) == {"text": "hello"}


async def test_the_application_runs_on_fastsio(application: Address):
    """The library's ``import socketio`` gives the package under test."""
    async with httpx.AsyncClient() as http:
        assert (await http.get(f"{application.http}/package")).json() == OURS
