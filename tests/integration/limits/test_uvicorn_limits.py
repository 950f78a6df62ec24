"""How large a message uvicorn takes, and from how small a frame."""

from __future__ import annotations

import pickle

import pytest
import uvicorn
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

import fastsio
from fastsio.integrations.fast.app_lookup import OpenSize
from tests.integration.clients import open_websocket
from tests.integration.fast import opened
from tests.support.servers import FAST_WS, serve

LIMIT = 50_000
UVICORNS = 16 * 1024 * 1024


async def echo(scope, receive, send):
    """Answer each message of a WebSocket with its length."""
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": str(len(event["text"]))})


async def test_uvicorns_own_size_is_warned_of_once(caplog):
    """With the first WebSocket, by the options that are safe."""
    app = fastsio.ASGIApp(fastsio.AsyncServer(async_mode="asgi", max_http_buffer_size=LIMIT))
    async with serve(app, log_config=None) as address:
        for _ in range(3):
            async with open_websocket(address) as client:
                await client.join()

    said = [record.getMessage() for record in caplog.records if "ws-max-size" in record.getMessage()]
    assert len(said) == 1
    assert f"--ws-max-size {LIMIT} --ws-per-message-deflate false" in said[0]


@pytest.mark.parametrize("options", [{"ws_max_size": LIMIT}, {"ws": FAST_WS}], ids=["told", "fast"])
async def test_a_server_that_is_safe_is_not_warned_of(caplog, options):
    """Neither one that was told nor the fast transport, which looks at the limit itself."""
    app = fastsio.ASGIApp(fastsio.AsyncServer(async_mode="asgi", max_http_buffer_size=LIMIT))
    async with serve(app, log_config=None, **options) as address, open_websocket(address) as client:
        await client.join()

    assert "ws-max-size" not in caplog.text


async def test_a_size_that_nobody_asked_for_is_the_applications():
    """Other WebSockets of a process take no larger messages than Socket.IO, as `fastsio run` starts it."""
    app = fastsio.ASGIApp(fastsio.AsyncServer(async_mode="asgi", max_http_buffer_size=LIMIT), echo)
    options = {"ws": FAST_WS, "ws_max_size": OpenSize(UVICORNS), "ws_per_message_deflate": False}
    async with serve(app, **options) as address:
        async with connect(f"{address.ws}/other", proxy=None, compression="deflate") as websocket:
            assert websocket.protocol.extensions == []
            await websocket.send("x" * LIMIT)
            assert await websocket.recv() == str(LIMIT)
            await websocket.send("x" * (LIMIT + 1))
            with pytest.raises(ConnectionClosed) as closed:
                await websocket.recv()
            assert closed.value.rcvd.code == 1009
        async with opened(address) as (client, _):
            await client.join()


async def test_a_size_that_somebody_asked_for_stays():
    """It is larger than the application's, but it was asked for."""
    app = fastsio.ASGIApp(fastsio.AsyncServer(async_mode="asgi", max_http_buffer_size=LIMIT), echo)
    async with (
        serve(app, ws=FAST_WS, ws_max_size=UVICORNS) as address,
        connect(f"{address.ws}/other", proxy=None) as websocket,
    ):
        await websocket.send("x" * (LIMIT + 1))

        assert await websocket.recv() == str(LIMIT + 1)


async def test_without_socketio_uvicorns_size_stays():
    """There is nothing to take another from."""
    async with (
        serve(echo, ws=FAST_WS, ws_max_size=OpenSize(UVICORNS)) as address,
        connect(f"{address.ws}/", proxy=None) as websocket,
    ):
        await websocket.send("x" * (LIMIT + 1))

        assert await websocket.recv() == str(LIMIT + 1)


def test_the_mark_of_a_size_reaches_the_workers():
    """They are processes of their own, which get the configuration pickled."""
    size = pickle.loads(pickle.dumps(uvicorn.Config("app:app", ws_max_size=OpenSize(UVICORNS)).ws_max_size))  # noqa: S301 - our own

    assert (type(size), size) == (OpenSize, UVICORNS)
