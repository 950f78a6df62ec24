"""The client manager on Redis or Valkey: a channel for all nodes, or with asyncio one for each room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio._extras import require
from fastsio.aio import concurrency

# Only asyncio:
from fastsio.aio.backends.room_following import RoomFollowingManager

# Only threads:
# | from fastsio.brokers.redis import next_message_until
# | from fastsio.sync.pubsub import PubSubManager
# Both:
from fastsio.brokers.per_loop import PerLoop
from fastsio.brokers.redis import PING_INTERVAL_S, RedisPublisher, close_redis, new_client, next_message
from fastsio.brokers.redis_sharded import ShardedBus
from fastsio.cluster.broker_urls import at_master, may_be_cluster, redis_target

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Hashable
    from typing import Unpack

    from fastsio.base.options import BusKeywords
    from fastsio.cluster.broker_urls import RedisTarget
    from fastsio.cluster.sharding import Address


class AsyncRedisManager(RoomFollowingManager):
    """
    Share the clients of several asyncio servers through Redis or Valkey.

    Messages are delivered at most once: what is published while a node has no connection does not reach its clients.

    Args:
        url: Where the broker is: ``redis://user:password@host:port/database``, ``rediss://`` with TLS, ``unix://path``,
            ``redis+sentinel://host1:port1,host2:port2/database/service``; ``valkey://``, ``valkeys://`` and
            ``valkey+sentinel://`` as well.
        channel: The channel; the same on all nodes. Databases do not separate channels.
        redis_options: Keyword arguments for ``Redis.from_url()``, or for ``Sentinel()``. By default an operation may
            take ``publish_timeout`` seconds; without a bound, a broker that hangs keeps handlers waiting.
        sharded: With asyncio only. Whether each room has a channel of its own, in the sharded pub/sub of Redis 7: a
            node receives what is for rooms that it has clients in, and the channels spread over the masters of a Redis
            Cluster. The URL is that of any of its nodes. All nodes of one bus must agree; those of python-socketio
            cannot take part. Each master has clients of its own: :attr:`redis` and :attr:`pubsub` are None.
        options: As for :class:`AsyncPubSubManager`, and so are *write_only*, *logger* and *json*.

    Raises:
        SetupError: The URL cannot be used.
        MissingExtraError: Neither redis nor valkey is installed.
    """

    name = "aioredis"
    serves_when_listening = True
    # Only threads:
    # | _waits_on_sockets = True
    # Both:

    def __init__(
        self,
        url: str = "redis://localhost:6379/0",
        channel: str = "socketio",
        write_only: bool = False,
        logger: Any = None,
        json: Any = None,
        redis_options: dict[str, Any] | None = None,
        # Only asyncio:
        *,
        sharded: bool = False,
        # Both:
        **options: Unpack[BusKeywords],
    ) -> None:
        self._target = redis_target(url)
        super().__init__(channel, write_only, logger, json, **options)
        self._errors = require(f"{self._target.package}.exceptions", "redis")
        self.redis_url = url
        self.redis_options = dict(redis_options or {})
        self._publishing: PerLoop[RedisPublisher] = PerLoop(self._new_publisher, RedisPublisher.close)
        #: The client and the subscription that listen, while they do.
        self._heard_by: tuple[Any, Any] = (None, None)
        # Only asyncio:
        self._sharded: ShardedBus | None = None
        if sharded:
            self._sharded = ShardedBus(
                channel,
                self._encode,
                self._client_of,
                self._errors,
                may_be_cluster=may_be_cluster(self._target),
                patience_s=self.publish_timeout,
                on_listening=self._on_listening,
            )
        # Both:

    @property
    def redis(self) -> Any:
        """The client of redis or valkey that the manager publishes with, else the one it listens with; None without."""
        publisher = self._publishing.current
        return self._heard_by[0] if publisher is None else publisher.client

    @property
    def pubsub(self) -> Any:
        """The subscription of the client that listens; None while not subscribed."""
        return self._heard_by[1]

    @property
    def connected(self) -> bool:
        """Whether messages of other servers arrive; with ``write_only``, whether there is a connection."""
        return self._publishing.current is not None if self.write_only else self.listening

    async def shutdown(self) -> None:
        """Stop listening and close the connections."""
        await super().shutdown()
        await self._publishing.drop()
        # Only asyncio:
        if self._sharded is not None:
            await self._sharded.close()

    async def enter_room(self, sid: str, namespace: str, room: Hashable, eio_sid: str | None = None) -> None:
        """
        Put a client into a room, whichever server has it.

        With ``sharded``, a client of this server gets the events of other servers to the room when this has returned,
        unless the broker is away; a client of another server soon after.

        Raises:
            ValueError: The room is another client's own, or the client is in too many.
            BusError: The broker did not take the message.
        """
        await super().enter_room(sid, namespace, room, eio_sid)
        if self._sharded is not None:
            await self._sharded.wait_until_subscribed(namespace, room)

    async def begin_join(self, namespace: str, room: Hashable) -> None:
        """Listen from now on to messages of other servers about a room that a client asks to join."""
        await super().begin_join(namespace, room)
        if self._sharded is not None:
            await self._sharded.wait_until_subscribed(namespace, room)

    def _follow_room(self, namespace: str, room: Hashable, *, has_members: bool) -> None:
        if self._sharded is not None:
            self._sharded.follow(namespace, room, has_members=has_members)

    def _listen(self) -> AsyncGenerator[Any, None]:
        return self._listen_to_one() if self._sharded is None else self._sharded.listen(self.host_id, PING_INTERVAL_S)

    def _client_of(self, master: Address | None) -> Any:
        """Return a client for what the URL names, or for a master of that cluster."""
        return self._client() if master is None else self._new_client(at_master(self._target, master))

    # Both:

    async def _publish(self, data: dict[str, Any]) -> None:
        try:
            # Only asyncio:
            if self._sharded is not None:
                await self._sharded.publish(data)
                return
            # Both:
            publisher = await self._publishing.get()
            await publisher.post("PUBLISH", self.channel, self._encode(data))
        except self._errors.TimeoutError as error:  # a class of its own
            raise TimeoutError(str(error)) from error

    async def _new_publisher(self) -> RedisPublisher:
        # Only asyncio:
        return RedisPublisher(self._client())
        # Only threads:
        # | return RedisPublisher(self._client(), self.publish_timeout)
        # Both:

    async def _listen_to_one(self) -> AsyncGenerator[Any, None]:
        client = self._client()
        pubsub = client.pubsub()
        self._heard_by = client, pubsub
        try:
            await pubsub.subscribe(self.channel)
            while not self.is_stopping:
                # Only asyncio:
                message = await next_message(pubsub, PING_INTERVAL_S)
                # Only threads:
                # | message = next_message_until(pubsub, PING_INTERVAL_S, lambda: self.is_stopping)
                # Both:
                if message["type"] == "subscribe":
                    self._on_listening()
                elif message["type"] == "message":
                    yield message["data"]
        finally:
            self._heard_by = None, None
            await pubsub.aclose()
            await close_redis(client)

    def _client(self) -> Any:
        """Return a client, which connects when it is used."""
        return self._new_client(self._target)

    def _new_client(self, target: RedisTarget) -> Any:
        timeout_s = self.publish_timeout
        return new_client(target, self.redis_options, timeout_s=timeout_s, is_async=concurrency.ASYNCHRONOUS)
