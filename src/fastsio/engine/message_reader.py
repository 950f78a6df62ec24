"""
Reads the messages of a client from the bytes of its WebSocket, without I/O.

wsproto reads the frames; this module limits the size of messages, and the rate of frames that carry none.

Source: RFC 6455, sections 5 and 7.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import Message, Ping, Pong, TextMessage

from fastsio.engine.frame_reader import NORMAL_CLOSURE, BadFrame, FrameRate, LinkLost, TooManyFrames
from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from collections.abc import Callable

#: A reader that always has data lets other threads run after this many frames.
FAIR_SHARE: Final = 64
#: Fragments of a message are joined when there are this many, because an object of one byte takes fifty.
MAX_PARTS: Final = 1024
#: How many messages, and how many bytes of them, are read ahead.
MAX_FRAMES: Final = 64
MAX_BYTES_AHEAD: Final = 1_048_576
#: How many steps of reading ahead, a message or a read of the socket each, follow each other without a break.
MAX_STEPS: Final = 128
#: wsproto's code for a close frame without one.
NO_STATUS: Final = 1005


class MessageReader:
    """
    Reads one WebSocket.

    Attributes:
        ahead: The messages that were read ahead, in order; None as long as none were.
        is_broken: True once a frame could not be read.
        is_over: True once nothing more will come.
        on_ping: Called with the payload of each ping frame.
        peer_code: The close code of the peer; 1000 if it sent none.
    """

    __slots__ = (
        "_ahead_size",
        "_connection",
        "_error",
        "_is_unused",
        "_max_bytes",
        "_parts",
        "_rate",
        "_share",
        "_size",
        "ahead",
        "is_broken",
        "is_over",
        "on_ping",
        "peer_code",
    )

    def __init__(
        self,
        max_bytes: int,
        max_control_frames: int,
        clock: Callable[[], float],
        on_ping: Callable[[bytes], Any],
    ) -> None:
        self._connection = Connection(ConnectionType.SERVER)
        self._is_unused = False
        self._max_bytes = max_bytes
        self._parts: list[Any] = []
        self._rate = FrameRate(max_control_frames, clock)
        self._share = FAIR_SHARE
        self._size = 0
        self.ahead: deque[str | bytes] | None = None
        self._ahead_size = 0
        # The error of reading ahead; it is raised after the messages that were read before it.
        self._error: PacketError | None = None
        self.is_broken = self.is_over = False
        self.on_ping = on_ping
        self.peer_code = NORMAL_CLOSURE

    def feed(self, data: bytes) -> None:
        """Add bytes that have arrived; ``b""`` is the end of the connection."""
        if data:
            self._connection.receive_data(data)
        else:
            self.is_over = True

    def next(self, give_way: Callable[[], Any] | None = None) -> str | bytes | None:
        """
        Return the next message in what has arrived; None when no whole one has, or the WebSocket is over.

        After every ``FAIR_SHARE`` frames *give_way* lets other threads run.

        Raises:
            PacketError: A limit was passed, or a frame breaks WebSocket's own rules.
        """
        if self.is_over:
            return None
        for event in self._connection.events():
            self._share -= 1
            if not self._share:
                self._share = FAIR_SHARE
                if give_way is not None:
                    give_way()
            if isinstance(event, Message):
                if self._take(event):
                    return self._message(is_text=isinstance(event, TextMessage))
            elif isinstance(event, Ping | Pong):
                self._count()
                if isinstance(event, Ping):
                    self.on_ping(bytes(event.payload))
            else:
                self._end(event)
                return None
        return None

    def discard(self) -> None:
        """Drop messages from now on, and wait only for the end."""
        self._is_unused = True
        self._parts.clear()
        self.ahead = None

    # Reading ahead.

    def next_ahead(self) -> str | bytes | None:
        """Return the next message that was read ahead, or None; after the last raise the error that came after it."""
        if self.ahead:
            message = self.ahead.popleft()
            self._ahead_size -= len(message)
            return message
        self.ahead = None
        if self._error is not None:
            raise self._error
        return None

    def read_ahead(self, receive: Callable[[], bytes | None], take: Callable[[str | bytes], bool]) -> Exception | None:
        """
        Read what has arrived while the last message is still handled, up to a bound.

        *receive* returns bytes as for :meth:`feed`, or None when nothing has arrived. *take* tells whether it took a
        message; the others wait for :meth:`next_ahead`.

        Returns:
            Why nothing more will come: :class:`LinkLost`, or what :meth:`next_ahead` will raise; None while more may.
        """
        self.ahead = self.ahead or deque()
        try:
            self._read_ahead(receive, take, self.ahead)
        except PacketError as error:
            self._error = error
        return self._error or (LinkLost(self.peer_code) if self.is_over else None)

    def _read_ahead(
        self, receive: Callable[[], bytes | None], take: Callable[[str | bytes], bool], ahead: deque[str | bytes]
    ) -> None:
        # No more at once, however much arrives, so that other connections are read too.
        for _ in range(MAX_STEPS):
            if self._error is not None or len(ahead) >= MAX_FRAMES or self._ahead_size >= MAX_BYTES_AHEAD:
                return
            message = self.next()
            if message is None:
                data = None if self.is_over else receive()
                if data is None:
                    return
                self.feed(data)
            elif not take(message):
                ahead.append(message)
                self._ahead_size += len(message)

    # Frames.

    def _end(self, event: Any) -> None:
        """Handle the close frame of the peer, or the first frame that cannot be read, which wsproto reports as one."""
        self.is_over = True
        code = int(event.code)
        if self._connection.state is ConnectionState.OPEN:
            self.is_broken = True
            raise BadFrame(f"a frame that breaks WebSocket's rules: {event.reason}", code)
        if code != NO_STATUS:
            self.peer_code = code

    def _take(self, event: Message[Any]) -> bool:
        """Keep a part of a message; return True if it was the last."""
        if self._is_unused:
            return False
        if not event.data and not event.message_finished:
            self._count()
        self._size += len(event.data)
        if self._size > self._max_bytes:
            raise PacketError("a frame over the size limit", limit=self._max_bytes, value=self._size)
        if event.data:
            self._parts.append(event.data)
        if len(self._parts) >= MAX_PARTS:
            self._parts = [self._joined(is_text=isinstance(event, TextMessage))]
        return event.message_finished

    def _count(self) -> None:
        """Count a frame that carries no message."""
        if not self._is_unused and self._rate.is_exceeded():
            raise TooManyFrames

    def _joined(self, *, is_text: bool) -> Any:
        return "".join(self._parts) if is_text else b"".join(self._parts)

    def _message(self, *, is_text: bool) -> str | bytes:
        message: str | bytes = self._joined(is_text=is_text)
        self._parts, self._size = [], 0
        return message
