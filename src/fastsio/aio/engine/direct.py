"""
Reading a session from a link that gives frames without events.

**In order, and without a task where that is possible.** An event of Socket.IO that finds nothing before it is handled
in the transport's callback: the message handler is called, which for an event means that the event's own handler
starts, and is done. When there is something to wait for, the session's task waits for it, and so does what arrives
meanwhile. Everything else, and every frame of a server whose message handler runs application code itself, is read by
the session's task, which is one step of the loop away.
"""

from __future__ import annotations

import asyncio
import logging
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from fastsio.aio.engine.tracing import trace_messages
from fastsio.engine.reading import READERS

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from fastsio.aio.engine.links import DirectLink, Frame
    from fastsio.aio.engine.socket import EngineSocket

#: How a message begins that is an event, without or with attachments.
EVENTS: Final = ("42", "45")
#: Messages that are handled where they arrive, or read, before everybody else has a turn.
FAIR_SHARE: Final = 64


class Reader:
    """
    Reads one session.

    Args:
        socket: The session.
        link: Its WebSocket.
    """

    __slots__ = ("_credit", "_is_stepped", "_link", "_on_message", "_rest", "_socket")

    def __init__(self, socket: EngineSocket, link: DirectLink) -> None:
        server = socket.server
        on_message = server.handlers["message"]
        self._is_stepped = on_message in server.stepped_handlers and socket.protocol > 3  # noqa: PLR2004 - Engine.IO 4
        if server.logger.isEnabledFor(logging.INFO):
            on_message = trace_messages(on_message, server.logger)
        self._socket = socket
        self._link = link
        self._on_message = on_message
        self._rest: Awaitable[None] | None = None
        self._credit = FAIR_SHARE

    async def read(self) -> None:
        """
        Dispatch frames in order until the session is over.

        Raises:
            ClientLeft: The client said goodbye.
            LinkLost: The WebSocket is closed.
            PacketError: The client sent what the protocol does not have.
        """
        socket, link = self._socket, self._link
        if self._is_stepped:
            # What is started from the callback belongs to this session as much as what its task starts.
            run: Any = copy_context().run
            link.divert(partial(run, self._take))
        while not socket.closed:
            if self._credit <= 0:
                await asyncio.sleep(0)
                self._credit = FAIR_SHARE
            if self._rest is not None:
                rest, self._rest = self._rest, None
                await self._handle(rest)
            elif not link.frames:
                await link.wait()
            elif (data := self._message(link.frames.popleft())) is not None and not socket.closing:
                self._credit -= 1
                await self._handle(self._read_message(data))

    def _message(self, frame: Frame) -> Frame | None:
        """Return the message in a frame; None when there is none."""
        socket = self._socket
        read_text, read_binary = READERS[socket.protocol]
        if isinstance(frame, str):
            return read_text(socket, frame)
        return read_binary(frame, socket.server.max_http_buffer_size)

    async def _read_message(self, data: Frame) -> None:
        rest = self._on_message(self._socket.sid, data)
        if rest is not None:
            await rest

    async def _handle(self, handling: Awaitable[None]) -> None:
        socket = self._socket
        socket.handling = True
        try:
            await handling
        except Exception:
            socket.server.logger.exception("message handler error")
        finally:
            socket.handling = False

    def _take(self, frame: Frame) -> bool:
        """Handle an event where it arrives."""
        socket = self._socket
        if socket.handling or socket.closing or self._credit <= 0:
            return False
        if type(frame) is str:
            if frame[:2] not in EVENTS:
                return False
            frame = frame[1:]
        self._credit -= 1
        on_message = self._on_message
        try:
            rest = on_message(socket.sid, frame)
        except Exception:
            socket.server.logger.exception("message handler error")
            return True
        if rest is not None:
            socket.handling = True
            self._rest = rest
            self._link.wake()
        return True
