"""Kafka: the clients with which a node reads and writes, of aiokafka for asyncio and of kafka-python for threads."""

from __future__ import annotations

from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, Final

from fastsio._extras import require

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Milliseconds between two attempts to reach a broker; each is logged by aiokafka.
RETRY_MS: Final = 500
#: Milliseconds that one look for new messages may wait.
POLL_MS: Final = 1000
#: The options for reading a topic: without a group, every node reads all messages, and no offsets are stored.
READING: Final = {"group_id": None, "auto_offset_reset": "latest"}


async def open_producer(servers: Sequence[str], timeout_s: float) -> Any:
    """Return a producer; it reconnects to its brokers by itself."""
    producer = require("aiokafka", "kafka").AIOKafkaProducer(
        bootstrap_servers=servers, request_timeout_ms=int(timeout_s * 1000), retry_backoff_ms=RETRY_MS
    )
    return await _started(producer)


async def open_consumer(servers: Sequence[str], topic: str) -> Any:
    """
    Return a consumer that reads a topic from its present end.

    Raises:
        ConnectionError: There is no such topic.
    """
    consumer = require("aiokafka", "kafka").AIOKafkaConsumer(
        topic, bootstrap_servers=servers, retry_backoff_ms=RETRY_MS, **READING
    )
    await _started(consumer)
    if not consumer.assignment():
        await consumer.stop()
        raise ConnectionError(f"Kafka has no topic {topic!r} and does not create topics by itself")
    try:
        for partition in consumer.assignment():
            # Fixes the position now and not when the first message is read, so that no message in between is missed.
            await consumer.position(partition)
    except BaseException:
        await consumer.stop()
        raise
    return consumer


async def _started(client: Any) -> Any:
    """Start and return a client of aiokafka; one that fails to start must be stopped, or it warns of a leak."""
    try:
        await client.start()
    except BaseException:
        await client.stop()
        raise
    return client


def new_producer(bootstrap: Mapping[str, Any], timeout_s: float) -> Any:
    """Return a producer that threads can share; it reconnects to its brokers by itself."""
    timeout_ms = int(timeout_s * 1000)
    return require("kafka", "kafka").KafkaProducer(
        **bootstrap,
        max_block_ms=timeout_ms,
        request_timeout_ms=timeout_ms,
        delivery_timeout_ms=timeout_ms,
        acks=1,
        # The manager itself tries again; a message that has failed must not arrive later.
        retries=0,
        enable_idempotence=False,
    )


def ensure_topic(bootstrap: Mapping[str, Any], topic: str) -> None:
    """Create a topic that is missing."""
    admin = require("kafka", "kafka").KafkaAdminClient(**bootstrap)
    with closing(admin):
        if topic in admin.list_topics():
            return
        # Another node may be faster. -1: the numbers of partitions and replicas are the broker's defaults.
        with suppress(require("kafka.errors", "kafka").TopicAlreadyExistsError):
            admin.create_topics([require("kafka.admin", "kafka").NewTopic(topic, -1, -1)])
