"""Malformed HTTP requests over real sockets, to each framework, the fast transport and the server for threads."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

import fastsio
from tests.integration.clients import eventually, open_websocket
from tests.support.frameworks import HERE
from tests.support.servers import FAST_WS, serve
from tests.support.waiting import WAIT_S
from tests.support.wsgi_servers import serve_werkzeug

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.servers import Address

LIMIT = 10_000
POLLING = "/socket.io/?EIO=4&transport=polling"
WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
VERSION = "Sec-WebSocket-Version: 13"
UPGRADE = ("Upgrade: websocket", "Connection: Upgrade")
#: Name -> first words of the request line, target, headers, body. SID stands for the id of an open session.
REQUESTS: dict[str, tuple[str, str, list[str], str]] = {
    "an upgrade header alone": ("GET", WEBSOCKET, ["Upgrade: websocket"], ""),
    "an upgrade that is not of this hop": ("GET", WEBSOCKET, ["Upgrade: websocket", "Connection: close"], ""),
    "a handshake without a key": ("GET", WEBSOCKET, [*UPGRADE, VERSION], ""),
    "a handshake with a short key": ("GET", WEBSOCKET, [*UPGRADE, VERSION, "Sec-WebSocket-Key: abc"], ""),
    "a handshake of version 8": ("GET", WEBSOCKET, [*UPGRADE, KEY, "Sec-WebSocket-Version: 8"], ""),
    "a handshake by POST": ("POST", WEBSOCKET, [*UPGRADE, KEY, VERSION, "Content-Length: 0"], ""),
    "an upgrade by POST": ("POST", POLLING + "&sid=SID", [*UPGRADE, KEY, VERSION, "Content-Length: 2"], "40"),
    "a method of one's own": ("BREW", POLLING, [], ""),
    "a JSONP index of 5000 digits": ("GET", f"{POLLING}&j={'1' * 5000}", [], ""),
    "a length of 999 digits": ("POST", POLLING + "&sid=SID", [f"Content-Length: {'9' * 999}"], "40"),
    "a length of 5000 digits": ("POST", POLLING + "&sid=SID", [f"Content-Length: {'9' * 5000}"], "40"),
    "a length that is no number": ("POST", POLLING + "&sid=SID", ["Content-Length: x"], "40"),
    "a negative length": ("POST", POLLING + "&sid=SID", ["Content-Length: -1"], "40"),
    "a session that never was": ("GET", POLLING + "&sid=%00%ff", [], ""),
    "a foreign origin": ("GET", POLLING, ["Origin: http://["], ""),
    "no protocol": ("GET", "/socket.io/", [], ""),
}


#: uvicorn's own protocol reads no body of a request that asks for a WebSocket, and never answers this one.
NOT_UNDER_UVICORN = "an upgrade by POST"


@asynccontextmanager
async def under(kind: str) -> AsyncIterator[Address]:
    """Serve a Socket.IO server under one server or another."""
    options = {"max_http_buffer_size": LIMIT}
    if kind == "werkzeug":
        server = fastsio.Server(async_mode="threading", **options)
        with serve_werkzeug(fastsio.WSGIApp(server)) as address:
            yield address
            await asyncio.to_thread(server.shutdown)
    elif kind == "fast":
        sio = fastsio.AsyncServer(async_mode="asgi", **options)
        async with serve(fastsio.ASGIApp(sio), ws=FAST_WS) as address:
            yield address
            await sio.shutdown()
    else:
        async with HERE[kind](fastsio.AsyncServer(**options)) as address:
            yield address


async def ask(address: Address, request: tuple[str, str, list[str], str]) -> bytes:
    """Send a request; return all of the answer."""
    method, target, headers, body = request
    head = [f"{method} {target} HTTP/1.1", f"Host: {address.host}:{address.port}"]
    if not any(header.lower().startswith("connection") for header in headers):
        head.append("Connection: close")
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write("\r\n".join([*head, *headers, "", body]).encode())
    async with asyncio.timeout(WAIT_S):
        answer = await reader.readline()
        writer.transport.abort()
    return answer


@pytest.mark.parametrize("kind", [*HERE, "fast", "werkzeug"])
async def test_a_malformed_request_is_a_client_error(kind, caplog):
    """The status is below 500, nothing has a traceback, the log does not grow, and others are served."""
    caplog.set_level(logging.DEBUG)
    statuses: dict[str, int] = {}
    async with under(kind) as address:
        for name in [*REQUESTS, "no protocol", "a foreign origin"]:
            if name == NOT_UNDER_UVICORN and kind in ("uvicorn", "fast"):
                continue
            method, target, headers, body = REQUESTS[name]
            async with open_websocket(address) as bystander:
                answer = await ask(address, (method, target.replace("SID", bystander.eio_sid), headers, body))
                statuses[name] = int(answer.split()[1])
                await bystander.join()

    assert {name: status for name, status in statuses.items() if not 400 <= status < 500} == {}
    # aiohttp logs what it cannot parse itself, with a traceback.
    ours = [record for record in caplog.records if not record.name.startswith("aiohttp")]
    assert [record.getMessage() for record in ours if record.exc_info] == []
    reports = [
        record.getMessage() for record in ours if record.name == "engineio.server" and "of this kind" in record.msg
    ]
    assert len(reports) == len(set(reports))


#: How proxies write the two headers.
FOLDED = {
    "in capitals": ["UPGRADE: WEBSOCKET", "CONNECTION: UPGRADE"],
    "with other options": ["Upgrade: websocket", "Connection: keep-alive, Upgrade"],
    "with spaces": ["Upgrade:   WebSocket  ", "Connection:  keep-alive ,upgrade "],
    "connection repeated": ["Upgrade: websocket", "Connection: keep-alive", "Connection: Upgrade"],
    "upgrade joined": ["Upgrade: websocket, websocket", "Connection: Upgrade, Upgrade"],
    "upgrade repeated": ["Upgrade: websocket", "Upgrade: websocket", "Connection: Upgrade"],
}


@pytest.mark.parametrize("kind", ["aiohttp", "sanic", "tornado", "werkzeug"])
async def test_a_websocket_opens_however_a_proxy_writes_its_headers(kind):
    """In any case, with spaces, repeated and joined. Under ASGI the server reads them, and answers before we are asked."""
    statuses = {}
    async with under(kind) as address:
        for name, headers in FOLDED.items():
            answer = await ask(address, ("GET", WEBSOCKET, [*headers, KEY, VERSION], ""))
            statuses[name] = int(answer.split()[1])

    assert statuses == dict.fromkeys(FOLDED, 101)


async def test_a_header_with_an_underscore_passes_for_no_other_on_the_fast_transport():
    """It has the same environ as any other; the first connection and those after it are read in different ways."""
    sio = fastsio.AsyncServer(async_mode="asgi")
    headers = {"X_Remote_User": "root", "X-Remote-Group": "users", "Content_Length": "5"}
    async with serve(fastsio.ASGIApp(sio), ws=FAST_WS) as address:
        for _ in range(2):
            async with open_websocket(address, headers=headers) as client:
                await client.join()
                (environ,) = sio.environ.values()

                assert environ["HTTP_X_REMOTE_GROUP"] == "users"
                assert not {"HTTP_X_REMOTE_USER", "CONTENT_LENGTH"} & set(environ)
            await eventually(lambda: not sio.environ)
