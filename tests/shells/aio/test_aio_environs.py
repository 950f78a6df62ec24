"""The environ of a client under ASGI, which is in memory while it is used."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from weakref import ref

import pytest

import fastsio
from tests.shells.engine.wire import WebSocketClient


@pytest.fixture
def asgi() -> fastsio.AsyncServer:
    """A server for ASGI."""
    return fastsio.AsyncServer(async_mode="asgi")


async def join(sio: fastsio.AsyncServer) -> WebSocketClient:
    """Connect a client, and join the root namespace."""
    app: Any = SimpleNamespace(engine=sio)
    client = WebSocketClient(app, headers=[(b"x-a", b"1")])
    await client.opened()
    client.say("40")
    assert str(await client.frame()).startswith("40{")
    return client


async def leave(client: WebSocketClient) -> None:
    """Close the connection of a client."""
    client.leave()
    await client.ended()


async def test_the_environ_is_freed_when_its_client_has_connected(asgi):
    """Whoever asks for it later gets an equal one, and the same one from then on."""
    seen: list[Any] = []

    @asgi.event
    async def connect(sid, environ):
        seen.extend([sid, ref(environ), environ.copy()])

    client = await join(asgi)

    sid, reference, items = seen
    assert reference() is None
    environ = asgi.get_environ(sid)
    assert environ == items
    assert environ["HTTP_X_A"] == "1"
    assert asgi.get_environ(sid) is environ
    assert list(asgi.environ.values()) == [environ]
    await leave(client)
    assert not asgi.environ


async def test_an_environ_that_the_application_keeps_is_the_one_of_the_client(asgi):
    """For as long as it is kept; what is put into it then is found there."""
    seen: list[Any] = []

    @asgi.event
    async def connect(sid, environ):
        seen.extend([sid, environ])

    client = await join(asgi)

    sid, environ = seen
    assert asgi.get_environ(sid) is environ
    environ["app.user"] = "u"
    del environ, seen[:]
    assert asgi.get_environ(sid)["app.user"] == "u"
    await leave(client)


async def test_what_a_connect_handler_puts_into_the_environ_stays(asgi):
    """As of python-socketio."""
    sids = []

    @asgi.event
    async def connect(sid, environ):
        sids.append(sid)
        environ["app.user"] = "u"

    @asgi.event
    async def ask(sid):
        return asgi.get_environ(sid)["app.user"]

    client = await join(asgi)
    client.say('421["ask"]')

    assert await client.frame() == '431["u"]'
    assert asgi.get_environ(sids[0])["app.user"] == "u"
    await leave(client)


async def test_a_client_of_a_second_namespace_gets_the_environ_too(asgi):
    """Its connect handler reads it after the first has been told that it is connected."""
    seen = []

    @asgi.on("connect", namespace="/chat")
    async def connect(_sid, environ):
        seen.append(environ["HTTP_X_A"])

    client = await join(asgi)
    client.say("40/chat,")

    assert str(await client.frame()).startswith("40/chat,")
    assert seen == ["1"]
    await leave(client)
