"""ZeroMQ: pushing messages to the process that publishes them to all nodes, and receiving what it publishes."""

from __future__ import annotations

import time
import weakref
from contextlib import closing
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from fastsio._extras import require

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

#: Milliseconds between two signs of life that connections exchange, and until a silent one is given up.
HEARTBEAT_MS: Final = 5_000
HEARTBEAT_TIMEOUT_MS: Final = 15_000
#: Seconds between two attempts to hand a message over.
RETRY_S: Final = 0.005
#: Milliseconds that a program's end may be held up by messages on their way.
LINGER_MS: Final = 1_000
#: Milliseconds after which a listener checks whether it must end.
WAIT_MS: Final = 1_000
#: Where the zmq module is that lets other greenlets run, by the server's async_mode.
GREEN_MODULES: Final = {"eventlet": "eventlet.green.zmq", "gevent": "zmq.green", "gevent_uwsgi": "zmq.green"}


def new_socket(zmq: Any, context: Any, kind: int) -> Any:
    """Return a socket of pyzmq that notices when the other end has vanished, and is not waited for at the end."""
    socket = context.socket(kind)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS)
    return socket


def read(address: str, async_mode: str, is_over: Callable[[], bool]) -> Generator[bytes, None, None]:
    """Yield the frames of the proxy's PUB socket until *is_over*; reading lets other greenlets of *async_mode* run."""
    zmq, green = require("zmq", "zmq"), require(GREEN_MODULES.get(async_mode, "zmq"), "zmq")
    with green.Context() as context, closing(new_socket(zmq, context, zmq.SUB)) as socket:
        socket.setsockopt(zmq.SUBSCRIBE, b"")
        socket.setsockopt(zmq.RCVTIMEO, WAIT_MS)
        # A connection that breaks is made again, and the subscription repeated, by ZeroMQ itself.
        socket.connect(address)
        while not is_over():
            try:
                frame: bytes = socket.recv()
            except zmq.Again:
                continue  # nothing was published for a while
            yield frame


class ZmqPublisher:
    """
    Pushes messages for any number of threads; a socket of ZeroMQ belongs to one of them at a time.

    Args:
        address: Of the proxy's PULL socket.
        timeout_s: Seconds that a thread waits for others, and for the proxy.
    """

    def __init__(self, address: str, timeout_s: float) -> None:
        self._zmq = require("zmq", "zmq")
        self._address = address
        self._timeout_s = timeout_s
        self._socket: Any = None
        self._publishing = Lock()

    def publish(self, frame: bytes) -> None:
        """
        Hand a frame to ZeroMQ as soon as the proxy is connected, without blocking greenlets that run meanwhile.

        The builtin TimeoutError says that others publish for too long, or that the proxy is not there.
        """
        if not self._publishing.acquire(timeout=self._timeout_s):
            raise TimeoutError("other messages are still on their way to the proxy")
        try:
            self._send(frame)
        finally:
            self._publishing.release()

    def close(self) -> None:
        """Close the connection to the proxy, once no thread publishes."""
        with self._publishing:
            left, self._socket = self._socket, None
            if left is not None:
                left.context.destroy(LINGER_MS)

    def _send(self, frame: bytes) -> None:
        if self._socket is None:
            self._socket = self._connected()
        deadline_s = time.monotonic() + self._timeout_s
        while True:
            try:
                self._socket.send(frame, self._zmq.NOBLOCK)
            except self._zmq.Again:
                if time.monotonic() > deadline_s:
                    raise TimeoutError(f"no ZeroMQ proxy takes messages at {self._address}") from None
                time.sleep(RETRY_S)
            else:
                return

    def _connected(self) -> Any:
        context = self._zmq.Context()
        socket = new_socket(self._zmq, context, self._zmq.PUSH)
        # Without it messages to a proxy that is not there would count as sent.
        socket.setsockopt(self._zmq.IMMEDIATE, 1)
        socket.connect(self._address)
        # A program that emits and ends at once: what ZeroMQ has taken is still sent.
        weakref.finalize(self, context.destroy, LINGER_MS)
        return socket
