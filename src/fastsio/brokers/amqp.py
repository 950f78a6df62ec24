"""RabbitMQ: how nodes use it, which both client managers on it and python-socketio's agree on, and who publishes."""

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
#: Messages on their way to a node that it has not taken yet.
PREFETCH: Final = 100
#: Messages that wait for a node in the broker. Beyond it the oldest are dropped: a node that hangs must not fill the
#: broker's memory, for then nobody could publish.
MAX_QUEUED: Final = 100_000


async def connect(aio_pika: Any, url: str) -> Any:
    """Connect with aio-pika, without trying again: the caller does."""
    made: list[Any] = []

    def make(*args: Any, **kwargs: Any) -> Any:
        made.append(aio_pika.Connection(*args, **kwargs))
        return made[0]

    try:
        return await aio_pika.connect(url, connection_class=make)
    except BaseException:
        # It would close itself when it is freed, which may be in a thread without a loop.
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
        channel: Of the connection.
        exchange: Where to.
    """

    def __init__(self, connection: Any, channel: Any, exchange: Any) -> None:
        self._connection = connection
        self._channel = channel
        self._exchange = exchange

    @classmethod
    async def open(cls, aio_pika: Any, url: str, exchange: str) -> AmqpPublisher:
        """Connect and declare the exchange."""
        connection = await connect(aio_pika, url)
        try:
            # With publisher confirms, aio-pika's default: a publish returns once the broker has the message.
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
        """Publish a message; that no node listens is no error."""
        await self._exchange.publish(message, routing_key="", mandatory=False)

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()


class BlockingAmqpPublisher:
    """
    Publishes with kombu for any number of threads, one after the other: its connections belong to one at a time.

    Args:
        connect: Opens a connection; called at first, and after publishing has failed.
        new_producer: Makes a producer on a connection.
        timeout_s: Seconds that a thread waits for others, and the broker may take.
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
            TimeoutError: Others publish for too long; the builtin one.
            Exception: What kombu raises.
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
        """Close the connection once nobody publishes."""
        with self._publishing:
            self._drop()

    def _drop(self) -> None:
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            connection.collect()  # does not wait for a broker that is gone
