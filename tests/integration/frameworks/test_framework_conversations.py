"""One conversation with python-socketio's client over each transport, under every framework and server."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import socketio

from tests.integration.clients import OPENERS, http_client
from tests.support.frameworks import ELSEWHERE, HERE, Site, Sites, server_process
from tests.support.peer_clients import LEAVE_CONNECTIONS, LEAVES
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytestmark = LEAVE_CONNECTIONS

TRANSPORTS = {"websocket": ["websocket"], "polling": ["polling"], "upgrade": None}
ADDRESS = "127.0.0.1"
#: Servers that end the application only when all connections are closed; hypercorn does from Python 3.12 on.
WAIT_FOR_CLIENTS = {"hypercorn"}
#: Granian 2.8 may not reach the end of the lifespan: a thread of its own fails while it stops, about once in 40 times.
GRANIAN_PANIC = "Cannot drop pointer into Python heap without the thread being attached"


@pytest.fixture(scope="module")
def sites() -> Iterator[Sites]:
    """The application, with the default options."""
    sites = Sites()
    yield sites
    sites.close()


class Client:
    """A connected client that keeps what it hears."""

    def __init__(self) -> None:
        self.sio = socketio.AsyncClient(reconnection=False)
        self.heard: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        for event in ("welcome", "told", "disconnect"):
            self.sio.on(event, lambda *args, event=event: self.heard.put_nowait((event, *args)))
        self.sio.on("question", lambda question: ("answer to", question))

    async def hears(self) -> tuple[str, Any]:
        """Wait for the next event."""
        async with asyncio.timeout(WAIT_S):
            return await self.heard.get()


@asynccontextmanager
async def connected(site: Site, name: dict[str, str], transports: list[str] | None) -> AsyncIterator[Client]:
    """Connect a client for the length of the block."""
    client = Client()
    await client.sio.connect(site.address.http, auth=name, transports=transports, wait_timeout=WAIT_S)
    try:
        assert await client.hears() == ("welcome",)
        yield client
    finally:
        await client.sio.disconnect()


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("framework", [*HERE, *ELSEWHERE])
async def test_clients_talk_over_every_transport(sites, framework, transport):
    """Connect, acknowledge both ways, broadcast, carry binary, leave and be sent away: the same everywhere."""
    leaves, is_kicked = ({"client": f"{transport} {number}"} for number in (1, 2))
    transports = TRANSPORTS[transport]
    async with sites.open(framework) as site:
        async with connected(site, leaves, transports) as first, connected(site, is_kicked, transports) as second:
            assert await first.sio.call("transport") == first.sio.transport() == (transports or ["websocket"])[0]
            await echo_everything(first)
            await broadcast(second, to=(first, second))
            await second.sio.emit("kick")
            assert await second.hears() == ("disconnect", "server disconnect")

        await site.journal.until(["connect", leaves, ADDRESS])
        await site.journal.until_any([["disconnect", leaves, reason] for reason in LEAVES])
        await site.journal.until(["disconnect", is_kicked, "server disconnect"])


async def echo_everything(client: Client) -> None:
    """Send and get back what a payload can hold, and let the server ask."""
    payload = ("text", b"\x00\xff", {"a": [b"", None]})
    assert await client.sio.call("echo", payload) == payload
    large = "ü" * 100_000
    assert await client.sio.call("echo", large) == large
    assert await client.sio.call("ask", "why") == ("answer to", "why")


async def broadcast(sender: Client, *, to: tuple[Client, ...]) -> None:
    """Have the server tell all clients."""
    await sender.sio.emit("tell_all", {"blob": b"\x01\x02"})

    for client in to:
        assert await client.hears() == ("told", {"blob": b"\x01\x02"})


async def visit_until_the_end(framework: str) -> str:
    """Stop a server while clients are there; return what it has printed."""
    with server_process(framework) as process:
        async with http_client() as http:
            assert (await http.get(f"{process.address.http}/mounted/hello")).json() == "hello"
        async with OPENERS["websocket"](process.address) as one, OPENERS["polling"](process.address) as other:
            for client in (one, other):
                await client.join()
                assert await client.receive() == '42["welcome"]'

            stopping = asyncio.create_task(asyncio.to_thread(process.stop))
            if framework not in WAIT_FOR_CLIENTS:
                await asyncio.wait({stopping})
        return await stopping


@pytest.mark.parametrize("framework", ELSEWHERE)
async def test_servers_start_and_stop_the_application_around(framework):
    """FastAPI gets its lifespan and its mounted requests; clients that are there at the end have left before it."""
    printed = GRANIAN_PANIC
    while GRANIAN_PANIC in printed:
        printed = await visit_until_the_end(framework)

    (journal,) = [json.loads(line) for line in printed.splitlines() if line.startswith('["started"')]
    assert [entry if isinstance(entry, str) else entry[0] for entry in journal] == [
        "started", "connect", "connect", "disconnect", "disconnect",
    ]  # fmt: skip
