"""ZeroMQ: its sockets, and pushing messages to the process that publishes them to all nodes."""

from __future__ import annotations

import time
import weakref
from threading import Lock
from typing import Any, Final

#: Milliseconds between two signs of life that connections exchange, and until a silent one is given up.
HEARTBEAT_MS: Final = 5_000
HEARTBEAT_TIMEOUT_MS: Final = 15_000
#: Seconds between two attempts to hand a message over.
RETRY_S: Final = 0.005
#: Milliseconds that a program's end may be held up by messages on their way.
LINGER_MS: Final = 1_000


def new_socket(zmq: Any, context: Any, kind: int) -> Any:
    """Return a socket of pyzmq that notices when the other end has vanished, and is not waited for at the end."""
    socket = context.socket(kind)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS)
    return socket


class ZmqPublisher:
    """
    Pushes messages for any number of threads; a socket of ZeroMQ belongs to one of them at a time.

    Args:
        zmq: The module pyzmq.
        address: Of the proxy's PULL socket.
        timeout_s: Seconds that a thread waits for others, and for the proxy.
    """

    def __init__(self, zmq: Any, address: str, timeout_s: float) -> None:
        self._zmq = zmq
        self._address = address
        self._timeout_s = timeout_s
        self._socket: Any = None
        self._publishing = Lock()

    def publish(self, frame: bytes) -> None:
        """
        Hand a frame to ZeroMQ as soon as the proxy is connected, without blocking greenlets that run meanwhile.

        Raises:
            TimeoutError: Others publish for too long, or the proxy is not there; the builtin one.
        """
        if not self._publishing.acquire(timeout=self._timeout_s):
            raise TimeoutError("other messages are still on their way to the proxy")
        try:
            self._send(frame)
        finally:
            self._publishing.release()

    def close(self) -> None:
        """Leave the proxy once nobody publishes."""
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
