"""The workload on fastsio: the handlers of the python-socketio app, and ``echo`` once more injected and validated."""

# ruff: noqa: ARG001 - handlers take what the framework passes

from __future__ import annotations

import os
from typing import Annotated, Any

from pydantic import BaseModel

from fastsio import ASGIApp, AsyncRedisManager, AsyncRedisStreamsManager, AsyncServer, Depends, SocketID

redis_url = os.environ.get("REDIS_URL")
shared = AsyncRedisStreamsManager if "STREAMS" in os.environ else AsyncRedisManager
manager = shared(redis_url) if redis_url else None
sio = AsyncServer(async_mode="asgi", client_manager=manager, connection_state_recovery="RECOVERY" in os.environ)
app = ASGIApp(sio)
clients: set[str] = set()


class Message(BaseModel):
    """What the load sends."""

    text: str
    room: str


async def get_prefix() -> str:
    """Stand for what a dependency looks up."""
    return "prefix"


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
async def echo_model(sid: SocketID, message: Message, prefix: Annotated[str, Depends(get_prefix)]) -> Message:
    """Acknowledge with what came, validated on the way in and dumped on the way out."""
    return message


@sio.event
async def cast(sid: str, data: Any) -> None:
    """Send what came to everybody."""
    await sio.emit("news", data, room="all")


@sio.event
async def count(sid: str) -> int:
    """Acknowledge with the number of clients."""
    return len(clients)
