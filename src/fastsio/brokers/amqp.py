"""RabbitMQ: publishers, and settings that fastsio's client managers and python-socketio's have in common."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: The content type and encoding of each format of the bus. JSON is text, not application/json: kombu's JSON decoder
#: would turn payloads with ``__type__`` keys into other objects.
CONTENT: Final = {
    "json": {"content_type": "text/plain", "content_encoding": "utf-8"},
    "msgpack": {"content_type": "application/msgpack", "content_encoding": "binary"},
}
#: How many messages the broker sends to a node before the node has acknowledged them.
PREFETCH: Final = 100
#: How many messages for one node wait in the broker. Beyond it the oldest are dropped: a node that hangs must not fill
#: the broker's memory, because then no node could publish.
MAX_QUEUED: Final = 100_000


async def connect(aio_pika: Any, url: str) -> Any:
    """Return a connection of aio-pika; a failed attempt is not repeated here, but by the caller."""
    made: list[Any] = []

    def make(*args: Any, **kwargs: Any) -> Any:
        made.append(aio_pika.Connection(*args, **kwargs))
        return made[0]

    try:
        return await aio_pika.connect(url, connection_class=make)
    except BaseException:
        # Otherwise it would close itself when it is freed, perhaps in a thread without an event loop.
        for connection in made:
            await connection.close()
        raise


async def declare_exchange(channel: Any, name: str) -> Any:
    """Return the exchange from which every node's queue gets all messages."""
    return await channel.declare_exchange(name, "fanout", durable=False)


class AmqpPublisher:
    """
    Publishes with aio-pika over a connection of its own.

    Args:
        connection: The connection.
        channel: A channel of the connection.
        exchange: The exchange to publish to.
    """

    def __init__(self, connection: Any, channel: Any, exchange: Any) -> None:
        self._connection = connection
        self._channel = channel
        self._exchange = exchange

    @classmethod
    async def open(cls, aio_pika: Any, url: str, exchange: str) -> AmqpPublisher:
        """Connect, declare the exchange, and return the publisher."""
        connection = await connect(aio_pika, url)
        try:
            # Publisher confirms are on, as is aio-pika's default: publish() returns when the broker has the message.
            channel = await connection.channel()
            return cls(connection, channel, await declare_exchange(channel, exchange))
        except BaseException:
            await connection.close()
            raise

    @property
    def is_open(self) -> bool:
        """Whether it can still be used."""
        return not self._channel.is_closed

    async def publish(self, message: Any) -> None:
        """Publish a message; it is not an error if no node listens."""
        await self._exchange.publish(message, routing_key="", mandatory=False)

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()


class BlockingAmqpPublisher:
    """
    Publishes with kombu for any number of threads, one at a time, because they must not share its connections.

    Args:
        connect: Opens a connection; called for the first message, and after publishing has failed.
        new_producer: Makes a producer on a connection.
        timeout_s: Seconds that a thread waits for other threads, and then for the broker.
    """

    def __init__(self, connect: Callable[[], Any], new_producer: Callable[[Any], Any], timeout_s: float) -> None:
        self._connect = connect
        self._new_producer = new_producer
        self._timeout_s = timeout_s
        self._connection: Any = None
        self._producer: Any = None
        self._publishing = Lock()

    def publish(self, body: bytes, **options: Any) -> None:
        """
        Publish a message; return when the broker has it.

        Raises:
            TimeoutError: Other threads took too long; the builtin one.
            Exception: Any error of kombu.
        """
        if not self._publishing.acquire(timeout=self._timeout_s):
            raise TimeoutError("other messages are still on their way to the broker")
        try:
            if self._producer is None:
                self._connection = self._connect()
                self._producer = self._new_producer(self._connection)
            self._producer.publish(body, **options, timeout=self._timeout_s, confirm_timeout=self._timeout_s)
        except BaseException:
            self._drop()
            raise
        finally:
            self._publishing.release()

    def close(self) -> None:
        """Close the connection when no thread publishes any more."""
        with self._publishing:
            self._drop()

    def _drop(self) -> None:
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            connection.collect()  # does not wait for a broker that is gone
