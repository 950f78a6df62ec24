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
from contextlib import suppress
from importlib import import_module
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from fastsio.engine.frame_reader import LinkLost
from fastsio.engine.log_format import label, shown
from fastsio.engine.message_reader import MessageReader
from fastsio.engine.packet import ControlFrame, join_frames, pong_frame
from fastsio.engine.websocket_handshake import accept_response
from fastsio.exceptions import PacketError
from fastsio.sync.engine.lent_sockets import lent_socket, system_socket

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from logging import Logger

    from fastsio.engine.packet import WirePacket

    Join = Callable[[Sequence[WirePacket]], bytes]

RECEIVE_BYTES: Final = 65_536
#: The most that is written at once while the peer lags.
WRITE_BYTES: Final = 16_384
#: Zero where the system has no writing that does not wait; then a thread writes.
DO_NOT_WAIT: Final[int] = getattr(socket, "MSG_DONTWAIT", 0)


class SocketLink:
    """
    An accepted WebSocket on a connection whose handshake is over; *give_way* lets other greenlets run.

    Attributes:
        join: Makes one piece of the frames of some packets; :func:`as_text` and :func:`traced` make another of it.
    """

    __slots__ = (
        "_give_way",
        "_left",
        "_lock",
        "_raw",
        "_reader",
        "_sock",
        "_unsent",
        "_wire",
        "join",
    )

    def __init__(self, sock: Any, max_message_bytes: int, max_control_frames: int, give_way: Callable[[], Any]) -> None:
        sock.settimeout(None)
        self._reader = MessageReader(max_message_bytes, max_control_frames, monotonic, self._answer)
        # Held by the thread that reads, also while it waits. The one that reads ahead never waits for it.
        self._lock = threading.Lock()
        self._sock = sock
        self._wire = system_socket(sock)
        self._raw = _raw_socket(sock)
        # With a system socket nothing has to give way: only its own thread waits.
        self._give_way = None if self._raw is sock else give_way
        self._left: bytes | memoryview = b""
        self._unsent = 0
        self.join: Join = join_frames

    # Reading.

    def receive(self) -> str | bytes:
        """Wait for the next message; raise LinkLost at the end, PacketError as :meth:`.MessageReader.next` does."""
        with self._lock:
            reader = self._reader
            if reader.ahead is not None and (message := reader.next_ahead()) is not None:
                return message
            while (message := reader.next(self._give_way)) is None:
                if reader.is_over:
                    raise LinkLost(reader.peer_code)
                reader.feed(self._receive_bytes())
            return message

    def read_ahead(self, take: Callable[[str | bytes], bool]) -> Exception | None:
        """
        Read what has arrived while the thread that reads is busy, without waiting and up to a bound; for one thread.

        *take*, which must not wait, tells whether it took a message; the others wait for :meth:`receive`.

        Returns:
            Why nothing more will come: what :meth:`receive` will raise; None while more may.
        """
        # A greenlet that has the lock gives way to no other.
        if self._raw is None or not self._lock.acquire(blocking=False):
            return None
        try:
            return self._reader.read_ahead(self._receive_bytes_at_once, take)
        finally:
            self._lock.release()

    def drain(self) -> None:
        """Read and discard until the peer has closed too."""
        with self._lock:
            self._reader.discard()
        with suppress(PacketError, LinkLost):
            while True:
                self.receive()
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
        """Answer a ping before the session is attached, which answers later ones."""
        try:
            self.send(pong_frame(payload))
        except OSError:
            self._reader.is_over = True

    def unread(self) -> int | None:
        """
        Return how many bytes of the peer are unread, up to ``RECEIVE_BYTES``; may be called by any thread.

        Returns:
            The number, with TLS that of encrypted bytes; -1 when the peer has closed; None where it is not known.
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
        Write frames as far as that does not wait; raise OSError if the peer is gone.

        Returns:
            False when something is left, for :meth:`flush`, which must come before the next write.
        """
        data = self.join(packets)
        sent = 0
        if self._raw is not None:
            with suppress(BlockingIOError):
                sent = self._raw.send(data, DO_NOT_WAIT)
        if sent == len(data):
            return True
        self._left = memoryview(data)[sent:]
        return False

    def send(self, packet: WirePacket) -> None:
        """Write one frame, however long the peer takes, as :meth:`flush` does."""
        if not self.write((packet,)):
            self.flush()

    def write_later(self, packets: Sequence[WirePacket]) -> None:
        """Keep frames for :meth:`flush`."""
        self._left = self.join(packets)

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


def as_text(join: Join) -> Join:
    """Write binary as base64 in text frames."""
    return lambda packets: join([packet.text for packet in packets])


def traced(join: Join, sid: str, logger: Logger) -> Join:
    """Log each packet before it is written, as ``engineio_logger=True`` asks for, but not WebSocket's own frames."""

    def log_and_join(packets: Sequence[WirePacket]) -> bytes:
        for packet in packets:
            if not isinstance(packet, ControlFrame):
                logger.info("%s: Sending packet %s", label(sid), shown(packet.wire, from_server=True))
        return join(packets)

    return log_and_join


def _raw_socket(sock: Any) -> Any:
    """
    Return the system's socket under *sock*, for writing that does not wait; None when there is no such thing.

    The ``send()`` of a greenlet's socket always waits, and that of a socket with TLS encrypts.
    """
    found = system_socket(sock) if DO_NOT_WAIT and not hasattr(sock, "cipher") else None
    return found if getattr(type(found), "send", None) is _socket.socket.send else None


def accept(server: Any, environ: dict[str, Any], serve: Callable[[SocketLink], None]) -> Any:
    """
    Accept a WebSocket, over a connection that the web server lends, and have its link served.

    Returns:
        What the application returns to the web server, which then writes nothing. Some must be told by an exception.
    """
    # Not with uWSGI's own framing: it loses empty messages, tells no binary from text, and has to be asked again and
    # again.
    with lent_socket(server, environ) as sock:
        with suppress(OSError):  # a UNIX socket has no such option
            # The system does not hold small messages back until larger ones are acknowledged.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = SocketLink(sock, server.max_http_buffer_size, server.max_control_frames, server.sleep)
        try:
            if "wsgi.websocket" not in environ:  # gevent-websocket has answered already
                sock.sendall(accept_response(environ))
            serve(link)
        finally:
            link.abort()
            with suppress(OSError):
                # What the peer sent after the end: the web server would read it as a request.
                while sock.recv(RECEIVE_BYTES):
                    pass
    return _response(environ)


def _response(environ: dict[str, Any]) -> list[bytes]:
    """Have the web server write no response, for the connection was a WebSocket and is over."""
    if "werkzeug.socket" in environ:
        raise ConnectionError("the connection was a WebSocket and is over")
    if "gunicorn.socket" in environ:
        raise StopIteration("the connection was a WebSocket and is over")
    if "eventlet.input" in environ:
        import_module("eventlet.wsgi").WSGI_LOCAL.already_handled = True
    return []
