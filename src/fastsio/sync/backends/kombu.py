"""The client manager on kombu: RabbitMQ for threads, and whatever else kombu has a fanout exchange for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.brokers.amqp import CONTENT, BlockingAmqpExchange
from fastsio.sync.pubsub import PubSubManager

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from typing import Unpack

    from fastsio.base.options import BusKeywords


class KombuManager(PubSubManager):
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
    _waits_on_sockets = True

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
        super().__init__(channel, write_only, logger, json, **options)
        self._content = CONTENT[options.get("bus_format", "json")]
        self.url = url
        self.connection_options = dict(connection_options or {})
        self.exchange_options = dict(exchange_options or {})
        self.queue_options = dict(queue_options or {})
        self.producer_options = dict(producer_options or {})
        self._exchange = BlockingAmqpExchange(
            url,
            channel,
            self.publish_timeout,
            connection_options=self.connection_options,
            exchange_options=self.exchange_options,
            queue_options=self.queue_options,
            producer_options=self.producer_options,
        )

    def _publish(self, data: dict[str, Any]) -> None:
        self._exchange.publish(self._encode(data), **self._content)

    def _listen(self) -> Generator[bytes | str, None, None]:
        return self._exchange.read(self._on_listening, lambda: self.is_stopping)

    def shutdown(self) -> None:
        """Stop listening and leave the broker."""
        super().shutdown()
        self._exchange.close()
