"""Servers on one Redis in the test's process: of fastsio, for asyncio and for threads, and of python-socketio."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import redis
import socketio

import fastsio
from tests.integration.clients import WebSocketClient, eventually, open_websocket
from tests.support.servers import serve
from tests.support.wsgi_servers import serve_werkzeug

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.servers import Address

PACKAGES = {"fastsio": fastsio, "python-socketio": socketio}
#: A server of fastsio for threads.
THREADS = "threads"


class Threaded:
    """
    A sync server with the methods of one for asyncio.

    Args:
        server: The sync server.
    """

    WAITING = (
        "emit",
        "call",
        "enter_room",
        "leave_room",
        "close_room",
        "disconnect",
        "get_session",
        "save_session",
        "shutdown",
    )

    def __init__(self, server: fastsio.Server) -> None:
        self.server = server

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.server, name)
        return functools.partial(asyncio.to_thread, value) if name in self.WAITING else value


@dataclass
class Node:
    """A server, where it listens, and a client of it."""

    server: Any
    address: Address
    client: WebSocketClient
    sid: str


class Cluster:
    """
    Makes servers on one channel of a Redis.

    Args:
        url: Of the Redis.
        channel: A name that no other test uses.
    """

    def __init__(self, url: str, channel: str) -> None:
        self.url = url
        self.channel = channel
        self._stack = AsyncExitStack()
        self._count = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def node(self, kind: str, **options: Any) -> Node:
        """Start a server of a kind, connect a client, and return when the server hears the others."""
        logger = logging.getLogger("tests.socketio")
        settings = {"logger": logger, "namespaces": "*"}
        if kind == THREADS:
            manager = fastsio.RedisManager(self.url, channel=self.channel, **options)
            server = Threaded(fastsio.Server(async_mode="threading", client_manager=manager, **settings))
            address = self._stack.enter_context(serve_werkzeug(fastsio.WSGIApp(server.server)))
        else:
            package = PACKAGES[kind]
            manager = package.AsyncRedisManager(self.url, channel=self.channel, **options)
            server = package.AsyncServer(async_mode="asgi", client_manager=manager, **settings)
            address = await self._stack.enter_async_context(serve(package.ASGIApp(server)))
        self._stack.push_async_callback(stop, server)
        client = await self._stack.enter_async_context(open_websocket(address))
        sid = await client.join()
        self._count += 1
        await eventually(lambda: self.listeners() == self._count)
        return Node(server, address, client, sid)

    async def client(self, node: Node, namespace: str = "/") -> tuple[WebSocketClient, str]:
        """Connect one more client to a server."""
        client = await self._stack.enter_async_context(open_websocket(node.address))
        return client, await client.join(namespace)

    def listeners(self) -> int:
        """Ask Redis how many listen to the channel."""
        with redis.Redis.from_url(self.url) as client:
            ((_, count),) = client.pubsub_numsub(self.channel)
            return int(count)


async def stop(server: Any) -> None:
    """Stop a server; one of python-socketio keeps its connections and its listener otherwise."""
    await server.shutdown()
    if isinstance(server, socketio.AsyncServer):
        manager = server.manager
        manager.thread.cancel()
        await asyncio.wait([manager.thread])
        await close(manager)


async def close(manager: Any) -> None:
    """Close the connections of a manager of python-socketio."""
    for connection in (manager.pubsub, manager.redis):
        if connection is not None:
            with contextlib.suppress(Exception):
                await connection.aclose()


@asynccontextmanager
async def writer(kind: str, url: str, channel: str, **options: Any) -> AsyncIterator[Any]:
    """Give a manager that only writes."""
    manager = PACKAGES[kind].AsyncRedisManager(url, channel=channel, write_only=True, **options)
    try:
        yield manager
    finally:
        await (close(manager) if kind == "python-socketio" else manager.shutdown())
