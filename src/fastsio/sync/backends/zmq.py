"""The client manager on ZeroMQ: nodes push messages to a proxy process, which publishes them to all nodes."""

from __future__ import annotations

import time
import weakref
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from fastsio._extras import require
from fastsio.cluster.broker_urls import zmq_addresses
from fastsio.cluster.messages import decode
from fastsio.cluster.payloads import MessageError
from fastsio.sync.concurrency import Lock, sleep
from fastsio.sync.pubsub import PubSubManager

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Unpack

    from fastsio.base.options import BusKeywords

#: Milliseconds between two signs of life that connections exchange, and until a silent one is given up.
HEARTBEAT_MS: Final = 5_000
HEARTBEAT_TIMEOUT_MS: Final = 15_000

#: Milliseconds after which a listener looks whether it shall end.
WAIT_MS: Final = 1_000
#: Seconds between two attempts to hand a message over.
RETRY_S: Final = 0.005
#: Milliseconds that a program's end may be held up by messages on their way.
LINGER_MS: Final = 1_000

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
        self._push_address, self._subscribe_address = zmq_addresses(url)
        super().__init__(channel, write_only, logger, json, **options)
        self._push: Any = None
        # A socket of ZeroMQ belongs to one thread at a time.
        self._publishing = Lock()

    def _publish(self, data: dict[str, Any]) -> None:
        frame = self._encode({"type": "message", "channel": self.channel, "data": data})
        if not self._publishing.acquire(timeout=self.publish_timeout):
            raise TimeoutError("other messages are still on their way to the proxy")
        try:
            self._send(frame)
        finally:
            self._publishing.release()

    def _send(self, frame: bytes) -> None:
        """Hand a frame to ZeroMQ as soon as the proxy is connected, without blocking greenlets that run meanwhile."""
        socket = self._push_socket()
        deadline_s = time.monotonic() + self.publish_timeout
        while True:
            try:
                socket.send(frame, self._zmq.NOBLOCK)
            except self._zmq.Again:
                if time.monotonic() > deadline_s:
                    raise TimeoutError(f"no ZeroMQ proxy takes messages at {self._push_address}") from None
                sleep(RETRY_S)
            else:
                return

    def _push_socket(self) -> Any:
        if self._push is None:
            context = self._zmq.Context()
            self._push = self._socket(context, self._zmq.PUSH)
            # Without it messages to a proxy that is not there would count as sent.
            self._push.setsockopt(self._zmq.IMMEDIATE, 1)
            self._push.connect(self._push_address)
            # A program that emits and ends at once: what ZeroMQ has taken is still sent.
            weakref.finalize(self, context.destroy, LINGER_MS)
        return self._push

    def _listen(self) -> Generator[dict[str, Any], None, None]:
        zmq = require(GREEN_MODULES.get(self.server.async_mode, "zmq"), "zmq")
        with zmq.Context() as context, closing(self._socket(context, self._zmq.SUB)) as socket:
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
        with self._publishing:
            left, self._push = self._push, None
            if left is not None:
                left.context.destroy(LINGER_MS)

    def _socket(self, context: Any, kind: int) -> Any:
        socket = context.socket(kind)
        socket.setsockopt(self._zmq.LINGER, 0)
        socket.setsockopt(self._zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
        socket.setsockopt(self._zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS)
        return socket

    def _opened(self, frame: bytes) -> dict[str, Any] | None:
        """Return the message in a frame; None when it has no message, or one of another channel."""
        try:
            envelope = decode(frame, self._codec)
        except MessageError:
            return None
        message = envelope.get("data") if envelope.get("channel") == self.channel else None
        return message if isinstance(message, dict) else None
