"""The workload on python-socketio."""

# ruff: noqa: ARG001 - handlers take what the framework passes
# mypy: disable-error-code="import-untyped, untyped-decorator"
# python-socketio ships no types

from __future__ import annotations

import os
from typing import Any

import socketio

redis_url = os.environ.get("REDIS_URL")
manager = socketio.AsyncRedisManager(redis_url) if redis_url else None
sio = socketio.AsyncServer(async_mode="asgi", client_manager=manager)
app = socketio.ASGIApp(sio)
clients: set[str] = set()


@sio.event
async def connect(sid: str, environ: dict[str, Any]) -> None:
    """Enter the room that a broadcast goes to."""
    clients.add(sid)
    await sio.enter_room(sid, "all")


@sio.event
async def disconnect(sid: str, reason: str) -> None:
    """Forget the client."""
    clients.discard(sid)


@sio.event
async def echo(sid: str, data: Any) -> Any:
    """Acknowledge with what came."""
    return data


@sio.event
async def cast(sid: str, data: Any) -> None:
    """Send what came to everybody."""
    await sio.emit("news", data, room="all")


@sio.event
async def count(sid: str) -> int:
    """Acknowledge with the number of clients."""
    return len(clients)
