"""The client manager on Redis or Valkey: one channel that every node subscribes to, or one for each room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio._extras import require
from fastsio.aio.backends.room_following import RoomFollowingManager
from fastsio.brokers.per_loop import PerLoop
from fastsio.brokers.redis import PING_INTERVAL_S, RedisPublisher, close_client, new_client, next_message
from fastsio.brokers.redis_sharded import ShardedBus
from fastsio.cluster.broker_urls import at_master, may_be_cluster, redis_target

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Hashable
    from typing import Unpack

    from fastsio.base.options import BusKeywords
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
            take ``publish_timeout`` seconds.
        sharded: Whether each room has a channel of its own, in the sharded pub/sub of Redis 7: a node receives what is
            for rooms that it has clients in, and the channels spread over the masters of a Redis Cluster. The URL is
            that of any of its nodes. All nodes of one bus must agree; those of python-socketio cannot take part.
        options: As for :class:`AsyncPubSubManager`, and so are *write_only*, *logger* and *json*.

    Raises:
        SetupError: The URL cannot be used.
        MissingExtraError: Neither redis nor valkey is installed.
    """

    serves_when_listening = True
    name = "aioredis"

    def __init__(
        self,
        url: str = "redis://localhost:6379/0",
        channel: str = "socketio",
        write_only: bool = False,
        logger: Any = None,
        json: Any = None,
        redis_options: dict[str, Any] | None = None,
        *,
        sharded: bool = False,
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
        self._sharded: ShardedBus | None = None
        if sharded:
            self._sharded = ShardedBus(
                channel,
                self._encode,
                self._client,
                self._errors,
                may_be_cluster=may_be_cluster(self._target),
                patience_s=self.publish_timeout,
                on_listening=self._on_listening,
            )

    @property
    def redis(self) -> Any:
        """
        The client of redis or valkey that the manager publishes with, else the one it listens with; None without.

        With ``sharded`` each master has clients of its own, and this is None.
        """
        publisher = self._publishing.current
        return self._heard_by[0] if publisher is None else publisher.client

    @property
    def pubsub(self) -> Any:
        """The subscription of the client that listens; None while not subscribed, and with ``sharded``."""
        return self._heard_by[1]

    @property
    def connected(self) -> bool:
        """Whether the manager hears the other servers; one that only writes, whether it has a connection."""
        return self._publishing.current is not None if self.write_only else self.listening

    async def shutdown(self) -> None:
        """Stop listening and close the connections."""
        await super().shutdown()
        await self._publishing.drop()
        if self._sharded is not None:
            await self._sharded.close()

    async def enter_room(self, sid: str, namespace: str, room: Hashable, eio_sid: str | None = None) -> None:
        """
        Put a client into a room, whichever server has it.

        With ``sharded``, a client of this server hears what others emit to the room from when this returns, unless the
        broker is away; a client of another server soon after.

        Raises:
            ValueError: The room is another client's own, or the client is in too many.
            BusError: The broker did not take the message.
        """
        await super().enter_room(sid, namespace, room, eio_sid)
        if self._sharded is not None:
            await self._sharded.in_force(namespace, room)

    async def begin_join(self, namespace: str, room: Hashable) -> None:
        """Hear from now on what other servers say of a room that a client may be let into."""
        await super().begin_join(namespace, room)
        if self._sharded is not None:
            await self._sharded.in_force(namespace, room)

    def _follow_room(self, namespace: str, room: Hashable, *, has_members: bool) -> None:
        if self._sharded is not None:
            self._sharded.follow(namespace, room, has_members=has_members)

    async def _publish(self, data: dict[str, Any]) -> None:
        try:
            if self._sharded is not None:
                await self._sharded.publish(data)
            else:
                publisher = await self._publishing.get()
                await publisher.post("PUBLISH", self.channel, self._encode(data))
        except self._errors.TimeoutError as error:  # a class of its own
            raise TimeoutError(str(error)) from error

    async def _new_publisher(self) -> RedisPublisher:
        return RedisPublisher(self._client())

    def _listen(self) -> AsyncGenerator[Any, None]:
        return self._listen_to_one() if self._sharded is None else self._sharded.listen(self.host_id, PING_INTERVAL_S)

    async def _listen_to_one(self) -> AsyncGenerator[Any, None]:
        client = self._client()
        pubsub = client.pubsub()
        self._heard_by = client, pubsub
        try:
            await pubsub.subscribe(self.channel)
            while True:
                message = await next_message(pubsub, PING_INTERVAL_S)
                if message["type"] == "subscribe":
                    self._on_listening()
                elif message["type"] == "message":
                    yield message["data"]
        finally:
            self._heard_by = None, None
            await pubsub.aclose()
            await close_client(client)

    def _client(self, master: Address | None = None) -> Any:
        """Return a client, which connects when it is used: to what the URL names, or to a master of that cluster."""
        target = self._target if master is None else at_master(self._target, master)
        return new_client(target, self.redis_options, timeout_s=self.publish_timeout, is_async=True)
