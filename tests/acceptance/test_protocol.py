"""The whole protocol, over both transports and the upgrade, in text and in MessagePack."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import fastsio
from tests.acceptance.peers import connected
from tests.support.servers import serve
from tests.support.waiting import WAIT_S

WAYS = pytest.mark.parametrize(
    "transports", [["websocket"], ["polling"], ["polling", "websocket"]], ids=["websocket", "polling", "upgrade"]
)
FORMS = pytest.mark.parametrize("serializer", ["default", "msgpack"])
BINARY = {"deep": [b"\x00\xff", {"empty": b""}], "text": "ünï 🐍"}


@WAYS
@FORMS
async def test_events_and_acknowledgements_go_both_ways(transports, serializer) -> None:
    """Text and binary travel in events and acknowledgements, in both directions."""
    sio = fastsio.AsyncServer(async_mode="asgi", serializer=serializer)
    sio.on("echo", lambda sid, *data: data)
    async with (
        serve(fastsio.ASGIApp(sio)) as address,
        connected(address.http, transports=transports, serializer=serializer) as peer,
    ):
        peer.client.on("ask", lambda *data: data)

        assert await peer.call("echo", BINARY) == BINARY
        assert await peer.call("echo", ("a", b"b", None)) == ("a", b"b", None)
        assert await sio.call("ask", (BINARY, 2), to=peer.sid(), timeout=WAIT_S) == (BINARY, 2)
        await sio.emit("news", (1, b"\x02"))
        assert await peer.next() == ("news", 1, b"\x02")


@WAYS
async def test_namespaces_are_multiplexed(transports) -> None:
    """One connection carries several namespaces, each with its own sid, rooms and end."""
    sio = fastsio.AsyncServer(async_mode="asgi", namespaces=["/", "/a", "/b"])
    left: asyncio.Queue[str] = asyncio.Queue()
    sio.on("disconnect", lambda namespace, sid: left.put_nowait(namespace), namespace="*")
    sio.on("where", lambda namespace, sid: namespace, namespace="*")
    async with (
        serve(fastsio.ASGIApp(sio)) as address,
        connected(address.http, "/", "/a", "/b", transports=transports) as peer,
    ):
        sids = [peer.sid(namespace) for namespace in ("/", "/a", "/b")]

        assert len(set(sids)) == 3
        assert [await peer.call("where", namespace=name) for name in ("/a", "/b")] == ["/a", "/b"]
        await sio.disconnect(sids[1], namespace="/a")
        assert await asyncio.wait_for(left.get(), WAIT_S) == "/a"
        assert await peer.call("where", namespace="/b") == "/b"


async def test_a_client_that_may_upgrade_does() -> None:
    """A client that starts over polling ends on a websocket, and nothing is lost on the way."""
    sio = fastsio.AsyncServer(async_mode="asgi")
    sio.on("transport", sio.transport)
    async with (
        serve(fastsio.ASGIApp(sio)) as address,
        connected(address.http, transports=["polling", "websocket"]) as upgraded,
        connected(address.http, transports=["polling"]) as polling,
    ):
        assert await upgraded.call("transport") == "websocket"
        assert await polling.call("transport") == "polling"


@FORMS
async def test_rooms_are_reached_exactly(serializer) -> None:
    """Rooms, several rooms at once, and skipped clients get what they should, once."""
    sio = fastsio.AsyncServer(async_mode="asgi", serializer=serializer)
    async with (
        serve(fastsio.ASGIApp(sio)) as address,
        connected(address.http, serializer=serializer) as ann,
        connected(address.http, serializer=serializer) as bob,
    ):
        await sio.enter_room(ann.sid(), "red")
        await sio.enter_room(bob.sid(), "red")
        await sio.enter_room(bob.sid(), "blue")
        await sio.emit("both", room=["red", "blue"])
        await sio.emit("rest", room="red", skip_sid=ann.sid())
        await sio.close_room("red")
        await sio.emit("nobody", room="red")

        heard: list[list[Any]] = [await peer.heard_until_fence(sio) for peer in (ann, bob)]
        assert heard == [[("both",)], [("both",), ("rest",)]]
