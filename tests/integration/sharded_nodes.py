"""Servers on shard channels, which write down what their broker makes them read."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Self

import redis

import fastsio
from fastsio.cluster.messages import decode
from fastsio.cluster.sharding import ShardChannels
from fastsio.protocol.jsoncodec import DEFAULT_CODEC
from tests.integration.clients import eventually
from tests.support.cluster_nodes import Node, node
from tests.support.redis_cluster import RedisCluster

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.support.brokers import Broker

CHANNEL = "test"
CHANNELS = ShardChannels("test-sharded")


class RecordingManager(fastsio.AsyncRedisManager):
    """Keeps what it has read, its own messages included."""

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, CHANNEL, sharded=True, **options)
        self.heard: list[dict[str, Any]] = []

    async def _listen(self) -> AsyncGenerator[Any, None]:
        async for raw in super()._listen():
            self.heard.append(decode(raw, DEFAULT_CODEC))
            yield raw


class ShardedNodes:
    """
    Makes servers on one broker.

    Args:
        url: Of a Redis, or of a node of a Redis Cluster.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def node(self, **options: Any) -> Node:
        """Start a server with one client, and return when it hears the others."""
        made = await self._stack.enter_async_context(node(RecordingManager(self.url, **options)))
        await eventually(lambda: made.sio.manager.listening)
        return made

    async def nodes(self, count: int = 2, **options: Any) -> list[Node]:
        """Start several."""
        return [await self.node(**options) for _ in range(count)]


def subscribers(broker: Broker | RedisCluster, channel: bytes) -> int:
    """Return how many listen to a shard channel, on whichever server."""
    servers = broker.masters if isinstance(broker, RedisCluster) else [broker]
    return sum(subscribers_at(server, channel) for server in servers)


def subscribers_at(server: Broker, channel: bytes) -> int:
    """Return how many listen to a shard channel on one server."""
    with redis.Redis.from_url(server.url, protocol=2) as client:
        return int(client.execute_command("PUBSUB", "SHARDNUMSUB", channel)[1])
