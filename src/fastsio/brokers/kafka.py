"""Kafka: the clients of aiokafka, for asyncio, and of kafka-python, for threads, that a node reads and writes with."""

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
#: How a topic is read: without a group every node reads everything, and where it is concerns nobody else.
READING: Final = {"group_id": None, "auto_offset_reset": "latest"}


async def open_producer(servers: Sequence[str], timeout_s: float) -> Any:
    """Return a producer, which finds its brokers again by itself."""
    producer = require("aiokafka", "kafka").AIOKafkaProducer(
        bootstrap_servers=servers, request_timeout_ms=int(timeout_s * 1000), retry_backoff_ms=RETRY_MS
    )
    return await _started(producer)


async def open_consumer(servers: Sequence[str], topic: str) -> Any:
    """
    Return what reads a topic from its present end.

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
            # "The end" is looked up now, not when the first message is asked for: nothing falls in between.
            await consumer.position(partition)
    except BaseException:
        await consumer.stop()
        raise
    return consumer


async def _started(client: Any) -> Any:
    """Start a client of aiokafka; one that could not start must be stopped, else it warns of a leak."""
    try:
        await client.start()
    except BaseException:
        await client.stop()
        raise
    return client


def new_producer(bootstrap: Mapping[str, Any], timeout_s: float) -> Any:
    """Return a producer for threads, which all of them share and which finds its brokers again by itself."""
    timeout_ms = int(timeout_s * 1000)
    return require("kafka", "kafka").KafkaProducer(
        **bootstrap,
        max_block_ms=timeout_ms,
        request_timeout_ms=timeout_ms,
        delivery_timeout_ms=timeout_ms,
        acks=1,
        # The manager itself tries again; what it was told has failed must not arrive later.
        retries=0,
        enable_idempotence=False,
    )


def ensure_topic(bootstrap: Mapping[str, Any], topic: str) -> None:
    """Create a topic that is missing."""
    admin = require("kafka", "kafka").KafkaAdminClient(**bootstrap)
    with closing(admin):
        if topic in admin.list_topics():
            return
        # Another node may be faster. -1: as many partitions and replicas as the broker's settings say.
        with suppress(require("kafka.errors", "kafka").TopicAlreadyExistsError):
            admin.create_topics([require("kafka.admin", "kafka").NewTopic(topic, -1, -1)])
