"""The client manager on Kafka for asyncio: the channel is a topic that every node reads from its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastsio._extras import require
from fastsio.aio.pubsub import AsyncPubSubManager
from fastsio.brokers.per_loop import PerLoop
from fastsio.cluster.broker_urls import kafka_servers

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from typing import Unpack

    from fastsio.base.options import BusKeywords

#: Milliseconds between two attempts to reach a broker; each is logged by aiokafka.
RETRY_MS: Final = 500


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
        self._aiokafka = require("aiokafka", "kafka")
        self._servers = kafka_servers(url)
        super().__init__(channel, write_only, logger, json, **options)
        # A producer finds its brokers again by itself.
        self._publishing: PerLoop[Any] = PerLoop(self._start_producer, lambda producer: producer.stop())

    async def _publish(self, data: dict[str, Any]) -> None:
        producer = await self._publishing.get()
        # One key, one partition: the messages of a node are read in the order in which it wrote them.
        await producer.send_and_wait(self.channel, self._encode(data), key=self.host_id.encode())

    async def _start_producer(self) -> Any:
        timeout_ms = int(self.publish_timeout * 1000)
        producer = self._aiokafka.AIOKafkaProducer(
            bootstrap_servers=self._servers, request_timeout_ms=timeout_ms, retry_backoff_ms=RETRY_MS
        )
        return await _started(producer)

    async def _listen(self) -> AsyncGenerator[bytes, None]:
        # No group: every node reads everything, and where it is concerns nobody else.
        consumer = self._aiokafka.AIOKafkaConsumer(
            self.channel,
            bootstrap_servers=self._servers,
            group_id=None,
            auto_offset_reset="latest",
            retry_backoff_ms=RETRY_MS,
        )
        await _started(consumer)
        try:
            if not consumer.assignment():
                raise ConnectionError(f"Kafka has no topic {self.channel!r} and does not create topics by itself")
            for partition in consumer.assignment():
                # "The end" is looked up now, not when the first message is asked for: nothing falls in between.
                await consumer.position(partition)
            self._on_listening()
            async for record in consumer:
                yield record.value
        finally:
            await consumer.stop()

    async def shutdown(self) -> None:
        """Stop listening and leave the broker."""
        await super().shutdown()
        await self._publishing.drop()


async def _started(client: Any) -> Any:
    """Start a client of aiokafka; one that could not start must be stopped, else it warns of a leak."""
    try:
        await client.start()
    except BaseException:
        await client.stop()
        raise
    return client
