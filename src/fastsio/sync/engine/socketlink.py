"""
A WebSocket over the socket of the web server's connection, read in the thread of the request.

While that thread is busy another may read on without waiting (:meth:`SocketLink.read_ahead`), as far as the system lets
it; one of them reads at a time.

simple-websocket, which engineio uses, has a thread of its own read each connection into a list without a bound, hands
every message from that thread to another, and lets threads write at once.
"""

from __future__ import annotations

import _socket
import socket
import threading
from collections import deque
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from fastsio.engine.frame_reader import LinkLost
from fastsio.engine.message_reader import MessageReader
from fastsio.engine.packet import join_frames, pong_frame
from fastsio.exceptions import PacketError
from fastsio.sync.engine.lent_sockets import system_socket

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fastsio.engine.packet import WirePacket

RECEIVE_BYTES: Final = 65_536
#: The most that is written at once while the peer lags.
WRITE_BYTES: Final = 16_384
#: How many messages, and how many bytes of them, are read ahead.
MOST_FRAMES: Final = 64
MOST_BYTES: Final = 1_048_576
#: How many messages, and pieces of such, are read ahead without a break.
MOST_STEPS: Final = 128
#: Zero where the system has no writing that does not wait; then a thread writes.
DO_NOT_WAIT: Final[int] = getattr(socket, "MSG_DONTWAIT", 0)


class SocketLink:
    """
    An accepted WebSocket.

    Args:
        sock: The connection, after its handshake.
        max_message_bytes: The most a message may have.
        max_control_frames: The most pings, pongs and empty fragments in a second.
        give_way: Lets other greenlets run.
    """

    __slots__ = (
        "_ahead",
        "_ahead_size",
        "_error",
        "_give_way",
        "_left",
        "_lock",
        "_raw",
        "_reader",
        "_sock",
        "_unsent",
        "_wire",
    )

    def __init__(self, sock: Any, max_message_bytes: int, max_control_frames: int, give_way: Callable[[], Any]) -> None:
        sock.settimeout(None)
        self._reader = MessageReader(max_message_bytes, max_control_frames, monotonic, self._answer)
        # What was read ahead, in order; None as long as nothing was. What reading raised then comes after it.
        self._ahead: deque[str | bytes] | None = None
        self._ahead_size = 0
        self._error: PacketError | None = None
        # Held by the thread that reads, also while it waits. The one that reads ahead never waits for it.
        self._lock = threading.Lock()
        self._sock = sock
        self._wire = system_socket(sock)
        self._raw = _raw_socket(sock)
        # A system socket needs nobody to give way: its thread waits alone.
        self._give_way = None if self._raw is sock else give_way
        self._left: bytes | memoryview = b""
        self._unsent = 0

    # Reading.

    def receive(self) -> str | bytes | None:
        """
        Wait for the next message; None when the WebSocket is over.

        Raises:
            PacketError: The message is larger than the server takes, frames without one come too often, or a frame
                breaks WebSocket's own rules.
        """
        with self._lock:
            if self._ahead is not None:
                if self._ahead:
                    frame = self._ahead.popleft()
                    self._ahead_size -= len(frame)
                    return frame
                self._ahead = None
                if self._error is not None:
                    raise self._error
            while (message := self._reader.next(self._give_way)) is None and not self._reader.is_over:
                self._reader.feed(self._receive_bytes())
            return message

    def read_ahead(self, take: Callable[[str | bytes], bool]) -> Exception | None:
        """
        Read what has arrived while the thread that reads is busy, without waiting and up to a bound; for one thread.

        Args:
            take: Called with each message; tells whether it took it. The others wait for :meth:`receive`. Must not
                wait.

        Returns:
            Why nothing more will come: :class:`LinkLost`, or what :meth:`receive` will raise; None while more may.
        """
        # A greenlet that has the lock gives way to no other.
        if self._raw is None or not self._lock.acquire(blocking=False):
            return None
        try:
            self._ahead = self._ahead or deque()
            self._read_ahead(take, self._ahead)
        except PacketError as error:
            self._error = error
        finally:
            self._lock.release()
        return self._error or (LinkLost() if self._reader.is_over else None)

    def _read_ahead(self, take: Callable[[str | bytes], bool], ahead: deque[str | bytes]) -> None:
        """
        Read up to a bound.

        Raises:
            PacketError: As in :meth:`receive`.
        """
        # No more at once, however much comes that is taken, for others are to be looked at too.
        for _ in range(MOST_STEPS):
            if self._error is not None or len(ahead) >= MOST_FRAMES or self._ahead_size >= MOST_BYTES:
                return
            message = self._reader.next()
            if message is None:
                data = None if self._reader.is_over else self._receive_bytes_at_once()
                if data is None:
                    return
                self._reader.feed(data)
            elif not take(message):
                ahead.append(message)
                self._ahead_size += len(message)

    def peer_code(self) -> int:
        """Return the code that the peer has closed the WebSocket with; one that gave none closed it normally."""
        return self._reader.peer_code

    def drain(self) -> None:
        """Read on without a use for it until the peer has closed too."""
        with self._lock:
            self._reader.discard()
            self._ahead = None
        with suppress(PacketError):
            while self.receive() is not None:
                pass
        if self._reader.is_broken:
            self._drain_bytes()

    def _drain_bytes(self) -> None:
        """Let the peer read the close frame: a connection closed before all is read is reset."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
            while self._sock.recv(RECEIVE_BYTES):
                pass

    def _receive_bytes(self) -> bytes:
        """Wait for bytes; there are none at the end."""
        try:
            data: bytes = self._sock.recv(RECEIVE_BYTES)
        except OSError:
            return b""
        return data

    def _receive_bytes_at_once(self) -> bytes | None:
        """Return what has arrived, as above; None when nothing has."""
        try:
            data: bytes = self._raw.recv(RECEIVE_BYTES, DO_NOT_WAIT)
        except BlockingIOError:
            return None
        except OSError:
            return b""
        return data

    def answer_pings(self, answer: Callable[[bytes], Any]) -> None:
        """Call *answer* with the payload of each of the peer's ping frames."""
        self._reader.on_ping = answer

    def _answer(self, payload: bytes) -> None:
        """Answer a ping before the session writes: nobody else does then."""
        try:
            if not self.write((pong_frame(payload),)):
                self.flush()
        except OSError:
            self._reader.is_over = True

    def unread(self) -> int | None:
        """
        Tell how many bytes of the peer nobody has read yet, up to a few ten thousand; may be called by any thread.

        Returns:
            The number, with TLS that of encrypted bytes; -1 when the peer has closed; None where there is no telling.
        """
        if self._wire is None or not DO_NOT_WAIT:
            return None
        try:
            # Not the method of a socket that does TLS, which cannot look without reading.
            data = _socket.socket.recv(self._wire, RECEIVE_BYTES, socket.MSG_PEEK | DO_NOT_WAIT)
        except BlockingIOError:
            return 0
        except OSError:
            return -1
        return len(data) or -1

    # Writing.

    def write(self, packets: Sequence[WirePacket]) -> bool:
        """
        Write frames as far as that does not wait.

        Returns:
            False when something is left, for :meth:`flush`, which must come before the next write.

        Raises:
            OSError: The peer is gone.
        """
        data = join_frames(packets)
        sent = 0
        if self._raw is not None:
            with suppress(BlockingIOError):
                sent = self._raw.send(data, DO_NOT_WAIT)
        if sent == len(data):
            return True
        self._left = memoryview(data)[sent:]
        return False

    def write_later(self, packets: Sequence[WirePacket]) -> None:
        """Keep frames for :meth:`flush`."""
        self._left = join_frames(packets)

    def flush(self) -> None:
        """Write what is left, however long the peer takes; an OSError says that it is gone, or the link was aborted."""
        left, self._left = memoryview(self._left), b""
        while left:
            self._unsent = len(left)
            # In pieces, which show that the peer reads.
            left = left[self._sock.send(left[:WRITE_BYTES]) :]
        self._unsent = 0

    def unsent(self) -> int:
        """Return how many bytes the thread that writes still has."""
        return self._unsent

    def abort(self) -> None:
        """Cut the connection; a thread that reads or writes is woken. May be called by any thread, and twice."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)


def _raw_socket(sock: Any) -> Any:
    """
    Return the system's socket under *sock*, for writing that does not wait; None when there is no such thing.

    Greenlets have a ``send()`` of their own, which waits whatever it is told; TLS has more to do than to send.
    """
    if not DO_NOT_WAIT or hasattr(sock, "cipher"):
        return None
    for candidate in (sock, getattr(sock, "_sock", None), getattr(sock, "fd", None)):
        if getattr(type(candidate), "send", None) is _socket.socket.send:
            return candidate
    return None
