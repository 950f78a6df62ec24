"""Servers on one Redis Stream in the test's process, and clients that come back to them."""

from __future__ import annotations

import asyncio
import json
import logging
from base64 import b64decode
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import redis
from msgpack import unpackb

import fastsio
from tests.integration.clients import Journal, WebSocketClient, eventually, open_websocket
from tests.integration.redis_nodes import Threaded
from tests.support.servers import serve
from tests.support.wsgi_servers import serve_werkzeug

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from tests.support.brokers import Broker
    from tests.support.servers import Address

logger = logging.getLogger(__name__)


@dataclass
class Peer:
    """A raw client that keeps what the JavaScript client keeps."""

    client: WebSocketClient
    sid: str
    pid: str
    missed: list[list[Any]]
    offset: str | None = None

    async def event(self) -> list[Any]:
        """Return the next event, without its offset."""
        return self.note(await self.client.receive())

    def note(self, frame: Any) -> list[Any]:
        """Keep the offset of an event, and return the event without it."""
        event: list[Any] = json.loads(frame[2:])
        self.offset = event.pop()
        return event


class Lab:
    """Servers with recovery on one stream; *journal* has what their handlers saw."""

    def __init__(self, broker: Broker, stream: str, stack: AsyncExitStack) -> None:
        self.broker, self.stream, self._stack = broker, stream, stack
        self.journal = Journal()
        self.addresses: dict[Any, Address] = {}

    async def threads(self, **options: Any) -> Any:
        """Start a server for threads, with the methods of one for asyncio."""
        note = partial(asyncio.get_running_loop().call_soon_threadsafe, self.journal.note)
        manager = fastsio.RedisStreamsManager(self.broker.url, self.stream, **options)
        sio = fastsio.Server(
            async_mode="threading", client_manager=manager, connection_state_recovery=True, logger=logger
        )

        @sio.event
        def connect(sid: fastsio.SocketID, recovered: fastsio.Recovered) -> None:
            note(("connect", sid, bool(recovered)))

        @sio.event
        def disconnect(sid: fastsio.SocketID, reason: fastsio.Reason) -> None:
            note(("disconnect", sid, reason))

        threaded = Threaded(sio)
        self.addresses[threaded] = self._stack.enter_context(serve_werkzeug(fastsio.WSGIApp(sio)))
        self._stack.push_async_callback(threaded.shutdown)
        return threaded

    async def node(self, recovery: Any = True, **options: Any) -> fastsio.AsyncServer:
        """Start a server; the options are those of its manager."""
        manager = fastsio.AsyncRedisStreamsManager(self.broker.url, self.stream, **options)
        sio = fastsio.AsyncServer(
            async_mode="asgi", client_manager=manager, connection_state_recovery=recovery, logger=logger
        )

        @sio.event
        async def connect(sid: fastsio.SocketID, recovered: fastsio.Recovered) -> None:
            self.journal.note(("connect", sid, bool(recovered)))

        @sio.event
        async def disconnect(sid: fastsio.SocketID, reason: fastsio.Reason) -> None:
            self.journal.note(("disconnect", sid, reason))

        self.addresses[sio] = await self._stack.enter_async_context(serve(fastsio.ASGIApp(sio)))
        self._stack.push_async_callback(sio.shutdown)
        return sio

    async def join(self, sio: Any, old: Peer | None = None) -> Peer:
        """Connect a client, or let one come back."""
        client = await self._stack.enter_async_context(open_websocket(self.addresses[sio]))
        auth = None if old is None else {"pid": old.pid, **({} if old.offset is None else {"offset": old.offset})}
        await client.send("40" + ("" if auth is None else json.dumps(auth)))
        missed = []
        while (frame := await client.receive())[:2] == "42":
            missed.append(json.loads(frame[2:]))
        answer = json.loads(frame[2:])
        peer = Peer(client, answer["sid"], answer["pid"], [event[:-1] for event in missed])
        if missed:
            peer.offset = missed[-1][-1]
        elif old is not None:
            peer.offset = old.offset
        return peer

    async def lose(self, peer: Peer) -> None:
        """Cut the connection of a client, and wait until its server has noticed."""
        await peer.client.vanish()
        await self.journal.until(("disconnect", peer.sid, "transport close"))
        await eventually(lambda: (self.record(peer) or {"node": ""})["node"] is None)

    def record(self, peer: Peer) -> dict[str, Any] | None:
        """Return the stored session of a client; its ``node`` is None once the client was lost."""
        with redis.Redis.from_url(self.broker.url) as client:
            raw: Any = client.get(f"sio:session:{peer.pid}")
        return None if raw is None else unpackb(b64decode(raw), strict_map_key=False)
