"""The client manager on Kafka for asyncio: the channel is a topic that every node reads from its end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from fastsio._extras import require
from fastsio.aio.pubsub import AsyncPubSubManager
from fastsio.brokers.kafka import open_consumer, open_producer
from fastsio.brokers.per_loop import PerLoop
from fastsio.cluster.broker_urls import kafka_servers

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from typing import Unpack

    from fastsio.base.options import BusKeywords


class AsyncKafkaManager(AsyncPubSubManager):
    """
    Share the clients of several asyncio servers through Kafka.

    Args:
        url: Where the brokers are: ``kafka://host:port``, or a list of such URLs of one cluster.
        channel: Name of the topic; the same on all nodes. Brokers create it unless told not to.
        options: As for :class:`AsyncPubSubManager`, and so are *write_only*, *logger* and *json*.

    Raises:
        SetupError: A URL cannot be used.
        MissingExtraError: aiokafka is not installed.
    """

    name = "asynckafka"
    serves_when_listening = True

    def __init__(
        self,
        url: str | Sequence[str] = "kafka://localhost:9092",
        channel: str = "socketio",
        write_only: bool = False,
        logger: Any = None,
        json: Any = None,
        **options: Unpack[BusKeywords],
    ) -> None:
        require("aiokafka", "kafka")
        self._servers = kafka_servers(url)
        super().__init__(channel, write_only, logger, json, **options)
        open_here = partial(open_producer, self._servers, self.publish_timeout)
        self._publishing: PerLoop[Any] = PerLoop(open_here, lambda producer: producer.stop())

    async def _publish(self, data: dict[str, Any]) -> None:
        producer = await self._publishing.get()
        # One key, one partition: the messages of a node are read in the order in which it wrote them.
        await producer.send_and_wait(self.channel, self._encode(data), key=self.host_id.encode())

    async def _listen(self) -> AsyncGenerator[bytes, None]:
        consumer = await open_consumer(self._servers, self.channel)
        try:
            self._on_listening()
            async for record in consumer:
                yield record.value
        finally:
            await consumer.stop()

    async def shutdown(self) -> None:
        """Stop listening and leave the broker."""
        await super().shutdown()
        await self._publishing.drop()
