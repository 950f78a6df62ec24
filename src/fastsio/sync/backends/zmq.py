"""The client manager on ZeroMQ: nodes push messages to a proxy process, which publishes them to all nodes."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from fastsio._extras import require
from fastsio.brokers.zmq import ZmqPublisher, new_socket
from fastsio.cluster.broker_urls import zmq_addresses
from fastsio.cluster.messages import decode
from fastsio.cluster.payloads import MessageError
from fastsio.sync.pubsub import PubSubManager

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Unpack

    from fastsio.base.options import BusKeywords

#: Milliseconds after which a listener looks whether it shall end.
WAIT_MS: Final = 1_000
#: Where the zmq module is that lets other greenlets run, by the server's async_mode.
GREEN_MODULES: Final = {"eventlet": "eventlet.green.zmq", "gevent": "zmq.green", "gevent_uwsgi": "zmq.green"}


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
        self._zmq = require("zmq", "zmq")
        push_address, self._subscribe_address = zmq_addresses(url)
        super().__init__(channel, write_only, logger, json, **options)
        self._publisher = ZmqPublisher(self._zmq, push_address, self.publish_timeout)

    def _publish(self, data: dict[str, Any]) -> None:
        self._publisher.publish(self._encode({"type": "message", "channel": self.channel, "data": data}))

    def _listen(self) -> Generator[dict[str, Any], None, None]:
        zmq = require(GREEN_MODULES.get(self.server.async_mode, "zmq"), "zmq")
        with zmq.Context() as context, closing(new_socket(self._zmq, context, self._zmq.SUB)) as socket:
            socket.setsockopt(self._zmq.SUBSCRIBE, b"")
            socket.setsockopt(self._zmq.RCVTIMEO, WAIT_MS)
            # A connection that breaks is made again, and the subscription repeated, by ZeroMQ itself.
            socket.connect(self._subscribe_address)
            while not self.is_stopping:
                try:
                    message = self._opened(socket.recv())
                except self._zmq.Again:
                    continue  # nothing was said for a while
                if message is not None:
                    yield message

    def shutdown(self) -> None:
        """Stop listening and leave the proxy."""
        super().shutdown()
        self._publisher.close()

    def _opened(self, frame: bytes) -> dict[str, Any] | None:
        """Return the message in a frame; None when it has no message, or one of another channel."""
        try:
            envelope = decode(frame, self._codec)
        except MessageError:
            return None
        message = envelope.get("data") if envelope.get("channel") == self.channel else None
        return message if isinstance(message, dict) else None
