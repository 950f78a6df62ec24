"""The client manager on ZeroMQ: nodes push messages to a proxy process, which publishes them to all nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.brokers.zmq import ZmqPublisher, read
from fastsio.cluster.broker_urls import zmq_addresses
from fastsio.cluster.messages import decode
from fastsio.cluster.payloads import MessageError
from fastsio.sync.pubsub import PubSubManager

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Unpack

    from fastsio.base.options import BusKeywords


class ZmqManager(PubSubManager):
    """
    Share the clients of several sync servers through ZeroMQ.

    ZeroMQ has no broker: the application runs a process that receives on a PULL socket and publishes on a PUB socket
    what it has received. Messages are delivered at most once.

    Args:
        url: Where that process is, ``zmq+tcp://host:port1+port2``: its PULL socket's port, then its PUB socket's.
        channel: Messages of other channels are ignored; the same on all nodes.
        options: As for :class:`PubSubManager`, and so are *write_only*, *logger* and *json*.

    Raises:
        SetupError: The URL cannot be used.
        MissingExtraError: pyzmq is not installed.
    """

    name = "zmq"

    def __init__(
        self,
        url: str = "zmq+tcp://localhost:5555+5556",
        channel: str = "socketio",
        write_only: bool = False,
        logger: Any = None,
        json: Any = None,
        **options: Unpack[BusKeywords],
    ) -> None:
        push_address, self._subscribe_address = zmq_addresses(url)
        super().__init__(channel, write_only, logger, json, **options)
        self._publisher = ZmqPublisher(push_address, self.publish_timeout)

    def _publish(self, data: dict[str, Any]) -> None:
        self._publisher.publish(self._encode({"type": "message", "channel": self.channel, "data": data}))

    def _listen(self) -> Generator[dict[str, Any], None, None]:
        for frame in read(self._subscribe_address, self.server.async_mode, lambda: self.is_stopping):
            try:
                envelope = decode(frame, self._codec)
            except MessageError:
                continue
            message = envelope.get("data")
            if envelope.get("channel") == self.channel and isinstance(message, dict):
                yield message

    def shutdown(self) -> None:
        """Stop listening and leave the proxy."""
        super().shutdown()
        self._publisher.close()
