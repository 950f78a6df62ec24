"""Connections that go through this process to another worker."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from fastsio import ASGIApp, AsyncServer
from fastsio.brokers.worker_group import WorkerGroup
from fastsio.integrations.workers.channel import Inbox
from fastsio.integrations.workers.passing import PURPOSE, Passing
from tests.shells.fast.transport import FakeTransport
from tests.support.waiting import WAIT_S

REQUEST = b"GET /socket.io/?EIO=4&transport=polling&sid=abc.2 HTTP/1.1\r\nhost: x\r\n\r\n"


class Client(FakeTransport):
    """A connection with TLS, which cannot be passed on."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"sslcontext": True, "peername": ("127.0.0.1", 4711)}.get(name, default)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass


@pytest.fixture
async def passed():
    """Pass a connection on; return what it is in the other worker."""
    loop, parcels = asyncio.get_running_loop(), asyncio.Queue()
    with TemporaryDirectory() as folder, ExitStack() as stack:
        group, other = WorkerGroup.join(folder), WorkerGroup.join(folder)
        config = Config(ASGIApp(AsyncServer(async_mode="asgi")), log_config=None, lifespan="off")
        config.load()
        passing = Passing(group, config, ServerState(), {})
        inbox = Inbox(other.path(other.number, PURPOSE), loop, lambda *parcel: parcels.put_nowait(parcel), print, print)

        async def pass_on(client: Client) -> socket.socket:
            assert passing.pass_on(client, REQUEST)
            async with asyncio.timeout(WAIT_S):
                descriptor, _, request = await parcels.get()
            assert request == REQUEST
            there = stack.enter_context(socket.socket(fileno=descriptor))
            there.setblocking(False)
            return there

        yield pass_on
        inbox.close()
        passing.shutdown()
        for each in (group, other):
            each.leave()


async def test_a_client_that_leaves_while_it_is_passed_on_has_left_there_too(passed):
    """Its transport told so while nothing was connected to it."""
    client = Client()
    client.closed = True
    there = await passed(client)

    async with asyncio.timeout(WAIT_S):
        assert await asyncio.get_running_loop().sock_recv(there, 1) == b""


async def test_a_client_that_is_behind_when_it_is_passed_on_gets_nothing_more(passed):
    """Until it has read what it has; the transport reports only when that changes."""
    client = Client()
    client.unread = 100_000
    there = await passed(client)
    loop = asyncio.get_running_loop()
    sending = asyncio.create_task(loop.sock_sendall(there, b"x" * 5_000_000))
    for _ in range(1000):
        await asyncio.sleep(0)
    assert sum(map(len, client.writes)) < 1_000_000
    assert not sending.done()

    client.unread = 0
    client.protocol.resume_writing()
    async with asyncio.timeout(WAIT_S):
        await sending
    there.close()
    async with asyncio.timeout(WAIT_S):
        while not client.closed:  # noqa: ASYNC110 - a transport has no event for this
            await asyncio.sleep(0)
    assert sum(map(len, client.writes)) == 5_000_000
