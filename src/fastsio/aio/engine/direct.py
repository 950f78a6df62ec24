"""
Reading a session from a link that gives frames without events.

**In order, and without a task where that is possible.** A frame that finds nothing before it is handled in the
transport's callback: the message handler is called, which for an event of Socket.IO means that the event's own handler
starts, and is done. When there is something to wait for, a task waits for it, and reads what arrives meanwhile; it ends
when nothing is left. So a session that idles has no task, and nothing of the request it began with but its environ.

A server whose message handler runs application code itself gets such a task for every message.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from fastsio.aio.engine.eager import begin_waiting
from fastsio.aio.engine.ending import close, end
from fastsio.aio.engine.read_ahead import MOST_BYTES, MOST_EVENTS
from fastsio.engine.frame_reader import MESSAGES, READERS, ClientLeft
from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from contextvars import Context

    from fastsio.aio.engine.links import DirectLink, Frame
    from fastsio.aio.engine.socket import EngineSocket

#: How a frame begins that is an event of Socket.IO, without or with attachments, in both revisions of Engine.IO.
EVENTS: Final = ("42", "45")
#: Frames that are handled where they arrive, or read, before everybody else has a turn.
FAIR_SHARE: Final = 64


class Reader:
    """
    Reads one session.

    Args:
        socket: The session.
        link: Its WebSocket.
    """

    __slots__ = (
        "_ahead",
        "_ahead_size",
        "_context",
        "_credit",
        "_error",
        "_key",
        "_link",
        "_on_message",
        "_rest",
        "_socket",
        "_task",
    )

    def __init__(self, socket: EngineSocket, link: DirectLink) -> None:
        server = socket.server
        on_message, self._key = socket.message_handler()
        is_stepped = server.handlers["message"] in server.stepped_handlers
        self._socket = socket
        self._link = link
        self._on_message = on_message if is_stepped else partial(_call, on_message)
        self._credit = FAIR_SHARE
        #: What arrived while a message was handled, in order, and how large it is.
        self._ahead: deque[Frame] | None = None
        self._ahead_size = 0
        #: What the last message left to wait for.
        self._rest: Awaitable[None] | None = None
        #: Why nothing more will be read.
        self._error: Exception | None = None
        self._task: asyncio.Task[None] | None = None
        # What is started for this session is started in its context: the one of the request it began with.
        self._context: Context = copy_context()

    def start(self) -> None:
        """Read from now on, whatever becomes of the task that calls this."""
        self._socket.reader = self
        run: Any = self._context.run
        self._link.listen(partial(run, self._take), self._lose)
        if self._link.frames:
            self._go_on()

    def cancel(self) -> None:
        """Notice that the session is over; named as the method of the task that reads other links."""
        if self._socket.is_given_up and self._socket.handling and self._task is not None:
            self._task.cancel()
        else:
            self._go_on()

    def _lose(self, error: Exception) -> None:
        """End the reading once the frames that have arrived are handled: no more will come."""
        self._error = self._error or error
        self._socket.limit_handling()
        self._go_on()

    def _take(self, frame: Frame) -> bool:
        """Handle a frame where it arrives."""
        socket = self._socket
        if socket.closing or self._error is not None:
            return True
        if socket.handling or self._credit <= 0 or self._ahead:
            return self._put_off(frame)
        self._credit -= 1
        if type(frame) is str and frame[:2] in EVENTS:
            data: Frame = frame[1:]
        else:
            try:
                message = self._message(frame)
            except (ClientLeft, PacketError) as error:
                self._lose(error)
                return True
            if message is None:
                return True
            data = message
        on_message = self._on_message
        try:
            rest = on_message(self._key, data)
        except Exception:
            socket.server.logger.exception("message handler error")
            return True
        if rest is not None:
            socket.handling = True
            self._rest = rest
            self._go_on()
        return True

    def _put_off(self, frame: Frame) -> bool:
        """Leave a frame for the task; tell whether the peer is read on meanwhile."""
        if self._socket.handling:
            return self._keep(frame)
        self._go_on()
        return False

    def _keep(self, frame: Frame) -> bool:
        """Read ahead while a message is handled, as far as that goes; a heartbeat counts when it arrives."""
        is_text = isinstance(frame, str)
        if is_text and frame[:1] not in MESSAGES:
            try:
                if self._message(frame) is None:
                    return True
            except (ClientLeft, PacketError) as error:
                self._lose(error)
                return True
        if self._ahead is None:
            self._ahead = deque()
        if len(self._ahead) >= MOST_EVENTS or self._ahead_size >= MOST_BYTES:
            return False
        self._ahead.append(frame)
        self._ahead_size += len(frame)
        return True

    def _next(self) -> Frame | None:
        """Return the next frame that has arrived, or None."""
        if self._ahead:
            frame = self._ahead.popleft()
            self._ahead_size -= len(frame)
            return frame
        self._ahead = None
        frames = self._link.frames
        return frames.popleft() if frames else None

    def _message(self, frame: Frame) -> Frame | None:
        """Return the message in a frame, or None for a frame without one."""
        socket = self._socket
        read_text, read_binary = READERS[socket.protocol]
        if isinstance(frame, str):
            return read_text(socket, frame)
        return read_binary(frame, socket.server.max_http_buffer_size)

    # What there is a task for.

    def _go_on(self) -> None:
        if self._task is None:
            self._task = self._link.spawn(self._work(), self._context)

    async def _work(self) -> None:
        """Wait for what there is to wait for, read what has arrived meanwhile, and see to the session's end."""
        socket, link = self._socket, self._link
        is_cancelled = True
        try:
            await self._read()
            is_cancelled = False
        except (ClientLeft, PacketError) as error:
            self._error = error
        finally:
            if is_cancelled or self._error is not None or socket.closed:
                code = await end(socket, self._error)
                self._error = None  # its traceback knows this frame
                await close(socket, link, code)
            else:
                self._task = None
                link.resume()

    async def _read(self) -> None:
        """
        Dispatch frames in order until nothing is left, or the session is over.

        Raises:
            ClientLeft: The client said goodbye.
            PacketError: The client sent what the protocol does not have.
        """
        socket = self._socket
        while not socket.closed and not socket.is_given_up:
            if self._rest is not None:
                rest, self._rest = self._rest, None
                await self._handle(rest)
            elif self._credit <= 0:
                await asyncio.sleep(0)
                self._credit = FAIR_SHARE
            elif (frame := self._next()) is None:
                break
            else:
                self._credit -= 1
                message = self._message(frame)
                if message is not None and not socket.closing:
                    await self._handle(_call(self._on_message, self._key, message))

    async def _handle(self, handling: Awaitable[None]) -> None:
        socket = self._socket
        socket.handling = True
        if self._error is not None:
            socket.limit_handling()
        try:
            rest = begin_waiting(handling)
            if rest is not None:
                await self._wait(rest)
        except Exception:
            socket.server.logger.exception("message handler error")
        finally:
            socket.handling = False

    async def _wait(self, rest: Awaitable[None]) -> None:
        """Wait for a message handler, and after a while read on meanwhile."""
        timer = asyncio.get_running_loop().call_later(self._socket.server.ahead_after, self._read_ahead)
        try:
            await rest
            self._socket.has_progressed = True
        finally:
            timer.cancel()

    def _read_ahead(self) -> None:
        """Take what waits from the link, so that the peer is read on; its end would not be noticed otherwise."""
        frames = self._link.frames
        while frames:
            if not self._keep(frames[0]):
                return
            frames.popleft()
        self._link.resume()


async def _call(on_message: Any, key: Any, data: Frame) -> None:
    """Call a message handler that may wait, or may not."""
    rest = on_message(key, data)
    if rest is not None:
        await rest
