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

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import CloseConnection, Message, Ping, Pong, TextMessage

from fastsio.engine.frame_reader import NORMAL_CLOSURE, BadFrame
from fastsio.engine.rates import FrameRate, TooManyFrames
from fastsio.exceptions import PacketError
from fastsio.sync.engine.framing import frames_of, pong_frame
from fastsio.sync.engine.lent_sockets import system_socket
from fastsio.sync.engine.links import LinkLost

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wsproto.events import Event

    from fastsio.engine.packet import WirePacket

RECEIVE_BYTES: Final = 65_536
#: The most that is written at once while the peer lags.
WRITE_BYTES: Final = 16_384
#: A greenlet that always finds something to read gives way to the others after this many frames.
FAIR_SHARE: Final = 64
#: Fragments of a message are put together when there are so many: one of a byte takes fifty.
MAX_PARTS: Final = 1024
#: How many messages, and how many bytes of them, are read ahead.
MOST_FRAMES: Final = 64
MOST_BYTES: Final = 1_048_576
#: How many messages, and pieces of such, are read ahead without a break.
MOST_STEPS: Final = 128
#: wsproto's code for a close frame without one.
NO_STATUS: Final = 1005
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
        "_answer",
        "_broken",
        "_connection",
        "_error",
        "_give_way",
        "_left",
        "_lock",
        "_over",
        "_parts",
        "_peer_code",
        "_rate",
        "_raw",
        "_share",
        "_size",
        "_sock",
        "_unsent",
        "_unused",
        "_wire",
        "max_bytes",
    )

    def __init__(self, sock: Any, max_message_bytes: int, max_control_frames: int, give_way: Callable[[], Any]) -> None:
        sock.settimeout(None)
        self.max_bytes = max_message_bytes
        self._answer: Callable[[bytes], Any] = self._answer_directly
        #: What was read ahead, in order; None as long as nothing was. What reading raised then comes after it.
        self._ahead: deque[str | bytes] | None = None
        self._ahead_size = 0
        self._error: PacketError | None = None
        # Held by the thread that reads, also while it waits. The one that reads ahead never waits for it.
        self._lock = threading.Lock()
        self._sock = sock
        self._connection = Connection(ConnectionType.SERVER)
        self._wire = system_socket(sock)
        self._raw = _raw_socket(sock)
        self._rate = FrameRate(max_control_frames, monotonic)
        self._left: bytes | memoryview = b""
        self._parts: list[Any] = []
        self._share = FAIR_SHARE
        self._size = self._unsent = 0
        self._give_way = give_way
        self._over = self._unused = self._broken = False
        self._peer_code = NORMAL_CLOSURE

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
            while (message := self._next(gives_way=self._raw is not self._sock)) is None and not self._over:
                self._fill(self._receive_bytes())
            return message

    def read_ahead(self, take: Callable[[str | bytes], bool]) -> Exception | None:
        """Read what has arrived while the thread that reads is busy, without waiting and up to a bound."""
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
        return self._error or (LinkLost() if self._over else None)

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
            message = self._next(gives_way=False)
            if message is None:
                data = None if self._over else self._receive_bytes_at_once()
                if data is None:
                    return
                self._fill(data)
            elif not take(message):
                ahead.append(message)
                self._ahead_size += len(message)

    def _next(self, *, gives_way: bool) -> str | bytes | None:
        """
        Return the next message in what has arrived; None when no whole one has, or the WebSocket is over.

        Args:
            gives_way: Whether other greenlets have a turn now and then.

        Raises:
            PacketError: As in :meth:`receive`.
        """
        if self._over:
            return None
        for event in self._connection.events():
            self._share -= 1
            if not self._share:
                self._share = FAIR_SHARE
                if gives_way:
                    self._give_way()
            if isinstance(event, Message):
                if self._take(event):
                    return self._message(event)
            elif isinstance(event, Ping | Pong):
                self._count()
                if isinstance(event, Ping):
                    self._answer(bytes(event.payload))
            elif isinstance(event, CloseConnection):
                self._end(event)
                return None
        return None

    def _end(self, event: CloseConnection) -> None:
        """Take the peer's close frame, or what is one to wsproto: the first frame that cannot be read."""
        self._over = True
        code = int(event.code)
        if self._connection.state is ConnectionState.OPEN:
            self._broken = True
            raise BadFrame(f"a frame that breaks WebSocket's rules: {event.reason}", code)
        if code != NO_STATUS:
            self._peer_code = code

    def peer_code(self) -> int:
        """Return the code that the peer has closed the WebSocket with; one that gave none closed it normally."""
        return self._peer_code

    def drain(self) -> None:
        """Read on without a use for it until the peer has closed too."""
        self._unused = True
        with self._lock:
            self._parts.clear()
            self._ahead = None
        with suppress(PacketError):
            while self.receive() is not None:
                pass
        if self._broken:
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

    def _fill(self, data: bytes) -> None:
        if data:
            self._connection.receive_data(data)
        else:
            self._over = True

    def _take(self, event: Message[Any]) -> bool:
        """Keep a part of a message; True when it was the last."""
        if self._unused:
            return False
        if not event.data and not event.message_finished:
            self._count()
        self._size += len(event.data)
        if self._size > self.max_bytes:
            raise PacketError("a frame over the size limit", limit=self.max_bytes, value=self._size)
        if event.data:
            self._parts.append(event.data)
        if len(self._parts) >= MAX_PARTS:
            self._parts = [self._joined()]
        return event.message_finished

    def _count(self) -> None:
        """Count a frame that carries no message."""
        if not self._unused and self._rate.is_exceeded():
            raise TooManyFrames

    def _joined(self) -> Any:
        parts = self._parts
        return "".join(parts) if isinstance(parts[0], str) else b"".join(parts)

    def _message(self, event: Event) -> str | bytes:
        parts, self._parts, self._size = self._parts, [], 0
        if isinstance(event, TextMessage):
            return parts[0] if len(parts) == 1 else "".join(parts)
        return bytes(parts[0]) if len(parts) == 1 else b"".join(parts)

    def answer_pings(self, answer: Callable[[bytes], Any]) -> None:
        """Call *answer* with the payload of each of the peer's ping frames."""
        self._answer = answer

    def _answer_directly(self, payload: bytes) -> None:
        """Answer a ping before the session writes: nobody else does then."""
        try:
            if not self.write((pong_frame(payload),)):
                self.flush()
        except OSError:
            self._over = True

    def unread(self) -> int | None:
        """Tell how many bytes of the peer nobody has read yet; with TLS, as many as they are encrypted."""
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
        """Write frames as far as that does not wait."""
        data = frames_of(packets)
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
        self._left = frames_of(packets)

    def flush(self) -> None:
        """Write what is left."""
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
        """Cut the connection."""
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
