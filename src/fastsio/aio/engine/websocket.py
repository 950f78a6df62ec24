"""
The WebSocket transport: the loops that read, and the end.

Sessions move here from polling in :mod:`.upgrade`. :func:`serve` runs a session over a link with events. A
link that gives frames without events is read by :class:`DirectReader`:

**In order, and without a task where that is possible.** A frame that arrives while no other waits is handled in the
callback in which it arrives: the message handler is called there. If it has to wait, a task waits for it, and handles
what arrives meanwhile; the task ends when no frame is left. So an idle session has no task, and keeps nothing of the
request it began with but the environ.

A server whose message handler runs application code itself gets such a task for every message.

Source: Engine.IO protocol v4, "WebSocket".
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from fastsio.aio.engine.direct_upgrade import DirectUpgrade
from fastsio.aio.engine.eager import begin_waiting
from fastsio.aio.engine.links import DirectLink
from fastsio.aio.engine.read_ahead import MAX_BYTES_AHEAD, MAX_EVENTS, ReadAhead
from fastsio.aio.engine.upgrade import absorb_cancellation, upgrade
from fastsio.engine.frame_reader import MESSAGES, NORMAL_CLOSURE, READERS, ClientLeft, LinkLost
from fastsio.engine.session_tables import Transport
from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine
    from contextvars import Context

    from fastsio.aio.engine.links import AnyLink, Event, Frame, Receive
    from fastsio.aio.engine.session import Session


#: Frames that are handled or read before other tasks have a turn.
FAIR_SHARE: Final = 64
#: The most bytes a character takes in UTF-8.
MAX_CHARACTER_BYTES: Final = 4
#: How a frame begins that is an event of Socket.IO, without or with attachments, in both revisions of Engine.IO.
EVENTS: Final = ("42", "45")


async def serve(session: Session, link: AnyLink) -> None:
    """
    Run a session over an accepted WebSocket until either end closes it; for a direct link, only start its reader.

    What waits here stays in memory for as long as the WebSocket is open, so there are few calls between.
    """
    if isinstance(link, DirectLink):
        begin(session, link)
        return
    session.reader = asyncio.current_task()
    code: int | None = NORMAL_CLOSURE
    error: Exception | None = None
    try:
        refused = None if session.transport is Transport.NEW else await upgrade(session, link)
        if refused is not None:
            code = refused
            return
        session.attach(link)
        try:
            await _read(session, link.receive)
        except (ClientLeft, LinkLost, PacketError) as raised:
            error = raised
        except asyncio.CancelledError:
            if not absorb_cancellation(session):
                raise
        finally:
            code = await end(session, error)
            error = None  # its traceback refers to this frame
    finally:
        if code is not None:
            session.reader = None
            await close(session, link, code)


def begin(session: Session, link: DirectLink) -> None:
    """Run a session over an accepted WebSocket that is a direct link, from the callbacks of the link."""
    if session.transport is Transport.NEW:
        _read_direct(session, link)
    else:
        DirectUpgrade(session, link, _read_direct, close).start()


def _read_direct(session: Session, link: DirectLink) -> None:
    session.attach(link)
    DirectReader(session, link).start()


class Serving:
    """The serving of a session over a WebSocket that a framework accepts; ``has_begun`` once it was accepted."""

    def __init__(self, session: Session) -> None:
        self.has_begun = False
        self._session = session

    def begin(self, link: AnyLink) -> Coroutine[Any, Any, None]:
        """Return what runs the session."""
        self.has_begun = True
        return serve(self._session, link)


async def turn_away(link: AnyLink) -> None:
    """Close a WebSocket for a session that has one, as the JavaScript server does; the session is untouched."""
    await link.send({"type": "websocket.close", "code": NORMAL_CLOSURE})


async def _read(session: Session, receive: Receive) -> None:  # noqa: PLR0915 - what waits here stays in memory
    """Dispatch frames in order until the session is over, or raise ClientLeft, LinkLost or PacketError."""
    server = session.server
    ahead: ReadAhead | None = None
    on_message, key = session.message_handler()
    credit = FAIR_SHARE
    try:
        while not session.closed:
            credit -= 1
            if not credit:
                credit = FAIR_SHARE
                # A server may have more frames ready than are read without waiting, and the message handler need not
                # wait.
                await asyncio.sleep(0)
            if ahead is not None and ahead.is_idle:
                ahead = None
            # A session that waits keeps nothing of its last frame in memory: it may wait for very long.
            data = _message(session, await (receive() if ahead is None else ahead.next()))
            if data is None or session.closing:
                continue
            session.handling = True
            try:
                waiting = on_message(key, data)
                if waiting is not None and (rest := begin_waiting(waiting)) is not None:
                    ahead = ahead or ReadAhead(receive, partial(_keep, session), server.ahead_after)
                    await _wait(session, ahead, rest)
            except Exception:
                server.logger.exception("message handler error")
            finally:
                session.handling = False
                data = waiting = rest = None
            if session.is_given_up and not session.closed:
                raise (ahead and ahead.error) or LinkLost
    finally:
        if ahead is not None:
            ahead.stop()


async def _wait(session: Session, ahead: ReadAhead, waiting: Awaitable[None]) -> None:
    """Wait for a message handler, or until it is cancelled because the client is gone."""
    try:
        await ahead.wait_for(waiting)
        session.has_progressed = True
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or not session.is_given_up:
            raise
        task.uncancel()


def _keep(session: Session, event: Event) -> bool:
    """Tell whether an event is to wait for those before it; a heartbeat counts when it arrives."""
    text: str | None = event.get("text")
    if text is None:
        if event.get("bytes") is None:
            session.limit_handling()
        return True
    if text[:1] in MESSAGES:
        return True
    try:
        return _message(session, event) is not None
    except (ClientLeft, PacketError):
        session.limit_handling()
        raise


def _message(session: Session, event: Event) -> str | bytes | None:
    """Return the message in a frame, or None for a frame without one."""
    text: str | None = event.get("text")
    if text and text[0] == "4" and len(text) * MAX_CHARACTER_BYTES <= session.server.max_http_buffer_size:
        return text[1:]
    read_text, read_binary = READERS[session.protocol]
    if text is not None:
        return read_text(session, text)
    data = event.get("bytes")
    if data is None:
        raise LinkLost
    return read_binary(data, session.server.max_http_buffer_size)


class DirectReader:
    """Reads one session from a link that gives frames without events."""

    __slots__ = (
        "_ahead",
        "_ahead_size",
        "_credit",
        "_error",
        "_key",
        "_link",
        "_on_message",
        "_rest",
        "_session",
        "_task",
        "context",
    )

    def __init__(self, session: Session, link: DirectLink) -> None:
        server = session.server
        on_message, self._key = session.message_handler()
        is_stepped = server.handlers["message"] in server.stepped_handlers
        self._session = session
        self._link = link
        self._on_message = on_message if is_stepped else partial(_call, on_message)
        self._credit = FAIR_SHARE
        #: What arrived while a message was handled, in order, and how large it is.
        self._ahead: deque[Frame] | None = None
        self._ahead_size = 0
        #: The rest of the last message's handler, which a task waits for.
        self._rest: Awaitable[None] | None = None
        #: Why nothing more will be read.
        self._error: Exception | None = None
        self._task: asyncio.Task[None] | None = None
        # The context of the request that the session began with; its handlers start in this context.
        self.context: Context = copy_context()

    def start(self) -> None:
        """Start to read; reading goes on after the task that calls this has ended."""
        self._session.reader = self
        self._link.listen(self)
        if self._link.frames:
            self._ensure_task()

    def cancel(self) -> None:
        """Notice that the session is over; named as the method of the task that reads other links."""
        if self._session.is_given_up and self._session.handling and self._task is not None:
            self._task.cancel()
        else:
            self._ensure_task()

    def stop_reading(self, error: Exception) -> None:
        """End the reading once the frames that have arrived are handled: no more will come."""
        self._error = self._error or error
        self._session.limit_handling()
        self._ensure_task()

    def handle_frame(self, frame: Frame) -> bool:
        """Handle a frame in the callback in which it arrives; return whether it was taken."""
        session = self._session
        if session.closing or self._error is not None:
            return True
        if session.handling or self._credit <= 0 or self._ahead:
            return self._defer(frame)
        self._credit -= 1
        if type(frame) is str and frame[:2] in EVENTS:
            data: Frame = frame[1:]
        else:
            try:
                message = self._message(frame)
            except (ClientLeft, PacketError) as error:
                self.stop_reading(error)
                return True
            if message is None:
                return True
            data = message
        on_message = self._on_message
        try:
            rest = on_message(self._key, data)
        except Exception:
            session.server.logger.exception("message handler error")
            return True
        if rest is not None:
            session.handling = True
            self._rest = rest
            self._ensure_task()
        return True

    def _defer(self, frame: Frame) -> bool:
        """Leave a frame to the task; return whether it was taken, so that the link reads on."""
        if self._session.handling:
            return self._keep(frame)
        self._ensure_task()
        return False

    def _keep(self, frame: Frame) -> bool:
        """Keep a frame while a message is handled, up to the limits; a heartbeat counts when it arrives."""
        is_text = isinstance(frame, str)
        if is_text and frame[:1] not in MESSAGES:
            try:
                if self._message(frame) is None:
                    return True
            except (ClientLeft, PacketError) as error:
                self.stop_reading(error)
                return True
        if self._ahead is None:
            self._ahead = deque()
        if len(self._ahead) >= MAX_EVENTS or self._ahead_size >= MAX_BYTES_AHEAD:
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
        session = self._session
        read_text, read_binary = READERS[session.protocol]
        if isinstance(frame, str):
            return read_text(session, frame)
        return read_binary(frame, session.server.max_http_buffer_size)

    # The task.

    def _ensure_task(self) -> None:
        if self._task is None:
            self._task = self._link.spawn(self._run(), self.context)

    async def _run(self) -> None:
        """Wait for the message handler, handle what has arrived meanwhile, and end the session if it is over."""
        session, link = self._session, self._link
        is_cancelled = True
        try:
            await self._read()
            is_cancelled = False
        except (ClientLeft, PacketError) as error:
            self._error = error
        finally:
            if is_cancelled or self._error is not None or session.closed:
                code = await end(session, self._error)
                self._error = None  # its traceback refers to this frame
                await close(session, link, code)
            else:
                self._task = None
                link.resume()

    async def _read(self) -> None:
        """Dispatch frames in order until nothing is left, or the session is over; raise ClientLeft or PacketError."""
        session = self._session
        while not session.closed and not session.is_given_up:
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
                if message is not None and not session.closing:
                    await self._handle(_call(self._on_message, self._key, message))

    async def _handle(self, handling: Awaitable[None]) -> None:
        session = self._session
        session.handling = True
        if self._error is not None:
            session.limit_handling()
        try:
            rest = begin_waiting(handling)
            if rest is not None:
                await self._wait(rest)
        except Exception:
            session.server.logger.exception("message handler error")
        finally:
            session.handling = False

    async def _wait(self, rest: Awaitable[None]) -> None:
        """Wait for a message handler, and read ahead if that takes long."""
        timer = asyncio.get_running_loop().call_later(self._session.server.ahead_after, self._read_ahead)
        try:
            await rest
            self._session.has_progressed = True
        finally:
            timer.cancel()

    def _read_ahead(self) -> None:
        """Take the waiting frames from the link, so that it reads on and notices the end of the connection."""
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


async def end(session: Session, error: Exception | None) -> int:
    """End a session of which nothing more is read, because of *error* if that is known; return the close code."""
    if isinstance(error, LinkLost):
        session.drop_link()
    reason, code = session.end_of_websocket(error)
    session.reader = None
    await session.finish(reason, abort=True)
    return code


async def close(session: Session, link: AnyLink, code: int) -> None:
    """Let what is being written go out, then close, within bounds."""
    server = session.server
    is_attached = session.transport is Transport.WEBSOCKET
    lost = is_attached and session.link is None
    try:
        async with asyncio.timeout(server.close_grace):
            if is_attached:
                await session.detach()
            if not lost:
                await link.send({"type": "websocket.close", "code": code})
    except Exception as error:  # noqa: BLE001 - the peer may be gone, which is what is wanted
        server.logger.debug("The closing handshake failed: %r", error)
