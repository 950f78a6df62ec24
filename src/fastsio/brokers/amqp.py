"""RabbitMQ: the clients with which a node publishes to an exchange and reads from it, for asyncio and for threads."""

from __future__ import annotations

import uuid
from collections import deque
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from fastsio._extras import require
from fastsio.exceptions import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

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
#: Seconds between two heartbeats of a connection of kombu; a broker that vanished is noticed after two are missing.
HEARTBEAT_S: Final = 10
#: Seconds that one wait of kombu for messages takes: heartbeats are sent in between.
WAIT_S: Final = 2.0


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
    """Publishes with aio-pika over a connection of its own."""

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


class BlockingAmqpExchange:
    """
    An exchange as kombu writes and reads it; any number of threads may publish.

    Args:
        url: Where the broker is, as kombu writes it.
        name: Name of the exchange.
        timeout_s: Seconds that a thread waits for other threads that publish, and then for the broker.
        connection_options, exchange_options, queue_options, producer_options: Further arguments of kombu's classes.

    Raises:
        SetupError: kombu does not know the URL.
        MissingExtraError: kombu is not installed.
    """

    def __init__(
        self,
        url: str,
        name: str,
        timeout_s: float,
        *,
        connection_options: Mapping[str, Any],
        exchange_options: Mapping[str, Any],
        queue_options: Mapping[str, Any],
        producer_options: Mapping[str, Any],
    ) -> None:
        self._kombu = require("kombu", "rabbitmq")
        self._url = url
        self._name = name
        self._timeout_s = timeout_s
        self._connection_options = connection_options
        self._exchange_options = exchange_options
        self._queue_options = queue_options
        self._producer_options = producer_options
        #: The connection that messages are published on, and its producer; None before the first, and after an error.
        self._connection: Any = None
        self._producer: Any = None
        # Threads must not share connections of kombu.
        self._publishing = Lock()
        self._check_url()

    def publish(self, body: bytes, **options: Any) -> None:
        """Publish a message; return when the broker has it, or raise TimeoutError or any error of kombu."""
        if not self._publishing.acquire(timeout=self._timeout_s):
            raise TimeoutError("other messages are still on their way to the broker")
        try:
            if self._producer is None:
                self._connection = self._new_connection()
                _connect(self._connection)
                producing = {"exchange": self._exchange(), **self._producer_options}
                self._producer = self._kombu.Producer(self._connection.channel(), **producing)
            self._producer.publish(body, **options, timeout=self._timeout_s, confirm_timeout=self._timeout_s)
        except BaseException:
            self._drop()
            raise
        finally:
            self._publishing.release()

    def read(self, on_ready: Callable[[], None], is_over: Callable[[], bool]) -> Generator[bytes | str, None, None]:
        """Yield messages until *is_over*, over a connection of their own; call *on_ready* once they arrive."""
        connection = self._new_connection()
        connection.heartbeat = self._connection_options.get("heartbeat", HEARTBEAT_S)
        received: deque[Any] = deque()
        try:
            _connect(connection)
            with self._kombu.Consumer(
                connection.channel(), self._queue(), on_message=received.append, prefetch_count=PREFETCH
            ):
                on_ready()
                while not is_over():
                    while received:
                        message = received.popleft()
                        message.ack()
                        yield message.body
                    _wait(connection)
        finally:
            connection.collect()

    def close(self) -> None:
        """Close the connection when no thread publishes any more."""
        with self._publishing:
            self._drop()

    def _drop(self) -> None:
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            connection.collect()  # does not wait for a broker that is gone

    def _check_url(self) -> None:
        try:
            self._new_connection().get_transport_cls()
        except (KeyError, ValueError, AttributeError, TypeError, ImportError) as error:
            if isinstance(error, ImportError) and not isinstance(error, ModuleNotFoundError):
                raise
            raise SetupError(
                "kombu does not know how to connect to this URL; write it like 'amqp://guest:guest@localhost:5672//'"
            ) from error

    def _new_connection(self) -> Any:
        """Return a connection, which kombu opens when it is used."""
        options = {"connect_timeout": self._timeout_s, **self._connection_options}
        # A publish returns once the broker has the message.
        options["transport_options"] = {"confirm_publish": True, **options.get("transport_options", {})}
        return self._kombu.Connection(self._url, **options)

    def _exchange(self) -> Any:
        return self._kombu.Exchange(self._name, **{"type": "fanout", "durable": False, **self._exchange_options})

    def _queue(self) -> Any:
        options = {
            "name": f"fastsio.{uuid.uuid4()}",
            "exclusive": True,
            "auto_delete": True,
            "durable": False,
            "max_length": MAX_QUEUED,
        }
        return self._kombu.Queue(exchange=self._exchange(), **{**options, **self._queue_options})


def _connect(connection: Any) -> None:
    """Open a connection of kombu; a failed attempt is not repeated here, but by the manager."""
    connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)


def _wait(connection: Any) -> None:
    """Wait for messages, and show the broker that this node lives."""
    with suppress(TimeoutError):
        connection.drain_events(timeout=WAIT_S)
    if connection.supports_heartbeats:
        connection.heartbeat_check()
