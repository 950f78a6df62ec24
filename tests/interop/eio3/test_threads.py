"""socket.io-client 1.7.4 and 2.5.0 against the server for threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import fastsio
from tests.interop.eio3.conftest import JsClient
from tests.support.wsgi_servers import serve_werkzeug

if TYPE_CHECKING:
    from collections.abc import Iterator


class ThreadedWorld:
    """A server for threads under Werkzeug, with the handlers of the scenarios used here."""

    def __init__(self) -> None:
        # Handlers one after the other, so that the order of what they send is that of what they got.
        self.sio = fastsio.Server(
            async_mode="threading", async_handlers=False, allow_eio3=True, ping_interval=0.2, ping_timeout=20
        )
        self.url = ""
        on = self.sio.on
        on("transport", self.sio.transport)
        on("echo", lambda sid, *args: args)
        on("mirror", lambda sid, *args: self.sio.emit("mirrored", args, to=sid))
        on("connect", self._connect_admin, namespace="/admin")
        on("where", lambda sid: "/admin", namespace="/admin")
        on("where", lambda sid: "/news", namespace="/news")
        self.admins: list[Any] = []

    def _connect_admin(self, sid: str, environ: dict[str, Any], auth: Any) -> None:
        self.admins.append((sid, auth))


@pytest.fixture
def world() -> Iterator[ThreadedWorld]:
    """A world without asyncio."""
    site = ThreadedWorld()
    with serve_werkzeug(fastsio.WSGIApp(site.sio)) as address:
        site.url = f"http://{address.host}:{address.port}"
        yield site
    site.sio.shutdown()


@pytest.fixture
def client(world, version) -> JsClient:
    """A client for that world."""
    return JsClient(world, version)


async def test_each_transport_connects(client, transports):
    """Client and server agree on the transport in use."""
    result = await client.play("connects", transports=transports)

    expected = transports[0] if transports else "websocket"
    assert (result["client"], result["server"]) == (expected, expected)


async def test_binary_comes_back(client, transports):
    """Attachments survive both ways."""
    result = await client.play("exchanges_binary", transports=transports)

    assert result["acknowledged"] == result["sent"]
    assert result["mirrored"] == result["sent"]


async def test_namespaces_are_joined_with_a_query(client, transport):
    """The query of a namespace is the auth of its connect handler."""
    result = await client.play("joins_namespaces", transports=[transport])

    assert (result["news"], result["admin"]) == ("/news", "/admin")
    assert client.world.admins == [(f"/admin#{result['root']}", {"token": "secret", "of": "a,b"})]


async def test_the_clients_pings_keep_the_connection(client, transport):
    """The server answers the client's pings, over several intervals."""
    assert await client.play("heartbeats", transports=[transport]) == {"connected": True}


async def test_nothing_is_lost_during_the_upgrade(client):
    """Events sent before, during and after the upgrade from polling to websocket arrive once and in order."""
    result = await client.play("talks_through_an_upgrade")

    assert result["transport"] == "websocket"
    assert result["received"] == list(range(result["sent"]))
