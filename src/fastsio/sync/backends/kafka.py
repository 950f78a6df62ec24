# Written by tools/unasync.py from aio/backends/kafka.py; change that one.
"""The client manager on Kafka: the channel is a topic that every node reads from its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.brokers.kafka import BlockingKafkaTopic
from fastsio.brokers.per_loop import PerProcess
from fastsio.cluster.broker_urls import kafka_servers
from fastsio.sync.pubsub import PubSubManager

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from typing import Unpack

    from fastsio.base.options import BusKeywords


class KafkaManager(PubSubManager):
    """
    Share the clients of several sync servers through Kafka.

    Args:
        url: Where the brokers are: ``kafka://host:port``, or a list of such URLs of one cluster.
        channel: Name of the topic; the same on all nodes. A topic that is missing is created: with asyncio by the
            brokers, unless they are told not to; with threads by the manager.
        options: As for :class:`PubSubManager`, and so are *write_only*, *logger* and *json*.

    Raises:
        SetupError: A URL cannot be used.
        MissingExtraError: kafka-python is not installed.
    """

    name = "kafka"
    serves_when_listening = True
    _waits_on_sockets = True

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
        self._topic = BlockingKafkaTopic(servers, channel, self.publish_timeout)
        self._publishing: PerProcess[Any] = PerProcess(self._topic.open_producer, self._topic.close_producer)

    def _publish(self, data: dict[str, Any]) -> None:
        producer = self._publishing.get()
        # One key, one partition: the messages of a node are read in the order in which it wrote them.
        self._topic.send(producer, self._encode(data), self.host_id.encode())

    def _listen(self) -> Generator[bytes, None, None]:
        return self._topic.read(self._on_listening, lambda: self.is_stopping)

    def shutdown(self) -> None:
        """Stop listening and leave the brokers."""
        super().shutdown()
        self._publishing.drop()
