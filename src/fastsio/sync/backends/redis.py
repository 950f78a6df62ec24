"""The client manager on Redis or Valkey for threads: the channel is one that every node subscribes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastsio._extras import require
from fastsio.brokers.redis import PING_INTERVAL_S, BlockingRedisPublisher, new_client, parts_of
from fastsio.cluster.broker_urls import redis_target
from fastsio.sync.backends.greenlets import BlockingPubSubManager

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Unpack

    from fastsio.base.options import BusKeywords

#: Seconds until a server that shuts down is noticed.
LOOK_INTERVAL_S: Final = 1.0


class RedisManager(BlockingPubSubManager):
    """
    Share the clients of several sync servers through Redis or Valkey.

    Messages are delivered at most once: what is published while a node has no connection does not reach its clients.

    Args:
        url: Where the broker is: ``redis://user:password@host:port/database``, ``rediss://`` with TLS, ``unix://path``,
            ``redis+sentinel://host1:port1,host2:port2/database/service``; ``valkey://``, ``valkeys://`` and
            ``valkey+sentinel://`` as well.
        channel: The channel; the same on all nodes. Databases do not separate channels.
        redis_options: Keyword arguments for ``Redis.from_url()``, or for ``Sentinel()``. By default an operation may
            take ``publish_timeout`` seconds; without a bound, a broker that hangs keeps threads waiting.
        options: As for :class:`PubSubManager`, and so are *write_only*, *logger* and *json*.

    Raises:
        SetupError: The URL cannot be used.
        MissingExtraError: Neither redis nor valkey is installed.
    """

    name = "redis"
    serves_when_listening = True

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
        self._publisher = BlockingRedisPublisher(self._client, self.publish_timeout)
        #: The client and the subscription that listen, while they do.
        self._heard_by: tuple[Any, Any] = (None, None)

    @property
    def redis(self) -> Any:
        """The client of redis or valkey that the manager publishes with, else the one it listens with; None without."""
        client = self._publisher.client
        return self._heard_by[0] if client is None else client

    @property
    def pubsub(self) -> Any:
        """The subscription of the client that listens; None while not subscribed."""
        return self._heard_by[1]

    @property
    def connected(self) -> bool:
        """Whether the manager hears the other servers; one that only writes, whether it has a connection."""
        return self._publisher.client is not None if self.write_only else self.listening

    def shutdown(self) -> None:
        """Stop listening and close the connections."""
        super().shutdown()
        self._publisher.close()

    def _publish(self, data: dict[str, Any]) -> None:
        try:
            self._publisher.post("PUBLISH", self.channel, self._encode(data))
        except self._errors.TimeoutError as error:  # a class of its own
            raise TimeoutError(str(error)) from error

    def _listen(self) -> Generator[Any, None, None]:
        client = self._client()
        pubsub = client.pubsub()
        self._heard_by = client, pubsub
        try:
            pubsub.subscribe(self.channel)
            while not self.is_stopping:
                message = self._next_message(pubsub)
                if message is None:
                    return
                if message["type"] == "subscribe":
                    self._on_listening()
                elif message["type"] == "message":
                    yield message["data"]
        finally:
            self._heard_by = None, None
            pubsub.close()
            for part in parts_of(client):
                part.close()

    def _next_message(self, pubsub: Any) -> dict[str, Any] | None:
        """
        Return the next message, or None when shutting down. After a while without one the broker is sent a ping.

        Raises:
            ConnectionError: The broker does not answer.
        """
        silent_s, is_asked = 0.0, False
        while not self.is_stopping:
            message = pubsub.get_message(timeout=LOOK_INTERVAL_S)
            if message is not None:
                return message  # type: ignore[no-any-return] # redis and valkey give dicts
            silent_s += LOOK_INTERVAL_S
            if silent_s >= PING_INTERVAL_S:
                if is_asked:
                    raise ConnectionError("the broker does not answer")
                pubsub.ping()
                silent_s, is_asked = 0.0, True
        return None

    def _client(self) -> Any:
        return new_client(self._target, self.redis_options, timeout_s=self.publish_timeout, is_async=False)
