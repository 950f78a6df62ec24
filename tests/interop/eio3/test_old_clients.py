"""socket.io-client 1.7.4 and 2.5.0 against a server with allow_eio3, on each transport and during the upgrade."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from fastsio.engine import eio3
from fastsio.engine.packet import MessagePacket
from tests.interop.eio3.conftest import JsClient


async def test_each_transport_connects(client, transports):
    """Client and server agree on id and transport in use; the root is joined unasked, without auth."""
    result = await client.play("connects", transports=transports)

    seen = await client.world.site.saw("connect")
    expected = transports[0] if transports else "websocket"
    assert (result["id"], result["client"], result["server"]) == (seen["sid"], expected, expected)
    assert seen["auth"] is None


async def test_a_shutdown_lets_the_client_come_back(client, transport):
    """It sees the transport close, on each of them, and connects again by itself."""
    async with client.program("is_let_go", transports=[transport]) as program:
        await program.step("connected")
        await client.world.site.sio.shutdown()

        assert await program.result() == {"reason": "transport close"}
    assert (await client.world.site.saw("disconnect"))["reason"] == "server shutting down"


async def test_values_come_back(client, transports):
    """What is emitted is acknowledged and mirrored unchanged."""
    # Where client 1.x reads no binary from a poll, as under Node.js, no current server can send it more than ASCII.
    is_ascii = client.version == 1 and transports != ["websocket"]

    result = await client.play("exchanges", transports=transports, text="plain" if is_ascii else "grüße 😀")

    assert result["acknowledged"] == result["sent"]
    assert result["mirrored"] == result["sent"]


@pytest.mark.parametrize("base64", [False, True], ids=["binary", "base64"])
async def test_binary_comes_back(client, transports, base64):
    """Attachments survive both ways, as binary and from a client that asks for base64."""
    result = await client.play("exchanges_binary", transports=transports, base64=base64)

    assert result["acknowledged"] == result["sent"]
    assert result["mirrored"] == result["sent"]


async def test_the_client_answers(client, transport):
    """call() gets the client's acknowledgement, binary included."""
    result = await client.play("answers", transports=[transport])

    assert result == ["re: how?", {"bytes": "07"}]


async def test_namespaces_are_joined_with_a_query(client, transport):
    """The query of a namespace is the auth of its connect handler, and sids are those of the JavaScript server."""
    result = await client.play("joins_namespaces", transports=[transport])

    seen = await client.world.site.saw("admin connect")
    assert (result["news"], result["admin"]) == ("/news", "/admin")
    assert seen == {"sid": f"/admin#{result['root']}", "auth": {"token": "secret", "of": "a,b"}}
    # Clients 1.x have one id for all namespaces.
    assert result["id"] == (result["root"] if client.version == 1 else seen["sid"])


async def test_a_namespace_is_joined_by_its_url(client, transport):
    """A URL with a namespace and a query joins the root too, and the namespace with the query."""
    assert await client.play("joins_by_url", transports=[transport]) == "/admin"
    assert (await client.world.site.saw("admin connect"))["auth"] == {"token": "secret"}


async def test_refusals_are_errors(client, transport):
    """A refused client gets the application's data, or else the text; its connection goes on."""
    result = await client.play("is_refused", transports=[transport])

    refusals = result["refusals"]
    assert result["echoed"] == "still here"
    assert refusals["/admin"] == {"code": 42}
    assert refusals["/closed"] == "Connection rejected by server"
    assert refusals["/broken"]["type"] == "internal"
    assert refusals["/nowhere"] == "Invalid namespace"


async def test_the_client_leaves(client, transport):
    """Leaving a namespace keeps the connection; leaving the root ends it, where the rooms can still be read."""
    result = await client.play("leaves", transports=[transport])

    seen = await client.world.site.saw("disconnect")
    assert result == {"reason": "io client disconnect"}
    assert await client.world.site.saw("admin disconnect") == "client disconnect"
    assert (seen["reason"], seen["rooms"]) == ("client disconnect", sorted([seen["sid"], "tea"]))


async def test_the_server_sends_the_client_away(client, transport):
    """disconnect(sid) is 'io server disconnect' on the client."""
    assert await client.play("is_kicked", transports=[transport]) == {"reason": "io server disconnect"}
    assert (await client.world.site.saw("disconnect"))["reason"] == "server disconnect"


async def test_the_clients_pings_keep_the_connection(start, version, transport):
    """The server answers the client's pings, over several intervals."""
    world = await start(allow_eio3=True, ping_interval=0.2, ping_timeout=20)

    result = await JsClient(world, version).play("heartbeats", transports=[transport])

    assert result == {"connected": True}


async def test_a_silent_client_is_given_up(start, version, transport):
    """A client that sends no ping is 'ping timeout' on the server, after interval and timeout."""
    world = await start(allow_eio3=True, ping_interval=0.3, ping_timeout=3)

    result = await JsClient(world, version).play("falls_silent", transports=[transport])

    assert result["reason"] in {"transport close", "transport error", "ping timeout"}
    assert (await world.site.saw("disconnect"))["reason"] == "ping timeout"


async def test_nothing_is_lost_during_the_upgrade(client):
    """Events sent before, during and after the upgrade from polling to websocket arrive once and in order."""
    result = await client.play("talks_through_an_upgrade")

    assert result["transport"] == "websocket"
    assert result["received"] == list(range(result["sent"]))


async def test_a_payload_over_the_limit_ends_the_connection(start, version, transport):
    """What is larger than max_http_buffer_size is refused on either transport, and disconnect runs."""
    world = await start(allow_eio3=True, max_http_buffer_size=10_000)

    result = await JsClient(world, version).play("is_too_large", transports=[transport])

    assert result["reason"] in {"transport close", "transport error"}
    assert (await world.site.saw("disconnect"))["reason"] in {"transport close", "transport error"}


async def test_the_client_survives_a_restart_of_the_server(client, transport):
    """The client reconnects under a new id once the server is back."""
    async with client.program("reconnects", transports=[transport]) as program:
        await program.step("connected")
        await client.world.server.stop()
        await program.step("disconnected")
        await client.world.server.start()

        result = await program.result()

    assert result == {"changed": True, "echoed": "back"}


async def test_a_broadcast_reaches_clients_of_all_versions(world):
    """One emit to a room with binary reaches clients 1.x, 2.x and 4.x on both transports."""
    async with AsyncExitStack() as stack:
        programs = [
            await stack.enter_async_context(JsClient(world, version).program("listens", transports=[transport]))
            for version in (1, 2, 4)
            for transport in ("polling", "websocket")
        ]
        await asyncio.gather(*[program.step("listening") for program in programs])

        await world.site.sio.emit("shouted", ("all", {"bytes": b"\x00\xff"}), room="tea")
        heard = await asyncio.gather(*[program.result() for program in programs])

    assert heard == [["all", {"bytes": {"bytes": "00ff"}}]] * 6


async def test_old_clients_are_turned_away_by_default(start, version):
    """Without allow_eio3 clients of Engine.IO 3 are refused."""
    world = await start()

    assert await JsClient(world, version).play("is_turned_away", transports=["polling"]) is True


async def test_payloads_of_bytes_are_what_the_clients_read_and_write(client):
    """Both parsers and ours agree on text beyond ASCII and on binary, which browsers get and send over polling."""
    texts = ["plain", "grüße 😀", ""]
    packets = [MessagePacket(data).eio3 for data in (*texts, b"\x04\xff")]

    result = await client.play("codes_payloads", texts=texts, payload=eio3.encode_bytes(packets).hex())

    assert result["decoded"][:2] == [["message", text] for text in texts[:2]]
    assert result["decoded"][2][0] == "message"
    assert result["decoded"][3] == ["message", {"bytes": "04ff"}]
    encoded = bytes.fromhex(result["encoded"]["bytes"])
    assert list(eio3.decode_payload(encoded, is_binary=True)) == ["4plain", "4grüße 😀", "4", b"\x04\xff"]
