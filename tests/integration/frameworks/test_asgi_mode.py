"""ASGIApp and the async_mode of its server."""

from __future__ import annotations

import pytest
import socketio

import fastsio
from fastsio.exceptions import SetupError
from tests.support.peer_clients import LEAVE_CONNECTIONS
from tests.support.servers import serve

pytestmark = LEAVE_CONNECTIONS


async def test_async_mode_need_not_be_given() -> None:
    """engineio picks aiohttp where it is installed; a server in an ASGIApp serves ASGI all the same."""
    sio = fastsio.AsyncServer()
    sio.on("echo", lambda sid, data: data)
    client = socketio.AsyncClient()

    async with serve(fastsio.ASGIApp(sio)) as address:
        await client.connect(address.http)
        assert await client.call("echo", 5) == 5
        await client.disconnect()

    assert sio.async_mode == "asgi"


def test_a_server_for_another_framework_is_refused() -> None:
    """The mistake is found before the first request."""
    with pytest.raises(SetupError, match="async_mode='aiohttp'"):
        fastsio.ASGIApp(fastsio.AsyncServer(async_mode="aiohttp"))
