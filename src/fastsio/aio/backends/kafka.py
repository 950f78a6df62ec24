"""The client manager on Kafka: the channel is a topic that every node reads from its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.aio.pubsub import AsyncPubSubManager
from fastsio.brokers.kafka import KafkaTopic
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
        channel: Name of the topic; the same on all nodes. A topic that is missing is created: with asyncio by the
            brokers, unless they are told not to; with threads by the manager.
        options: As for :class:`AsyncPubSubManager`, and so are *write_only*, *logger* and *json*.

    Raises:
        SetupError: A URL cannot be used.
        MissingExtraError: aiokafka is not installed.
    """

    name = "asynckafka"
    serves_when_listening = True
    # Only threads:
    # | _waits_on_sockets = True
    # Both:

    def __init__(
        self,
        url: str | Sequence[str] = "kafka://localhost:9092",
        channel: str = "socketio",
        write_only: bool = False,
        logger: Any = None,
        json: Any = None,
        **options: Unpack[BusKeywords],
    ) -> None:
        servers = kafka_servers(url)
        super().__init__(channel, write_only, logger, json, **options)
        self._topic = KafkaTopic(servers, channel, self.publish_timeout)
        self._publishing: PerLoop[Any] = PerLoop(self._topic.open_producer, self._topic.close_producer)

    async def _publish(self, data: dict[str, Any]) -> None:
        producer = await self._publishing.get()
        # One key, one partition: the messages of a node are read in the order in which it wrote them.
        await self._topic.send(producer, self._encode(data), self.host_id.encode())

    def _listen(self) -> AsyncGenerator[bytes, None]:
        # Only asyncio:
        return self._topic.read(self._on_listening)
        # Only threads:
        # | return self._topic.read(self._on_listening, lambda: self.is_stopping)
        # Both:

    async def shutdown(self) -> None:
        """Stop listening and leave the brokers."""
        await super().shutdown()
        await self._publishing.drop()
