"""Handlers that never return, and their client gone: it is disconnected all the same."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Annotated

import pytest

import fastsio
from fastsio import Depends, SocketID
from tests.shells.engine.test_engine_direct import Direct
from tests.shells.engine.wire import WebSocketClient, connect_polling, start_http, until


def hanging(**options):
    """Make a server with a handler that waits for ever; return it and what happens."""
    sio = fastsio.AsyncServer(async_mode="asgi", handler_grace=0.05, **options)
    log = []

    @sio.event
    async def hang(sid):
        log.append("begun")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    @sio.event
    async def disconnect(sid, reason):
        log.append(reason)

    return sio, log


async def joined(sio):
    """Connect a client to the root namespace."""
    client = WebSocketClient(SimpleNamespace(engine=sio.eio))
    await client.opened()
    client.say("40")
    assert (await client.frame()).startswith("40{")
    return client


async def test_a_handler_that_runs_in_its_clients_order_is_cancelled_once_the_client_is_gone():
    """With async_handlers=False; the disconnect handler runs, and nothing is kept."""
    sio, log = hanging(async_handlers=False)
    client = await joined(sio)
    client.say('42["hang"]')
    client.say('42["hang"]')
    await until(lambda: log == ["begun"])
    client.leave()
    await client.ended()

    assert log == ["begun", "cancelled", "transport close"]
    assert not sio.environ
    assert not sio._connections


async def test_an_event_that_waits_for_a_place_keeps_no_client():
    """Handlers that have begun go on, as with python-socketio; the one that waits does not begin any more."""
    sio, log = hanging(max_concurrent_handlers=2)
    client = await joined(sio)
    for _ in range(3):
        client.say('42["hang"]')
    await until(lambda: log == ["begun", "begun"])
    client.leave()
    await client.ended()

    assert log == ["begun", "begun", "transport close"]
    assert not sio.environ


@pytest.mark.parametrize("options", [{"async_handlers": False}, {"max_concurrent_handlers": 1}])
async def test_a_polling_client_is_gone_under_a_handler_that_hangs(options):
    """Its POST waits for the handler, its poll tells that it has left."""
    sio, log = hanging(**options)
    client = await connect_polling(SimpleNamespace(engine=sio.eio))
    await client.send("40")
    await client.poll()
    poll = client.start_poll()
    body = b'42["hang"]\x1e42["hang"]'
    post = start_http(client.app, "POST", client.query, body, headers=[("content-length", str(len(body)))])
    await until(lambda: log == ["begun"])
    poll.abort()
    await until(lambda: "transport error" in log)
    await post.response()

    assert not sio.environ
    await sio.shutdown(timeout=0)


@pytest.mark.parametrize("link", ["websocket", "direct"])
@pytest.mark.parametrize("farewell", ["41", "40"])
@pytest.mark.virtual_time
async def test_a_disconnect_handler_has_all_the_time_it_needs(link, farewell):
    """A client that leaves says so and closes its connection; what the handler does then is not cut short."""
    sio = fastsio.AsyncServer(async_mode="asgi", handler_grace=0.01)
    log, release = [], asyncio.Event()

    @sio.event
    async def disconnect(sid, reason):
        log.append(reason)
        await release.wait()
        log.append("done")

    if link == "direct":
        client = Direct(SimpleNamespace(engine=sio.eio))
        await client.connect()
        client.say("40")
        await until(lambda: any(one.is_active for each in sio._connections.values() for one in each.active()))
        leave, ended = client.wire.lost, lambda: client.busy == 0
    else:
        client = await joined(sio)
        leave, ended = client.leave, client.task.done
    client.say(farewell)
    await until(lambda: log)
    leave()
    await until(lambda: not sio.eio.sockets)
    release.set()
    await until(ended)
    await until(lambda: not sio._connections)

    assert log == ["client disconnect", "done"]


@pytest.mark.virtual_time
async def test_all_dependencies_of_a_connection_are_closed_though_their_client_waits_no_more():
    """One that takes long to close does not keep those that were opened before it open for ever."""
    sio = fastsio.AsyncServer(async_mode="asgi", handler_grace=0.01)
    log, release = [], asyncio.Event()

    async def first():
        yield "first"
        log.append("first")

    async def second(first: Annotated[str, Depends(first, scope="connection")]):
        yield "second"
        await release.wait()
        log.append("second")

    @sio.event
    async def use(sid: SocketID, second: Annotated[str, Depends(second, scope="connection")]):
        log.append("used")

    client = await joined(sio)
    client.say('42["use"]')
    await until(lambda: log == ["used"])
    (connection,) = sio._connections.values()
    closing = asyncio.create_task(connection.clients["/"].used_scope.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing])
    release.set()
    await until(lambda: "first" in log)

    assert log == ["used", "second", "first"]
    client.leave()
    await client.ended()
