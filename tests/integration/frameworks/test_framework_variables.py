"""Context variables of a client under every framework of this process."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any

import pytest
from websockets.asyncio.client import connect as open_websocket

import fastsio
from tests.support.frameworks import HERE
from tests.support.waiting import WAIT_S

TENANT: ContextVar[str] = ContextVar("tenant", default="none")


@pytest.mark.parametrize("framework", HERE)
async def test_later_handlers_see_the_context_variables_that_connect_has_set(framework: str) -> None:
    """Over a WebSocket, in handlers of either kind, the disconnect handler included."""
    async_mode = {"uvicorn": "asgi"}.get(framework, framework)
    sio = fastsio.AsyncServer(async_mode=async_mode)
    left: asyncio.Queue[str] = asyncio.Queue()

    @sio.event
    async def connect(sid: str, environ: dict[str, Any]) -> None:
        TENANT.set("acme")

    @sio.event
    async def plain(sid: str) -> str:
        return TENANT.get()

    @sio.event
    async def injected(sid: fastsio.SocketID) -> str:
        await asyncio.sleep(0)
        return TENANT.get()

    @sio.event
    async def disconnect(sid: str) -> None:
        left.put_nowait(TENANT.get())

    async with asyncio.timeout(WAIT_S), HERE[framework](sio) as address:
        url = f"{address.ws}/socket.io/?EIO=4&transport=websocket"
        async with open_websocket(url) as websocket:
            await websocket.recv()
            await websocket.send("40")
            await websocket.recv()
            for number, event in enumerate(("plain", "injected", "injected"), 1):
                await websocket.send(f'42{number}["{event}"]')
                assert await websocket.recv() == f'43{number}["acme"]'
        assert await left.get() == "acme"
