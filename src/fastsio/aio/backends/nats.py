"""The client manager on NATS: the channel is a subject that every node subscribes to."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from fastsio._extras import require
from fastsio.aio.pubsub import AsyncPubSubManager
from fastsio.brokers.nats import SCHEMES, NatsPublisher, connect_once
from fastsio.brokers.per_loop import PerLoop
from fastsio.cluster.broker_urls import require_scheme
from fastsio.exceptions import SetupError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from typing import Unpack

    from fastsio.base.options import BusKeywords


class AsyncNatsManager(AsyncPubSubManager):
    """
    Share the clients of several asyncio servers through NATS.

    Messages are delivered at most once: what is published while a node has no connection does not reach its clients.

    Args:
        url: Where the broker is, ``nats://user:password@host:port``; ``tls://``, ``ws://`` and ``wss://`` as well.
        channel: The subject; the same on all nodes.
        options: As for :class:`AsyncPubSubManager`, and so are *write_only*, *logger* and *json*.

    Raises:
        SetupError: The URL or the channel cannot be used.
        MissingExtraError: nats-py is not installed.
    """

    name = "asyncnats"
    serves_when_listening = True

    def __init__(
        self,
        url: str = "nats://localhost:4222",
        channel: str = "socketio",
        write_only: bool = False,
        logger: Any = None,
        json: Any = None,
        **options: Unpack[BusKeywords],
    ) -> None:
        if not channel or any(character.isspace() or character in "*>" for character in channel):
            raise SetupError(f"channel={channel!r} is no NATS subject; leave out spaces, '*' and '>'")
        self._nats = require("nats", "nats")
        self._url = require_scheme(url, SCHEMES, "nats://localhost:4222")
        super().__init__(channel, write_only, logger, json, **options)
        self._publishing: PerLoop[NatsPublisher] = PerLoop(self._new_publisher, NatsPublisher.close)

    async def _publish(self, data: dict[str, Any]) -> None:
        publisher = await self._publishing.get()
        await publisher.publish(self.channel, self._encode(data))

    async def _new_publisher(self) -> NatsPublisher:
        return NatsPublisher(partial(connect_once, self._nats, self._url), self.publish_timeout)

    async def _listen(self) -> AsyncGenerator[bytes, None]:
        connection = await connect_once(self._nats, self._url)
        try:
            subscription = await connection.subscribe(self.channel)
            await connection.flush()
            self._on_listening()
            async for message in subscription.messages:
                yield message.data
        finally:
            await connection.close()
        raise ConnectionError("the connection to NATS was lost")

    async def shutdown(self) -> None:
        """Stop listening and leave the broker."""
        await super().shutdown()
        await self._publishing.drop()
