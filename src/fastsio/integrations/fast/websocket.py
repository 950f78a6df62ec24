"""
The wire, the server's end of one WebSocket: the order of frames, flow control and the closing handshake.

The framing reads frames and delivers messages to the wire, the engine handles them, and the transport writes frames.

**Flow control.** While a message is handled and another one has arrived, the transport is not read. When the
transport's buffer is full, the engine keeps packets in its own buffer, which has bounds and a policy.

Source: RFC 6455, section 7.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol
from weakref import WeakKeyDictionary, ref

from fastsio.aio.engine.links import DirectLink
from fastsio.engine.frame_reader import MESSAGE_TOO_BIG, NORMAL_CLOSURE, POLICY_VIOLATION, LinkLost, TooManyFrames
from fastsio.engine.frames import BINARY, TEXT, close_frame, frame
from fastsio.engine.server_base import CLOSE_GRACE_S
from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from contextvars import Context

    from fastsio.aio.engine.links import Event, Frame, Listener

#: The bytes that are read at a time from a quiet connection.
SCRATCH_BYTES: Final = 2048


class Flushable(Protocol):
    """An object with frames to write."""

    def flush(self) -> None:
        """Write the frames."""


class Flusher:
    """
    Flushes, at the end of each turn of the loop, the objects that have asked for it.

    Attributes:
        scratch: The buffer of all connections without a buffer of their own; used for one read at a time.
        turn: An object for the current turn of the loop; None before something is written in this turn.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # A strong reference would keep ended loops in the table below.
        self._loop = ref(loop)
        self._waiting: list[Flushable] = []
        self.scratch = memoryview(bytearray(SCRATCH_BYTES))
        self.turn: object = None

    def begin(self) -> object:
        """Begin a turn, which lasts until all callbacks that are ready now have run."""
        loop = self._loop()
        if loop is not None:
            loop.call_soon(self._flush)
        self.turn = object()
        return self.turn

    def add(self, flushable: Flushable) -> None:
        """Flush *flushable* at the end of the turn."""
        if self.turn is None:
            self.begin()
        self._waiting.append(flushable)

    def _flush(self) -> None:
        waiting, self._waiting, self.turn = self._waiting, [], None
        for flushable in waiting:
            flushable.flush()


_flushers: WeakKeyDictionary[asyncio.AbstractEventLoop, Flusher] = WeakKeyDictionary()


def flusher_of(loop: asyncio.AbstractEventLoop) -> Flusher:
    """Return the flusher of an event loop."""
    flusher = _flushers.get(loop)
    if flusher is None:
        flusher = _flushers[loop] = Flusher(loop)
    return flusher


#: More bytes than this are written before the end of the turn, so that the transport can report a slow peer.
MAX_QUEUED_BYTES: Final = 65_536
#: How long a peer may continue to send a refused message, so that it reads the close frame before a reset.
LINGER_S: Final = 1.0
#: The first bytes of a peer's answer to a close frame: a masked close frame with a code and no reason.
CLOSE_REPLY: Final = b"\x88\x82"
CLOSE_REPLY_BYTES: Final = 8


class Owner(Protocol):
    """The owner of the connection."""

    def on_closed(self) -> None:
        """Release the closed connection; called once."""

    def spawn(self, coroutine: Coroutine[Any, Any, None], context: Context) -> asyncio.Task[None]:
        """Start a task that the server lets finish when it stops."""
        ...


class Wire(DirectLink):
    """A WebSocket; a message has *limit* bytes at most, and *owner* releases the connection when it is closed."""

    __slots__ = (
        "_error",
        "_flusher",
        "_has_peer_closed",
        "_is_behind",
        "_is_closing",
        "_is_reading",
        "_limit",
        "_listener",
        "_loop",
        "_out",
        "_owner",
        "_queued_bytes",
        "_timer",
        "_transport",
        "_turn",
        "_waiter",
        "_writable",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        limit: int,
        owner: Owner,
    ) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._flusher = flusher_of(loop)
        self._limit = limit
        self._owner = owner
        self._out: list[bytes] | None = None
        self._queued_bytes = 0
        #: The turn in which a broadcast was last written.
        self._turn: object = None
        self._is_reading = True
        self._is_closing = self._has_peer_closed = self._is_behind = False
        #: The error that ended the WebSocket, after which no frame arrives.
        self._error: Exception | None = None
        self._listener: Listener | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    # Writing.

    def write(self, frames: bytes) -> bool:
        """Queue frames for the one write of this turn of the loop."""
        if self._is_behind:
            return False
        out = self._out
        if out is None:
            self._out = [frames]
            self._flusher.add(self)
        else:
            out.append(frames)
        size = self._queued_bytes = self._queued_bytes + len(frames)
        if size > MAX_QUEUED_BYTES:
            self.flush()
        return True

    def write_at_once(self, frames: bytes) -> bool:
        """Write the first frames of a turn at once, because most clients get one broadcast; queue later ones."""
        if self._is_behind:
            return False
        flusher = self._flusher
        turn = flusher.turn or flusher.begin()
        if self._turn is turn or self._out is not None:
            return self.write(frames)
        if not self._is_closing:
            self._turn = turn
            self._transport.write(frames)
        return True

    def unsent(self) -> int:
        """Return how many bytes the transport has not written."""
        return self._transport.get_write_buffer_size()

    def flush(self) -> None:
        """Write the queued frames."""
        out = self._out
        if out is not None:
            self._out = None
            self._queued_bytes = 0
            if not self._is_closing:
                self._transport.write(out[0] if len(out) == 1 else b"".join(out))

    async def send(self, event: Event) -> None:
        """
        Carry out an ASGI event; a message is written as soon as the peer has caught up.

        Raises LinkLost if the WebSocket is closed, and RuntimeError for an event that an open WebSocket does not have.
        """
        match event["type"]:
            case "websocket.send":
                await self._send_message(event)
            case "websocket.close":
                self.close(event.get("code", NORMAL_CLOSURE), event.get("reason") or "")
            case kind:
                raise RuntimeError(f"Unexpected ASGI message {kind!r} after 'websocket.accept'.")

    async def _send_message(self, event: Event) -> None:
        while self._is_behind:
            if self._writable is None:
                self._writable = self._loop.create_future()
            await asyncio.shield(self._writable)
        if self._is_closing:
            raise LinkLost
        self.flush()
        data: bytes | None = event.get("bytes")
        if data is None:
            self._transport.write(frame(TEXT, event["text"].encode(errors="replace")))
        else:
            self._transport.write(frame(BINARY, data))

    def write_raw(self, data: bytes) -> None:
        """Write the answer to a ping, unless the peer is behind."""
        if not self._is_behind and not self._is_closing:
            self._transport.write(data)

    def call_later(self, flushable: Flushable) -> None:
        """Call the ``flush()`` of *flushable* at the end of this turn of the loop."""
        self._flusher.add(flushable)

    def pause_writing(self) -> None:
        """Stop writing: the peer does not keep up with reading."""
        self._is_behind = True

    def resume_writing(self) -> None:
        """Write again: the peer has caught up."""
        self._is_behind = False
        if self._writable is not None:
            self._writable.set_result(None)
            self._writable = None

    # Reading.

    @property
    def scratch(self) -> memoryview:
        """The buffer to read into, for one read."""
        return self._flusher.scratch

    def deliver(self, data: Frame) -> None:
        """Handle a message of the peer."""
        if self._is_closing:
            self.give_way()
            return
        listener = self._listener
        if listener is not None and not self.frames and listener.context.run(listener.handle_frame, data):
            return
        if self.frames is None:
            self.frames = deque()
        self.frames.append(data)
        if self._waiter is None:
            self._pause_reading()
        else:
            self._wake()

    def listen(self, listener: Listener) -> None:
        """Pass messages to *listener*, in its context, when they arrive, and tell it when no more will."""
        self._listener = listener
        if self._error is not None:
            self._end(self._error)

    @property
    def is_taken_over(self) -> bool:
        """Whether messages are passed to a listener, so that the WebSocket outlives the call of the application."""
        return self._listener is not None

    def resume(self) -> None:
        """Read from the peer again."""
        self.frames = None
        self._resume_reading()

    def give_way(self) -> None:
        """Stop reading until the other connections have had a turn; uvloop would read again in the same turn."""
        if self._is_reading:
            self._pause_reading()
            self._loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        if self.frames is None or self._is_closing:  # otherwise the engine resumes
            self._resume_reading()

    def replace(self, protocol: asyncio.BufferedProtocol) -> None:
        """Read with *protocol* from now on, unless the WebSocket is closing."""
        if not self._is_closing:
            self._transport.set_protocol(protocol)

    def spawn(self, coroutine: Coroutine[Any, Any, None], context: Context) -> asyncio.Task[None]:
        """Start a task that uvicorn waits for when it stops."""
        return self._owner.spawn(coroutine, context)

    async def _wait(self) -> None:
        """Wait for a message."""
        if self._error is not None:
            raise self._error
        self.resume()
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    async def receive(self) -> Event:
        """Wait for a message, and return its event; raise LinkLost at the end, PacketError after a limit was passed."""
        while not self.frames:
            await self._wait()
        data = self.frames.popleft()
        return {"type": "websocket.receive", "text" if isinstance(data, str) else "bytes": data}

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _pause_reading(self) -> None:
        if self._is_reading and not self._transport.is_closing():
            self._is_reading = False
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if not self._is_reading:
            self._is_reading = True
            if not self._transport.is_closing():
                self._transport.resume_reading()

    # The end.

    @property
    def is_closing(self) -> bool:
        """Whether the end has begun, on either side."""
        return self._is_closing

    def close(self, code: int, reason: str = "") -> None:
        """Begin the closing handshake; later messages of the peer are dropped."""
        if self._is_closing:
            if isinstance(self._error, PacketError) and not self._transport.is_closing():
                self._refuse(code)
            return
        self.flush()
        self._stop(close_frame(code, reason))
        self._resume_reading()

    def fail(self, code: int) -> None:
        """Close the WebSocket: the peer broke the protocol."""
        if self._is_closing:
            return
        self.flush()
        self._is_closing = True
        self._transport.set_protocol(DiscardingProtocol(self))
        # The engine decides what to do about a limit that was exceeded, and closes.
        if code == MESSAGE_TOO_BIG:
            self._end(PacketError("a message over the size limit", limit=self._limit, value=self._limit + 1))
        elif code == POLICY_VIOLATION:
            self._end(TooManyFrames())
        else:
            self._end(LinkLost())
            self._refuse(code)

    def _refuse(self, code: int) -> None:
        """Close without a handshake, because the next frame of the peer cannot be found."""
        self._error = LinkLost()
        self._transport.write(close_frame(code))
        self._resume_reading()
        self._timer = self._loop.call_later(0 if self._has_peer_closed else LINGER_S, self._hang_up)

    def peer_has_closed(self) -> None:
        """Close the connection of a refused peer that has sent its close frame, once it was sent the reason."""
        self._has_peer_closed = True
        if self._timer is not None:
            self._transport.close()

    def _hang_up(self) -> None:
        self._transport.close()
        self._timer = self._loop.call_later(CLOSE_GRACE_S, self._transport.abort)

    def peer_closes(self, reply: bytes) -> None:
        """Finish the closing handshake, which either side may have begun."""
        if not self._is_closing:
            self.flush()
            self._stop(reply)
        self._transport.close()

    def hang_up(self, code: int) -> None:
        """Send a close frame and close the connection, without waiting for an answer."""
        if not self._is_closing:
            self.flush()
            self._stop(close_frame(code))
        self._transport.close()

    def lost(self) -> None:
        """End the WebSocket: its connection is gone."""
        self._is_closing = True
        if self._timer is not None:
            self._timer.cancel()
        self.resume_writing()
        self._end(LinkLost())
        self._owner.on_closed()

    def _stop(self, last_frame: bytes) -> None:
        """Write the last frame; abort the connection if the peer does not close it in ``CLOSE_GRACE_S``."""
        self._is_closing = True
        self._transport.write(last_frame)
        self._timer = self._loop.call_later(CLOSE_GRACE_S, self._transport.abort)
        self._end(LinkLost())

    def _end(self, reason: Exception) -> None:
        """Tell the listener, or the task that waits, that no more frames will come."""
        if self._error is None:
            self._error = reason
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.stop_reading(self._error)
        self._wake()


class PeerProtocol(asyncio.BaseProtocol):
    """The protocol of a wire's connection: passes all events but data to the wire."""

    __slots__ = ("_wire",)

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """End the WebSocket: its connection is gone."""
        self._wire.lost()

    def pause_writing(self) -> None:
        """Stop writing: the peer does not keep up with reading."""
        self._wire.pause_writing()

    def resume_writing(self) -> None:
        """Write again: the peer has caught up."""
        self._wire.resume_writing()


class DiscardingProtocol(PeerProtocol, asyncio.Protocol):
    """Drops what arrives, and recognises the close frame of the peer in it."""

    __slots__ = ()

    def data_received(self, data: bytes) -> None:
        """Drop what arrives."""
        if data[-CLOSE_REPLY_BYTES:].startswith(CLOSE_REPLY):
            self._wire.peer_has_closed()
