"""The client manager on RabbitMQ for asyncio: a fanout exchange, and a queue of its own for every node."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from fastsio._extras import require
from fastsio.aio.pubsub import AsyncPubSubManager
from fastsio.brokers.amqp import CONTENT, MAX_QUEUED, PREFETCH, AmqpPublisher, connect, declare_exchange
from fastsio.brokers.per_loop import PerLoop
from fastsio.cluster.broker_urls import require_scheme

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from typing import Unpack

    from fastsio.base.options import BusKeywords


class AsyncAioPikaManager(AsyncPubSubManager):
    """
    Share the clients of several asyncio servers through RabbitMQ.

    Nodes of python-socketio (AsyncAioPikaManager or KombuManager) may use the same exchange.

    Args:
        url: Where the broker is, ``amqp://user:password@host:port/virtual_host``; ``amqps://`` is encrypted.
        channel: Name of the exchange; the same on all nodes.
        options: As for :class:`AsyncPubSubManager`, and so are *write_only*, *logger* and *json*.

    Raises:
        SetupError: The URL cannot be used.
        MissingExtraError: aio-pika is not installed.
    """

    name = "asyncaiopika"
    serves_when_listening = True

    def __init__(
        self,
        url: str = "amqp://guest:guest@localhost:5672//",
        channel: str = "socketio",
        write_only: bool = False,
        logger: Any = None,
        json: Any = None,
        **options: Unpack[BusKeywords],
    ) -> None:
        self._aio_pika = require("aio_pika", "rabbitmq")
        self.url = require_scheme(url, ("amqp", "amqps"), "amqp://guest:guest@localhost:5672//")
        super().__init__(channel, write_only, logger, json, **options)
        self._content = CONTENT[options.get("bus_format", "json")]
        self._publishing: PerLoop[AmqpPublisher] = PerLoop(
            partial(AmqpPublisher.open, self._aio_pika, self.url, channel),
            AmqpPublisher.close,
            lambda publisher: publisher.is_open,
        )

    async def _publish(self, data: dict[str, Any]) -> None:
        message = self._aio_pika.Message(self._encode(data), **self._content)
        publisher = await self._publishing.get()
        await publisher.publish(message)

    async def _listen(self) -> AsyncGenerator[bytes, None]:
        async with await connect(self._aio_pika, self.url) as connection:
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=PREFETCH)
            queue = await channel.declare_queue(
                exclusive=True, auto_delete=True, arguments={"x-max-length": MAX_QUEUED}
            )
            await queue.bind(await declare_exchange(channel, self.channel))
            async with queue.iterator() as messages:
                self._on_listening()
                async for message in messages:
                    await message.ack()
                    yield message.body
        # The iterator ends without an error when the connection breaks.
        raise ConnectionError("the connection to RabbitMQ was lost")

    async def shutdown(self) -> None:
        """Stop listening and leave the broker."""
        await super().shutdown()
        await self._publishing.drop()
