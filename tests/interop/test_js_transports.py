"""How the real JavaScript client connects, and what each transport carries."""

from __future__ import annotations

from websockets.asyncio.client import connect

from tests.support.servers import FAST_WS, is_fast


async def test_the_server_is_what_the_test_says(world, ws, library):
    """The fast transport serves fastsio's application, and only where it is told to."""
    async with connect(f"ws{world.url.removeprefix('http')}/socket.io/?EIO=4&transport=websocket") as websocket:
        assert is_fast(websocket) is (ws == FAST_WS and library.__name__ == "fastsio")


async def test_each_transport_connects(world, transports):
    """Client and server agree on the id and on the transport in use."""
    result = await world.play("transports", "connects", transports=transports)

    seen = await world.site.saw("connect")
    expected = transports[0] if transports else "websocket"
    assert (result["id"], result["client"], result["server"]) == (seen["sid"], expected, expected)


async def test_nothing_is_lost_during_the_upgrade(world):
    """Events sent before, during and after the upgrade from polling to websocket arrive once and in order."""
    result = await world.play("transports", "talks_through_an_upgrade")

    assert result["transport"] == "websocket"
    assert result["received"] == list(range(result["sent"]))


async def test_large_payloads_pass(world, transports):
    """A text of 400 kB and an attachment of 600 kB come back unchanged."""
    result = await world.play("transports", "large_payloads", transports=transports)

    assert result == {"text": True, "bytes": True}


async def test_a_payload_over_the_limit_ends_the_connection(start, transports):
    """What is larger than max_http_buffer_size is refused on either transport, and disconnect runs."""
    world = await start(max_http_buffer_size=10_000)

    reason = await world.play("transports", "too_large", transports=transports)

    assert reason in {"transport close", "transport error"}
    assert (await world.site.saw("disconnect"))["reason"] in {"transport close", "transport error"}


async def test_heartbeats_keep_the_connection(start, transports):
    """A sub-second ping interval is what the client sees, and the connection lives through several."""
    world = await start(ping_interval=0.2, ping_timeout=20)

    result = await world.play("transports", "heartbeats", transports=transports)

    assert result == {"beats": 4, "connected": True}


async def test_headers_of_the_handshake_arrive(world, transports):
    """A custom header is in the environ the connect handler gets."""
    await world.play("transports", "sends_headers", transports=transports)

    assert (await world.site.saw("connect"))["header"] == "abc"
