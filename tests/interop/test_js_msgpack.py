"""The real JavaScript client with socket.io-msgpack-parser against the msgpack serializer."""

from __future__ import annotations

import pytest_asyncio


@pytest_asyncio.fixture(loop_scope="module")
async def packed(start):
    """A world that speaks MessagePack."""
    return await start(serializer="msgpack")


async def test_msgpack_carries_events_and_acknowledgements(packed, transports):
    """Values and binary go both ways; a CONNECT without auth, which the parser sends as undefined, has none."""
    result = await packed.play("msgpack", "talks", transports=transports)

    assert (await packed.site.saw("connect"))["auth"] is None
    assert result == {
        "echoed": {"text": "ü", "bytes": {"bytes": "0102"}, "list": [None, 1.5]},
        "mirrored": [{"bytes": "03"}, "two"],
        "asked": ["why?", {"bytes": "07"}],
    }


async def test_msgpack_carries_namespaces_and_refusals(packed):
    """Namespaces, auth and connect_error work as with JSON."""
    result = await packed.play("msgpack", "namespaces")

    assert result == {"where": "/admin", "message": "not allowed", "data": {"code": 42}}


async def test_msgpack_disconnect_is_understood(packed):
    """The DISCONNECT packet has no data, which the JavaScript parser would refuse."""
    assert await packed.play("msgpack", "is_kicked") == {"reason": "io server disconnect"}
    assert (await packed.site.saw("disconnect"))["reason"] == "server disconnect"


async def test_msgpack_client_leaves(packed):
    """The DISCONNECT packet of the JavaScript parser is understood."""
    await packed.play("msgpack", "leaves")

    assert (await packed.site.saw("disconnect"))["reason"] == "client disconnect"
