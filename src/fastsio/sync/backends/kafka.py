"""The client manager on Kafka for threads: the channel is a topic that every node reads from its end."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from fastsio._extras import require
from fastsio.brokers.kafka import POLL_MS, READING, ensure_topic, new_producer
from fastsio.cluster.broker_urls import kafka_servers
from fastsio.sync.backends.greenlets import BlockingPubSubManager
from fastsio.sync.concurrency import Lock

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from typing import Unpack

    from fastsio.base.options import BusKeywords


class KafkaManager(BlockingPubSubManager):
    """
    Share the clients of several sync servers through Kafka.

    Args:
        url: Where the brokers are: ``kafka://host:port``, or a list of such URLs of one cluster.
        channel: Name of the topic; the same on all nodes. It is created if it is missing.
        options: As for :class:`PubSubManager`, and so are *write_only*, *logger* and *json*.

    Raises:
        SetupError: A URL cannot be used.
        MissingExtraError: kafka-python is not installed.
    """

    name = "kafka"
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
        self._kafka = require("kafka", "kafka")
        self._errors = require("kafka.errors", "kafka")
        servers = kafka_servers(url)
        super().__init__(channel, write_only, logger, json, **options)
        self._bootstrap = {"bootstrap_servers": servers, "bootstrap_timeout_ms": int(self.publish_timeout * 1000)}
        self._producer: Any = None
        self._starting = Lock()

    def _publish(self, data: dict[str, Any]) -> None:
        # One key, one partition: the messages of a node are read in the order in which it wrote them.
        try:
            sent = self._started_producer().send(self.channel, self._encode(data), key=self.host_id.encode())
            sent.get(timeout=self.publish_timeout)
        except self._errors.KafkaTimeoutError as error:
            raise TimeoutError(str(error)) from error

    def _started_producer(self) -> Any:
        """Return the producer, which all threads share and which finds its brokers again by itself."""
        with self._starting:
            if self._producer is None:
                self._producer = new_producer(self._bootstrap, self.publish_timeout)
            return self._producer

    def _listen(self) -> Generator[bytes, None, None]:
        ensure_topic(self._bootstrap, self.channel)
        consumer = self._kafka.KafkaConsumer(self.channel, **READING, **self._bootstrap)
        with closing(consumer):
            while not consumer.assignment() and not self.is_stopping:
                consumer.poll(POLL_MS)
            for partition in consumer.assignment():
                # "The end" is looked up now, not when the first message is asked for: nothing falls in between.
                consumer.position(partition)
            self._on_listening()
            while not self.is_stopping:
                for records in consumer.poll(POLL_MS).values():
                    for record in records:
                        yield record.value

    def shutdown(self) -> None:
        """Stop listening and leave the brokers."""
        super().shutdown()
        with self._starting:
            stopped, self._producer = self._producer, None
        if stopped is not None:
            stopped.close(timeout=self.publish_timeout)
