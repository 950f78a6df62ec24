"""A server whose requests other machines forward: sessions that poll begin when the others know of it."""

from __future__ import annotations

import asyncio

from tests.shells.engine.wire import Application, connect_polling, connect_websocket


async def test_a_session_that_polls_begins_once_the_process_is_announced():
    """Before that another machine would not know the name in its sid; a WebSocket needs no other request."""
    app = Application()
    announced = app.engine.announced = asyncio.Event()
    app.engine.sid_suffix = ".m1.7"
    polling = asyncio.create_task(connect_polling(app))

    _, sid = await connect_websocket(app)

    assert list(app.engine.sockets) == [sid]
    announced.set()
    client = await polling
    assert client.sid.endswith(".m1.7")
    assert len(app.engine.sockets) == 2
