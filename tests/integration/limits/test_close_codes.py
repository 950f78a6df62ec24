"""Frames that break the rules of WebSocket, over raw sockets to each framework and to the server for threads."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.limits.test_hostile_requests import LIMIT, under
from tests.integration.raw_websocket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    PING,
    TEXT,
    client_frame,
    open_raw,
    request_of,
)
from tests.support.waiting import WAIT_S

EVENT = b'42["note",1]'
BROKEN = {
    "no mask": (client_frame(FIN | TEXT, EVENT, masked=False), 1002),
    "a reserved bit": (client_frame(FIN | 0x10 | BINARY, EVENT), 1002),
    "an unknown opcode": (client_frame(FIN | 0x3, EVENT), 1002),
    "text that is no UTF-8": (client_frame(FIN | TEXT, b'42["note","\xff"]'), 1007),
    "a continuation of nothing": (client_frame(FIN | CONTINUATION, EVENT), 1002),
    "a message within a message": (client_frame(TEXT, EVENT) * 2, 1002),
    "a ping in fragments": (client_frame(PING, b"x"), 1002),
    "a frame over the limit": (client_frame(FIN | TEXT, b"4" + b"x" * LIMIT), 1009),
    "fragments over the limit": (
        client_frame(TEXT, b"4" + b"x" * LIMIT) + client_frame(FIN | CONTINUATION, b"x"),
        1009,
    ),
    "a close with a code": (client_frame(FIN | CLOSE, (4321).to_bytes(2)), 4321),
}
#: aiohttp answers each close frame with 1000, which the rules allow.
OF_AIOHTTP = {**BROKEN, "a close with a code": (BROKEN["a close with a code"][0], 1000)}


@pytest.mark.parametrize("kind", ["uvicorn", "fast", "aiohttp", "werkzeug"])
async def test_the_close_code_says_which_rule_was_broken(kind):
    """1002 for a frame that is none, 1007 for text that is none, 1009 for too much; others live on."""
    codes = {}
    broken = OF_AIOHTTP if kind == "aiohttp" else BROKEN
    async with under(kind) as address, open_raw(address) as other:
        await other.join()
        for name, (sent, _code) in broken.items():
            async with open_raw(address) as client:
                await client.join()
                await client.send(sent)
                codes[name] = await client.close_code()
        await other.say("40/nowhere,")
        assert (await other.text()).startswith("44/nowhere,")

    assert codes == {name: code for name, (_sent, code) in broken.items()}


async def test_tornado_takes_no_frame_without_a_mask():
    """Of the others it closes the connection without a word."""
    async with under("tornado") as address, open_raw(address) as client:
        await client.join()
        await client.send(client_frame(FIN | TEXT, b"40/x,", masked=False))

        assert await client.close_code() == 1002


@pytest.mark.parametrize("kind", ["aiohttp", "tornado"])
async def test_an_unmasked_frame_is_refused_however_it_comes(kind):
    """With the handshake, behind a good one, and in pieces of a byte."""
    good, bad = client_frame(FIN | TEXT, b"40"), client_frame(FIN | TEXT, b"40/x,", masked=False)
    async with under(kind) as address:
        async with open_raw(address, request_of() + good + bad) as client:
            async with asyncio.timeout(WAIT_S):
                await client.reader.readuntil(b"\r\n\r\n")
            assert await client.close_code() == 1002
        async with open_raw(address) as client:
            for byte in good + bad[:2]:
                await client.send(bytes([byte]))
            assert await client.close_code() == 1002
