"""A server in a process of its own, which a test can kill: ``python -m … PORT``."""

from __future__ import annotations

import sys
from typing import Any

import uvicorn

import fastsio

sio = fastsio.AsyncServer(async_mode="asgi")


async def publish(_sid: str, *args: Any) -> None:
    """Send it to everybody in the root."""
    await sio.emit("news", args)


async def publish_chat(_sid: str, *args: Any) -> None:
    """Send it to everybody in the chat."""
    await sio.emit("news", args, namespace="/chat")


sio.on("publish", publish)
sio.on("publish", publish_chat, namespace="/chat")


class Server(uvicorn.Server):
    """Says when it listens."""

    async def startup(self, sockets: Any = None) -> None:
        """Say it."""
        await super().startup(sockets)
        print("ready", flush=True)  # noqa: T201 - the test reads it


if __name__ == "__main__":
    Server(uvicorn.Config(fastsio.ASGIApp(sio), port=int(sys.argv[1]), log_level="error")).run()
