"""The admin interface beside python-socketio's: the same scenario, the same reports, on real servers."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import socketio

import fastsio
from tests.support.administrator import ADA, Administrator
from tests.support.peer_clients import LEAVE_CONNECTIONS
from tests.support.servers import serve
from tests.support.wsgi_servers import serve_werkzeug

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.servers import Address

pytestmark = LEAVE_CONNECTIONS
COUNTS = {"rawConnection", "packetsIn", "bytesIn", "packetsOut", "bytesOut"}


@asynccontextmanager
async def threaded(app: Any) -> AsyncIterator[Address]:
    """Serve a WSGI application."""
    with serve_werkzeug(app) as address:
        yield address


def asynchronous(package: Any, **options: Any) -> Any:
    """Make an asyncio server and what serves it."""
    sio = package.AsyncServer(async_mode="asgi")

    @sio.event
    async def connect(sid, _environ):
        await sio.enter_room(sid, "early")

    @sio.event
    async def hello(sid, room):
        await sio.enter_room(sid, room)
        await sio.emit("reply", ("a", 1), to=sid)
        await sio.leave_room(sid, room)

    return sio.instrument(auth=ADA, server_id="one", server_stats_interval=0.2, **options), serve(package.ASGIApp(sio))


def synchronous(package: Any, **options: Any) -> Any:
    """Make a server of threads and what serves it."""
    sio = package.Server(async_mode="threading")

    @sio.event
    def connect(sid, _environ):
        sio.enter_room(sid, "early")

    @sio.event
    def hello(sid, room):
        sio.enter_room(sid, room)
        sio.emit("reply", ("a", 1), to=sid)
        sio.leave_room(sid, room)

    panel = sio.instrument(auth=ADA, server_id="one", server_stats_interval=0.2, **options)
    return panel, threaded(package.WSGIApp(sio))


def shape(value: Any) -> Any:
    """Reduce a report to its keys and kinds."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items() if key not in ("headers", "query")}
    return type(value).__name__


async def play(make: Any, package: Any) -> dict[str, Any]:
    """Play the scenario and return what an administrator was told, without what differs from run to run."""
    panel, served = make(package)
    admin, client = Administrator(), socketio.AsyncClient()
    options: dict[str, Any] = {"transports": ["websocket"]}
    async with served as address:
        try:
            await admin.client.connect(address.http, auth=ADA, namespaces=["/admin"], **options)
            config = (await admin.until("config"))[1]
            await admin.until("all_sockets")
            await client.connect(address.http, **options)
            sid = client.get_sid()
            await live(admin, client, sid)
            stats = (await admin.until("server_stats"))[1]
        finally:
            await client.disconnect()
            await admin.client.disconnect()
            panel.uninstrument()  # python-socketio's changes classes, which other tests use
    return {**digest(admin.told, sid), "config": config, "stats": {**shape(stats), "serverId": stats["serverId"]}}


async def live(admin: Administrator, client: socketio.AsyncClient, sid: str) -> None:
    """Have a client do all that is reported, and an administrator all that can be asked for."""
    await admin.until("room_joined", "/", "early")
    await client.emit("hello", "tea")
    await admin.until("room_left", "/", "tea")
    await admin.until("event_sent")
    await admin.client.emit("join", ("/", "coffee"), namespace="/admin")
    await admin.until("room_joined", "/", "coffee")
    await admin.client.emit("leave", ("/", "coffee", sid), namespace="/admin")
    await admin.until("room_left", "/", "coffee")
    await admin.client.emit("emit", ("/", "early", "news", 1, "two"), namespace="/admin")
    await admin.until("event_sent", "/", sid, ["news", 1, "two"])
    await admin.client.emit("_disconnect", ("/", False, sid), namespace="/admin")
    await admin.until("socket_disconnected", "/", sid)
    await admin.until("room_left", "/", sid)


def digest(told: list[tuple[Any, ...]], sid: str) -> dict[str, Any]:
    """Keep what must be alike; python-socketio reports administrators too, rooms in another order, and may repeat."""
    named = [["SID" if part == sid else part for part in one[:-1]] for one in told if one[1] == "/"]
    counts = [entry["type"] for one in told if one[0] == "server_stats" for entry in one[1]["aggregatedEvents"]]
    return {
        "events": [one for one in named if one[0].startswith(("event", "socket_disconnected"))],
        "rooms": sorted(f"{one[0]} {one[2]}" for one in named if one[0].startswith("room") and one[2] != "early"),
        "socket": [shape(one[1]) for one in told if one[0] == "socket_connected" and one[1]["nsp"] == "/"][-1],
        "missing counts": COUNTS - set(counts),
    }


@pytest.mark.parametrize("make", [asynchronous, synchronous])
async def test_administrators_are_told_the_same(make):
    """Events in the same order with the same arguments; descriptions and statistics with the same keys and kinds."""
    theirs = await play(make, socketio)
    mine = await play(make, fastsio)

    assert mine == theirs
    assert mine["missing counts"] == set()
    assert len(mine["events"]) == 4


@pytest.mark.parametrize("make", [asynchronous, synchronous])
async def test_wrong_credentials_are_refused(make):
    """The refusal reaches a real client, and says what the Admin UI understands."""
    _, served = make(fastsio)
    refusals = []
    client = socketio.AsyncClient()
    client.on("connect_error", refusals.append, namespace="/admin")

    async with served as address:
        with pytest.raises(socketio.exceptions.ConnectionError):
            await client.connect(
                address.http, auth={**ADA, "password": "x"}, namespaces=["/admin"], transports=["websocket"]
            )
        await client.disconnect()

    assert refusals == [{"message": "invalid credentials"}]


async def test_upgrade_from_polling_is_reported():
    """A client that came by polling is shown with its WebSocket."""
    _, served = asynchronous(fastsio)
    admin, client = Administrator(), socketio.AsyncClient()

    async with served as address:
        try:
            await admin.client.connect(address.http, auth=ADA, namespaces=["/admin"], transports=["websocket"])
            await client.connect(address.http)
            await admin.until("socket_updated", {"id": client.get_sid(), "nsp": "/", "transport": "websocket"})
        finally:
            await client.disconnect()
            await admin.client.disconnect()


async def test_binary_events_are_reported():
    """Bytes in an event travel to the administrator as attachments."""
    _, served = asynchronous(fastsio)
    admin, client = Administrator(), socketio.AsyncClient()

    async with served as address:
        try:
            await admin.client.connect(address.http, auth=ADA, namespaces=["/admin"], transports=["websocket"])
            await client.connect(address.http, transports=["websocket"])
            await client.emit("blob", b"\x00\x01")
            await admin.until("event_received", "/", client.get_sid(), ["blob", b"\x00\x01"])
        finally:
            await client.disconnect()
            await admin.client.disconnect()


@pytest.mark.parametrize("make", [asynchronous, synchronous])
async def test_commands_about_a_client_that_is_nowhere_do_nothing(make, caplog):
    """It may have gone meanwhile."""
    _, served = make(fastsio)
    admin, client = Administrator(), socketio.AsyncClient()

    async with served as address:
        try:
            await admin.client.connect(address.http, auth=ADA, namespaces=["/admin"], transports=["websocket"])
            await client.connect(address.http, transports=["websocket"])
            for arguments in (("join", "/", "tea", "nobody"), ("leave", "/", "tea", "nobody")):
                await admin.client.emit(arguments[0], arguments[1:], namespace="/admin")
            await admin.client.emit("_disconnect", ("/", True, "nobody"), namespace="/admin")
            await admin.client.emit("join", ("/", "cake", client.get_sid()), namespace="/admin")
            await admin.until("room_joined", "/", "cake", client.get_sid())
        finally:
            await client.disconnect()
            await admin.client.disconnect()

    assert "Traceback" not in caplog.text
