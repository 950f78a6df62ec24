"""The client manager on kombu: RabbitMQ for threads, and whatever else kombu has a fanout exchange for."""

from __future__ import annotations

import uuid
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from fastsio._extras import require
from fastsio.brokers.amqp import CONTENT, MAX_QUEUED, PREFETCH, BlockingAmqpPublisher
from fastsio.exceptions import SetupError
from fastsio.sync.backends.greenlets import BlockingPubSubManager

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from typing import Unpack

    from fastsio.base.options import BusKeywords

#: Seconds between two heartbeats; a broker that vanished is noticed after two that are missing.
HEARTBEAT_S: Final = 10
#: Seconds that one wait for messages takes: heartbeats are sent in between.
WAIT_S: Final = 2.0


class KombuManager(BlockingPubSubManager):
    """
    Share the clients of several sync servers through RabbitMQ, or another broker that kombu knows.

    Nodes of python-socketio (KombuManager or AsyncAioPikaManager) may use the same exchange.

    Args:
        url: Where the broker is, as kombu writes it: ``amqp://user:password@host:port/virtual_host``, ``redis://...``.
        channel: Name of the exchange; the same on all nodes.
        connection_options: Further arguments of ``kombu.Connection``.
        exchange_options: Further arguments of ``kombu.Exchange``.
        queue_options: Further arguments of ``kombu.Queue``.
        producer_options: Further arguments of ``kombu.Producer``.
        options: As for :class:`PubSubManager`, and so are *write_only*, *logger* and *json*.

    Raises:
        SetupError: kombu does not know the URL.
        MissingExtraError: kombu is not installed.
    """

    name = "kombu"
    serves_when_listening = True

    def __init__(
        self,
        url: str = "amqp://guest:guest@localhost:5672//",
        channel: str = "socketio",
        write_only: bool = False,
        logger: Any = None,
        json: Any = None,
        connection_options: Mapping[str, Any] | None = None,
        exchange_options: Mapping[str, Any] | None = None,
        queue_options: Mapping[str, Any] | None = None,
        producer_options: Mapping[str, Any] | None = None,
        **options: Unpack[BusKeywords],
    ) -> None:
        self._kombu = require("kombu", "rabbitmq")
        super().__init__(channel, write_only, logger, json, **options)
        self._content = CONTENT[options.get("bus_format", "json")]
        self.url = url
        self.connection_options = dict(connection_options or {})
        self.exchange_options = dict(exchange_options or {})
        self.queue_options = dict(queue_options or {})
        self.producer_options = dict(producer_options or {})
        self._check_url()
        self._publisher = BlockingAmqpPublisher(self._connected, self._new_producer, self.publish_timeout)

    def _check_url(self) -> None:
        try:
            self._connection().get_transport_cls()
        except (KeyError, ValueError, AttributeError, TypeError, ImportError) as error:
            if isinstance(error, ImportError) and not isinstance(error, ModuleNotFoundError):
                raise
            raise SetupError(
                "kombu does not know how to connect to this URL; write it like 'amqp://guest:guest@localhost:5672//'"
            ) from error

    def _connection(self) -> Any:
        """Describe a connection; kombu opens it when it is used."""
        options = {"connect_timeout": self.publish_timeout, **self.connection_options}
        # A publish returns once the broker has the message.
        options["transport_options"] = {"confirm_publish": True, **options.get("transport_options", {})}
        return self._kombu.Connection(self.url, **options)

    def _connected(self) -> Any:
        connection = self._connection()
        self._connect(connection)
        return connection

    @staticmethod
    def _connect(connection: Any) -> None:
        """Connect, or fail soon: the manager is what waits and tries again."""
        connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)

    def _exchange(self) -> Any:
        return self._kombu.Exchange(self.channel, **{"type": "fanout", "durable": False, **self.exchange_options})

    def _publish(self, data: dict[str, Any]) -> None:
        self._publisher.publish(self._encode(data), **self._content)

    def _new_producer(self, connection: Any) -> Any:
        return self._kombu.Producer(connection.channel(), **{"exchange": self._exchange(), **self.producer_options})

    def _listen(self) -> Generator[bytes | str, None, None]:
        connection = self._connection()
        connection.heartbeat = self.connection_options.get("heartbeat", HEARTBEAT_S)
        received: deque[Any] = deque()
        try:
            self._connect(connection)
            with self._kombu.Consumer(
                connection.channel(), self._queue(), on_message=received.append, prefetch_count=PREFETCH
            ):
                self._on_listening()
                while not self.is_stopping:
                    while received:
                        message = received.popleft()
                        message.ack()
                        yield message.body
                    self._wait(connection)
        finally:
            connection.collect()

    def shutdown(self) -> None:
        """Stop listening and leave the broker."""
        super().shutdown()
        self._publisher.close()

    def _queue(self) -> Any:
        options = {
            "name": f"fastsio.{uuid.uuid4()}",
            "exclusive": True,
            "auto_delete": True,
            "durable": False,
            "max_length": MAX_QUEUED,
        }
        return self._kombu.Queue(exchange=self._exchange(), **{**options, **self.queue_options})

    @staticmethod
    def _wait(connection: Any) -> None:
        """Wait for messages, and show the broker that this node lives."""
        with suppress(TimeoutError):
            connection.drain_events(timeout=WAIT_S)
        if connection.supports_heartbeats:
            connection.heartbeat_check()
