"""The client manager on Redis or Valkey: the channel is one that every node subscribes to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from fastsio.aio.backends.shared import Shared
from fastsio.aio.pubsub import MAX_REMOTE_CALLBACKS, PUBLISH_TIMEOUT_S, AsyncPubSubManager
from fastsio.cluster.redis_urls import redis_target
from fastsio.extras import require

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from fastsio.cluster.formats import BusFormatName

#: Seconds of silence after which the broker is asked for a sign of life, and within which it has to give one.
PING_INTERVAL_S: Final = 10.0


class AsyncRedisManager(AsyncPubSubManager):
    """
    Share the clients of several asyncio servers through Redis or Valkey.

    Messages are delivered at most once: what is published while a node has no connection does not reach its clients.

    Args:
        url: Where the broker is: ``redis://user:password@host:port/database``, ``rediss://`` with TLS, ``unix://path``,
            ``redis+sentinel://host1:port1,host2:port2/database/service``; ``valkey://``, ``valkeys://`` and
            ``valkey+sentinel://`` as well.
        channel: The channel; the same on all nodes. Databases do not separate channels.
        write_only: True only emits, for programs that are no server.
        logger: Where to log; None is the server's logger.
        json: Module with ``dumps`` and ``loads``; None is the server's.
        redis_options: Keyword arguments for ``Redis.from_url()``, or for ``Sentinel()``. By default an operation may
            take ``publish_timeout`` seconds.
        publish_timeout: Seconds that the broker may take to accept a message. 5.
        max_remote_callbacks: Callbacks that clients of other servers have not answered yet; the oldest is dropped
            beyond it. 100,000.
        bus_format: How messages are written: ``"json"`` or ``"msgpack"``; both are read.

    Raises:
        SetupError: The URL cannot be used.
        MissingExtraError: Neither redis nor valkey is installed.
    """

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
        publish_timeout: float = PUBLISH_TIMEOUT_S,
        max_remote_callbacks: int = MAX_REMOTE_CALLBACKS,
        bus_format: BusFormatName = "json",
    ) -> None:
        self._target = redis_target(url)
        super().__init__(
            channel,
            write_only,
            logger,
            json,
            publish_timeout=publish_timeout,
            max_remote_callbacks=max_remote_callbacks,
            bus_format=bus_format,
        )
        self._errors = require(f"{self._target.package}.exceptions", "redis")
        self.redis_url = url
        self.redis_options = dict(redis_options or {})
        self._publishing: Shared[_Publisher] = Shared(
            self._new_publisher, lambda _publisher: True, lambda publisher: publisher.close()
        )

    async def shutdown(self) -> None:
        """Stop listening and close the connections."""
        await super().shutdown()
        await self._publishing.drop()

    async def _publish(self, data: dict[str, Any]) -> None:
        publisher = await self._publishing.get()
        try:
            await publisher.publish(self._encode(data))
        except self._errors.TimeoutError as error:  # a class of its own
            raise TimeoutError(str(error)) from error

    async def _new_publisher(self) -> _Publisher:
        return _Publisher(self._client(), self.channel)

    async def _listen(self) -> AsyncGenerator[Any, None]:
        client = self._client()
        pubsub = client.pubsub()
        try:
            await pubsub.subscribe(self.channel)
            while True:
                message = await _next_message(pubsub)
                if message["type"] == "subscribe":
                    self._on_listening()
                elif message["type"] == "message":
                    yield message["data"]
        finally:
            await pubsub.aclose()
            await _close(client)

    def _client(self) -> Any:
        """Return a client, which connects when it is used."""
        target = self._target
        package = require(f"{target.package}.asyncio", "redis")
        # The manager tries again by itself, in its own way.
        retry = package.retry.Retry(require(f"{target.package}.backoff", "redis").NoBackoff(), 0)
        options = {
            "socket_timeout": self.publish_timeout,
            "socket_connect_timeout": self.publish_timeout,
            "retry": retry,
            **dict(target.credentials),
            **self.redis_options,
        }
        if target.sentinels:
            return package.Sentinel(list(target.sentinels), **options).master_for(target.service)
        return package.from_url(target.url, **options)


class _Publisher:
    """
    Publishes for any number of tasks over one connection: what they bring while a batch is on its way is the next one.

    Args:
        client: Of redis or valkey.
        channel: Where to.
    """

    def __init__(self, client: Any, channel: str) -> None:
        self._client = client
        self._channel = channel
        self._waiting: dict[asyncio.Future[None], bytes] = {}
        self._flushing: asyncio.Task[None] | None = None

    async def publish(self, payload: bytes) -> None:
        """Publish a message; returns when the broker has it."""
        accepted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[accepted] = payload
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        try:
            await accepted
        finally:
            self._waiting.pop(accepted, None)

    async def close(self) -> None:
        """Give the connection back."""
        if self._flushing is not None:
            self._flushing.cancel()
        await _close(self._client)

    async def _flush(self) -> None:
        """Send what waits, until nothing does."""
        while self._waiting:
            batch, self._waiting = self._waiting, {}
            failure: BaseException | None = None
            try:
                await self._send(list(batch.values()))
            except Exception as error:  # noqa: BLE001 - those who wait get it
                failure = error
            for accepted in batch:
                if accepted.done():
                    continue
                if failure is None:
                    accepted.set_result(None)
                else:
                    accepted.set_exception(failure)

    async def _send(self, payloads: list[bytes]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for payload in payloads:
            pipeline.publish(self._channel, payload)
        await pipeline.execute()


async def _next_message(pubsub: Any) -> dict[str, Any]:
    """Return the next message of a subscription; while it is silent, make sure that the broker is alive."""
    message = await pubsub.get_message(timeout=PING_INTERVAL_S)
    if message is None:
        await pubsub.ping()
        message = await pubsub.get_message(timeout=PING_INTERVAL_S)
    if message is None:
        raise ConnectionError("the broker does not answer")
    return message  # type: ignore[no-any-return] # redis and valkey give dicts


async def _close(client: Any) -> None:
    """Close the connections of a client, those to the sentinels that told it where to connect included."""
    await client.aclose()
    sentinels = getattr(client.connection_pool, "sentinel_manager", None)
    for each in () if sentinels is None else sentinels.sentinels:
        await each.aclose()
