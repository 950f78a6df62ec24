"""The row of ``docs/reference/compatibility.md`` about who serves clients of Engine.IO 3, shown on both packages."""

from __future__ import annotations

import httpx
import pytest
import socketio

import fastsio
from tests.support.servers import serve


@pytest.mark.parametrize(
    ("package", "options", "status"),
    [(socketio, {}, 400), (socketio, {"allow_eio3": True}, 400), (fastsio, {}, 400), (fastsio, {"allow_eio3": True}, 200)],
    ids=["python-socketio", "python-socketio, option ignored", "fastsio", "fastsio, allowed"],
)  # fmt: skip
async def test_old_clients_are_served_where_it_is_allowed(package, options, status):
    """C-75: python-socketio has no such option; others are served all the same."""
    sio = package.AsyncServer(async_mode="asgi", **options)

    async with serve(package.ASGIApp(sio)) as address, httpx.AsyncClient() as http:
        old = await http.get(f"{address.http}/socket.io/?EIO=3&transport=polling")
        new = await http.get(f"{address.http}/socket.io/?EIO=4&transport=polling")

    assert (old.status_code, new.status_code) == (status, 200)
