"""Kafka: the clients with which a node reads and writes a topic, for asyncio and for threads."""

from __future__ import annotations

from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, Final

from fastsio._extras import require

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Sequence

#: Milliseconds between two attempts to reach a broker; each is logged by aiokafka.
RETRY_MS: Final = 500
#: Milliseconds that one poll waits for new messages.
POLL_MS: Final = 1000
#: The options for reading a topic: without a group, every node reads all messages, and no offsets are stored.
READING: Final = {"group_id": None, "auto_offset_reset": "latest"}


class KafkaTopic:
    """A topic as clients of aiokafka read and write it; a broker has *timeout_s* seconds to accept a message."""

    def __init__(self, servers: Sequence[str], name: str, timeout_s: float) -> None:
        self._aiokafka = require("aiokafka", "kafka")
        self._servers = servers
        self._name = name
        self._timeout_s = timeout_s

    async def open_producer(self) -> Any:
        """Return a producer; it reconnects to its brokers by itself."""
        timeout_ms = int(self._timeout_s * 1000)
        producer = self._aiokafka.AIOKafkaProducer(
            bootstrap_servers=self._servers, request_timeout_ms=timeout_ms, retry_backoff_ms=RETRY_MS
        )
        return await _started(producer)

    @staticmethod
    async def close_producer(producer: Any) -> None:
        """Close a producer."""
        await producer.stop()

    async def send(self, producer: Any, message: bytes, key: bytes) -> None:
        """Send a message; messages of one key are read in the order in which they were written."""
        await producer.send_and_wait(self._name, message, key=key)

    async def read(self, on_ready: Callable[[], None]) -> AsyncGenerator[bytes, None]:
        """Yield messages from the present end on; call *on_ready* once that end is known."""
        consumer = self._aiokafka.AIOKafkaConsumer(
            self._name, bootstrap_servers=self._servers, retry_backoff_ms=RETRY_MS, **READING
        )
        await _started(consumer)
        try:
            if not consumer.assignment():
                raise ConnectionError(f"Kafka has no topic {self._name!r} and does not create topics by itself")
            for partition in consumer.assignment():
                # Fixes the position now and not when the first message is read, so that none in between is missed.
                await consumer.position(partition)
            on_ready()
            async for record in consumer:
                yield record.value
        finally:
            await consumer.stop()


async def _started(client: Any) -> Any:
    """Start and return a client of aiokafka; one that fails to start must be stopped, or it warns of a leak."""
    try:
        await client.start()
    except BaseException:
        await client.stop()
        raise
    return client


class BlockingKafkaTopic:
    """A topic as clients of kafka-python, which threads can share, read and write it; as :class:`KafkaTopic`."""

    def __init__(self, servers: Sequence[str], name: str, timeout_s: float) -> None:
        self._kafka = require("kafka", "kafka")
        self._errors = require("kafka.errors", "kafka")
        self._name = name
        self._timeout_s = timeout_s
        self._bootstrap = {"bootstrap_servers": servers, "bootstrap_timeout_ms": int(timeout_s * 1000)}

    def open_producer(self) -> Any:
        """Return a producer; it reconnects to its brokers by itself."""
        timeout_ms = int(self._timeout_s * 1000)
        return self._kafka.KafkaProducer(
            **self._bootstrap,
            max_block_ms=timeout_ms,
            request_timeout_ms=timeout_ms,
            delivery_timeout_ms=timeout_ms,
            acks=1,
            # The manager itself tries again; a message that has failed must not arrive later.
            retries=0,
            enable_idempotence=False,
        )

    def close_producer(self, producer: Any) -> None:
        """Close a producer."""
        producer.close(timeout=self._timeout_s)

    def send(self, producer: Any, message: bytes, key: bytes) -> None:
        """Send a message; those of one key keep their order. Raise the builtin TimeoutError if it takes long."""
        try:
            producer.send(self._name, message, key=key).get(timeout=self._timeout_s)
        except self._errors.KafkaTimeoutError as error:
            raise TimeoutError(str(error)) from error

    def read(self, on_ready: Callable[[], None], is_over: Callable[[], bool]) -> Generator[bytes, None, None]:
        """Yield messages from the present end on, until *is_over*; call *on_ready* once the end is known."""
        self._ensure_topic()
        consumer = self._kafka.KafkaConsumer(self._name, **READING, **self._bootstrap)
        with closing(consumer):
            while not consumer.assignment() and not is_over():
                consumer.poll(POLL_MS)
            for partition in consumer.assignment():
                # As in KafkaTopic.read().
                consumer.position(partition)
            on_ready()
            while not is_over():
                for records in consumer.poll(POLL_MS).values():
                    for record in records:
                        yield record.value

    def _ensure_topic(self) -> None:
        admin = self._kafka.KafkaAdminClient(**self._bootstrap)
        with closing(admin):
            if self._name in admin.list_topics():
                return
            # Another node may be faster. -1: the numbers of partitions and replicas are the broker's defaults.
            with suppress(self._errors.TopicAlreadyExistsError):
                admin.create_topics([require("kafka.admin", "kafka").NewTopic(self._name, -1, -1)])
