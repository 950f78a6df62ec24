"""What type checkers and editors know of the options of servers, clients and managers; not run."""

# ruff: noqa: D103 - samples for type checkers, never run
# pyright: reportUnnecessaryTypeIgnoreComment=true
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio import (
    AsyncClient,
    AsyncNamespace,
    AsyncRedisManager,
    AsyncServer,
    Client,
    RedisManager,
    Server,
)

if TYPE_CHECKING:
    from uuid import UUID


async def answered(text: str, *rest: Any) -> None: ...


def right(origins: set[str], names: list[str], options: dict[str, Any]) -> None:
    AsyncServer(async_mode="asgi", cors_allowed_origins=origins, ping_interval=(25, 5), max_http_buffer_size=1e8)
    AsyncServer(cors_allowed_origins=lambda origin, _environ: origin.endswith(".example"), cookie={"name": "io"})
    AsyncServer(serializer="msgpack", always_connect=True, namespaces="*", transports=["websocket"], max_rooms=None)
    Server(async_mode="gevent", serializer="msgpack", engineio_logger=True, slow_client="drop", namespaces=names)
    AsyncClient(request_timeout=2, retries=3, ssl_verify=False)
    Client(handle_sigint=False, websocket_extra_options={"timeout": 1})
    AsyncServer(**options)


def wrong() -> None:
    AsyncServer(cors_allowed_origin="*")  # type: ignore[call-arg] # misspelt
    AsyncServer(async_mode="threading")  # type: ignore[arg-type] # a mode of Server
    AsyncServer(ping_interval="25")  # type: ignore[arg-type] # seconds are a number
    Server(slow_client="wait")  # type: ignore[arg-type] # there is no such policy
    Server(loop=None)  # type: ignore[call-arg] # does nothing
    AsyncClient(retries="3")  # type: ignore[arg-type] # a number
    Client(request_timeouts=5)  # type: ignore[call-arg] # misspelt


async def recipients(sio: AsyncServer, place: AsyncNamespace, sid: str, room: UUID) -> None:
    await sio.emit("x", to=sid, callback=answered)
    await sio.emit("x", to=[sid, 5, room], skip_sid={sid})
    await place.send("x", room=room, skip_sid=sid, callback=lambda *_: None)
    await sio.emit("x", to=[[sid]])  # type: ignore[list-item] # a list is no room
    await sio.emit("x", callback="answered")  # type: ignore[arg-type] # a text cannot be called
    await sio.emit("x", skip_sid=5)  # type: ignore[arg-type] # a sid is text


def managers() -> None:
    AsyncRedisManager("redis://", channel="chat", write_only=True, publish_timeout=2)
    AsyncRedisManager("redis://", chanel="chat")  # type: ignore[call-arg] # misspelt
    RedisManager("redis://", timeout=5)  # type: ignore[call-arg] # there is no such option
