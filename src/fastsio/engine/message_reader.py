"""
The messages in what a client sends over its WebSocket, without I/O: bytes in, messages out.

wsproto reads the frames; what a message may cost, and how often frames may come that carry none, is decided here.

Source: RFC 6455, sections 5 and 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import Message, Ping, Pong, TextMessage

from fastsio.engine.frame_reader import NORMAL_CLOSURE, BadFrame, FrameRate, TooManyFrames
from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from collections.abc import Callable

#: A reader that always finds something gives way to others after this many frames.
FAIR_SHARE: Final = 64
#: Fragments of a message are put together when there are so many: one of a byte takes fifty.
MAX_PARTS: Final = 1024
#: wsproto's code for a close frame without one.
NO_STATUS: Final = 1005


class MessageReader:
    """
    Reads one WebSocket.

    Args:
        max_bytes: The most a message may have.
        max_control_frames: The most pings, pongs and empty fragments in a second.
        clock: Returns the time in seconds.

    Attributes:
        is_broken: True once a frame could not be read.
        is_over: True once nothing more will come.
        on_ping: Called with the payload of each ping frame.
        peer_code: The code that the peer has closed the WebSocket with; one that gave none closed it normally.
    """

    __slots__ = (
        "_connection",
        "_is_unused",
        "_max_bytes",
        "_parts",
        "_rate",
        "_share",
        "_size",
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
        self.is_broken = self.is_over = False
        self.on_ping = on_ping
        self.peer_code = NORMAL_CLOSURE

    def feed(self, data: bytes) -> None:
        """Take what has arrived; nothing is the end of the connection."""
        if data:
            self._connection.receive_data(data)
        else:
            self.is_over = True

    def next(self, give_way: Callable[[], Any] | None = None) -> str | bytes | None:
        """
        Return the next message in what has arrived; None when no whole one has, or the WebSocket is over.

        Args:
            give_way: Called now and then, to let others have a turn.

        Raises:
            PacketError: The message is larger than the server takes, frames without one come too often, or a frame
                breaks WebSocket's own rules.
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
        """Have no use for messages any more, only for the end."""
        self._is_unused = True
        self._parts.clear()

    def _end(self, event: Any) -> None:
        """Take the peer's close frame, or what is one to wsproto: the first frame that cannot be read."""
        self.is_over = True
        code = int(event.code)
        if self._connection.state is ConnectionState.OPEN:
            self.is_broken = True
            raise BadFrame(f"a frame that breaks WebSocket's rules: {event.reason}", code)
        if code != NO_STATUS:
            self.peer_code = code

    def _take(self, event: Message[Any]) -> bool:
        """Keep a part of a message; True when it was the last."""
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
