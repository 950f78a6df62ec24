"""The server for threads and greenlets under the WSGI servers there are, with the real JavaScript client and others."""

from __future__ import annotations

import asyncio
import gc
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest
import socketio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

import fastsio
from tests.integration.clients import OPENERS, http_client, open_polling, open_websocket
from tests.interop.conftest import TRANSPORTS
from tests.support import wsgi_servers
from tests.support.tour import play_tour
from tests.support.waiting import WAIT_S
from tests.support.wsgi_site import MAX_MESSAGE_BYTES, ORIGIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.servers import Address


SITE = "tests.support.wsgi_site:app"
#: The heartbeat of the site would notice a client that has left after this time.
HEARTBEAT_S = 10.0
FOREIGN = "https://evil.example"
HANDSHAKE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SERVERS = {
    "werkzeug": wsgi_servers.serve_werkzeug_process,
    "gunicorn": wsgi_servers.serve_gunicorn,
    "gunicorn-gevent": partial(wsgi_servers.serve_gunicorn, worker="gevent"),
    "gunicorn-gevent-websocket": partial(wsgi_servers.serve_gunicorn, worker=wsgi_servers.GEVENT_WEBSOCKET_WORKER),
    "gevent": wsgi_servers.serve_gevent,
    "gevent-websocket": wsgi_servers.serve_gevent_websocket,
    "eventlet": wsgi_servers.serve_eventlet,
    "uwsgi": wsgi_servers.serve_uwsgi,
    "uwsgi-router": wsgi_servers.serve_uwsgi_router,
}


@pytest.fixture(scope="module", params=SERVERS)
def address(request) -> Iterator[Address]:
    """The site under each server."""
    with SERVERS[request.param](SITE) as started:
        yield started


@pytest.fixture
def name() -> str:
    """What the site calls this test's clients."""
    return uuid4().hex


async def has_left(address: Address, auth: Any, reason: str) -> None:
    """Wait until the client with this auth has left for this reason; each request over a connection of its own."""
    async with asyncio.timeout(WAIT_S), http_client({"Connection": "close"}) as http:
        while [auth, reason] not in (await http.get(address.http)).json():  # noqa: ASYNC110 - in another process
            await asyncio.sleep(0.01)


def running_threads() -> set[threading.Thread]:
    """Return the threads that run, without those of the test's loop."""
    return {thread for thread in threading.enumerate() if not thread.name.startswith("asyncio_")}


async def only_these_run(before: set[threading.Thread]) -> None:
    """Wait until the threads that were started since have ended."""
    async with asyncio.timeout(WAIT_S):
        while running_threads() - before:  # noqa: ASYNC110 - threads have no event for their end
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("transports", TRANSPORTS.values(), ids=TRANSPORTS)
async def test_the_javascript_client_talks_over_every_transport(address, transports, name):
    """Upgrade, binary, acknowledgements both ways, large payloads, heartbeats; both ends of a connection are told."""
    await play_tour(address, transports, name, asking={"path": "/concurrent"})

    await has_left(address, {"name": name, "end": "leaves"}, "client disconnect")
    await has_left(address, {"name": name, "end": "kicked"}, "server disconnect")


@pytest.mark.filterwarnings(
    "ignore::ResourceWarning"
)  # python-socketio's client leaves its connections to be collected
async def test_many_python_clients_talk_at_once(address):
    """Clients of both libraries over all transports are called by the server, and get their own answers."""

    def talk(number: int) -> list[object]:
        library = (fastsio, socketio)[number % 2]
        client = library.Client(reconnection=False)
        client.on("question", lambda question: {"re": question})
        transports = list(TRANSPORTS.values())[number % 3]
        client.connect(address.http, transports=transports, socketio_path="concurrent", wait_timeout=WAIT_S)
        try:
            return [client.call("ask", question(number, turn), timeout=WAIT_S) for turn in range(5)]
        finally:
            client.disconnect()

    def question(number: int, turn: int) -> dict[str, object]:
        # python-socketio's client takes each frame in a thread of its own: attachments may overtake their packet.
        return {"n": number, "payload": str(turn) if number % 2 else bytes([number, turn])}

    before = running_threads()
    answers = await asyncio.gather(*[asyncio.to_thread(talk, number) for number in range(12)])
    await only_these_run(before)
    gc.collect()

    assert answers == [[{"re": question(number, turn)} for turn in range(5)] for number in range(12)]


async def test_foreign_origins_are_refused(address):
    """A page of the allowed origin may connect over either transport, one of another over none: no session is opened."""
    for opener in OPENERS.values():
        async with opener(address, headers={"Origin": ORIGIN}) as client:
            await client.join()

    async with http_client() as http:
        refused = await http.get(f"{address.http}/socket.io/?EIO=4&transport=polling", headers={"Origin": FOREIGN})
    assert refused.status_code == httpx.codes.BAD_REQUEST
    assert "access-control-allow-origin" not in refused.headers
    # gevent-websocket answers the handshake before it asks the application, and can only close the WebSocket then.
    with pytest.raises((InvalidStatus, ConnectionClosed)):
        async with connect(f"{address.ws}/socket.io/?EIO=4&transport=websocket", origin=FOREIGN, proxy=None) as socket:
            await socket.recv()


@pytest.mark.parametrize("kind", [str, bytes])
async def test_messages_over_the_limit_end_their_session_only(address, name, kind):
    """
    The WebSocket is closed, the POST is answered with 413, and another client does not notice.

    uWSGI does not read what it refuses, so that the answer may be lost with the connection.
    """
    message = "4" + "x" * MAX_MESSAGE_BYTES
    async with (
        open_websocket(address) as bystander,
        open_websocket(address) as one,
        open_polling(address) as other,
    ):
        for client in (bystander, one, other):
            await client.join(auth={name: "other" if client is other else "one"})

        await one.send(message if kind is str else message.encode())
        with suppress(httpx.NetworkError, httpx.RemoteProtocolError):
            answer = await other.post(message if kind is str else message.encode())
            assert answer.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE

        await one.closed()
        await has_left(address, {name: "one"}, "transport error")
        await has_left(address, {name: "other"}, "transport error")
        assert await bystander.ask("echo", "here") == ["here"]


@pytest.mark.parametrize("packet", ["9", "42[]", "4x", "451-"])
async def test_a_malformed_packet_ends_its_session_only(address, name, packet):
    """Whether it comes over a WebSocket or in a POST; another client does not notice."""
    async with (
        open_websocket(address) as bystander,
        open_websocket(address) as one,
        open_polling(address) as other,
    ):
        for client in (bystander, one, other):
            await client.join(auth={name: "other" if client is other else "one"})

        await one.send(packet)
        await other.post(packet)

        await one.closed()
        await has_left(address, {name: "one"}, "transport error")
        await has_left(address, {name: "other"}, "transport error")
        assert await bystander.ask("echo", "here") == ["here"]


@pytest.mark.parametrize("closes", [True, False])
async def test_a_client_that_leaves_is_noticed_while_its_handler_hangs(address, name, closes):
    """C-194: not with the heartbeat, whether the client closes its WebSocket or vanishes."""
    async with open_websocket(address) as client:
        await client.join(auth={"name": name})
        begun = asyncio.get_running_loop().time()
        await client.send('42["hang"]')
        if closes:
            await client.close()
        else:
            await client.vanish()

        await has_left(address, {"name": name}, "transport close")
        assert asyncio.get_running_loop().time() - begun < HEARTBEAT_S


@pytest.mark.parametrize("trickles", [False, True])
async def test_a_body_that_never_ends_is_read_for_body_timeout(address, name, trickles):
    """C-193: neither what stalls nor what trickles keeps a thread; the client gets 408, and its session ends."""
    async with open_polling(address, "/impatient/") as client:
        await client.join(auth={"name": name})
        reader, writer = await asyncio.open_connection(address.host, address.port)
        path = f"/impatient/?EIO=4&transport=polling&sid={client.eio_sid}"
        writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n4".encode())
        answer = asyncio.ensure_future(reader.readline())
        try:
            async with asyncio.timeout(WAIT_S):
                while not answer.done():
                    if trickles:
                        writer.write(b"a")
                    await asyncio.wait([answer], timeout=0.05)
            assert (await answer).split()[1:2] == [b"408"]
        finally:
            answer.cancel()
            writer.transport.abort()

    await has_left(address, {"name": name}, "transport error")


async def test_what_follows_the_end_of_a_websocket_is_no_request(caplog):
    """Some clients send closing frames twice; Werkzeug would read the second as a request, and complain."""
    before = running_threads()
    goodbye = b"\x81\x81\0\0\0\x001"
    closing = b"\x88\x82\0\0\0\0\x03\xe8"
    with wsgi_servers.serve_werkzeug(fastsio.WSGIApp(fastsio.Server(async_mode="threading"))) as started:
        reader, writer = await asyncio.open_connection(started.host, started.port)
        writer.write(HANDSHAKE)
        await reader.readuntil(b"\r\n\r\n")

        writer.write(goodbye + closing * 20_000)  # more than is read at once

        with suppress(ConnectionResetError):
            async with asyncio.timeout(WAIT_S):
                await reader.read()
        writer.close()
    await only_these_run(before)
    assert caplog.text == ""


@pytest.mark.parametrize("transports", TRANSPORTS.values(), ids=TRANSPORTS)
async def test_nothing_is_left_running(transports):
    """Under Werkzeug in this process, no thread stays when the clients have left and the server is shut down."""
    before = running_threads()
    sio = fastsio.Server(async_mode="threading")
    sio.on("transport", sio.transport)
    with wsgi_servers.serve_werkzeug(fastsio.WSGIApp(sio)) as started:
        client = fastsio.AsyncSimpleClient()
        await client.connect(started.http, transports=transports)
        assert await client.call("transport") == (transports or ["polling"])[0] or transports is None
        await client.disconnect()
        await asyncio.to_thread(sio.shutdown)

    await only_these_run(before)
