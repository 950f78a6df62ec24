"""A server with connection state recovery, in memory or on a Redis Stream; its clients are in a room."""

from __future__ import annotations

import os
from typing import Any

from fastsio import ASGIApp, AsyncRedisStreamsManager, AsyncServer, ConnectionStateRecovery

redis_url = os.environ.get("REDIS_URL")
options = ConnectionStateRecovery(max_disconnection_duration=float(os.environ.get("KEPT_S", "120")))
manager = AsyncRedisStreamsManager(redis_url, max_stream_length=100_000) if redis_url else None
sio = AsyncServer(async_mode="asgi", client_manager=manager, connection_state_recovery=options)
app = ASGIApp(sio)


@sio.event
async def connect(sid: str, environ: dict[str, Any]) -> None:  # noqa: ARG001 - python-socketio's signature
    """Give the client session data and a room."""
    await sio.save_session(sid, {"user": f"the user of {sid}"})
    await sio.enter_room(sid, "all")


@sio.event
async def cast(sid: str, data: Any) -> None:  # noqa: ARG001 - as above
    """Send an event to the room."""
    await sio.emit("number", data, room="all")
