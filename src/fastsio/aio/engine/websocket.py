"""
The WebSocket transport: the upgrade from polling, the loops that read, and the end.

:func:`serve` runs a session over a link with events. A link that gives frames without events is read by
:class:`DirectReader`:

**In order, and without a task where that is possible.** A frame that finds nothing before it is handled in the
transport's callback: the message handler is called, which for an event of Socket.IO means that the event's own handler
starts, and is done. When there is something to wait for, a task waits for it, and reads what arrives meanwhile; it ends
when nothing is left. So a session that idles has no task, and nothing of the request it began with but its environ.

A server whose message handler runs application code itself gets such a task for every message.

Source: Engine.IO protocol v4, "WebSocket" and "Upgrade".
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from fastsio.aio.engine.eager import begin_waiting
from fastsio.aio.engine.links import DirectLink
from fastsio.aio.engine.read_ahead import MOST_BYTES, MOST_EVENTS, Ahead
from fastsio.engine.frame_reader import MESSAGES, NORMAL_CLOSURE, READERS, ClientLeft, LinkLost, closing_code
from fastsio.engine.log_format import label
from fastsio.engine.session import CLOSE_GRACE_S, Move, Transport
from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine
    from contextvars import Context

    from fastsio.aio.engine.links import AnyLink, Event, Frame, Receive
    from fastsio.aio.engine.session import Session


#: Frames that are handled where they arrive, or read, before everybody else has a turn.
FAIR_SHARE: Final = 64
#: The most bytes a character takes in UTF-8.
MAX_CHARACTER_BYTES: Final = 4
PROBE: Final = "2probe"
PROBE_ANSWER: Final = "3probe"
UPGRADE: Final = "5"
#: How a frame begins that is an event of Socket.IO, without or with attachments, in both revisions of Engine.IO.
EVENTS: Final = ("42", "45")


async def serve(session: Session, link: AnyLink) -> None:
    """
    Run a session over an accepted WebSocket until either end closes it; on a direct link, only begin to.

    What waits here stays in memory for as long as the WebSocket is open, so there are few calls between.

    Args:
        session: The session.
        link: The WebSocket.
    """
    session.reader = asyncio.current_task()
    code: int | None = NORMAL_CLOSURE
    error: Exception | None = None
    try:
        refused = None if session.transport is Transport.NEW else await upgrade(session, link)
        if refused is not None:
            code = refused
            return
        session.attach(link)
        if isinstance(link, DirectLink):
            DirectReader(session, link).start()
            code = None
            return
        try:
            await _read(session, link.receive)
        except (ClientLeft, LinkLost, PacketError) as raised:
            error = raised
        except asyncio.CancelledError:
            if not absorb_cancellation(session):
                raise
        finally:
            code = await end(session, error)
            error = None  # its traceback knows this frame
    finally:
        if code is not None:
            session.reader = None
            await close(session, link, code)


class Serving:
    """
    The serving of a session over a WebSocket that a web framework accepts.

    Args:
        session: The session.

    Attributes:
        has_begun: True once it was accepted.
    """

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
    """
    Dispatch frames in order until the session is over.

    Raises:
        ClientLeft: The client said goodbye.
        LinkLost: The WebSocket is closed.
        PacketError: The client sent what the protocol does not have.
    """
    server = session.server
    ahead: Ahead | None = None
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
                    ahead = ahead or Ahead(receive, partial(_keep, session), server.ahead_after)
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


async def _wait(session: Session, ahead: Ahead, waiting: Awaitable[None]) -> None:
    """Wait for a message handler; after the client is gone, not for long."""
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


async def upgrade(session: Session, link: AnyLink) -> int | None:
    """
    Move a polling session to this WebSocket.

    A client may leave the probe out. One that vanishes, takes too long or says something else loses the WebSocket, and
    its session stays on polling. What came in a POST is taken before anything that comes here.

    Returns:
        None when the client asked for the switch, else the code to close the WebSocket with.
    """
    server = session.server
    if server.is_traced:
        server.logger.info("%s: Received request to upgrade to websocket", label(session.sid))
    code = NORMAL_CLOSURE
    try:
        async with asyncio.timeout(server.upgrade_timeout):
            if await _expect(link, PROBE, UPGRADE) == PROBE:
                session.hold_polls()
                await link.send({"type": "websocket.send", "text": PROBE_ANSWER})
                await _expect(link, UPGRADE)
            await session.let_post_end()
        if not session.closing and session.move(Move.SWITCH):
            if server.is_traced:
                server.logger.info("%s: Upgrade to websocket successful", label(session.sid))
            return None
    except PacketError as error:
        server.report(f"An upgrade failed, the session stays on polling: {error}", "bad-probe")
        code = closing_code(error)
    except (TimeoutError, LinkLost):
        server.logger.info("An upgrade was not completed, the session stays on polling")
    except asyncio.CancelledError:
        if not absorb_cancellation(session):
            raise
    finally:
        session.end_upgrade()
    return code


async def _expect(link: AnyLink, *frames: str) -> str:
    """Wait for one of *frames*, and return it."""
    event = await link.receive()
    if event["type"] != "websocket.receive":
        raise LinkLost
    text: str | None = event.get("text")
    if text not in frames:
        raise PacketError(f"expected {' or '.join(frames)}")
    return text


class DirectReader:
    """
    Reads one session from a link that gives frames without events.

    Args:
        session: The session.
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
        "_session",
        "_task",
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
        #: What the last message left to wait for.
        self._rest: Awaitable[None] | None = None
        #: Why nothing more will be read.
        self._error: Exception | None = None
        self._task: asyncio.Task[None] | None = None
        # What is started for this session is started in its context: the one of the request it began with.
        self._context: Context = copy_context()

    def start(self) -> None:
        """Read from now on, whatever becomes of the task that calls this."""
        self._session.reader = self
        run: Any = self._context.run
        self._link.listen(partial(run, self._take), self._lose)
        if self._link.frames:
            self._go_on()

    def cancel(self) -> None:
        """Notice that the session is over; named as the method of the task that reads other links."""
        if self._session.is_given_up and self._session.handling and self._task is not None:
            self._task.cancel()
        else:
            self._go_on()

    def _lose(self, error: Exception) -> None:
        """End the reading once the frames that have arrived are handled: no more will come."""
        self._error = self._error or error
        self._session.limit_handling()
        self._go_on()

    def _take(self, frame: Frame) -> bool:
        """Handle a frame where it arrives."""
        session = self._session
        if session.closing or self._error is not None:
            return True
        if session.handling or self._credit <= 0 or self._ahead:
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
            session.server.logger.exception("message handler error")
            return True
        if rest is not None:
            session.handling = True
            self._rest = rest
            self._go_on()
        return True

    def _put_off(self, frame: Frame) -> bool:
        """Leave a frame for the task; tell whether the peer is read on meanwhile."""
        if self._session.handling:
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
        session = self._session
        read_text, read_binary = READERS[session.protocol]
        if isinstance(frame, str):
            return read_text(session, frame)
        return read_binary(frame, session.server.max_http_buffer_size)

    # What there is a task for.

    def _go_on(self) -> None:
        if self._task is None:
            self._task = self._link.spawn(self._work(), self._context)

    async def _work(self) -> None:
        """Wait for what there is to wait for, read what has arrived meanwhile, and see to the session's end."""
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
                self._error = None  # its traceback knows this frame
                await close(session, link, code)
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
        """Wait for a message handler, and after a while read on meanwhile."""
        timer = asyncio.get_running_loop().call_later(self._session.server.ahead_after, self._read_ahead)
        try:
            await rest
            self._session.has_progressed = True
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


async def end(session: Session, error: Exception | None) -> int:
    """
    End a session of which nothing more is read.

    Args:
        session: The session.
        error: Why: the client said goodbye, the WebSocket is closed, or the client broke the protocol. None when it was
            the server's wish, or there is no telling.

    Returns:
        The code to close the WebSocket with.
    """
    if isinstance(error, LinkLost):
        session.lose_link()
    reason, code = session.departure(error)
    session.reader = None
    await session.finish(reason, abort=True)
    return code


def absorb_cancellation(session: Session) -> bool:
    """Tell whether it was the session's end that cancelled this task, to wake it; then the task goes on."""
    task = asyncio.current_task()
    if session.closed and session.reader is not None and task is not None:
        task.uncancel()
    return session.closed


async def close(session: Session, link: AnyLink, code: int) -> None:
    """Let what is being written go out, then close, within bounds."""
    server = session.server
    is_attached = session.transport is Transport.WEBSOCKET
    lost = is_attached and session.send_event is None
    try:
        async with asyncio.timeout(CLOSE_GRACE_S):
            if is_attached:
                await session.detach()
            if not lost:
                await link.send({"type": "websocket.close", "code": code})
    except Exception as error:  # noqa: BLE001 - the peer may be gone, which is what is wanted
        server.logger.debug("The closing handshake failed: %r", error)
