# Written by tools/unasync.py from aio/backends/redis.py; change that one.
"""The client manager on Redis or Valkey: a channel for all nodes, or with asyncio one for each room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio._extras import require
from fastsio.brokers.per_loop import PerProcess
from fastsio.brokers.redis import (
    PING_INTERVAL_S,
    BlockingRedisPublisher,
    close_blocking_redis,
    new_client,
    next_message_until,
)
from fastsio.cluster.broker_urls import redis_target
from fastsio.sync import concurrency
from fastsio.sync.pubsub import PubSubManager

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Unpack

    from fastsio.base.options import BusKeywords
    from fastsio.cluster.broker_urls import RedisTarget


class RedisManager(PubSubManager):
    """
    Share the clients of several sync servers through Redis or Valkey.

    Messages are delivered at most once: what is published while a node has no connection does not reach its clients.

    Args:
        url: Where the broker is: ``redis://user:password@host:port/database``, ``rediss://`` with TLS, ``unix://path``,
            ``redis+sentinel://host1:port1,host2:port2/database/service``; ``valkey://``, ``valkeys://`` and
            ``valkey+sentinel://`` as well.
        channel: The channel; the same on all nodes. Databases do not separate channels.
        redis_options: Keyword arguments for ``Redis.from_url()``, or for ``Sentinel()``. By default an operation may
            take ``publish_timeout`` seconds; without a bound, a broker that hangs keeps handlers waiting.
        options: As for :class:`PubSubManager`, and so are *write_only*, *logger* and *json*.

    Raises:
        SetupError: The URL cannot be used.
        MissingExtraError: Neither redis nor valkey is installed.
    """

    name = "redis"
    serves_when_listening = True
    _waits_on_sockets = True

    def __init__(
        self,
        url: str = "redis://localhost:6379/0",
        channel: str = "socketio",
        write_only: bool = False,
        logger: Any = None,
        json: Any = None,
        redis_options: dict[str, Any] | None = None,
        **options: Unpack[BusKeywords],
    ) -> None:
        self._target = redis_target(url)
        super().__init__(channel, write_only, logger, json, **options)
        self._errors = require(f"{self._target.package}.exceptions", "redis")
        self.redis_url = url
        self.redis_options = dict(redis_options or {})
        self._publishing: PerProcess[BlockingRedisPublisher] = PerProcess(
            self._new_publisher, BlockingRedisPublisher.close
        )
        #: The client and the subscription that listen, while they do.
        self._heard_by: tuple[Any, Any] = (None, None)

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

    def shutdown(self) -> None:
        """Stop listening and close the connections."""
        super().shutdown()
        self._publishing.drop()

    def _publish(self, data: dict[str, Any]) -> None:
        try:
            publisher = self._publishing.get()
            publisher.post("PUBLISH", self.channel, self._encode(data))
        except self._errors.TimeoutError as error:  # a class of its own
            raise TimeoutError(str(error)) from error

    def _new_publisher(self) -> BlockingRedisPublisher:
        return BlockingRedisPublisher(self._client(), self.publish_timeout)

    def _listen(self) -> Generator[Any, None, None]:
        client = self._client()
        pubsub = client.pubsub()
        self._heard_by = client, pubsub
        try:
            pubsub.subscribe(self.channel)
            while not self.is_stopping:
                message = next_message_until(pubsub, PING_INTERVAL_S, lambda: self.is_stopping)
                if message["type"] == "subscribe":
                    self._on_listening()
                elif message["type"] == "message":
                    yield message["data"]
        finally:
            self._heard_by = None, None
            pubsub.close()
            close_blocking_redis(client)

    def _client(self) -> Any:
        """Return a client, which connects when it is used."""
        return self._new_client(self._target)

    def _new_client(self, target: RedisTarget) -> Any:
        timeout_s = self.publish_timeout
        return new_client(target, self.redis_options, timeout_s=timeout_s, is_async=concurrency.ASYNCHRONOUS)
