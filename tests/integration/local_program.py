"""
A worker of several on one machine: ``python -m tests.integration.local_program``, with ``FASTSIO_WORKERS`` set.

Writes ``port N`` once it listens. The server names no manager, and its clients recover. They send ``shout`` with text
for everybody, ``ask`` and ``ask_long`` with a sid, which are answered with what that client answers, ``enter`` and ``leave`` with a sid
and a room, ``tell`` with a room and text, ``end`` with a sid, ``close`` with a room, ``stall``, which blocks the
process until a line comes in, and ``members`` with a number of a room. Other WebSockets are of a consumer: all hear
what its clients say.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from typing import Any, Literal

import fastsio
from fastsio.consumers import AsyncJsonWebsocketConsumer, ws_handler
from fastsio.layers import InMemoryChannelLayer, register_channel_layer
from fastsio.messages import BaseMessage
from tests.support.servers import serve

register_channel_layer("chat", InMemoryChannelLayer())
#: None is what a server chooses that names no manager.
manager = None
if "MAX_PENDING_BYTES" in os.environ:
    manager = fastsio.AsyncLocalManager(max_pending_bytes=int(os.environ["MAX_PENDING_BYTES"]))
sio = fastsio.AsyncServer(
    manager,
    async_mode="asgi",
    connection_state_recovery={"presence_grace": 0.05},
    max_http_buffer_size=10_000_000,
    namespaces="*",
)


class ChatRoom(fastsio.Room):
    """A room that all may join."""

    @classmethod
    async def extract_room_identifier(cls, session: Any, data: Any) -> Any:
        return data["id"]


sio.register_room(ChatRoom)


@sio.event
async def shout(sid: str, text: str) -> None:
    await sio.emit("heard", text)


@sio.event
async def ask(sid: str, other: str) -> Any:
    return await sio.call("asked", to=other, timeout=30)


@sio.event
async def ask_long(sid: str, other: str) -> str:
    try:
        return str(await sio.call("asked", to=other, timeout=3600))
    except fastsio.exceptions.ClientLeftError:
        return "left"


@sio.event
async def enter(sid: str, other: str, room: str) -> None:
    await sio.enter_room(other, room)


@sio.event
async def leave(sid: str, other: str, room: str) -> None:
    await sio.leave_room(other, room)


@sio.event
async def tell(sid: str, room: str, text: str) -> None:
    await sio.emit("told", text, room=room)


@sio.event
async def end(sid: str, other: str) -> None:
    await sio.disconnect(other)


@sio.event
async def close(sid: str, room: str) -> None:
    await sio.close_room(room)


@sio.event
async def members(sid: str, number: int) -> list[str]:
    return sorted(member.sid for member in await ChatRoom(number).on(sio).members(cluster=True, timeout=3600))


@sio.event
async def stall(sid: str) -> None:
    sys.stdin.readline()


class Said(BaseMessage):
    """What is said to all."""

    action: Literal["say"] = "say"
    payload: str


class Chat(AsyncJsonWebsocketConsumer):
    """Passes on to all what a client says."""

    channel_layer_alias = "chat"
    groups = ["everybody"]

    @ws_handler
    async def handle_say(self, message: Said) -> None:
        await self.broadcast_message(message)


async def main() -> None:
    async with serve(fastsio.ASGIApp(sio, Chat.as_asgi())) as address:
        sys.stdout.write(f"port {address.port}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr)
    sio.instrument(auth=False, server_stats_interval=1)
    asyncio.run(main())
